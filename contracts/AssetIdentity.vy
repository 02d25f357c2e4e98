# pragma version 0.4.3
# pragma evm-version london
"""
@title An asset: an identity with an owner
@license Apache-2.0
@notice The address of this contract is the asset's, and its DID. It holds no state: whose it is, the asset registry says. The
    owner sells it, speaks through it, writes its DID record, and signs for it.
@dev Deployed once by the registry, and cloned by it for each asset (ERC-1167). The interface is that of Energy Web's
    OfferableIdentity, with ERC-1271 besides.
    What is left of a former owner must not act for the asset. So trade and data delegations carry the ownership epoch in their
    type, and nothing but the functions here may add a delegate or change the DID's owner: `sendTransaction` refuses both.
    Nothing is stored here and nothing is read after a call into the unknown, so there is nothing to re-enter.
"""

from . import signatures

interface AssetRegistry:
    def tenure(asset: address) -> (address, uint256, uint256): view  # owner, epoch, since
    def offer_of(asset: address) -> (address, uint256): view  # to, until
    def offer_as(actor: address, to: address, until: uint64): nonpayable
    def accept_as(actor: address): nonpayable
    def reject_as(actor: address): nonpayable
    def cancel_as(actor: address): nonpayable
    def retire_as(actor: address): nonpayable

interface DidRegistry:
    def validDelegate(identity: address, kind: bytes32, delegate: address) -> bool: view
    def changeOwner(identity: address, owner: address): nonpayable
    def addDelegate(identity: address, kind: bytes32, delegate: address, validity: uint256): nonpayable
    def revokeDelegate(identity: address, kind: bytes32, delegate: address): nonpayable
    def setAttribute(identity: address, name: bytes32, content: Bytes[1024], validity: uint256): nonpayable
    def revokeAttribute(identity: address, name: bytes32, content: Bytes[1024]): nonpayable


TRADE: constant(bytes32) = keccak256("merit.trade.v1")
VERI_KEY: constant(bytes32) = 0x766572694b657900000000000000000000000000000000000000000000000000  # "veriKey", a delegate type
CHANGES_OWNER: constant(bytes4[2]) = [0xf00d4b5d, 0x240cf1fa]  # changeOwner, changeOwnerSigned
ADDS_DELEGATE: constant(bytes4[2]) = [0xa7068d66, 0x9c2c1b2b]  # addDelegate, addDelegateSigned
# ERC-165 itself, IOfferable, IOwned, ERC-1271
INTERFACES: constant(bytes4[4]) = [0x01ffc9a7, 0x22bd186d, 0x8da5cb5b, 0x1626ba7e]
VALID: constant(bytes4) = 0x1626ba7e
INVALID: constant(bytes4) = 0xffffffff

registry: public(immutable(address))
did_registry: public(immutable(address))


event TransactionSent:
    data: indexed(Bytes[4096])
    to: indexed(address)
    value: indexed(uint256)


@deploy
def __init__(registry_of_dids: address):
    """
    @dev The asset registry deploys this, and only its word counts.
    """
    registry = msg.sender
    did_registry = registry_of_dids


@external
@payable
def __default__():
    """
    @notice Take ether, which `sendTransaction` can spend.
    """
    assert len(msg.data) == 0, "identity: no such function"


@external
@view
def owner() -> address:
    """
    @return Whose the asset is; nobody's once it is retired.
    """
    return self._tenure()[0]


@external
@view
def offeredTo() -> address:
    """
    @return Who may accept the asset now; nobody when it is not offered, or the offer is over.
    """
    return (staticcall AssetRegistry(registry).offer_of(self))[0]


@external
def offer(to: address):
    """
    @notice Offer the asset, until the offer is cancelled or replaced.
    """
    extcall AssetRegistry(registry).offer_as(msg.sender, to, 0)


@external
def offerUntil(to: address, until: uint64):
    """
    @notice Offer the asset up to the second `until`.
    """
    extcall AssetRegistry(registry).offer_as(msg.sender, to, until)


@external
def acceptOffer():
    """
    @notice Take the asset over. Every trade and data delegation of the former owner ends.
    """
    extcall AssetRegistry(registry).accept_as(msg.sender)


@external
def rejectOffer():
    """
    @notice Decline the asset.
    """
    extcall AssetRegistry(registry).reject_as(msg.sender)


@external
def cancelOffer():
    """
    @notice Take the offer back.
    """
    extcall AssetRegistry(registry).cancel_as(msg.sender)


@external
def retire():
    """
    @notice End the asset for ever.
    """
    extcall AssetRegistry(registry).retire_as(msg.sender)


@external
def delegate(purpose: bytes32, agent: address, validity: uint256):
    """
    @notice Let `agent` act for the asset for `validity` seconds from now, for this purpose, and until the asset changes hands.
    @param purpose keccak256 of its name, as "merit.trade.v1".
    """
    kind: bytes32 = self._kind(purpose, self._only_owner())
    assert agent != empty(address), "identity: agent is nobody"
    extcall DidRegistry(did_registry).addDelegate(self, kind, agent, validity)


@external
def dismiss(purpose: bytes32, agent: address):
    """
    @notice End a delegation of this ownership now.
    """
    kind: bytes32 = self._kind(purpose, self._only_owner())
    extcall DidRegistry(did_registry).revokeDelegate(self, kind, agent)


@external
def addDeviceKey(key: address, validity: uint256):
    """
    @notice Let `key` vouch for what the asset measures, for `validity` seconds from now. It goes with the device when that is sold.
    """
    self._only_owner()
    assert key != empty(address), "identity: key is nobody"
    extcall DidRegistry(did_registry).addDelegate(self, VERI_KEY, key, validity)


@external
def revokeDeviceKey(key: address):
    """
    @notice From now on `key` vouches for nothing.
    """
    self._only_owner()
    extcall DidRegistry(did_registry).revokeDelegate(self, VERI_KEY, key)


@external
def describe(name: bytes32, content: Bytes[1024], validity: uint256):
    """
    @notice Say `content` under `name` in the asset's DID record, for `validity` seconds.
    """
    self._only_owner()
    extcall DidRegistry(did_registry).setAttribute(self, name, content, validity)


@external
def retract(name: bytes32, content: Bytes[1024]):
    """
    @notice Take back what was said under `name`: the same content.
    """
    self._only_owner()
    extcall DidRegistry(did_registry).revokeAttribute(self, name, content)


@external
def sendTransaction(to: address, data: Bytes[4096], amount: uint256) -> bool:
    """
    @notice Call anything as the asset, with `amount` of its ether. What the call reverts with is passed on.
    @dev Not the asset registry: it takes the asset's word for who is behind a call, and gets it from the functions above only. Nor
        what would give the DID away, or a delegation that outlives this ownership.
    @return True.
    """
    self._only_owner()
    assert to != registry, "identity: registry is closed"
    if to == did_registry and len(data) >= 4:
        called: bytes4 = convert(slice(data, 0, 4), bytes4)
        assert called not in CHANGES_OWNER, "identity: DID stays its own"
        assert called not in ADDS_DELEGATE, "identity: use delegate"
    log TransactionSent(data=data, to=to, value=amount)
    raw_call(to, data, value=amount)
    return True


@external
def close():
    """
    @notice The registry says that the asset is retired: so its DID is deactivated.
    """
    assert msg.sender == registry, "identity: not the registry"
    extcall DidRegistry(did_registry).changeOwner(self, empty(address))


@external
@view
def isValidSignature(hash: bytes32, signature: Bytes[65]) -> bytes4:
    """
    @notice Whether this is the asset's signature (ERC-1271): its owner's, or of a trade delegate of this ownership.
    @param signature r, s, v, with a low s.
    @return 0x1626ba7e when it is.
    """
    owner: address = empty(address)
    epoch: uint256 = 0
    owner, epoch = self._tenure()
    signer: address = signatures._signer(hash, signature)
    if owner == empty(address) or signer == empty(address):
        return INVALID
    if signer == owner or staticcall DidRegistry(did_registry).validDelegate(
        self, self._kind(TRADE, epoch), signer
    ):
        return VALID
    return INVALID


@external
@pure
def supportsInterface(interfaceID: bytes4) -> bool:
    """
    @return Whether this contract shows the interface (ERC-165).
    """
    return interfaceID in INTERFACES


@internal
@view
def _tenure() -> (address, uint256):
    owner: address = empty(address)
    epoch: uint256 = 0
    since: uint256 = 0
    owner, epoch, since = staticcall AssetRegistry(registry).tenure(self)
    return owner, epoch


@internal
@view
def _only_owner() -> uint256:
    """
    @return The present ownership epoch.
    """
    owner: address = empty(address)
    epoch: uint256 = 0
    owner, epoch = self._tenure()
    assert msg.sender == owner, "identity: not the owner"
    return epoch


@internal
@pure
def _kind(purpose: bytes32, epoch: uint256) -> bytes32:
    """
    @return The delegate type of a purpose in an ownership epoch; as no text, resolvers pass it over.
    """
    return keccak256(abi_encode(purpose, epoch))
