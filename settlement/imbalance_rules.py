"""A community's rules of metering and imbalance, as a value and as a document; their hash stands in every run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from exchange.units import MicroPerKwh, Wh
from identity.address import Address, parse_address, to_text
from identity.errors import MalformedAddress
from identity.hashing import keccak
from settlement.imbalance import NO_BAND, NO_CHARGE, Band, Prices
from settlement.metering import MeteringRules
from settlement.metering_errors import RulesMalformed

_DAY = 86_400


class Estimate(Enum):
    """What stands in for a value that was not read."""

    CONTRACTED = "contracted"
    """What was promised and traded: so nobody is charged."""

    LAST_WEEK = "last-week"
    """What was read on the last same weekday, up to four weeks before; else what was contracted."""

    SPREAD = "spread"
    """The meter's register had a gap, and what it counted meanwhile was spread evenly."""


RULES_TO_ESTIMATE = (Estimate.CONTRACTED, Estimate.LAST_WEEK)


@dataclass(frozen=True, slots=True)
class VirtualMeter:
    """A sub-meter that nobody installed: what the main meter reads less what the known ones behind it do."""

    main: Address
    known: tuple[Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImbalanceRules:
    """How deviations are measured and charged.

    Runs settle a slot `waiting` seconds after it is over, with `estimate` where no reading is there. `counterpart` is
    the account on the other side of every charge. `responsible` says which account is charged instead of another: its
    balance responsible party's. `virtual` says of which assets the meter is virtual; their main meters are charged for
    nothing themselves. `prices` hold where none were published for the slot.
    """

    metering: MeteringRules
    waiting: int
    counterpart: int
    prices: Prices = NO_CHARGE
    band: Band = NO_BAND
    estimate: Estimate = Estimate.CONTRACTED
    responsible: tuple[tuple[int, int], ...] = ()
    virtual: tuple[tuple[Address, VirtualMeter], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.waiting < self.metering.cut_off:
            raise ValueError("a slot is first settled before its cut-off")
        if self.estimate not in RULES_TO_ESTIMATE:
            raise ValueError("what is missing is taken as contracted, or as last week")
        accounts, derived = dict(self.responsible), dict(self.virtual)
        if [account for account, _ in self.responsible] != sorted(accounts):
            raise ValueError("responsible parties are listed by account, in ascending order, and each account once")
        if [asset for asset, _ in self.virtual] != sorted(derived):
            raise ValueError("virtual meters are listed by asset, in ascending order, and each asset once")
        if any(meter.main in derived or derived.keys() & {*meter.known} for _, meter in self.virtual):
            raise ValueError("a virtual meter is made of real ones")

    @property
    def slot(self) -> int:
        """The length of a slot in seconds."""
        return self.metering.slot

    def settled_from(self, start: int) -> int:
        """Return when a slot is first settled."""
        return start + self.slot + self.waiting

    def final_from(self, start: int) -> int:
        """Return from when on nothing changes any more of a slot."""
        return start + self.slot + self.metering.cut_off

    def to_document(self) -> dict[str, object]:
        """Return the rules as plain values."""
        return {
            "slot_seconds": self.slot,
            "cut_off_seconds": self.metering.cut_off,
            "waiting_seconds": self.waiting,
            "standby_w": self.metering.standby_w,
            "estimate": self.estimate.value,
            "short_micro_per_kwh": self.prices.short,
            "long_micro_per_kwh": self.prices.long,
            "tolerance_wh": self.band.energy,
            "tolerance_ppm": self.band.ppm,
            "counterpart": self.counterpart,
            "responsible": [{"account": account, "charged": party} for account, party in self.responsible],
            "virtual": [
                {"asset": to_text(asset), "main": to_text(meter.main), "known": [to_text(one) for one in meter.known]}
                for asset, meter in self.virtual
            ],
        }

    def hash(self) -> bytes:
        """Return the hash of the rules."""
        return keccak(json.dumps(self.to_document(), sort_keys=True, separators=(",", ":")).encode())


def rules_from_document(document: Mapping[str, object], *, slot: int, counterpart: int) -> ImbalanceRules:
    """Read the rules; what is left out is as it is by default. Raises `RulesMalformed`.

    `slot` is the community's, and `counterpart` is who it is where the document says nothing.
    """
    rest = dict(document)
    try:
        rules = ImbalanceRules(
            metering=MeteringRules(
                slot=_whole(rest.pop("slot_seconds", slot)),
                cut_off=_whole(rest.pop("cut_off_seconds", 30 * _DAY)),
                standby_w=_whole(rest.pop("standby_w", 0)),
            ),
            waiting=_whole(rest.pop("waiting_seconds", _DAY)),
            estimate=Estimate(rest.pop("estimate", Estimate.CONTRACTED.value)),
            prices=Prices(
                MicroPerKwh(_whole(rest.pop("short_micro_per_kwh", 0))),
                MicroPerKwh(_whole(rest.pop("long_micro_per_kwh", 0))),
            ),
            band=Band(Wh(_whole(rest.pop("tolerance_wh", 0))), _whole(rest.pop("tolerance_ppm", 0))),
            counterpart=_whole(rest.pop("counterpart", counterpart)),
            responsible=tuple(
                sorted(
                    (_whole(one["account"]), _whole(one["charged"]))
                    for one in _objects(rest.pop("responsible", []), {"account", "charged"})
                )
            ),
            virtual=tuple(
                sorted(
                    ((_address(one["asset"]), _virtual(one)) for one in _objects(rest.pop("virtual", []), _VIRTUAL)),
                    key=lambda pair: pair[0],
                )
            ),
        )
    except (ValueError, MalformedAddress) as error:
        raise RulesMalformed(str(error)) from error
    if rest:
        raise RulesMalformed(f"rules of imbalance know no {', '.join(sorted(rest))}")
    if rules.slot != slot:
        raise RulesMalformed(f"a slot is {slot} s here, not {rules.slot} s")
    return rules


_VIRTUAL = {"asset", "main", "known"}


def _virtual(one: Mapping[str, object]) -> VirtualMeter:
    known = one["known"]
    if not isinstance(known, list):
        raise ValueError("known is a list of assets")
    return VirtualMeter(_address(one["main"]), tuple(_address(each) for each in known))


def _objects(value: object, fields: set[str]) -> list[dict[str, object]]:
    if not isinstance(value, list) or any(not isinstance(one, dict) or set(one) != fields for one in value):
        raise ValueError(f"a list of objects with {', '.join(sorted(fields))}, and nothing else")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _address(value: object) -> Address:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no address")
    return parse_address(value)
