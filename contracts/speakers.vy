# pragma version 0.4.3
"""
@title Who speaks for an identity
@license Apache-2.0
@notice An asset's owner speaks for the asset, as the asset registry knows it. For any other identity its owner does, or a key that
    it named to speak as it (`veriKey`), as the DID registry knows them.
"""

interface DidRegistry:
    def identityOwner(identity: address) -> address: view
    def validDelegate(identity: address, kind: bytes32, delegate: address) -> bool: view

interface AssetRegistry:
    def tenure(asset: address) -> (address, uint256, uint256): view  # owner, epoch, since


VERI_KEY: constant(bytes32) = 0x766572694b657900000000000000000000000000000000000000000000000000  # "veriKey", a delegate type

did_registry: public(immutable(address))
asset_registry: public(immutable(address))


@deploy
def __init__(registry_of_dids: address, registry_of_assets: address):
    """
    @param registry_of_dids Says who controls an identity.
    @param registry_of_assets Says who owns an asset, and in which ownership epoch it is.
    """
    assert registry_of_dids.is_contract and registry_of_assets.is_contract, "speakers: registry has no code"
    did_registry = registry_of_dids
    asset_registry = registry_of_assets


@internal
@view
def _control(identity: address) -> (address, uint256):
    """
    @return Who controls the identity, and its ownership epoch: of an asset its owner, who is nobody once it is retired; of any
        other, with epoch 0, who the DID registry says.
    """
    owner: address = empty(address)
    epoch: uint256 = 0
    since: uint256 = 0
    owner, epoch, since = staticcall AssetRegistry(asset_registry).tenure(identity)
    if epoch == 0:
        owner = staticcall DidRegistry(did_registry).identityOwner(identity)
    return owner, epoch


@internal
@view
def _speaks_for(speaker: address, identity: address) -> bool:
    """
    @dev An asset's keys are not asked: they may be a former owner's, or a device's, which agrees to nothing.
    """
    owner: address = empty(address)
    epoch: uint256 = 0
    owner, epoch = self._control(identity)
    if speaker == empty(address) or speaker == owner:
        return speaker != empty(address)
    return epoch == 0 and staticcall DidRegistry(did_registry).validDelegate(identity, VERI_KEY, speaker)
