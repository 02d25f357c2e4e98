"""What subject and issuer sign before a claim is registered on the chain: typed messages, and how they are wrapped.

Energy Web's `Agreement` and `Proof` as published, under the domain "Claim Manager" / "1.0", and ours: they carry the
claim's 32 bytes of data, and the agreement has a deadline. What is signed is not the EIP-712 digest but its EIP-191
personal message, as Energy Web's contract wants it.
"""

from dataclasses import dataclass

from identity.address import Address
from identity.hashing import keccak
from identity.typed_data import Domain, address_word, digest, word

AGREEMENT_TYPE = "Agreement(address subject,bytes32 role,uint256 version)"
PROOF_TYPE = "Proof(address subject,bytes32 role,uint256 version,uint256 expiry,address issuer)"
AGREEMENT_WITH_DATA_TYPE = (
    "AgreementWithData(address subject,bytes32 role,uint256 version,bytes32 data,uint256 deadline)"
)
PROOF_WITH_DATA_TYPE = (
    "ProofWithData(address subject,bytes32 role,uint256 version,uint256 expiry,address issuer,bytes32 data,"
    "uint256 epoch)"
)
REVOCATION_TYPE = "Revocation(bytes32 role,address subject,address revoker,uint256 registeredAt,uint256 deadline)"

_PERSONAL = b"\x19Ethereum Signed Message:\n32"

NO_DATA = bytes(32)
"""The data of a claim that has none."""


def claim_domain(chain_id: int, role_registry: Address) -> Domain:
    """Return the domain that claims are signed under."""
    return Domain(chain_id, role_registry, "Claim Manager", "1.0")


def personal(message: bytes) -> bytes:
    """Return the digest of the EIP-191 personal message that holds a 32-byte digest."""
    return keccak(_PERSONAL + message)


@dataclass(frozen=True, slots=True)
class Agreement:
    """The subject agrees to hold a role (Energy Web's message)."""

    subject: Address
    role: bytes
    version: int

    def struct_hash(self) -> bytes:
        """Return the EIP-712 hash of the message."""
        return keccak(_AGREEMENT + address_word(self.subject) + self.role + word(self.version))


@dataclass(frozen=True, slots=True)
class Proof:
    """The issuer says that the subject has a role until before `expiry` (Energy Web's message)."""

    subject: Address
    role: bytes
    version: int
    expiry: int
    issuer: Address

    def struct_hash(self) -> bytes:
        """Return the EIP-712 hash of the message."""
        return keccak(
            _PROOF
            + address_word(self.subject)
            + self.role
            + word(self.version)
            + word(self.expiry)
            + address_word(self.issuer)
        )


@dataclass(frozen=True, slots=True)
class AgreementWithData:
    """The subject agrees to hold a role with this data; who registers it must do so until `deadline`, inclusive."""

    subject: Address
    role: bytes
    version: int
    data: bytes
    deadline: int

    def struct_hash(self) -> bytes:
        """Return the EIP-712 hash of the message."""
        return keccak(
            _AGREEMENT_WITH_DATA
            + address_word(self.subject)
            + self.role
            + word(self.version)
            + self.data
            + word(self.deadline)
        )


@dataclass(frozen=True, slots=True)
class ProofWithData:
    """The issuer says that the subject has a role with this data until before `expiry`.

    `epoch` is the subject's ownership epoch where it is an asset, else 0: what is certified to one owner is not
    registered under the next.
    """

    subject: Address
    role: bytes
    version: int
    expiry: int
    issuer: Address
    data: bytes
    epoch: int

    def struct_hash(self) -> bytes:
        """Return the EIP-712 hash of the message."""
        return keccak(
            _PROOF_WITH_DATA
            + address_word(self.subject)
            + self.role
            + word(self.version)
            + word(self.expiry)
            + address_word(self.issuer)
            + self.data
            + word(self.epoch)
        )


@dataclass(frozen=True, slots=True)
class Revocation:
    """The revoker takes back the claim that was registered at `registered_at`; to be sent until `deadline`, inclusive.

    Naming the registration keeps the message from serving a second time, against a later one.
    """

    role: bytes
    subject: Address
    revoker: Address
    registered_at: int
    deadline: int

    def struct_hash(self) -> bytes:
        """Return the EIP-712 hash of the message."""
        return keccak(
            _REVOCATION
            + self.role
            + address_word(self.subject)
            + address_word(self.revoker)
            + word(self.registered_at)
            + word(self.deadline)
        )


ClaimMessage = Agreement | Proof | AgreementWithData | ProofWithData | Revocation

_AGREEMENT = keccak(AGREEMENT_TYPE.encode())
_PROOF = keccak(PROOF_TYPE.encode())
_AGREEMENT_WITH_DATA = keccak(AGREEMENT_WITH_DATA_TYPE.encode())
_PROOF_WITH_DATA = keccak(PROOF_WITH_DATA_TYPE.encode())
_REVOCATION = keccak(REVOCATION_TYPE.encode())


def to_sign(message: ClaimMessage, domain: Domain) -> bytes:
    """Return the 32 bytes that a key signs for `message`: the personal message of its EIP-712 digest."""
    return personal(digest(domain.separator(), message.struct_hash()))
