"""The role registry at one address of one chain: what it can be told, and what it can be asked.

The first half builds calldata and touches nothing; whoever holds the right key sends it. The second half asks the
chain; `block` asks for the state after that block, the newest if None. Signatures have 65 bytes, `v` last.
"""

from dataclasses import dataclass

from contracts.abi import abi_of
from contracts.evm import Evm
from identity.address import Address, parse_address
from identity.facts import RoleDefined
from identity.names import label_hash


def give_name(node: bytes, label: str, owner: Address) -> bytes:
    """Give the name `label` right below `node` to `owner`, as the owner of `node`."""
    return _tell("setSubnodeOwner", node, label_hash(label), owner)


def define(role: RoleDefined) -> bytes:
    """Say what a role is from now on, as the owner of its name."""
    return _tell(
        "define_role",
        role.node,
        role.name,
        role.version,
        role.issuers,
        role.issuer_role,
        role.revokers,
        role.revoker_role,
        role.prerequisites,
        role.all_prerequisites,
        role.most_seconds,
        role.ends_at_sale,
        role.metadata,
    )


def register(
    *,
    subject: Address,
    role: bytes,
    version: int,
    expiry: int,
    issuer: Address,
    data: bytes,
    deadline: int,
    agreement: bytes,
    proof: bytes,
) -> bytes:
    """Register a claim with data by the signatures of subject and issuer (`identity.claims`); anybody may."""
    return _tell("registerWithData", subject, role, version, expiry, issuer, data, deadline, agreement, proof)


def revoke(role: bytes, subject: Address) -> bytes:
    """Take back the subject's present claim, as who may."""
    return _tell("revoke", role, subject)


@dataclass(frozen=True, slots=True)
class Claim:
    """The newest claim of a subject, whatever became of it: `RoleRegistry.has_role` says whether it counts."""

    version: int
    registered_at: int
    expiry: int
    issuer: Address
    data: bytes
    epoch: int
    revoked_at: int


class RoleRegistry:
    """The role registry at `address`. Every question may raise an `EvmError`."""

    def __init__(self, evm: Evm, address: Address) -> None:
        self.evm = evm
        self.address = address

    def owner(self, node: bytes, block: int | None = None) -> Address | None:
        """Return who owns a name; None where nobody does."""
        owner = abi_of("RoleRegistry").ask(self.evm, self.address, "owner", node, block=block)[0]
        return Address(owner) if any(owner) else None

    def version(self, node: bytes, block: int | None = None) -> int:
        """Return the version of a role; 0 where there is no such role."""
        version: int = abi_of("RoleRegistry").ask(self.evm, self.address, "versionNumber", node, block=block)[0]
        return version

    def claim(self, subject: Address, role: bytes, block: int | None = None) -> Claim | None:
        """Return the newest claim of a subject to a role; None where it never had one."""
        version, registered_at, expiry, issuer, data, epoch, revoked_at = abi_of("RoleRegistry").ask(
            self.evm, self.address, "claim", subject, role, block=block
        )[0]
        if registered_at == 0:
            return None
        return Claim(version, registered_at, expiry, parse_address(issuer), data, epoch, revoked_at)

    def has_role(self, subject: Address, role: bytes, version: int = 0, block: int | None = None) -> bool:
        """Whether a subject has a role as of the block's time, in this version or a later one (0: in any)."""
        held = abi_of("RoleRegistry").ask(self.evm, self.address, "hasRole", subject, role, version, block=block)[0]
        return bool(held)


def _tell(name: str, *arguments: object) -> bytes:
    return abi_of("RoleRegistry").calldata(name, *arguments)
