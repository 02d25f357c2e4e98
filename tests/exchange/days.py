"""Days of a neighbourhood: orders for several products of one delivery, cleared in the order of their gates."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from hypothesis import strategies as st

from exchange.book import Book, book_of
from exchange.errors import ExchangeRefused
from exchange.events import Event
from exchange.market import Market
from exchange.order import Side
from exchange.session import SessionState
from identity.registry import Registry
from tests.exchange import neighbourhood, street
from tests.exchange.neighbourhood import DAY_AHEAD, INTRADAY, SPOT


class Wish(NamedTuple):
    """An order that somebody will hand in, in the last second of its gate."""

    product: Any
    quarter: int
    asset: bytes
    side: Side
    energy: int
    limit: int


def wishes(assets: Iterable[bytes] = tuple(neighbourhood.PLACES), most: int = 12) -> st.SearchStrategy[list[Wish]]:
    """Orders for the hour of `START`: by the hour, or for one of its quarters."""
    return st.lists(
        st.builds(
            Wish,
            product=st.sampled_from([SPOT, INTRADAY, DAY_AHEAD]),
            quarter=st.integers(0, 3),
            asset=st.sampled_from(sorted(assets)),
            side=st.sampled_from(Side),
            energy=st.integers(1, 900),
            limit=st.sampled_from([60_000, 100_000, 140_000, 200_000]),
        ),
        max_size=most,
    )


class Day:
    """One market that lives through a day; `events` is its journal."""

    def __init__(self, market: Market, registry: Registry) -> None:
        self.market = market
        self.registry = registry
        self.purse = street.Purse()
        self.events: list[Event] = []
        self.refused: list[ExchangeRefused] = []
        self.books: list[Book] = []

    def happen(self, event: Event) -> None:
        self.events.append(event)
        self.market.apply(event)

    def order(self, signed: Any, now: int) -> ExchangeRefused | None:
        """Hand an order in; return why it was refused, if it was."""
        try:
            event = self.market.take(
                signed,
                registry=self.registry,
                credit=self.purse,
                receipt=street.receipt,
                sequence=self.market.next_sequence,
                now=now,
            )
        except ExchangeRefused as refusal:
            self.refused.append(refusal)
            return refusal
        self.happen(event)
        return None

    def clear(self, now: int) -> None:
        """Close and clear what is due."""
        for session in self.market.due(now):
            if session.state is SessionState.OPEN:
                self.happen(self.market.close(session.key, now))
            self.happen(self.market.clear(session.key, registry=self.registry, now=now))
            self.books.append(book_of(session, self.market.rulebook))

    def live(self, wanted: Iterable[Wish]) -> "Day":
        """Have every wish come in the last second of its gate, and every session cleared at its gate closure."""
        starts = [
            (wish.product.gate_closure(start), salt, wish, start)
            for salt, wish in enumerate(wanted)
            for start in [street.START + (0 if wish.product is DAY_AHEAD else 900 * wish.quarter)]
        ]
        for closure, salt, wish, start in sorted(starts, key=lambda each: each[:2]):
            self.clear(closure - 1)
            given = neighbourhood.order(
                wish.asset, wish.side, wish.product, start, energy=wish.energy, limit=wish.limit, salt=salt
            )
            self.order(given, closure - 1)
        self.clear(street.START + 3_600)
        return self
