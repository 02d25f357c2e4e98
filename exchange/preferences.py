"""What an order asks for besides its limit: from whom, which energy, how much of it at most, at which own limit.

A bid lists alternatives in its order of preference. Energy is bought under any of them (or), and under each one
everything that it says holds (and). An offer may name partners, and nothing else. A partner is named by the address of
an asset or of the holder of its account; an energy type is what the asset's certified claim says. The order is signed
with the hash of all this (EIP-712, so that a wallet can show it). Equal preferences have equal bytes: lists are sorted,
and nothing stands in them twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

from exchange.errors import OrderMalformed
from exchange.units import MAX_ENERGY, MAX_RATE, MIN_RATE, MicroPerKwh, Wh
from identity.address import Address
from identity.claim_data import EnergyType
from identity.hashing import keccak
from identity.typed_data import address_word, word

ALTERNATIVE_TYPE = (
    "Alternative(address[] partners,uint8[] energyTypes,uint48 mostEnergyWh,int48 limitMicroPerKwh,bool limited)"
)
PREFERENCES_TYPE = f"Preferences(Alternative[] alternatives){ALTERNATIVE_TYPE}"

MOST_ALTERNATIVES = 8
"""The most alternatives that a bid can list."""

MOST_ENTRIES = 16
"""The most partners, and the most energy types, that an alternative can name."""

_ALTERNATIVE_TYPE_HASH = keccak(ALTERNATIVE_TYPE.encode())
_PREFERENCES_TYPE_HASH = keccak(PREFERENCES_TYPE.encode())

_words = Struct(">32s 32s 32s 24xQ 32s 24xQ").pack
"""An alternative's words at one go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One way to be served: whatever it names holds together; what it leaves empty is open.

    `partners`: any of them. `energy_types`: any of them. `most_energy` bounds what is bought under this alternative
    over all. `limit` is what the buyer pays at most per kWh, fees included; the order's own limit holds besides.
    Raises `ValueError` for values that no field can hold, and for lists that are not sorted and free of repetition.
    """

    partners: tuple[Address, ...] = ()
    energy_types: tuple[EnergyType, ...] = ()
    most_energy: Wh | None = None
    limit: MicroPerKwh | None = None
    kind: bytes = field(init=False, repr=False, compare=False)
    """The numbers of the energy types, for the clearing, which asks for them again and again."""

    def __post_init__(self) -> None:
        if max(len(self.partners), len(self.energy_types)) > MOST_ENTRIES:
            raise ValueError(f"an alternative names at most {MOST_ENTRIES} partners, and as many energy types")
        if list(self.partners) != sorted(set(self.partners)):
            raise ValueError("partners are listed in ascending order, each once")
        if list(self.energy_types) != sorted(set(self.energy_types)):
            raise ValueError("energy types are listed by number, in ascending order, each once")
        if any(len(partner) != 20 for partner in self.partners):
            raise ValueError("a partner is named by twenty bytes")
        if EnergyType.NONE in self.energy_types:
            raise ValueError("energy of no type is nothing to ask for")
        if self.most_energy is not None and not 0 < self.most_energy <= MAX_ENERGY:
            raise ValueError("an alternative is for a positive amount of energy, below 2^48 Wh")
        if self.limit is not None and not MIN_RATE <= self.limit <= MAX_RATE:
            raise ValueError("a limit has 48 bits")
        object.__setattr__(self, "kind", bytes(self.energy_types))

    @classmethod
    def of(
        cls,
        *,
        partners: Iterable[Address] = (),
        energy_types: Iterable[EnergyType] = (),
        most_energy: Wh | None = None,
        limit: MicroPerKwh | None = None,
    ) -> "Alternative":
        """Return an alternative of lists in any order."""
        return cls(
            partners=tuple(sorted(set(partners))),
            energy_types=tuple(sorted(set(energy_types))),
            most_energy=most_energy,
            limit=limit,
        )

    @property
    def names_partners_only(self) -> bool:
        """Whether it says nothing but who the partner may be, and says that."""
        return bool(self.partners) and not self.energy_types and self.most_energy is None and self.limit is None

    def struct_hash(self) -> bytes:
        """Return the EIP-712 struct hash."""
        return keccak(
            _words(
                _ALTERNATIVE_TYPE_HASH,
                keccak(b"".join(map(address_word, self.partners))),
                keccak(b"".join(map(word, self.energy_types))),
                self.most_energy or 0,
                word(self.limit or 0),
                self.limit is not None,
            )
        )

    def to_document(self) -> dict[str, Any]:
        """Return the alternative as plain values."""
        return {
            "partners": ["0x" + partner.hex() for partner in self.partners],
            "energy_types": [energy_type.name.lower() for energy_type in self.energy_types],
            "most_energy_wh": self.most_energy,
            "limit_micro_per_kwh": self.limit,
        }


@dataclass(frozen=True, slots=True)
class Preferences:
    """One to eight alternatives, the most wanted first. An offer's is one alternative that names partners only."""

    alternatives: tuple[Alternative, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.alternatives) <= MOST_ALTERNATIVES:
            raise ValueError(f"preferences list one to {MOST_ALTERNATIVES} alternatives")

    def hash(self) -> bytes:
        """Return the EIP-712 struct hash: what the order is signed with."""
        hashes = b"".join(alternative.struct_hash() for alternative in self.alternatives)
        return keccak(_PREFERENCES_TYPE_HASH + keccak(hashes))

    def to_document(self) -> dict[str, Any]:
        """Return the preferences as plain values."""
        return {"alternatives": [alternative.to_document() for alternative in self.alternatives]}


def check_fit(preferences: Preferences, limit: MicroPerKwh, *, is_offer: bool) -> None:
    """Refuse what no order of this side and limit can ask for: an offer more than partners, a bid a higher limit."""
    if is_offer and [alternative.names_partners_only for alternative in preferences.alternatives] != [True]:
        raise _malformed("alternatives", "an offer names partners, in one alternative, and nothing else")
    for place, alternative in enumerate(preferences.alternatives):
        if alternative.limit is not None and alternative.limit > limit:
            raise _malformed(f"alternatives[{place}].limit_micro_per_kwh", "above the limit of the order itself")


def from_document(document: object) -> Preferences:
    """Read preferences; raises `OrderMalformed` naming the field that is wrong."""
    (listed,) = _taken(document, ("alternatives",), "preferences")
    if not isinstance(listed, list):
        raise _malformed("alternatives", "not a list")
    alternatives = tuple(_alternative(item, f"alternatives[{place}]") for place, item in enumerate(listed))
    try:
        return Preferences(alternatives)
    except ValueError as error:
        raise _malformed("alternatives", str(error)) from error


def _alternative(document: object, where: str) -> Alternative:
    names = ("partners", "energy_types", "most_energy_wh", "limit_micro_per_kwh")
    partners, energy_types, most_energy, limit = _taken(document, names, where)
    most = _whole_or_none(most_energy, f"{where}.most_energy_wh")
    rate = _whole_or_none(limit, f"{where}.limit_micro_per_kwh")
    try:
        return Alternative(
            partners=tuple(_partner(text, f"{where}.partners") for text in _list(partners, f"{where}.partners")),
            energy_types=tuple(
                _energy_type(text, f"{where}.energy_types") for text in _list(energy_types, f"{where}.energy_types")
            ),
            most_energy=None if most is None else Wh(most),
            limit=None if rate is None else MicroPerKwh(rate),
        )
    except ValueError as error:
        raise _malformed(where, str(error)) from error


def _taken(document: object, names: tuple[str, ...], where: str) -> list[object]:
    if not isinstance(document, Mapping):
        raise _malformed(where, "not an object with named fields")
    if lacking := [name for name in names if name not in document]:
        raise _malformed(where, f"lacks {', '.join(lacking)}")
    if surplus := sorted(str(name) for name in document if name not in names):
        raise _malformed(where, f"has no field {', '.join(surplus)}")
    return [document[name] for name in names]


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise _malformed(where, "not a list")
    return value


def _partner(text: object, where: str) -> Address:
    try:
        partner = Address(bytes.fromhex(text[2:])) if isinstance(text, str) else None
    except ValueError:
        partner = None
    if partner is None or len(partner) != 20 or "0x" + partner.hex() != text:  # one value has one text
        raise _malformed(where, "not 0x and 40 lower-case hex digits")
    return partner


def _energy_type(text: object, where: str) -> EnergyType:
    for energy_type in EnergyType:
        if energy_type.name.lower() == text:
            return energy_type
    raise _malformed(where, "no energy type")


def _whole_or_none(value: object, where: str) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise _malformed(where, "neither a whole number nor null")
    return value


def _malformed(where: str, why: str) -> OrderMalformed:
    return OrderMalformed(f"{where}: {why}", ((where, why),))
