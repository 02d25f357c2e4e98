"""The registries on a machine, and what people sign for them: from the standards, not from the contracts.

People and organisations are actors by name. A role is called by its label, and lies right below the name `roles`.
"""

from typing import Any

from eth_abi import encode

from contracts.artifacts import load
from tests.contracts.caller import Contract
from tests.contracts.machine import CHAIN_ID, Machine, Outcome
from tests.contracts.orders import CURVE_ORDER, DOMAIN_TYPE, address_of, keccak, key_of, sign

NOBODY = bytes(20)
ROOT = bytes(32)
ROOT_OWNER = "the root owner"
DAY = 86_400
NO_DATA = bytes(32)
VERI_KEY = b"veriKey".ljust(32, b"\0")
TRADE = keccak(b"merit.trade.v1")

AGREEMENT = "Agreement(address subject,bytes32 role,uint256 version)"
PROOF = "Proof(address subject,bytes32 role,uint256 version,uint256 expiry,address issuer)"
AGREEMENT_WITH_DATA = "AgreementWithData(address subject,bytes32 role,uint256 version,bytes32 data,uint256 deadline)"
PROOF_WITH_DATA = (
    "ProofWithData(address subject,bytes32 role,uint256 version,uint256 expiry,address issuer,bytes32 data,"
    "uint256 epoch)"
)
REVOCATION = "Revocation(bytes32 role,address subject,address revoker,uint256 registeredAt,uint256 deadline)"
CREATION = "Creation(address owner,uint256 number,uint256 deadline)"


def namehash(name: str) -> bytes:
    """EIP-137."""
    node = ROOT
    for label in reversed(name.split(".") if name else []):
        node = keccak(node + keccak(label.encode()))
    return node


def role_of(label: str) -> bytes:
    return namehash(f"{label}.roles")


def hexed(address: bytes) -> str:
    """An address as events and views return it."""
    return "0x" + address.hex()


def digest_of(name: str, version: str, contract: bytes, kind: str, *values: Any, chain_id: int = CHAIN_ID) -> bytes:
    """EIP-712: what a wallet signs for `values` of the type `kind`, under a contract's domain."""
    types = [field.split()[0] for field in kind[kind.index("(") + 1 : -1].split(",")]
    struct = keccak(encode(["bytes32", *types], [keccak(kind.encode()), *values]))
    parts = keccak(DOMAIN_TYPE.encode()), keccak(name.encode()), keccak(version.encode()), chain_id, contract
    separator = keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], parts))
    return keccak(b"\x19\x01" + separator + struct)


def claim_digest(contract: bytes, kind: str, *values: Any, chain_id: int = CHAIN_ID) -> bytes:
    """The EIP-712 digest of a claim's message; what is signed is its personal message."""
    return digest_of("Claim Manager", "1.0", contract, kind, *values, chain_id=chain_id)


def personal(digest: bytes) -> bytes:
    """EIP-191, version E."""
    return keccak(b"\x19Ethereum Signed Message:\n32" + digest)


def signature(digest: bytes, signer: str, *, high_s: bool = False) -> bytes:
    """r, s, v."""
    r, parity, s = sign(digest, key_of(signer))
    if high_s:
        parity, s = 1 - parity, (CURVE_ORDER - int.from_bytes(s)).to_bytes(32)
    return r + s + bytes([27 + parity])


class Identities:
    """The three registries. The root's owner owns the name `roles`, and so defines every role."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._agreed = 0
        self.dids = Contract(machine, load("DidRegistry"), "the deployer")
        shell = load("AssetIdentity").bytecode
        self.assets = Contract(machine, load("AssetRegistry"), "the deployer", self.dids.address, shell)
        registries = self.dids.address, self.assets.address
        self.roles = Contract(machine, load("RoleRegistry"), "the deployer", *registries, address_of(ROOT_OWNER))
        self.give("roles", ROOT_OWNER)

    def give(self, name: str, owner: str, *, by: str = ROOT_OWNER) -> bytes:
        """Give a name to an actor; the giver owns the one above."""
        label, _, above = name.partition(".")
        self.roles.send(by, "setSubnodeOwner", namehash(above), keccak(label.encode()), address_of(owner))
        return namehash(name)

    def define(self, label: str, *, by: str = ROOT_OWNER, **changes: Any) -> bytes:
        """Define a role, that nobody may issue unless `issuers` or `issuer_role` say otherwise; return its node."""
        node = self.give(f"{label}.roles", by) if self.roles.read("owner", role_of(label)) == hexed(NOBODY) else None
        terms = {
            "name": f"{label}.roles",
            "version": 1,
            "issuers": (),
            "issuer_role": ROOT,
            "revokers": (),
            "revoker_role": ROOT,
            "prerequisites": (),
            "all_prerequisites": True,
            "most_seconds": 0,
            "ends_at_sale": False,
            "metadata": NO_DATA,
        }
        assert changes.keys() <= terms.keys()
        node = node or role_of(label)
        self.roles.send(by, "define_role", node, *(terms | changes).values())
        return node

    def asset(self, owner: str) -> Contract:
        """Create an asset for an actor; return its own contract."""
        outcome = self.assets.send(owner, "createIdentity", address_of(owner))
        [(_, created)] = self.assets.events(outcome)
        return Contract.at(self.machine, load("AssetIdentity"), bytes.fromhex(created["identity"][2:]))

    def sell(self, asset: Contract, seller: str, buyer: str) -> None:
        asset.send(seller, "offer", address_of(buyer))
        asset.send(buyer, "acceptOffer")

    def agreement(self, signer: str, kind: str, *values: Any, **form: bool) -> bytes:
        """An actor's signature of one of the messages of claims."""
        return signature(
            personal(claim_digest(self.roles.address, kind, *values, chain_id=self.machine.chain_id)), signer, **form
        )

    def claim(self, subject: str | Contract, label: str, issuer: str, **changes: Any) -> Outcome:
        """Register a claim, signed by subject (or an asset's owner) and issuer, unless `changes` say otherwise.

        `changes`: version, expiry, data, deadline, epoch, and who signs: agreed_by, proved_by.
        """
        return self.roles.send("anybody", "registerWithData", *self.claim_arguments(subject, label, issuer, **changes))

    def claim_arguments(self, subject: str | Contract, label: str, issuer: str, **changes: Any) -> tuple[Any, ...]:
        now = self.machine.now
        self._agreed += 1  # each signature serves once, so no two are alike
        address = address_of(subject) if isinstance(subject, str) else subject.address
        known = {
            "version": 1,
            "expiry": now + 30 * DAY + self._agreed,
            "data": NO_DATA,
            "deadline": now + DAY + self._agreed,
            "epoch": 0 if isinstance(subject, str) else self.assets.read("tenure", address)[1],
            "agreed_by": subject,
            "proved_by": issuer,
            "issuer_address": address_of(issuer),
        }
        assert changes.keys() <= known.keys()
        terms = known | changes
        version, expiry, data, deadline = (terms[name] for name in ("version", "expiry", "data", "deadline"))
        role, by = role_of(label), terms["issuer_address"]
        agreed = self.agreement(terms["agreed_by"], AGREEMENT_WITH_DATA, address, role, version, data, deadline)
        proved = self.agreement(
            terms["proved_by"], PROOF_WITH_DATA, address, role, version, expiry, by, data, terms["epoch"]
        )
        return address, role, version, expiry, by, data, deadline, agreed, proved

    def has(self, subject: str | Contract, label: str, version: int = 0) -> bool:
        address = address_of(subject) if isinstance(subject, str) else subject.address
        return bool(self.roles.read("hasRole", address, role_of(label), version))

    def had(self, subject: str | Contract, label: str, at: int) -> bool:
        address = address_of(subject) if isinstance(subject, str) else subject.address
        return bool(self.roles.read("hasRoleAt", address, role_of(label), 0, at))

    def until(self, subject: str | Contract, label: str) -> int:
        address = address_of(subject) if isinstance(subject, str) else subject.address
        return int(self.roles.read("held_until", address, role_of(label)))

    def pass_by(self, seconds: int) -> None:
        """Let time pass."""
        self.machine.move_to(self.machine.now + seconds)
