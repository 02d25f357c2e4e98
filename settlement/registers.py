"""From a meter's cumulative register to what flowed in each slot.

A register has two counters, drawn and fed in, which only grow. Two readings of it that are one slot apart give that
slot's net. Where slots in between are missing the energy is known and its time is not: it is spread evenly, whole Wh
with the remainder in the first slots, and marked as estimated.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from exchange.units import Wh, slice_of
from settlement.metering_errors import RegisterConflicts, RegisterFellBack, RegisterOffGrid


@dataclass(frozen=True, slots=True, order=True)
class RegisterReading:
    """What the two counters show at an instant (unix seconds)."""

    at: int
    drawn: Wh
    fed_in: Wh


@dataclass(frozen=True, slots=True)
class Delta:
    """What was fed in minus what was drawn in the slot that begins at `start`."""

    start: int
    net: Wh
    estimated: bool


def deltas(readings: Iterable[RegisterReading], slot: int, rolls_over_at: Wh | None = None) -> list[Delta]:
    """Return the deltas between readings of one register, by slot; the order they are given in does not matter.

    A counter may begin anew only at the declared size. Refuses a reading within a slot, two that differ at one instant,
    and a counter that fell.
    """
    found: list[Delta] = []
    ordered = sorted(set(readings))
    for reading in ordered:
        if reading.at % slot:
            raise RegisterOffGrid(reading.at, slot)
    for before, after in pairwise(ordered):
        if before.at == after.at:
            raise RegisterConflicts(after.at)
        starts = range(before.at, after.at, slot)
        parts = len(starts)
        drawn = _grown(before.drawn, after.drawn, after.at, rolls_over_at)
        fed_in = _grown(before.fed_in, after.fed_in, after.at, rolls_over_at)
        for place, start in enumerate(starts):
            net = Wh(slice_of(fed_in, parts, place) - slice_of(drawn, parts, place))
            found.append(Delta(start, net, estimated=parts > 1))
    return found


def _grown(before: Wh, after: Wh, at: int, rolls_over_at: Wh | None) -> Wh:
    if after >= before:
        return Wh(after - before)
    if rolls_over_at is None or before >= rolls_over_at:
        raise RegisterFellBack(at, before, after)
    return Wh(after + rolls_over_at - before)
