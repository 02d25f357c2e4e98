"""What the registries and the settlement contract say of who may act: plain values, in the order of the chain.

Instants are unix seconds; `at` is the time of the block that holds the fact. A role or namespace is named by its node,
the 32-byte namehash of EIP-137.
"""

from dataclasses import dataclass

from identity.address import Address

# The DID registry (ERC-1056).


@dataclass(frozen=True, slots=True)
class OwnerChanged:
    """The identity is controlled by `owner` from now on; the zero address deactivates it."""

    identity: Address
    owner: Address
    at: int


@dataclass(frozen=True, slots=True)
class DelegateChanged:
    """`delegate` may act for the identity in the way `kind` names, while the time is before `valid_to`."""

    identity: Address
    kind: bytes
    delegate: Address
    valid_to: int
    at: int


@dataclass(frozen=True, slots=True)
class AttributeChanged:
    """The identity says `value` under `name` of itself until `valid_to`; zero takes it back."""

    identity: Address
    name: bytes
    value: bytes
    valid_to: int
    at: int


# The asset registry.


@dataclass(frozen=True, slots=True)
class AssetCreated:
    """An asset came into being: its identity is the address of its own contract. It is in ownership epoch 1."""

    identity: Address
    owner: Address
    at: int


@dataclass(frozen=True, slots=True)
class AssetOffered:
    """The owner offered the asset to `to`, who may accept while the time is not after `until` (0: no end)."""

    identity: Address
    owner: Address
    to: Address
    until: int
    at: int


@dataclass(frozen=True, slots=True)
class OfferWithdrawn:
    """The open offer of the asset was rejected by its recipient, or cancelled by the owner."""

    identity: Address
    rejected: bool
    at: int


@dataclass(frozen=True, slots=True)
class AssetTransferred:
    """The asset belongs to `owner` from now on; the ownership epoch rose by one."""

    identity: Address
    owner: Address
    at: int


@dataclass(frozen=True, slots=True)
class AssetRetired:
    """The asset has no owner any more, for ever; its last epoch has ended."""

    identity: Address
    at: int


# The role registry: namespaces, role definitions, claims.


@dataclass(frozen=True, slots=True)
class NamespaceOwned:
    """The namespace `node` belongs to `owner`, who may define it as a role and give away what lies below it."""

    node: bytes
    owner: Address
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleDefined:
    """What a role is from now on. A later definition replaces it; its version is never lower.

    `issuers` may issue it, or (where there are none) holders of `issuer_role`; revokers likewise. A claim lasts at most
    `most_seconds` (0: no bound). `ends_at_sale`: a claim of an asset ends with the ownership epoch it was made in.
    `metadata` is the hash of a document kept elsewhere.
    """

    node: bytes
    name: str
    version: int
    issuers: tuple[Address, ...]
    issuer_role: bytes
    revokers: tuple[Address, ...]
    revoker_role: bytes
    prerequisites: tuple[bytes, ...]
    all_prerequisites: bool
    most_seconds: int
    ends_at_sale: bool
    metadata: bytes
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRegistered:
    """`issuer` says that `subject` has the role until before `expiry`, with 32 bytes of data.

    `epoch` is the ownership epoch of the subject where it is an asset of the asset registry, else 0.
    """

    subject: Address
    role: bytes
    version: int
    expiry: int
    issuer: Address
    data: bytes
    epoch: int
    at: int


@dataclass(frozen=True, slots=True)
class ClaimRevoked:
    """The present claim of `subject` to the role was revoked by the identity `revoker`."""

    subject: Address
    role: bytes
    revoker: Address
    at: int


# The settlement contract.


@dataclass(frozen=True, slots=True)
class AccountOpened:
    """An account was opened for `holder`."""

    account: int
    holder: Address


@dataclass(frozen=True, slots=True)
class EpochBegun:
    """The holder voided everything signed before: a new epoch of the account began at `since`."""

    account: int
    epoch: int
    since: int


@dataclass(frozen=True, slots=True)
class AssetEnrolled:
    """An asset was enrolled under the account of its owner, for one ownership epoch, under a number of its own.

    What the registries say of it is cached: it is current until `until`, and a balancing provider until
    `balancing_until` (both inclusive, 0: not). The next epoch's enrolment has another number.
    """

    asset: int
    identity: Address
    account: int
    epoch: int
    until: int
    balancing_until: int


@dataclass(frozen=True, slots=True)
class AssetRefreshed:
    """Somebody had the contract ask the registries anew about an enrolled asset."""

    asset: int
    until: int
    balancing_until: int


DidFact = OwnerChanged | DelegateChanged | AttributeChanged
AssetFact = AssetCreated | AssetOffered | OfferWithdrawn | AssetTransferred | AssetRetired
RoleFact = NamespaceOwned | RoleDefined | ClaimRegistered | ClaimRevoked
EnrolmentFact = AccountOpened | EpochBegun | AssetEnrolled | AssetRefreshed
IdentityFact = DidFact | AssetFact | RoleFact | EnrolmentFact
