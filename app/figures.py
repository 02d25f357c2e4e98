"""What happened since the server started, counted as it happens: plain numbers, cheap enough for every request.

Everything here is counted in the event loop; `metrics.py` shows it.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Histogram:
    """How many values were at most so large, for each of some bounds, and their sum."""

    def __init__(self, bounds: Sequence[float] = LATENCY_SECONDS) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


@dataclass(slots=True)
class Figures:
    """The counts of one server.

    `requests` by method, route and status; `orders` by what became of them (accepted, held, or the code of a refusal);
    `problems` by code. `waiting` orders are yet to be durable, `under_way` requests to be answered, `streams` are open.
    """

    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    durable: Histogram = field(default_factory=Histogram)
    waiting: int = 0
    under_way: int = 0
    streams: int = 0
    streams_dropped: int = 0
