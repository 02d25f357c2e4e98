"""What rates come to at a node: what a bid leaves for it, what an offer asks for there, and what a seller gets of it.

A constant fee shifts a rate. A share depends on what the seller gets, so of a price at a node a seller gets the highest
rate that, with the fees on its side below the node, is no more than the price; and a bid is worth at a node the highest
price there that it can pay if the seller gets all of it, the dearest case for shares.
"""

from exchange.tree import Fee, Tree
from exchange.units import MicroPerKwh


class Terms:
    """The fees of a tree, with everything that was worked out kept, for it is asked again and again."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._below: dict[tuple[int, int], tuple[Fee, ...]] = {}
        self._kept: dict[tuple[tuple[Fee, ...], int], int] = {}
        self._most: dict[tuple[int, int, int], MicroPerKwh] = {}

    def below(self, origin: int, node: int) -> tuple[Fee, ...]:
        """Return the fees of the nodes from `origin` up to `node`, without that of `node`."""
        key = origin, node
        if key not in self._below:
            way = self._tree.way_up(origin)
            self._below[key] = tuple(self._tree[number].fee for number in way[: way.index(node)])
        return self._below[key]

    def kept(self, fees: tuple[Fee, ...], price: int) -> int:
        """Return the highest rate that is, with the fees on it, no more than `price`."""
        high = price - sum(fee.constant for fee in fees)
        if high <= 0 or not any(fee.ppm for fee in fees):
            return high
        key = fees, price
        if key not in self._kept:
            low = 0
            while low < high:  # `low` fits, whatever lies beyond `high` does not
                middle = low + high + 1 >> 1
                if middle + charged(fees, middle) <= price:
                    low = middle
                else:
                    high = middle - 1
            self._kept[key] = low
        return self._kept[key]

    def worth(self, limit: int, origin: int, node: int) -> int:
        """Return what a limit of a bid at `origin` is worth at `node`."""
        return self.kept((*self.below(origin, node), self._tree[node].fee), limit)

    def most_for_seller(self, limit: int, seller: int, buyer: int) -> MicroPerKwh:
        """Return `Tree.most_for_seller`."""
        key = limit, seller, buyer
        if key not in self._most:
            self._most[key] = self._tree.most_for_seller(MicroPerKwh(limit), seller, buyer)
        return self._most[key]


def charged(fees: tuple[Fee, ...], rate: int) -> int:
    """Return what nodes take together where the seller gets `rate`."""
    return sum(fee.at(MicroPerKwh(rate)) for fee in fees)
