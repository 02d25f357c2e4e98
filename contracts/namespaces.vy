# pragma version 0.4.3
"""
@title Namespaces, and the roles that are defined in them
@license Apache-2.0
@notice A tree of names, each the namehash of EIP-137. Who owns a name gives away what lies right below it, and defines it as a role,
    all at once: who may issue it, who may revoke it, what one must hold before, how long a claim lasts.
@dev The readers are those of ENS and of Energy Web's role resolver, so contracts that know these read this one.
    A parent's owner may give a name away anew, as in ENS: the owner of the root answers for all.
"""

MAX_NAME: constant(uint256) = 128  # bytes
MAX_LISTED: constant(uint256) = 16
MAX_PREREQUISITES: constant(uint256) = 8
DOT: constant(uint256) = 46

U32: constant(uint256) = 2**32 - 1
U64: constant(uint256) = 2**64 - 1


struct Role:
    # version 32 bits (low), most seconds 64, all prerequisites 1, ends at sale 1; zero when there is no such role
    terms: uint256
    metadata: bytes32
    issuer_role: bytes32
    revoker_role: bytes32
    issuers: DynArray[address, MAX_LISTED]
    revokers: DynArray[address, MAX_LISTED]
    prerequisites: DynArray[bytes32, MAX_PREREQUISITES]
    name: String[MAX_NAME]


owner: public(HashMap[bytes32, address])
roles: HashMap[bytes32, Role]


event NewOwner:
    node: indexed(bytes32)
    label: indexed(bytes32)
    owner: address


event Transfer:
    node: indexed(bytes32)
    owner: address


event RoleDefined:
    node: indexed(bytes32)
    name: String[MAX_NAME]
    version: uint256
    issuers: DynArray[address, MAX_LISTED]
    issuer_role: bytes32
    revokers: DynArray[address, MAX_LISTED]
    revoker_role: bytes32
    prerequisites: DynArray[bytes32, MAX_PREREQUISITES]
    all_prerequisites: bool
    most_seconds: uint256
    ends_at_sale: bool
    metadata: bytes32


@deploy
def __init__(root_owner: address):
    """
    @param root_owner Who owns the root of all names, node zero.
    """
    assert root_owner != empty(address), "namespaces: owner is nobody"
    self.owner[empty(bytes32)] = root_owner
    log Transfer(node=empty(bytes32), owner=root_owner)


@external
def setSubnodeOwner(node: bytes32, label: bytes32, owner: address) -> bytes32:
    """
    @notice Give the name `label` (its keccak256) below `node` to `owner`; to nobody takes it back.
    @return The name's node.
    """
    self._only_owner(node)
    below: bytes32 = keccak256(concat(node, label))
    self.owner[below] = owner
    log NewOwner(node=node, label=label, owner=owner)
    return below


@external
def setOwner(node: bytes32, owner: address):
    """
    @notice Hand the name itself to `owner`.
    """
    self._only_owner(node)
    self.owner[node] = owner
    log Transfer(node=node, owner=owner)


@external
def define_role(
    node: bytes32,
    name: String[MAX_NAME],
    version: uint32,
    issuers: DynArray[address, MAX_LISTED],
    issuer_role: bytes32,
    revokers: DynArray[address, MAX_LISTED],
    revoker_role: bytes32,
    prerequisites: DynArray[bytes32, MAX_PREREQUISITES],
    all_prerequisites: bool,
    most_seconds: uint64,
    ends_at_sale: bool,
    metadata: bytes32,
):
    """
    @notice Say what the role `node` is from now on. Claims that were made before are judged by it, too.
    @param name The full name, whose namehash `node` is.
    @param version From 1, and never lower than before.
    @param issuers Identities that may issue it; or none, and holders of `issuer_role` may. With neither nobody may, and nobody
        holds the role any more.
    @param revokers Identities that may revoke a claim, or none, and holders of `revoker_role` may. Who issued one always may.
    @param prerequisites Roles of which one, or with `all_prerequisites` each, must be held to get this one.
    @param most_seconds A claim lasts no longer than this; 0 for no bound.
    @param ends_at_sale Whether an asset's claim ends when the asset changes hands.
    @param metadata Hash of a document that is kept elsewhere.
    """
    self._only_owner(node)
    assert self._namehash(name) == node, "namespaces: name is another's"
    assert version != 0, "namespaces: version is zero"
    assert convert(version, uint256) >= self._version(node), "namespaces: version is lowered"
    assert len(issuers) == 0 or issuer_role == empty(bytes32), "namespaces: list and role"
    assert len(revokers) == 0 or revoker_role == empty(bytes32), "namespaces: list and role"
    self.roles[node] = Role(
        terms=convert(version, uint256)
        | convert(most_seconds, uint256) << 32
        | convert(all_prerequisites, uint256) << 96
        | convert(ends_at_sale, uint256) << 97,
        metadata=metadata,
        issuer_role=issuer_role,
        revoker_role=revoker_role,
        issuers=issuers,
        revokers=revokers,
        prerequisites=prerequisites,
        name=name,
    )
    log RoleDefined(
        node=node,
        name=name,
        version=convert(version, uint256),
        issuers=issuers,
        issuer_role=issuer_role,
        revokers=revokers,
        revoker_role=revoker_role,
        prerequisites=prerequisites,
        all_prerequisites=all_prerequisites,
        most_seconds=convert(most_seconds, uint256),
        ends_at_sale=ends_at_sale,
        metadata=metadata,
    )


@external
@view
def resolver(node: bytes32) -> address:
    """
    @return Who answers for the node, as ENS is asked: this contract.
    """
    return self


@external
@view
def versionNumber(node: bytes32) -> uint256:
    """
    @return The role's version; 0 when there is no such role.
    """
    return self._version(node)


@external
@view
def issuers(node: bytes32) -> (DynArray[address, MAX_LISTED], bytes32):
    """
    @return Who may issue the role: identities, or holders of a role.
    """
    return self.roles[node].issuers, self.roles[node].issuer_role


@external
@view
def issuerType(node: bytes32) -> uint8:
    """
    @return 0: by identities or a role, the only kind there is.
    """
    return 0


@external
@view
def revokers(node: bytes32) -> (DynArray[address, MAX_LISTED], bytes32):
    """
    @return Who may revoke a claim to the role, beside who issued it: identities, or holders of a role.
    """
    return self.roles[node].revokers, self.roles[node].revoker_role


@external
@view
def revokerType(node: bytes32) -> uint8:
    """
    @return 0: by identities or a role, the only kind there is.
    """
    return 0


@external
@view
def prerequisiteRoles(node: bytes32) -> (DynArray[bytes32, MAX_PREREQUISITES], bool):
    """
    @return What must be held to get the role, and whether all of it must.
    """
    return self.roles[node].prerequisites, self._needs_all(node)


@external
@view
def name(node: bytes32) -> String[MAX_NAME]:
    """
    @return The role's full name; empty when there is no such role.
    """
    return self.roles[node].name


@external
@view
def terms(node: bytes32) -> (uint256, uint256, bool, bytes32):
    """
    @return The role's version, how many seconds a claim lasts at most (0: no bound), whether an asset's claim ends at its sale, and
        the hash of the document that goes with it.
    """
    return self._version(node), self._most_seconds(node), self._ends_at_sale(node), self.roles[node].metadata


@internal
@view
def _only_owner(node: bytes32):
    assert msg.sender == self.owner[node], "namespaces: not the owner"


@internal
@pure
def _namehash(name: String[MAX_NAME]) -> bytes32:
    """
    @dev EIP-137, from the last label to the first. The empty name, too, is taken for a label, which no node is the hash of.
    """
    text: Bytes[MAX_NAME] = convert(name, Bytes[MAX_NAME])
    node: bytes32 = empty(bytes32)
    end: uint256 = len(text)
    for i: uint256 in range(len(text), bound=MAX_NAME):
        place: uint256 = len(text) - 1 - i
        if convert(slice(text, place, 1), uint256) == DOT:
            node = keccak256(concat(node, keccak256(slice(text, place + 1, end - place - 1))))
            end = place
    return keccak256(concat(node, keccak256(slice(text, 0, end))))


@internal
@view
def _version(node: bytes32) -> uint256:
    return self.roles[node].terms & U32


@internal
@view
def _most_seconds(node: bytes32) -> uint256:
    return self.roles[node].terms >> 32 & U64


@internal
@view
def _needs_all(node: bytes32) -> bool:
    return self.roles[node].terms >> 96 & 1 != 0


@internal
@view
def _ends_at_sale(node: bytes32) -> bool:
    return self.roles[node].terms >> 97 != 0


@internal
@view
def _issuing(node: bytes32, issuer: address) -> (bool, bytes32):
    """
    @return Whether the issuer is listed; and if nobody is, the role it must hold.
    """
    if len(self.roles[node].issuers) == 0:
        return False, self.roles[node].issuer_role
    for listed: address in self.roles[node].issuers:
        if listed == issuer:
            return True, empty(bytes32)
    return False, empty(bytes32)


@internal
@view
def _revoking(node: bytes32, revoker: address) -> (bool, bytes32):
    """
    @return Whether the revoker is listed; and if nobody is, the role it must hold.
    """
    if len(self.roles[node].revokers) == 0:
        return False, self.roles[node].revoker_role
    for listed: address in self.roles[node].revokers:
        if listed == revoker:
            return True, empty(bytes32)
    return False, empty(bytes32)
