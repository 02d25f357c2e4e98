"""Trades to be looked up by name, by account and by session, in a fixed order: session number, then leaf.

Orders and sessions are found in the market itself; trades have no name there, and nobody should read every session
to find one.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass

from exchange.delivery import SessionKey
from exchange.errors import UnknownTrade
from exchange.market import Session
from exchange.trade import Trade

Place = tuple[int, bytes]
"""Where a trade stands in every list: the number of its session, then its leaf."""

_BEFORE_ALL = b""
_AFTER_ALL = b"\xff" * 33


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRecord:
    """A trade with its leaf and the accounts that it binds."""

    leaf: bytes
    trade: Trade
    buyer: int
    seller: int

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.trade.session.number, self.leaf


class TradeIndex:
    """Every trade of the cleared sessions that were added."""

    def __init__(self) -> None:
        self._records: dict[bytes, TradeRecord] = {}
        self._places: list[Place] = []
        self._by_account: dict[int, list[Place]] = {}

    def add(self, session: Session) -> None:
        """Take up the trades of a session that was just cleared."""
        assert session.cleared is not None, "only a cleared session has trades"
        for trade in session.cleared.clearing.trades:
            record = TradeRecord(
                leaf=trade.leaf(),
                trade=trade,
                buyer=session.orders[trade.bid].account,
                seller=session.orders[trade.offer].account,
            )
            self._records[record.leaf] = record
            insort(self._places, record.place)
            for account in (record.buyer, record.seller):
                insort(self._by_account.setdefault(account, []), record.place)

    def find(self, leaf: bytes) -> TradeRecord:
        """Return the trade with this leaf, or refuse it as unknown."""
        record = self._records.get(leaf)
        if record is None:
            raise UnknownTrade(leaf)
        return record

    def listed(
        self, *, account: int | None = None, session: SessionKey | None = None, after: Place | None = None
    ) -> Iterator[TradeRecord]:
        """Yield the trades of an account or of all, of a session or of all, that stand after a place."""
        places = self._places if account is None else self._by_account.get(account, [])
        first, last = after, None
        if session is not None:
            first = max(after or (0, _BEFORE_ALL), (session.number, _BEFORE_ALL))
            last = session.number, _AFTER_ALL
        position = 0 if first is None else bisect_right(places, first)
        while position < len(places) and (last is None or places[position] <= last):
            yield self._records[places[position][1]]
            position += 1
