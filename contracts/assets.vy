# pragma version 0.4.3
"""
@title Assets: what produces or consumes, each enrolled under an account
@license Apache-2.0
@notice A registrar enrols an identity once and says until when it is current. Currency is judged as of gate closure.
@dev An asset is one word: identity 160 bits (low), account 32, last current second 40.
"""

from . import escrow
from . import roles

uses: escrow
uses: roles

IDENTITY: constant(uint256) = 2**160 - 1  # mask
OWNER: constant(uint256) = 2**192 - 1  # mask of identity and account

asset_count: public(uint256)
assets: uint256[2**32]
asset_of: public(HashMap[address, uint256])


event AssetEnrolled:
    asset: indexed(uint256)
    identity: indexed(address)
    account: indexed(uint256)
    until: uint256


event AssetRetired:
    asset: indexed(uint256)
    until: uint256


event AssetRenewed:
    asset: indexed(uint256)
    until: uint256


@external
@view
def asset(number: uint256) -> (address, uint256, uint256):
    """
    @return Identity, account and last current second of the asset; zeros when there is none.
    """
    word: uint256 = self.assets[number]
    return convert(word & IDENTITY, address), word >> 160 & (2**32 - 1), word >> 192


@external
def enrol(identity: address, number: uint256, until: uint40) -> uint256:
    """
    @notice Enrol `identity` under the account `number` until that second. Assets are numbered from 1.
    """
    self._only_registrar()
    assert identity != empty(address), "assets: identity is nobody"
    assert self.asset_of[identity] == 0, "assets: enrolled already"
    assert escrow._exists(number), "assets: no such account"
    last: uint256 = self._not_past(until)
    enrolled: uint256 = self.asset_count + 1
    assert enrolled < 2**32, "assets: no asset number left"
    self.asset_count = enrolled
    self.asset_of[identity] = enrolled
    self.assets[enrolled] = convert(identity, uint256) | number << 160 | last << 192
    log AssetEnrolled(asset=enrolled, identity=identity, account=number, until=last)
    return enrolled


@external
def retire(number: uint256):
    """
    @notice End an asset now. Sessions whose gate closed before now still settle it.
    """
    self._only_registrar()
    word: uint256 = self._enrolled(number)
    until: uint256 = min(word >> 192, block.timestamp - 1)
    self.assets[number] = word & OWNER | until << 192
    log AssetRetired(asset=number, until=until)


@external
def renew(number: uint256, until: uint40):
    """
    @notice Say anew until when an asset is current; it may be sooner than before, but not past.
    """
    self._only_registrar()
    word: uint256 = self._enrolled(number)
    last: uint256 = self._not_past(until)
    self.assets[number] = word & OWNER | last << 192
    log AssetRenewed(asset=number, until=last)


@internal
@view
def _only_registrar():
    assert roles._has(roles.REGISTRAR), "roles: not a registrar"


@internal
@view
def _enrolled(number: uint256) -> uint256:
    assert number != 0 and number <= self.asset_count, "assets: no such asset"
    return self.assets[number]


@internal
@view
def _not_past(until: uint40) -> uint256:
    last: uint256 = convert(until, uint256)
    assert last >= block.timestamp, "assets: until is past"
    return last
