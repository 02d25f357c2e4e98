# pragma version 0.4.3
# pragma evm-version london
"""
@title The asset registry: whose an asset is, and since when
@license Apache-2.0
@notice An asset is an identity with a contract of its own (`AssetIdentity.vy`) and an owner. It changes hands only if one offers and
    the other accepts, never by one side alone. Each ownership has a number, its epoch, from 1: what an owner delegated, and
    what was certified to it alone, ends with its epoch.
@dev All state lies here and none in the assets, so whoever asks about many assets asks one contract, and what an asset says of
    itself is never asked. The functions that end in `_as` are for the assets' own contracts: they tell who called them, and
    let nobody else speak through them to this registry.
    The events of the first kind are those of Energy Web's IdentityManager.
"""

from . import signatures

interface Identity:
    def close(): nonpayable


MAX_CODE: constant(uint256) = 12288  # bytes
DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
CREATION_TYPE: constant(bytes32) = keccak256("Creation(address owner,uint256 number,uint256 deadline)")

U160: constant(uint256) = 2**160 - 1

did_registry: public(immutable(address))
implementation: public(immutable(address))

# asset -> owner 160 bits (low), epoch 32, since 64; the owner is zero once it is retired, and all is where there is no asset
assets: HashMap[address, uint256]
# asset -> whom it is offered to 160 bits (low), until 64 (0: no end)
offers: HashMap[address, uint256]
# asset -> ownership epoch -> when it ended; zero for the present one, and for one that never was
epoch_ended: public(HashMap[address, HashMap[uint256, uint256]])
# owner -> how many assets were created for it
created: public(HashMap[address, uint256])


event IdentityCreated:
    identity: indexed(address)
    owner: indexed(address)
    at: indexed(uint256)


event IdentityOffered:
    identity: indexed(address)
    owner: indexed(address)
    offeredTo: address
    at: indexed(uint256)


event IdentityTransferred:
    identity: indexed(address)
    owner: indexed(address)
    at: indexed(uint256)


event IdentityOfferRejected:
    identity: indexed(address)
    owner: address
    offeredTo: indexed(address)
    at: indexed(uint256)


event IdentityOfferCanceled:
    identity: indexed(address)
    owner: indexed(address)
    oferedto: address
    at: indexed(uint256)


event AssetOffered:
    identity: indexed(address)
    owner: indexed(address)
    to: indexed(address)
    until: uint256


event AssetRetired:
    identity: indexed(address)
    owner: indexed(address)
    epoch: uint256


@deploy
def __init__(registry_of_dids: address, code: Bytes[MAX_CODE]):
    """
    @param registry_of_dids Where assets keep their DID records.
    @param code What deploys `AssetIdentity`; the registry deploys it, so that each knows the other for good.
    """
    assert registry_of_dids.is_contract, "registry: DIDs have no code"
    did_registry = registry_of_dids
    implementation = raw_create(code, registry_of_dids)


@external
def createIdentity(owner: address) -> address:
    """
    @notice Create an asset for oneself.
    @return Its address.
    """
    assert msg.sender == owner, "registry: not in another's name"
    return self._create(owner)


@external
def createIdentitySigned(owner: address, deadline: uint256, signature: Bytes[65]) -> address:
    """
    @notice Create an asset for an owner that signed `Creation`; anybody may bring it.
    @param deadline The last second at which the signature serves. It serves once: it names how many assets were created for the
        owner before.
    @return Its address.
    """
    assert block.timestamp <= deadline, "registry: deadline is past"
    message: bytes32 = keccak256(abi_encode(CREATION_TYPE, owner, self.created[owner], deadline))
    signer: address = signatures._signer(keccak256(concat(b"\x19\x01", self._domain(), message)), signature)
    assert signer != empty(address) and signer == owner, "registry: owner did not sign"
    return self._create(owner)


@external
def offer(asset: address, to: address, until: uint64):
    """
    @notice Offer an asset, up to the second `until` (0: no end). This replaces an offer before.
    """
    self._offer(asset, msg.sender, to, convert(until, uint256))


@external
def offer_as(actor: address, to: address, until: uint64):
    """
    @dev Called by an asset's own contract.
    """
    self._offer(msg.sender, actor, to, convert(until, uint256))


@external
def accept(asset: address):
    """
    @notice Take over an asset that is offered to the sender.
    """
    self._accept(asset, msg.sender)


@external
def accept_as(actor: address):
    """
    @dev Called by an asset's own contract.
    """
    self._accept(msg.sender, actor)


@external
def reject(asset: address):
    """
    @notice Decline an asset that is offered to the sender.
    """
    self._reject(asset, msg.sender)


@external
def reject_as(actor: address):
    """
    @dev Called by an asset's own contract.
    """
    self._reject(msg.sender, actor)


@external
def cancel(asset: address):
    """
    @notice Take the offer of an asset back.
    """
    self._cancel(asset, msg.sender)


@external
def cancel_as(actor: address):
    """
    @dev Called by an asset's own contract.
    """
    self._cancel(msg.sender, actor)


@external
def retire(asset: address):
    """
    @notice End an asset for ever: it has no owner any more, and its DID is deactivated.
    """
    self._retire(asset, msg.sender)


@external
def retire_as(actor: address):
    """
    @dev Called by an asset's own contract.
    """
    self._retire(msg.sender, actor)


@external
@view
def verified(asset: address) -> bool:
    """
    @return Whether this registry created it, retired or not.
    """
    return self.assets[asset] != 0


@external
@view
def tenure(asset: address) -> (address, uint256, uint256):
    """
    @return Owner, ownership epoch, and since when (unix seconds). The owner is zero once the asset is retired, and all three are
        where there is no such asset.
    """
    word: uint256 = self.assets[asset]
    return convert(word & U160, address), self._epoch(word), word >> 192


@external
@view
def identityOwner(identity: address) -> address:
    """
    @return Whose the asset is, as Energy Web's manager is asked.
    """
    return self._owner(identity)


@external
@view
def offer_of(asset: address) -> (address, uint256):
    """
    @return Whom the asset is offered to, and until when (0: no end); zeros when it is not, or the offer is over.
    """
    word: uint256 = self.offers[asset]
    if self._is_over(word):
        return empty(address), 0
    return convert(word & U160, address), word >> 160


@external
@view
def domain_separator() -> bytes32:
    return self._domain()


@internal
def _create(owner: address) -> address:
    """
    @dev The address follows from the owner and the number of its assets, so that a reorganisation of the chain gives the asset to
        the same owner or to nobody.
    """
    number: uint256 = self.created[owner]
    self.created[owner] = number + 1
    asset: address = create_minimal_proxy_to(implementation, salt=keccak256(abi_encode(owner, number)))
    self.assets[asset] = self._word(owner, 1)
    log IdentityCreated(identity=asset, owner=owner, at=block.timestamp)
    return asset


@internal
def _offer(asset: address, actor: address, to: address, until: uint256):
    self._only_owner(asset, actor)
    assert to != empty(address), "registry: offered to nobody"
    assert to != asset, "registry: offered to itself"
    assert until == 0 or until >= block.timestamp, "registry: until is past"
    self.offers[asset] = convert(to, uint256) | until << 160
    log IdentityOffered(identity=asset, owner=actor, offeredTo=to, at=block.timestamp)
    log AssetOffered(identity=asset, owner=actor, to=to, until=until)


@internal
def _accept(asset: address, actor: address):
    self._only_offered_to(asset, actor)
    assert not self._is_over(self.offers[asset]), "registry: offer is over"
    epoch: uint256 = self._epoch(self.assets[asset])
    self.offers[asset] = 0
    self.epoch_ended[asset][epoch] = block.timestamp
    self.assets[asset] = self._word(actor, epoch + 1)
    log IdentityTransferred(identity=asset, owner=actor, at=block.timestamp)


@internal
def _reject(asset: address, actor: address):
    self._only_offered_to(asset, actor)
    self.offers[asset] = 0
    log IdentityOfferRejected(identity=asset, owner=self._owner(asset), offeredTo=actor, at=block.timestamp)


@internal
def _cancel(asset: address, actor: address):
    self._only_owner(asset, actor)
    offered: address = convert(self.offers[asset] & U160, address)
    assert offered != empty(address), "registry: nothing is offered"
    self.offers[asset] = 0
    log IdentityOfferCanceled(identity=asset, owner=actor, oferedto=offered, at=block.timestamp)


@internal
def _retire(asset: address, actor: address):
    self._only_owner(asset, actor)
    word: uint256 = self.assets[asset]
    self.offers[asset] = 0
    self.epoch_ended[asset][self._epoch(word)] = block.timestamp
    self.assets[asset] = word ^ (word & U160)
    log AssetRetired(identity=asset, owner=actor, epoch=self._epoch(word))
    extcall Identity(asset).close()


@internal
@view
def _only_owner(asset: address, actor: address):
    """
    @dev Of what is no asset, or is retired, nobody is the owner, and nobody never calls.
    """
    assert actor != empty(address) and actor == self._owner(asset), "registry: not the owner"


@internal
@view
def _only_offered_to(asset: address, actor: address):
    assert (
        actor != empty(address) and convert(actor, uint256) == self.offers[asset] & U160
    ), "registry: not offered to sender"


@internal
@view
def _is_over(offer: uint256) -> bool:
    return offer >> 160 != 0 and block.timestamp > offer >> 160


@internal
@view
def _owner(asset: address) -> address:
    return convert(self.assets[asset] & U160, address)


@internal
@view
def _word(owner: address, epoch: uint256) -> uint256:
    return convert(owner, uint256) | epoch << 160 | block.timestamp << 192


@internal
@pure
def _epoch(word: uint256) -> uint256:
    return word >> 160 & (2**32 - 1)


@internal
@view
def _domain() -> bytes32:
    return keccak256(abi_encode(DOMAIN_TYPE, keccak256("Merit Asset Registry"), keccak256("1"), chain.id, self))
