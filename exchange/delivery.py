"""When energy is delivered, and when it can be traded: products, delivery periods, gates and sessions.

All instants are UTC seconds. A session is the market of one product for one delivery period on one market node.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class Product(IntEnum):
    """What is traded; the number stands in the signed order."""

    SPOT = 1
    FORWARD = 2
    BALANCING_UP = 3
    BALANCING_DOWN = 4

    __hash__ = int.__hash__  # an enumeration's own is slow, and sessions are looked up all the time


BALANCING = frozenset({Product.BALANCING_UP, Product.BALANCING_DOWN})
"""The products of the balancing market. Up: generate, discharge, shed load. Down: consume, charge, curtail."""


class Mechanism(IntEnum):
    """How a session is cleared; the name stands in the session's parameters. `exchange/mechanism.py` has the rules."""

    PAY_AS_OFFER = 1
    PAY_AS_BID = 2
    PAY_AS_CLEAR = 3
    NETWORK = 4

    @property
    def title(self) -> str:
        """The mechanism as people write it: "pay-as-bid"."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def titled(cls, title: str) -> "Mechanism":
        """Return the mechanism that people write so; raises `KeyError` where there is none."""
        return cls[title.replace("-", "_").upper()]

    @property
    def is_uniform(self) -> bool:
        """Whether all trades of a session have one rate."""
        return self in (Mechanism.PAY_AS_CLEAR, Mechanism.NETWORK)


class SessionKey(NamedTuple):
    """One market node, one product, one delivery period. A tuple, for it is looked up several times for each order."""

    market: int
    product: Product
    delivery_start: int

    @property
    def number(self) -> int:
        """The session as one whole number, as the settlement contract names it."""
        return self.market << 48 | self.product << 40 | self.delivery_start

    @classmethod
    def of(cls, number: int) -> "SessionKey":
        """Return the session with this number."""
        return cls(number >> 48, Product(number >> 40 & 0xFF), number & (1 << 40) - 1)

    def __str__(self) -> str:
        return f"{self.market}-{self.product.name.lower()}-{self.delivery_start}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One product as the tree of a community trades it: an entry of the calendar.

    `number` is the market's on the chain: the product of one delivery length and gate. A delivery period lasts `period`
    seconds. `opening` seconds before delivery starts the gate opens, `lead` seconds before it closes. A settlement may
    reach the chain until `window` seconds after delivery started. `mechanism` is how orders meet at nodes that name no
    other. With a `tick`, the orders that stand are matched every so many seconds after the opening, and once more at
    gate closure; without one, at gate closure only. For `matching` seconds after gate closure third parties may
    propose a clearing.
    """

    number: int
    title: str = "spot"
    period: int
    opening: int
    lead: int
    window: int
    product: Product = Product.SPOT
    mechanism: Mechanism = Mechanism.PAY_AS_CLEAR
    tick: int = 0
    matching: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.number < 1 << 32:
            raise ValueError("a market's number is a positive 32-bit number")
        if self.period <= 0:
            raise ValueError("a delivery period lasts some seconds")
        if not self.opening > self.lead >= 0:
            raise ValueError("a gate opens before it closes, and closes before delivery ends")
        if not 0 <= self.tick < self.opening - self.lead:
            raise ValueError("a tick is shorter than the gate is open")
        if self.tick and self.mechanism.is_uniform:
            raise ValueError("a market of one rate is cleared once, at gate closure")
        if not 0 <= self.matching < self.window:
            raise ValueError("a proposal comes while its session may still be settled")
        if self.product in BALANCING and (self.mechanism is not Mechanism.PAY_AS_OFFER or self.tick or self.matching):
            raise ValueError("balancing is cleared once, at gate closure, and whoever provides it is paid as offered")

    def session(self, delivery_start: int) -> SessionKey:
        """Return the session for the delivery period that begins at `delivery_start`."""
        return SessionKey(self.number, self.product, delivery_start)

    def gate_opening(self, delivery_start: int) -> int:
        """Return the first instant at which orders are taken."""
        return delivery_start - self.opening

    def gate_closure(self, delivery_start: int) -> int:
        """Return the first instant at which orders are taken no longer."""
        return delivery_start - self.lead

    def clears_at(self, delivery_start: int) -> int:
        """Return the first instant at which the session is cleared: proposals of others have been waited for."""
        return self.gate_closure(delivery_start) + self.matching

    def opens_after(self, instant: int) -> int:
        """Return the delivery start whose gate is the first to open after `instant`."""
        start = instant + self.opening + 1
        return start + -start % self.period

    def ticks_until(self, delivery_start: int, now: int) -> Iterator[int]:
        """Yield the instants within the gate, up to `now`, at which the orders that stand are matched."""
        yield from self._ticks(delivery_start, now + 1)

    def newest_tick(self, delivery_start: int, now: int) -> int | None:
        """Return the last of the instants that `ticks_until` yields, if there is one."""
        return max(self._ticks(delivery_start, now + 1)[-1:], default=None)

    def tick_after(self, delivery_start: int, instant: int) -> int | None:
        """Return the first instant within the gate after `instant` at which orders are matched, if there is one."""
        ticks = self._ticks(delivery_start, self.gate_closure(delivery_start))
        return min(ticks[bisect_right(ticks, instant) :][:1], default=None)

    def _ticks(self, delivery_start: int, before: int) -> range:
        """Return the instants within the gate and before another at which orders are matched; none without a tick."""
        before = min(before, self.gate_closure(delivery_start)) if self.tick else 0
        return range(self.gate_opening(delivery_start) + self.tick, before, self.tick or 1)

    def is_delivery_start(self, instant: int) -> bool:
        """Whether a delivery period begins at `instant`."""
        return 0 <= instant < 1 << 40 and instant % self.period == 0

    def open_deliveries(self, now: int) -> Iterator[int]:
        """Yield the delivery starts whose gate is open at `now`, earliest first."""
        start = now + self.lead + 1
        start += -start % self.period
        while self.gate_opening(start) <= now:
            yield start
            start += self.period
