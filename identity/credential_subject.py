"""What credentials say of whom: a role with its certified fields, an aggregator's mandate, or a status list.

Each kind of credential has the fields listed here, all of them and no other, in this order. Values are text; numbers
are decimal text without sign, point or leading zero, in the units of the chain: W, Wh, µ/kWh.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from identity.claim_data import AssetKind, AssetProperties, BalancingRates, EnergyType, pack_market
from identity.did import CanonicalDid, parse_did
from identity.energy_roles import EnergyRole
from identity.errors import IdentityRefused, MalformedCredential, MalformedName
from identity.names import labels_of
from identity.structured import exactly

ASSET = "AssetCredential"
ENERGY_TYPE = "EnergyTypeCredential"
BALANCING_PROVIDER = "BalancingProviderCredential"
GRID_OPERATOR = "GridOperatorCredential"
ROLE = "RoleCredential"
MANDATE = "AggregatorMandate"
STATUS_LIST = "StatusList2021Credential"

FIELDS = {
    ASSET: ("kind", "energyType", "ratedPowerW", "capacityWh"),
    ENERGY_TYPE: ("energyType",),
    BALANCING_PROVIDER: ("demandRate", "supplyRate"),
    GRID_OPERATOR: ("market",),
    ROLE: (),
}
"""The fields of each kind of credential that gives a role, in order."""

_ROLE_OF = {
    ASSET: EnergyRole.ASSET,
    ENERGY_TYPE: EnergyRole.ASSET,
    BALANCING_PROVIDER: EnergyRole.BALANCING_PROVIDER,
    GRID_OPERATOR: EnergyRole.GRID_OPERATOR,
}
_MOST_DIGITS = 78
_MOST_URL = 512
REVOCATION = "revocation"


@dataclass(frozen=True, slots=True)
class RoleSubject:
    """`holder` has the role called `role_name` in `version`; `fields` are what the kind of credential certifies."""

    kind: str
    holder: CanonicalDid
    role_name: str
    version: int
    fields: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        where = "credentialSubject"
        if tuple(key for key, _ in self.fields) != FIELDS[self.kind]:
            raise MalformedCredential(f"{where}.issuerFields", f"not exactly {', '.join(FIELDS[self.kind]) or 'none'}")
        labels = _labels(self.role_name, f"{where}.role.namespace")
        due = _ROLE_OF.get(self.kind)
        if due is None and labels[0] in _ROLE_OF.values():
            raise MalformedCredential("type", f"a credential to {labels[0]} says more than this kind does")
        if due is not None and labels[0] != due:
            raise MalformedCredential(f"{where}.role.namespace", f"a {self.kind} gives the role {due.value}")
        if self.version < 0:
            raise MalformedCredential(f"{where}.role.version", "below zero")
        self.claim_data()

    def claim_data(self) -> bytes | None:
        """Return the 32 bytes that the claim on the chain has for it; none where the kind certifies only a part."""
        value = dict(self.fields)
        try:
            match self.kind:
                case "AssetCredential":
                    kind, energy_type = _member(AssetKind, value["kind"]), _member(EnergyType, value["energyType"])
                    power, capacity = whole(value["ratedPowerW"]), whole(value["capacityWh"])
                    return AssetProperties(kind, energy_type, power, capacity).pack()
                case "BalancingProviderCredential":
                    return BalancingRates(whole(value["demandRate"]), whole(value["supplyRate"])).pack()
                case "GridOperatorCredential":
                    return pack_market(whole(value["market"]))
                case "EnergyTypeCredential":
                    _member(EnergyType, value["energyType"])
        except MalformedCredential:
            raise
        except (IdentityRefused, KeyError, ValueError) as error:
            raise MalformedCredential("credentialSubject.issuerFields", str(error)) from error
        return None

    def agrees_with(self, data: bytes) -> bool:
        """Return whether a claim on the chain with these 32 bytes says the same, as far as both say anything."""
        mine = self.claim_data()
        if self.kind == ENERGY_TYPE and any(data):
            return bool(data[1] == _member(EnergyType, dict(self.fields)["energyType"]))
        return mine is None or not any(data) or data == mine

    def to_document(self) -> dict[str, Any]:
        """Return what stands under `credentialSubject`."""
        return {
            "id": str(self.holder),
            "role": {"namespace": self.role_name, "version": str(self.version)},
            "issuerFields": [{"key": key, "value": value} for key, value in self.fields],
        }


@dataclass(frozen=True, slots=True)
class MandateSubject:
    """`agent` may act for `asset` for a purpose (`merit.trade.v1`) while the asset is in this ownership epoch.

    A document for people and their files: what counts at the gate is the delegation in the DID registry.
    """

    agent: CanonicalDid
    asset: CanonicalDid
    purpose: str
    epoch: int
    kind: str = MANDATE

    def __post_init__(self) -> None:
        _labels(self.purpose, "credentialSubject.mandate.purpose")
        if self.epoch < 1:
            raise MalformedCredential("credentialSubject.mandate.epoch", "ownership epochs begin with 1")

    def to_document(self) -> dict[str, Any]:
        """Return what stands under `credentialSubject`."""
        mandate = {"asset": str(self.asset), "purpose": self.purpose, "epoch": str(self.epoch)}
        return {"id": str(self.agent), "mandate": mandate}


@dataclass(frozen=True, slots=True)
class ListSubject:
    """A status list as its signer published it; `url` with `#list` is its name."""

    url: str
    encoded: str
    purpose: str = REVOCATION
    kind: str = STATUS_LIST

    def __post_init__(self) -> None:
        check_url(self.url, "credentialSubject.id")

    def to_document(self) -> dict[str, Any]:
        """Return what stands under `credentialSubject`."""
        return {
            "id": f"{self.url}#list",
            "type": "StatusList2021",
            "statusPurpose": self.purpose,
            "encodedList": self.encoded,
        }


Subject = RoleSubject | MandateSubject | ListSubject


def read_subject(kind: str, document: Mapping[str, Any], where: str = "credentialSubject") -> Subject:
    """Read what stands under `credentialSubject` in a credential of this kind."""
    if kind == STATUS_LIST:
        exactly(document, ("id", "type", "statusPurpose", "encodedList"), where)
        url, hash_sign, name = text(document, "id", where).partition("#")
        if document["type"] != "StatusList2021" or hash_sign + name != "#list":
            raise MalformedCredential(where, "not a StatusList2021 called #list")
        return ListSubject(url, text(document, "encodedList", where), text(document, "statusPurpose", where))
    if kind == MANDATE:
        exactly(document, ("id", "mandate"), where)
        mandate = member(document, "mandate", where)
        exactly(mandate, ("asset", "purpose", "epoch"), f"{where}.mandate")
        return MandateSubject(
            did(document, "id", where),
            did(mandate, "asset", f"{where}.mandate"),
            text(mandate, "purpose", f"{where}.mandate"),
            whole(text(mandate, "epoch", f"{where}.mandate"), f"{where}.mandate.epoch"),
        )
    if kind not in FIELDS:
        raise MalformedCredential("type", f"no kind of credential is called {kind}")
    exactly(document, ("id", "role", "issuerFields"), where)
    role = member(document, "role", where)
    exactly(role, ("namespace", "version"), f"{where}.role")
    listed = document["issuerFields"]
    if not isinstance(listed, list):
        raise MalformedCredential(f"{where}.issuerFields", "not a list")
    fields = tuple(_field(item, f"{where}.issuerFields[{place}]") for place, item in enumerate(listed))
    name = text(role, "namespace", f"{where}.role")
    version = whole(text(role, "version", f"{where}.role"), f"{where}.role.version")
    return RoleSubject(kind, did(document, "id", where), name, version, fields)


def text(document: Mapping[str, Any], name: str, where: str) -> str:
    """Return the text under `name`."""
    value = document[name]
    if not isinstance(value, str):
        raise MalformedCredential(f"{where}.{name}", "not a text")
    return value


def member(document: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    """Return the object under `name`."""
    value = document[name]
    if not isinstance(value, dict):
        raise MalformedCredential(f"{where}.{name}", "not an object")
    return value


def did(document: Mapping[str, Any], name: str, where: str) -> CanonicalDid:
    """Return whom the DID under `name` means."""
    try:
        return parse_did(text(document, name, where)).canonical()
    except MalformedCredential:
        raise
    except IdentityRefused as error:
        raise MalformedCredential(f"{where}.{name}", str(error)) from error


def whole(value: str, where: str = "credentialSubject.issuerFields") -> int:
    """Return the number that decimal text names: digits only, no leading zero: one text a number."""
    digits = value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS
    if not digits or (value[0] == "0" and value != "0"):
        raise MalformedCredential(where, f"{value[:90]!r} is not a whole number in decimal digits")
    return int(value)


def check_url(url: str, where: str) -> None:
    """Refuse what is no address of a status list: http or https, visible ASCII, no fragment."""
    visible = all("!" <= letter <= "~" for letter in url)
    if not url.startswith(("https://", "http://")) or len(url) > _MOST_URL or not visible or "#" in url:
        raise MalformedCredential(where, "not the address of a status list")


def _labels(name: str, where: str) -> tuple[str, ...]:
    try:
        return labels_of(name)
    except MalformedName as error:
        raise MalformedCredential(where, str(error)) from error


def _field(item: object, where: str) -> tuple[str, str]:
    if not isinstance(item, dict):
        raise MalformedCredential(where, "not an object")
    exactly(item, ("key", "value"), where)
    return text(item, "key", where), text(item, "value", where)


def text_of(entry: AssetKind | EnergyType) -> str:
    """Return what a kind of asset or a type of energy is called in a credential: `ev-charger`, `pv`."""
    return entry.name.lower().replace("_", "-")


def _member(kind: Any, name: str) -> Any:
    found = {text_of(entry): entry for entry in kind}
    if name not in found:
        raise MalformedCredential("credentialSubject.issuerFields", f"{name!r} is none of {', '.join(found)}")
    return found[name]
