# pragma version 0.4.3
"""
@title Assets: what produces or consumes, each enrolled under an account of its owner
@license Apache-2.0
@notice What the registries say of an asset is cached here, for at most `cache_seconds`: until when it is certified, and until when
    it is a balancing provider. Anybody may enrol and anybody may refresh, since nobody is believed: the registries are asked.
    Currency is judged as of gate closure.
@dev An asset is one word: identity 160 bits (low), account 32, last current second 32, last second as a balancing provider 32.
    An enrolment is of one ownership epoch, so it ends with the sale; the next owner's has a number of its own.
"""

from . import escrow
from . import reasons

uses: escrow

interface AssetRegistry:
    def tenure(identity: address) -> (address, uint256, uint256): view  # owner, epoch, since
    def epoch_ended(identity: address, epoch: uint256) -> uint256: view

interface RoleRegistry:
    def held_until(subject: address, role: bytes32) -> uint256: view

MAX_REFRESHED: constant(uint256) = 64
OWNER: constant(uint256) = 2**192 - 1  # mask of identity and account
IDENTITY: constant(uint256) = 2**160 - 1  # masks
U32: constant(uint256) = 2**32 - 1

asset_registry: public(immutable(address))
role_registry: public(immutable(address))
asset_role: public(immutable(bytes32))
balancing_role: public(immutable(bytes32))
cache_seconds: public(immutable(uint256))

asset_count: public(uint256)
assets: uint256[2**32]
# identity -> its newest number
asset_of: public(HashMap[address, uint256])
# asset -> the ownership epoch it was enrolled in
epoch_of: public(HashMap[uint256, uint256])


event AssetEnrolled:
    asset: indexed(uint256)
    identity: indexed(address)
    account: indexed(uint256)
    epoch: uint256
    until: uint256
    balancing_until: uint256


event AssetRefreshed:
    asset: indexed(uint256)
    until: uint256
    balancing_until: uint256


@deploy
def __init__(
    registry_of_assets: address,
    registry_of_roles: address,
    role_of_assets: bytes32,
    role_of_balancing_providers: bytes32,
    seconds_cached: uint256,
):
    """
    @param seconds_cached How long the registries' say may be used without asking again: so long, at most, trades an asset on that
        was sold or lost its certificate and that nobody refreshed.
    """
    assert registry_of_assets.is_contract and registry_of_roles.is_contract, "assets: registry has no code"
    assert seconds_cached <= U32, "assets: cache is too long"
    asset_registry = registry_of_assets
    role_registry = registry_of_roles
    asset_role = role_of_assets
    balancing_role = role_of_balancing_providers
    cache_seconds = seconds_cached


@external
@view
def asset(number: uint256) -> (address, uint256, uint256, uint256):
    """
    @return Identity, account, last current second, and last second as a balancing provider (0: never); zeros when there is none.
    """
    word: uint256 = self.assets[number]
    return convert(word & IDENTITY, address), word >> 160 & U32, word >> 192 & U32, word >> 224


@external
def enrol(identity: address, number: uint256) -> uint256:
    """
    @notice Enrol `identity` under the account `number` of its owner. Assets are numbered from 1.
    @dev Once an ownership epoch; but the owner may enrol it again, under another of its accounts, lest a stranger that was
        quicker has chosen for it. That ends the number before.
    """
    owner: address = empty(address)
    epoch: uint256 = 0
    since: uint256 = 0
    owner, epoch, since = staticcall AssetRegistry(asset_registry).tenure(identity)
    reasons._require(escrow._exists(number), "assets: no such account")
    # what the registry does not know, or has retired, is nobody's; and no account is
    reasons._require(escrow._holder(escrow.accounts[number]) == owner, "assets: not its owner's account")
    before: uint256 = self.asset_of[identity]
    if before != 0 and self.epoch_of[before] == epoch:
        reasons._require(msg.sender == owner and self.assets[before] >> 160 & U32 != number, "assets: enrolled already")
        self._end(before, block.timestamp)
    until: uint256 = self._held(identity, asset_role)
    reasons._require(until >= block.timestamp, "assets: not certified")
    balancing_until: uint256 = self._held(identity, balancing_role)
    enrolled: uint256 = self.asset_count + 1
    reasons._require(enrolled <= U32, "assets: no asset number left")
    self.asset_count = enrolled
    self.asset_of[identity] = enrolled
    self.epoch_of[enrolled] = epoch
    self.assets[enrolled] = convert(identity, uint256) | number << 160 | until << 192 | balancing_until << 224
    log AssetEnrolled(
        asset=enrolled,
        identity=identity,
        account=number,
        epoch=epoch,
        until=until,
        balancing_until=balancing_until,
    )
    return enrolled


@external
def refresh(numbers: DynArray[uint256, MAX_REFRESHED]):
    """
    @notice Ask the registries anew about these assets.
    @dev A number whose ownership epoch is over, or that the owner has replaced, never becomes current for longer.
    """
    for number: uint256 in numbers:
        reasons._require(number != 0 and number <= self.asset_count, "assets: no such asset")
        word: uint256 = self.assets[number]
        identity: address = convert(word & IDENTITY, address)
        ended: uint256 = staticcall AssetRegistry(asset_registry).epoch_ended(identity, self.epoch_of[number])
        if ended != 0:
            self._end(number, ended)
        elif self.asset_of[identity] == number:
            self._keep(
                number,
                self._renewed(identity, asset_role, word >> 192 & U32),
                self._renewed(identity, balancing_role, word >> 224),
            )


@internal
def _end(number: uint256, ended: uint256):
    """
    @dev What was current at a gate that closed before `ended` stays so.
    """
    word: uint256 = self.assets[number]
    self._keep(number, min(word >> 192 & U32, ended - 1), min(word >> 224, ended - 1))


@internal
def _keep(number: uint256, until: uint256, balancing_until: uint256):
    self.assets[number] = self.assets[number] & OWNER | until << 192 | balancing_until << 224
    log AssetRefreshed(asset=number, until=until, balancing_until=balancing_until)


@internal
@view
def _renewed(identity: address, role: bytes32, known: uint256) -> uint256:
    """
    @dev A claim that by a new definition of its role has never counted has counted so far, lest a definition reach back.
    """
    held: uint256 = self._held(identity, role)
    if held == 0:
        return min(known, block.timestamp - 1)
    return held


@internal
@view
def _held(identity: address, role: bytes32) -> uint256:
    """
    @return The last second up to which the cache may say that the identity has the role.
    """
    return min(staticcall RoleRegistry(role_registry).held_until(identity, role), min(block.timestamp + cache_seconds, U32))
