"""A street where credentials are issued: what the chain says, who signs, and where status lists lie."""

import json
from dataclasses import dataclass, field

from identity import credential_eip712, credential_jwt
from identity.authority import AuthorityIndex
from identity.credential import Credential, Presented, StatusEntry
from identity.credential_subject import (
    ASSET,
    BALANCING_PROVIDER,
    ENERGY_TYPE,
    GRID_OPERATOR,
    ROLE,
    ListSubject,
    MandateSubject,
    RoleSubject,
)
from identity.credential_text import read_credential
from identity.did import CanonicalDid
from identity.document import Change
from identity.energy_roles import EnergyRole, role_node
from identity.facts import AssetCreated, DelegateChanged, OwnerChanged, RoleDefined
from identity.names import role_name
from identity.status_list import StatusList
from identity.verdict import Verdict
from identity.verification import Registries, verify, verify_credential
from tests.actors import BATTERY, PROSUMER, Actor
from tests.registries import CERTIFIER, LABEL, role_facts

CHAIN_ID = 31_337
BEGIN, END, NOW = 1_782_000_000, 1_813_000_000, 1_790_000_000
LIST = "https://status.example/lists/1"
RATES = (("demandRate", "330000"), ("supplyRate", "350000"))
FIELDS = {
    ASSET: (("kind", "storage"), ("energyType", "pv"), ("ratedPowerW", "5000"), ("capacityWh", "10000")),
    ENERGY_TYPE: (("energyType", "pv"),),
    BALANCING_PROVIDER: RATES,
    GRID_OPERATOR: (("market", "7"),),
    ROLE: (),
}
ROLES = {
    ASSET: EnergyRole.ASSET,
    ENERGY_TYPE: EnergyRole.ASSET,
    BALANCING_PROVIDER: EnergyRole.BALANCING_PROVIDER,
    GRID_OPERATOR: EnergyRole.GRID_OPERATOR,
    ROLE: EnergyRole.CERTIFIER,
}
FORMS = ("jwt", "eip712")


def did(actor: Actor, chain_id: int = CHAIN_ID) -> CanonicalDid:
    return CanonicalDid(chain_id, actor.address)


def given(kind: str, holder: Actor, role: str | None = None, version: int = 1, fields=None) -> RoleSubject:
    """What a credential of a kind says of its holder."""
    name = role_name(ROLES[kind] if role is None else role, LABEL)
    return RoleSubject(kind, did(holder), name, version, FIELDS[kind] if fields is None else fields)


def credential(subject, issuer: Actor = CERTIFIER, index: int = 7, **changes) -> Credential:
    is_list = isinstance(subject, ListSubject)
    values = {
        "name": subject.url if is_list else f"urn:uuid:00000000-0000-4000-8000-{index:012}",
        "issuer": did(issuer),
        "issued_at": BEGIN,
        "expires_at": END,
        "subject": subject,
        "status": None if is_list or isinstance(subject, MandateSubject) else StatusEntry(LIST, index),
    }
    return Credential(**values | changes)


def listed(url: str = LIST, **changes) -> ListSubject:
    """A status list on which nothing is set."""
    return ListSubject(url, StatusList().encode(), **changes)


def text_of(issued: Credential, key: bytes, form: str) -> str:
    if form == "jwt":
        return credential_jwt.issue(issued, key)
    return json.dumps(credential_eip712.issue(issued, key))


def shown(issued: Credential, by: Actor = CERTIFIER, form: str = "jwt") -> Presented:
    """The credential, signed by somebody, as a verifier reads it."""
    return read_credential(text_of(issued, by.key, form))


@dataclass
class Street:
    """What a verifier knows: the chain, the documents, the lists."""

    index: AuthorityIndex = field(default_factory=AuthorityIndex)
    documents: dict = field(default_factory=dict)
    lists: dict = field(default_factory=dict)
    blocks: int = 0

    def __post_init__(self):
        for fact in role_facts():
            self.index.apply(fact)
        self.index.apply(AssetCreated(BATTERY.address, PROSUMER.address, BEGIN - 1_000))
        self.publish()

    @property
    def registries(self) -> Registries:
        return Registries(
            chain_id=CHAIN_ID,
            roles=self.index.roles,
            tenures=self.index.tenures,
            changes=lambda identity: self.documents.get(identity, ()),
        )

    def apply(self, fact) -> None:
        if isinstance(fact, OwnerChanged | DelegateChanged):
            self.blocks += 1
            self.documents.setdefault(fact.identity, []).append(Change(self.blocks, fact))
        self.index.apply(fact)

    def publish(self, *revoked: int, by: Actor = CERTIFIER, url: str = LIST, encoded: str | None = None, **changes):
        """Put a status list where its address says, signed, with some bits set."""
        bits = StatusList()
        for index in revoked:
            bits = bits.with_set(index)
        subject = ListSubject(url, bits.encode() if encoded is None else encoded)
        published = credential(subject, by, **changes)
        self.lists[published.name] = text_of(published, by.key, "jwt")

    def verify(self, subject: Actor, role: EnergyRole | str, *presented: Presented, at=NOW, version=0) -> Verdict:
        node = role_node(role, LABEL)
        return verify(self.registries, subject.address, node, version, at, shown=presented, status=self.lists.get)

    def judge(self, presented: Presented, *others: Presented, at: int = NOW) -> Verdict:
        return verify_credential(self.registries, presented, at, shown=others, status=self.lists.get)


def refused(verdict: Verdict, step, subject: Actor = BATTERY) -> None:
    """The verdict is no, for this step, of this subject."""
    assert not verdict.holds
    assert verdict.failure.step is step
    assert verdict.failure.subject == subject.address
    assert verdict.to_document()["failed"]["step"] == step.value


def role(name: str, *, issuers=(), issuer_role=None, **changes) -> RoleDefined:
    """A role of the tests' own making."""
    values = {
        "node": role_node(name, LABEL),
        "name": role_name(name, LABEL),
        "version": 1,
        "issuers": tuple(issuer.address for issuer in issuers),
        "issuer_role": bytes(32) if issuer_role is None else role_node(issuer_role, LABEL),
        "revokers": (),
        "revoker_role": bytes(32),
        "prerequisites": (),
        "all_prerequisites": True,
        "most_seconds": 0,
        "ends_at_sale": False,
        "metadata": bytes(32),
        "at": 0,
    }
    return RoleDefined(**values | changes)
