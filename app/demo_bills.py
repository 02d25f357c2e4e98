"""What each member's day came to, and what it would have come to without a market.

Without a market every home deals with the utility alone, over the same nodes: it pays their fees, and their limits hold
for it as well. Behind one connection own energy is used first, either way.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.demo_figures import standing
from exchange.agents import Alternative
from exchange.book import Book
from exchange.order import Side
from exchange.own_energy import own_use
from exchange.resting import Resting
from exchange.tree import Tree
from exchange.units import Nano, Wh


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A member's day: energies in Wh, amounts in nano; `without` is the bill there would be without the market.

    `node` is where its assets hang. The utility has no bill without a market: it is what homes would deal with.
    """

    name: str
    node: str
    own_use: Wh
    bought: Wh
    sold: Wh
    paid: Nano
    earned: Nano
    without: Nano | None

    @property
    def net(self) -> Nano:
        """What the member pays on balance."""
        return Nano(self.paid - self.earned)

    @property
    def saved(self) -> Nano | None:
        """What the market was worth to the member."""
        return None if self.without is None else Nano(self.without - self.net)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """The utility, at the node where it stands, and at which rates homes could deal with it."""

    account: int
    node: int
    alternative: Alternative


def without_market(books: Iterable[Book], outside: Outside) -> Mapping[int, Nano]:
    """Return by account what every other member would pay on balance, dealing with the utility alone.

    Where a node's limit binds, the same come first as in the market: the better rate there, then who ordered earlier.
    What cannot cross is neither sold nor bought.
    """
    bills: Counter[int] = Counter()
    for book in books:
        tree = book.rules.tree
        # what may still cross, by node and side: bids bring energy in, offers take it out
        rest = {
            (node.number, side): limit
            for node in tree.nodes
            for side, limit in ((Side.BID, node.import_limit), (Side.OFFER, node.export_limit))
            if limit is not None
        }
        orders = standing(book)
        left = own_use(orders)[1]
        homes = (resting for resting in orders if resting.account != outside.account)
        for resting in sorted(homes, key=lambda resting: _priority(resting, outside.node, tree)):
            side, other = (Side.BID, Side.OFFER) if resting.order.side is Side.BID else (Side.OFFER, Side.BID)
            top = tree.top(resting.node, outside.node)
            crossed = [(node, side) for node in tree.below(resting.node, top)]
            crossed += [(node, other) for node in tree.below(outside.node, top)]
            limits = [key for key in crossed if key in rest]
            energy = Wh(min([left[resting.digest], *(rest[key] for key in limits)]))
            for key in limits:
                rest[key] = Wh(rest[key] - energy)
            seen = outside.alternative.seen_from(resting.node, outside.node, tree)
            bills[resting.account] += seen.bill(energy, Wh(0)) if side is Side.BID else seen.bill(Wh(0), energy)
    return {account: Nano(nano) for account, nano in bills.items()}


def _priority(resting: Resting, outside: int, tree: Tree) -> tuple[int, int, bytes]:
    """Return what comes first, as a key: the limit and the fees on the way, which are the same above a common node."""
    limit = resting.order.limit
    if resting.order.side is Side.BID:
        return -tree.most_for_seller(limit, outside, resting.node), *resting.arrival
    return limit + tree.fee(resting.node, outside, limit), *resting.arrival
