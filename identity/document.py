"""DID documents: what the facts of the DID registry amount to, for one identity, at one version.

The rules are those of the method ethr as npm's `ethr-did-resolver` 11.1.3 keeps them, equal to the letter, with what
is odd about them: every entry that was ever made uses up a number, a revoked encryption key stays referred to, and an
entry is valid up to and including the second in which it ends, where the contract says it is not.
https://www.w3.org/TR/did-core/ and https://github.com/decentralized-identity/ethr-did-resolver
"""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from identity.address import Address, to_text
from identity.base58 import base58
from identity.did import Did
from identity.facts import AttributeChanged, DelegateChanged, DidFact, OwnerChanged
from identity.script_json import read_script_json

Json = dict[str, Any]

_NOBODY = Address(bytes(20))
_RECOVERY = "EcdsaSecp256k1RecoveryMethod2020"
_SECP256K1 = "EcdsaSecp256k1VerificationKey2019"
_PURPOSES = {"sigAuth": "SignatureAuthentication2018", "veriKey": "VerificationKey2018", "enc": "KeyAgreementKey2019"}
_KEY_TYPES = {
    "Secp256k1VerificationKey2018": _SECP256K1,
    "Secp256k1SignatureAuthentication2018": _SECP256K1,
    "Ed25519VerificationKey2018": "Ed25519VerificationKey2018",
    "Ed25519SignatureAuthentication2018": "Ed25519VerificationKey2018",
    "RSAVerificationKey2018": "RSAVerificationKey2018",
    "X25519KeyAgreementKey2019": "X25519KeyAgreementKey2019",
}
"""Algorithm and purpose, in one → the type of a key's verification method; of any other the type is the algorithm."""

_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")

_Entry = tuple[str, str, bytes]


@dataclass(frozen=True, slots=True)
class Change:
    """One fact about an identity, and the number of the block that holds it. Its time is the fact's."""

    block: int
    fact: DidFact


@dataclass(frozen=True, slots=True)
class Version:
    """A DID document, the change it is the outcome of, and the change that replaced it; either may not be there."""

    document: Json
    deactivated: bool
    last: Change | None
    following: Change | None


def document_at(did: Did, chain_id: int, changes: Iterable[Change], *, now: int, block: int | None = None) -> Version:
    """Return the document of `did` after `block` (the newest if None), with the entries that are valid at `now`.

    `changes` are all of the identity's, in the order of the chain. `now` is unix seconds; for an old version it is the
    time of `block`.
    """
    draft = _Draft(did, chain_id, did.address, now)
    last = following = None
    deactivated = False
    for change in changes:
        if not _readable(change.fact):
            continue
        if block is not None and change.block > block:
            following = change
            break
        last = change
        draft.apply(change.fact)
        if isinstance(change.fact, OwnerChanged) and change.fact.owner == _NOBODY:
            deactivated = True  # for good, though the contract lets the identity itself act again
            break
    return Version(draft.emptied() if deactivated else draft.finished(), deactivated, last, following)


@dataclass(slots=True)
class _Draft:
    """A document in the making. Entries are known by kind, name and content, and keep the order they came in."""

    did: Did
    chain_id: int
    controller: Address
    now: int
    delegates: int = 0
    services_made: int = 0
    methods: dict[_Entry, Json] = field(default_factory=dict)
    authentication: dict[_Entry, str] = field(default_factory=dict)
    assertion: dict[_Entry, str] = field(default_factory=dict)
    agreement: dict[_Entry, str] = field(default_factory=dict)
    services: dict[_Entry, Json] = field(default_factory=dict)

    def apply(self, fact: DidFact) -> None:
        """Take one more fact, whose 32-byte name can be read."""
        match fact:
            case OwnerChanged(owner=owner):
                self.controller = owner
            case DelegateChanged(kind=kind, delegate=delegate, valid_to=valid_to):
                entry = ("delegate", _read(kind), bytes(delegate))
                self.delegates += 1
                if self._valid(valid_to):
                    self._delegate(entry, delegate)
                else:
                    self._drop(entry)
            case AttributeChanged(name=raw, value=value, valid_to=valid_to):
                entry = ("attribute", _read(raw), value)
                if self._valid(valid_to):
                    self._attribute(entry)
                else:
                    self.delegates += entry[1].startswith("did/pub/")
                    self.services_made += entry[1].startswith("did/svc/")
                    self._drop(entry)

    def finished(self) -> Json:
        """Return the document as it stands."""
        did = self.did.text
        methods = [self._method(f"{did}#controller", self.controller)]
        ours = [f"{did}#controller"]
        if self.did.public_key is not None and self.controller == self.did.address:
            key = f"{did}#controllerKey"
            digits = did.rpartition(":")[2][2:]
            methods.append({"id": key, "type": _SECP256K1, "controller": did, "publicKeyHex": digits})
            ours.append(key)
        document: Json = {
            "id": did,
            "verificationMethod": [*methods, *self.methods.values()],
            "authentication": [*ours, *self.authentication.values()],
            "assertionMethod": [*ours, *self.assertion.values()],
        }
        if self.services:
            document["service"] = [*self.services.values()]
        if self.agreement:
            document["keyAgreement"] = [*self.agreement.values()]
        return document

    def emptied(self) -> Json:
        """Return the document of an identity that nobody controls."""
        return {"id": self.did.text, "verificationMethod": [], "authentication": [], "assertionMethod": []}

    def _valid(self, valid_to: int) -> bool:
        return valid_to != 0 and valid_to >= self.now

    def _method(self, name: str, address: Address) -> Json:
        account = f"eip155:{self.chain_id}:{to_text(address)}"
        return {"id": name, "type": _RECOVERY, "controller": self.did.text, "blockchainAccountId": account}

    def _delegate(self, entry: _Entry, delegate: Address) -> None:
        if entry[1] not in {"veriKey", "sigAuth"}:
            return
        name = f"{self.did.text}#delegate-{self.delegates}"
        self.methods[entry] = self._method(name, delegate)
        self.assertion[entry] = name
        if entry[1] == "sigAuth":
            self.authentication[entry] = name

    def _attribute(self, entry: _Entry) -> None:
        parts = entry[1].split("/")
        if not (3 <= len(parts) <= 5 and parts[0] == "did" and all(map(_is_word, parts[2:]))):
            return
        if parts[1] == "pub":
            self._key(entry, parts[2], *parts[3:])
        elif parts[1] == "svc":
            self._service(entry, parts[2])

    def _key(self, entry: _Entry, algorithm: str, purpose: str | None = None, encoding: str = "hex") -> None:
        self.delegates += 1
        written = _written(entry[2], encoding)
        if written is None:
            return
        name = f"{self.did.text}#delegate-{self.delegates}"
        kind = algorithm if purpose is None else _key_type(algorithm, purpose)
        self.methods[entry] = {"id": name, "type": kind, "controller": self.did.text} | written
        if purpose == "enc":
            self.agreement[entry] = name
            return
        self.assertion[entry] = name
        if purpose == "sigAuth":
            self.authentication[entry] = name

    def _service(self, entry: _Entry, kind: str) -> None:
        self.services_made += 1
        text = _utf8(entry[2])
        if text is None:
            return
        try:
            endpoint = read_script_json(text)
        except ValueError:  # then it is text: mostly a URL
            endpoint = text
        name = f"{self.did.text}#service-{self.services_made}"
        self.services[entry] = {"id": name, "type": kind, "serviceEndpoint": endpoint}

    def _drop(self, entry: _Entry) -> None:
        """Take an entry out. Its reference under keyAgreement stays: the resolver leaves it too."""
        for entries in (self.methods, self.authentication, self.assertion, self.services):
            entries.pop(entry, None)


def _key_type(algorithm: str, purpose: str) -> str:
    return _KEY_TYPES.get(algorithm + _PURPOSES.get(purpose, purpose), algorithm)


def _written(key: bytes, encoding: str) -> Json | None:
    """Return the member that holds a key; none for a PEM that is no text."""
    match encoding:
        case "hex":
            return {"publicKeyHex": key.hex()}
        case "base64":
            return {"publicKeyBase64": b64encode(key).decode()}
        case "base58":
            return {"publicKeyBase58": base58(key)}
        case "pem":
            text = _utf8(key)
            return None if text is None else {"publicKeyPem": text}
        case _:
            return {"value": key.hex()}


def _readable(fact: DidFact) -> bool:
    """Say whether a fact belongs to the DID: the registry holds delegates and attributes of other trades too.

    Ours among them: the delegate types of trade and data access are hashes, and no text.
    """
    match fact:
        case DelegateChanged(kind=raw) | AttributeChanged(name=raw):
            return _utf8(raw) is not None
        case _:
            return True


def _read(raw: bytes) -> str:
    return raw.decode().rstrip("\0")


def _utf8(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _is_word(part: str) -> bool:
    return bool(part) and _WORD.issuperset(part)
