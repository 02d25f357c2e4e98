"""Trades to be looked up by name, by account and by session, in a fixed order: session number, then leaf.

Orders and sessions are found in the market itself; trades have no name there, and nobody should read every session
to find one. The index holds no trade of its own: it keeps where each stands, a session's turn and the place in it,
packed into one whole number, and makes a record when one is asked for.
"""

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exchange.delivery import SessionKey
from exchange.errors import UnknownTrade
from exchange.events import SessionCleared
from exchange.held_session import Session
from exchange.trade import Trade

Place = tuple[int, bytes]
"""Where a trade stands in every list: the number of its session, then its leaf."""

_BEFORE_ALL = b""
_PLACE_BITS = 32
_PLACE_MASK = (1 << _PLACE_BITS) - 1


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


@dataclass(frozen=True, slots=True)
class ClearedTrades:
    """The trades of one session in order of their leaves."""

    session: Session
    leaves: Sequence[bytes]
    trades: Sequence[Trade]

    def record(self, place: int) -> TradeRecord:
        """Return the trade at a place."""
        trade, orders = self.trades[place], self.session.orders
        return TradeRecord(
            leaf=self.leaves[place],
            trade=trade,
            buyer=orders[trade.bid].account,
            seller=orders[trade.offer].account,
        )


def trades_of(session: Session, cleared: SessionCleared) -> ClearedTrades:
    """Return the trades of a session that was just cleared; it is costly, and needs no lock."""
    trades = cleared.clearing.trades
    leaves = [trade.leaf() for trade in trades]
    if leaves != sorted(leaves):  # a journal may say so; the clearing never does
        trades = tuple(sorted(trades, key=Trade.leaf))
        leaves.sort()
    return ClearedTrades(session, tuple(leaves), trades)


class TradeIndex:
    """Every trade of the cleared sessions that were added."""

    def __init__(self) -> None:
        self._cleared: dict[int, ClearedTrades] = {}
        self._next = 0
        self._turns: list[tuple[int, int]] = []  # session number and turn, by number
        self._by_leaf: dict[bytes, int] = {}
        self._by_account: dict[int, array[int]] = {}

    def add(self, cleared: ClearedTrades) -> None:
        """Take up the trades of one more session."""
        turn, self._next = self._next, self._next + 1
        self._cleared[turn] = cleared
        insort(self._turns, (cleared.session.key.number, turn))
        orders = cleared.session.orders
        for place, (leaf, trade) in enumerate(zip(cleared.leaves, cleared.trades, strict=True), turn << _PLACE_BITS):
            self._by_leaf[leaf] = place
            for digest in (trade.bid, trade.offer):
                places = self._by_account.setdefault(orders[digest].account, array("Q"))
                if places and self._number(places[-1]) > cleared.session.key.number:
                    insort(places, place, key=self._number)
                else:
                    places.append(place)

    def forget(self, key: SessionKey) -> None:
        """Let go of a session's trades."""
        position = bisect_left(self._turns, (key.number, 0))
        _, turn = self._turns.pop(position)
        cleared = self._cleared[turn]
        for leaf in cleared.leaves:
            del self._by_leaf[leaf]
        orders = cleared.session.orders
        for account in {orders[digest].account for trade in cleared.trades for digest in (trade.bid, trade.offer)}:
            places = array("Q", (each for each in self._by_account[account] if each >> _PLACE_BITS != turn))
            if places:
                self._by_account[account] = places
            else:
                del self._by_account[account]
        del self._cleared[turn]

    def find(self, leaf: bytes) -> TradeRecord:
        """Return the trade with this leaf, or refuse it as unknown."""
        place = self._by_leaf.get(leaf)
        if place is None:
            raise UnknownTrade(leaf)
        return self._record(place)

    def listed(
        self, *, account: int | None = None, session: SessionKey | None = None, after: Place | None = None
    ) -> Iterator[TradeRecord]:
        """Yield the trades of an account or of all, of a session or of all, that stand after a place."""
        first, last = (0, _BEFORE_ALL) if after is None else after, None
        if session is not None:
            first, last = max(first, (session.number, _BEFORE_ALL)), session.number
        for place in self._all_from(first) if account is None else self._of_account(account, first):
            if last is not None and self._number(place) > last:
                return
            yield self._record(place)

    def _all_from(self, first: Place) -> Iterator[int]:
        """Yield every place after the first."""
        for position in range(bisect_left(self._turns, (first[0], 0)), len(self._turns)):
            number, turn = self._turns[position]
            leaves = self._cleared[turn].leaves
            begin = bisect_right(leaves, first[1]) if number == first[0] else 0
            yield from range(turn << _PLACE_BITS | begin, turn << _PLACE_BITS | len(leaves))

    def _of_account(self, account: int, first: Place) -> Iterator[int]:
        """Yield an account's places after the first."""
        places = self._by_account.get(account, array("Q"))
        for position in range(bisect_right(places, first, key=self._name), len(places)):
            yield places[position]

    def _number(self, place: int) -> int:
        return self._cleared[place >> _PLACE_BITS].session.key.number

    def _name(self, place: int) -> Place:
        return self._number(place), self._cleared[place >> _PLACE_BITS].leaves[place & _PLACE_MASK]

    def _record(self, place: int) -> TradeRecord:
        return self._cleared[place >> _PLACE_BITS].record(place & _PLACE_MASK)
