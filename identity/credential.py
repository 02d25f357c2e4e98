"""Verifiable credentials (W3C, data model 1.1) of the kinds this house issues, and their one document.

A credential always ends, and a role's has a status entry so that it can be taken back before. Its document has exactly
the properties written here. How it is signed stands in `credential_jwt.py` and `credential_eip712.py`.
https://www.w3.org/TR/vc-data-model/
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from identity.address import Address
from identity.credential_subject import (
    REVOCATION,
    STATUS_LIST,
    ListSubject,
    RoleSubject,
    Subject,
    check_url,
    did,
    member,
    read_subject,
    text,
    whole,
)
from identity.did import CanonicalDid
from identity.errors import MalformedCredential, MalformedInstant
from identity.instants import from_instant, to_instant
from identity.structured import Types, exactly

CONTEXT = "https://www.w3.org/2018/credentials/v1"
STATUS_CONTEXT = "https://w3id.org/vc/status-list/2021/v1"

_PROPERTIES = ("@context", "id", "type", "issuer", "issuanceDate", "expirationDate", "credentialSubject")
_MOST_INDEX = 1 << 23
_URN = "urn:uuid:"


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """Where to look whether the credential was taken back: the bit `index` of the list at `url`."""

    url: str
    index: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < _MOST_INDEX:
            raise MalformedCredential("credentialStatus.statusListIndex", f"not from 0 to {_MOST_INDEX - 1}")
        check_url(self.url, "credentialStatus.statusListCredential")

    def to_document(self) -> dict[str, str]:
        """Return what stands under `credentialStatus`."""
        return {
            "id": f"{self.url}#{self.index}",
            "type": "StatusList2021Entry",
            "statusPurpose": REVOCATION,
            "statusListIndex": str(self.index),
            "statusListCredential": self.url,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """`issuer` says `subject` from `issued_at` until before `expires_at` (unix seconds), under a name of its own.

    A list of statuses is named by its address, everything else by a `urn:uuid:`.
    """

    name: str
    issuer: CanonicalDid
    issued_at: int
    expires_at: int
    subject: Subject
    status: StatusEntry | None = None

    def __post_init__(self) -> None:
        if not self.issued_at < self.expires_at:
            raise MalformedCredential("expirationDate", "not after issuanceDate")
        if isinstance(self.subject, ListSubject):
            if self.subject.url != self.name or self.status is not None:
                raise MalformedCredential("id", "a status list is named by its address, and has no status itself")
        elif not _is_uuid(self.name):
            raise MalformedCredential("id", "not urn:uuid: and a UUID in lower case")
        if isinstance(self.subject, RoleSubject) and self.status is None:
            raise MalformedCredential("credentialStatus", "what gives a role can be taken back")

    @property
    def kind(self) -> str:
        """What the credential is called in its `type`, after `VerifiableCredential`."""
        return self.subject.kind

    def context(self) -> list[str]:
        """Return what stands under `@context`."""
        with_status = self.status is not None or self.kind == STATUS_LIST
        return [CONTEXT, STATUS_CONTEXT] if with_status else [CONTEXT]

    def to_document(self) -> dict[str, Any]:
        """Return the credential as plain values for JSON, without a proof."""
        document: dict[str, Any] = {
            "@context": self.context(),
            "id": self.name,
            "type": ["VerifiableCredential", self.kind],
            "issuer": str(self.issuer),
            "issuanceDate": to_instant(self.issued_at),
            "expirationDate": to_instant(self.expires_at),
            "credentialSubject": self.subject.to_document(),
        }
        if self.status is not None:
            document["credentialStatus"] = self.status.to_document()
        return document


@dataclass(frozen=True, slots=True)
class Presented:
    """A credential as somebody showed it, and the addresses of which one made its proof."""

    credential: Credential
    signers: tuple[Address, ...]


def from_document(document: Mapping[str, Any]) -> Credential:
    """Read a credential without its proof; refuses every property that is missing, surplus or of another form."""
    optional = ("credentialStatus",) if "credentialStatus" in document else ()
    exactly(document, (*_PROPERTIES, *optional), "credential")
    kind = kind_of(document["type"])
    credential = Credential(
        name=text(document, "id", "credential"),
        issuer=did(document, "issuer", "credential"),
        issued_at=_instant(document, "issuanceDate"),
        expires_at=_instant(document, "expirationDate"),
        subject=read_subject(kind, member(document, "credentialSubject", "credential")),
        status=_status(member(document, "credentialStatus", "credential")) if optional else None,
    )
    if document["@context"] != credential.context():
        raise MalformedCredential("@context", f"not exactly {credential.context()}")
    return credential


def kind_of(types: object) -> str:
    """Return the kind that a `type` names beside `VerifiableCredential`."""
    if not isinstance(types, list) or len(types) != 2 or types[0] != "VerifiableCredential":
        raise MalformedCredential("type", "not VerifiableCredential and one kind")
    if not isinstance(types[1], str):
        raise MalformedCredential("type", "not texts")
    return types[1]


def types_of(credential: Credential) -> Types:
    """Return the EIP-712 types that a credential's document, without its proof, is made of."""
    types: dict[str, tuple[tuple[str, str], ...]] = {
        "VerifiableCredential": (
            ("@context", "string[]"),
            ("id", "string"),
            ("type", "string[]"),
            ("issuer", "string"),
            ("issuanceDate", "string"),
            ("expirationDate", "string"),
            ("credentialSubject", "CredentialSubject"),
        )
    }
    match credential.subject:
        case RoleSubject():
            types["CredentialSubject"] = (("id", "string"), ("role", "Role"), ("issuerFields", "IssuerFields[]"))
            types["Role"] = _texts("namespace", "version")
            types["IssuerFields"] = _texts("key", "value")
        case ListSubject():
            types["CredentialSubject"] = _texts("id", "type", "statusPurpose", "encodedList")
        case _:
            types["CredentialSubject"] = (("id", "string"), ("mandate", "Mandate"))
            types["Mandate"] = _texts("asset", "purpose", "epoch")
    if credential.status is not None:
        types["VerifiableCredential"] += (("credentialStatus", "CredentialStatus"),)
        types["CredentialStatus"] = _texts(*credential.status.to_document())
    return types


def _is_uuid(name: str) -> bool:
    parts = name.removeprefix(_URN).split("-")
    return (
        name.startswith(_URN)
        and [len(part) for part in parts] == [8, 4, 4, 4, 12]
        and all(letter in "0123456789abcdef" for part in parts for letter in part)
    )


def _texts(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, "string") for name in names)


def _status(document: Mapping[str, Any]) -> StatusEntry:
    where = "credentialStatus"
    exactly(document, ("id", "type", "statusPurpose", "statusListIndex", "statusListCredential"), where)
    index = whole(text(document, "statusListIndex", where), f"{where}.statusListIndex")
    entry = StatusEntry(text(document, "statusListCredential", where), index)
    if dict(document) != entry.to_document():
        raise MalformedCredential(where, "not an entry of a StatusList2021 for revocation, named by list and index")
    return entry


def _instant(document: Mapping[str, Any], name: str) -> int:
    try:
        return from_instant(text(document, name, "credential"))
    except MalformedInstant as error:
        raise MalformedCredential(name, str(error)) from error
