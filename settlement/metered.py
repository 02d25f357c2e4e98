"""What an asset is taken to have done in a slot: as its meter read it, as virtual meters make it, or as estimated.

Only what was taken before an instant counts, so that the same question has the same answer for ever.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from exchange.units import Wh
from identity.address import Address
from settlement.contracted import Obligation
from settlement.imbalance_rules import Estimate, ImbalanceRules, VirtualMeter
from settlement.readings import Readings

_WEEK = 7 * 86_400
_WEEKS_BACK = range(1, 5)


@dataclass(frozen=True, slots=True)
class Metered:
    """A net, the digests of the readings it rests on, and how it was estimated, if it was."""

    net: Wh
    evidence: tuple[bytes, ...] = ()
    estimate: Estimate | None = None


def virtual(main: Metered, known: Iterable[Metered]) -> Metered:
    """Return what flowed beside the known meters behind a main one: estimated, if any of them is."""
    parts = (main, *known)
    return Metered(
        Wh(main.net - sum(one.net for one in parts[1:])),
        tuple(name for one in parts for name in one.evidence),
        next((one.estimate for one in parts if one.estimate is not None), None),
    )


class Metering:
    """Answers for one instant: `readings` that were taken before `instant`, under `rules`."""

    def __init__(self, readings: Readings, rules: ImbalanceRules, instant: int) -> None:
        self._readings = readings
        self._rules = rules
        self._instant = instant
        self._virtual = dict(rules.virtual)

    def read(self, asset: Address, start: int) -> Metered | None:
        """Return what was read of an asset in a slot; none where it, or a part of a virtual meter, is missing."""
        meter = self._virtual.get(asset)
        if meter is not None:
            return self._by_virtue_of(meter, start)
        held = self._readings.before(asset, start, self._instant)
        if held is None:
            return None
        return Metered(held.reading.net, (held.digest,), Estimate.SPREAD if held.signed.estimated else None)

    def taken_as(self, asset: Address, start: int, obligation: Obligation) -> Metered:
        """Return what was read, or else the estimate of the rules."""
        read = self.read(asset, start)
        if read is not None:
            return read
        if self._rules.estimate is Estimate.LAST_WEEK:
            for weeks in _WEEKS_BACK:
                before = self.read(asset, start - weeks * _WEEK)
                if before is not None:
                    return Metered(before.net, before.evidence, Estimate.LAST_WEEK)
        return Metered(Wh(obligation.promised + obligation.after_delivery), (), Estimate.CONTRACTED)

    def _by_virtue_of(self, meter: VirtualMeter, start: int) -> Metered | None:
        main = self.read(meter.main, start)
        known = [read for one in meter.known if (read := self.read(one, start)) is not None]
        return None if main is None or len(known) < len(meter.known) else virtual(main, known)
