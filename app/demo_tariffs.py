"""What the grid operator changes on the demo's day, and when its signed messages are sent.

A change holds for sessions whose gate opens after it was taken, so each is sent a little before the gate of the first
delivery that it is for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.community import Community
from exchange.parameters import Parameters
from exchange.units import MicroPerKwh

SENT_BEFORE_SECONDS = 60
"""How long before the gate opens a change is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A new fee (µ/kWh) of the node `name`, sent at the instant `at`, for deliveries from `start` on.

    `after_seconds` is how long after the day's first delivery that is.
    """

    node: int
    name: str
    fee: MicroPerKwh
    at: int
    start: int
    after_seconds: int


def changes_of_the_day(community: Community, parameters: Parameters, starts: Sequence[int]) -> Iterator[Change]:
    """Yield the changes in the order they are sent; those for deliveries beyond the day are left out."""
    numbers = community.numbers()
    for tariff in sorted(community.demo.tariffs, key=lambda tariff: tariff.after_seconds):
        start = next((start for start in starts if start >= starts[0] + tariff.after_seconds), None)
        if start is not None:
            yield Change(
                node=numbers[tariff.node],
                name=tariff.node,
                fee=MicroPerKwh(tariff.fee_micro_per_kwh),
                at=parameters.spot.gate_opening(start) - SENT_BEFORE_SECONDS,
                start=start,
                after_seconds=start - starts[0],
            )
