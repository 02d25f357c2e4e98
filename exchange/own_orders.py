"""The open orders of one account in one session, kept so that the best of each home is at hand.

An account must not trade with itself, except at one home, where own energy is allocated first. So a new order is held
against the best order of the other side at every other home, best first, until no other can be good enough.
Taking an order up or away costs the logarithm of the orders there are (and the moving of a short list of homes).
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from heapq import heappop, heappush

from exchange.delivery import BALANCING
from exchange.order import Order, Side
from exchange.parameters import Parameters
from exchange.tree import Tree
from exchange.units import MicroPerKwh

Home = tuple[int, str]
"""The number of the node, and the name of the home there."""


def home_for(order: Order, parameters: Parameters) -> Home:
    """Return the home at which an order meets others of its account.

    In balancing there is no own use: there, a home's offers and its bids are at two homes.
    """
    node = parameters.node_of(order.asset)
    return node, order.side.name if order.product in BALANCING else parameters.home_of(order.asset)


Place = tuple[int, bytes]
"""The limit, the better the lower, and the order's digest."""


@dataclass(slots=True)
class _Kept:
    """One side of one home: a heap in which orders that were taken back stay until they come to its top."""

    heap: list[Place] = field(default_factory=list)
    gone: set[bytes] = field(default_factory=set)

    @property
    def best(self) -> Place | None:
        """The best open order."""
        return self.heap[0] if self.heap else None

    def add(self, place: Place) -> None:
        """Take up an order."""
        heappush(self.heap, place)

    def remove(self, digest: bytes) -> None:
        """Take away an order that is there."""
        self.gone.add(digest)
        while self.heap and self.heap[0][1] in self.gone:
            self.gone.remove(heappop(self.heap)[1])


@dataclass(slots=True)
class OwnOrders:
    """What one account has open in one session, by side and home."""

    _homes: dict[tuple[Side, Home], _Kept] = field(default_factory=dict)
    _best: dict[Side, list[tuple[int, bytes, Home]]] = field(default_factory=dict)

    def add(self, order: Order, digest: bytes, home: Home) -> None:
        """Take up an open order."""
        kept = self._homes.setdefault((order.side, home), _Kept())
        before = kept.best
        kept.add((_badness(order), digest))
        self._rank(order.side, home, before, kept.best)

    def remove(self, order: Order, digest: bytes, home: Home) -> None:
        """Take away an order that was taken up."""
        kept = self._homes[order.side, home]
        before = kept.best
        kept.remove(digest)
        self._rank(order.side, home, before, kept.best)
        if kept.best is None:
            del self._homes[order.side, home]

    def crossing(self, order: Order, home: Home, tree: Tree) -> bytes | None:
        """Return the best order of the other side at another home that could trade with `order`, if there is one."""
        other = Side.OFFER if order.side is Side.BID else Side.BID
        for badness, digest, place in self._best.get(other, ()):
            bid, offer = (order.limit, badness) if order.side is Side.BID else (-badness, order.limit)
            if bid < offer:
                return None
            seller, buyer = (place[0], home[0]) if order.side is Side.BID else (home[0], place[0])
            if place != home and tree.agree(MicroPerKwh(bid), MicroPerKwh(offer), seller, buyer):
                return digest
        return None

    def __bool__(self) -> bool:
        return bool(self._homes)

    def _rank(self, side: Side, home: Home, before: Place | None, best: Place | None) -> None:
        """Put a home where its best order belongs among the homes of its side."""
        if before == best:
            return
        ranking = self._best.setdefault(side, [])
        if before is not None:
            del ranking[bisect_left(ranking, (*before, home))]
        if best is not None:
            insort(ranking, (*best, home))


def _badness(order: Order) -> int:
    return -order.limit if order.side is Side.BID else order.limit
