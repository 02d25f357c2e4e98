"""What rates come to at a node: what a bid leaves for it, what an offer asks for there, and what a seller gets of it.

A constant fee shifts a rate. A share depends on what the seller gets, so of a price at a node a seller gets the highest
rate that, with the fees on its side below the node, is no more than the price; and a bid is worth at a node the highest
price there that it can pay if the seller gets all of it, the dearest case for shares.
"""

from collections.abc import Callable

import numpy as np

from exchange.auction import Column
from exchange.delivery import Mechanism
from exchange.tree import Fee, Tree
from exchange.units import MicroPerKwh
from exchange.walk_stall import Present, Stall


class Terms:
    """The fees of a tree, with everything that was worked out kept, for it is asked again and again."""

    def __init__(self, tree: Tree, mechanism: Mechanism, buyers: Column, sellers: Column, asks: Column) -> None:
        """Keep the nodes of bids and offers, and what offers ask; `mechanism` is that of nodes without their own."""
        self._tree = tree
        self._buyers, self._sellers, self._asks = buyers.tolist(), sellers.tolist(), asks.tolist()
        self._numbers = [node.number for node in tree.nodes]
        self._mechanism = [node.mechanism or mechanism for node in tree.nodes]
        # where pay-as-clear, which goes by the dearest case, refused a pair further down, it must not meet up here
        self._mixed = Mechanism.PAY_AS_CLEAR in self._mechanism
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

    def shares(self, offers: Present) -> Column:
        """Return the shares that nodes take of offers that leave them."""
        fees = [node.fee for node in self._tree.nodes]
        rows = zip(offers.place.tolist(), offers.node.tolist(), strict=True)
        taken = [fees[node].at(self._asks[place]) if fees[node].ppm else 0 for place, node in rows]
        return np.array(taken, dtype=np.int64)

    def worths(self, limit: Column, bid: Column, node: Column) -> list[int]:
        """Return what limits of bids are worth at nodes (places), row by row."""
        rows = zip(limit.tolist(), bid.tolist(), node.tolist(), strict=True)
        return [self.worth(one, self._buyers[buyer], self._numbers[at]) for one, buyer, at in rows]

    def ways(self, offers: Present) -> list[int]:
        """Return, for each offer, a number for its node and how it came there: of those that came one way, if a row
        cannot buy of one, it cannot buy of a dearer one.
        """
        names: dict[object, int] = {}
        ways = []
        for place, node in zip(offers.place.tolist(), offers.node.tolist(), strict=True):
            origin, number = self._sellers[place], self._numbers[node]
            path = self._tree.way_up(origin)
            child = path[max(path.index(number) - 1, 0)] if self._mixed else number
            ways.append(names.setdefault((number, child, self.below(origin, number)), len(names)))
        return ways

    def agreement(self, stall: Stall, bid: Column, limit: Column) -> Callable[[int, int], bool]:
        """Return what says whether a row can buy of an offer, both by rank; `bid` and `limit` are of the rows.

        Where fees are shares, that is a question of their path, but pay-as-clear goes by the dearest case.
        """
        nodes: list[int] = stall.rows.node.tolist()
        offered: list[int] = stall.rows.rate.tolist()
        asked: list[int] = stall.offers.rate.tolist()
        buyers = [self._buyers[place] for place in bid.tolist()]
        limits: list[int] = limit.tolist()
        sellers: list[int] = stall.offers.place.tolist()
        fees = [node.fee for node in self._tree.nodes]

        def agree(row: int, rank: int) -> bool:
            node, offer = nodes[row], sellers[rank]
            if self._mechanism[node] is Mechanism.PAY_AS_CLEAR:
                return asked[rank] <= offered[row]
            number = self._numbers[node]
            if self._mixed and self._tree.top(self._sellers[offer], buyers[row]) != number:
                return False
            below = self.below(buyers[row], number)
            return asked[rank] + charged((*below, fees[node]), self._asks[offer]) <= limits[row]

        return agree

    def for_sellers(self, node: Column, bid: Column, limit: Column, offer: Column, at_node: Column) -> Column:
        """Return what the seller of each deal gets; `at_node` are rates at the node, for those made pay-as-clear."""
        rates: list[int] = []
        columns = (column.tolist() for column in (node, bid, limit, offer, at_node))
        for place, buyer, most, seller, price in zip(*columns, strict=True):
            origin, mechanism = self._sellers[seller], self._mechanism[place]
            if mechanism is Mechanism.PAY_AS_OFFER:
                rates.append(self._asks[seller])
            elif mechanism is Mechanism.PAY_AS_BID:
                rates.append(self.most_for_seller(most, origin, self._buyers[buyer]))
            else:
                rates.append(self.kept(self.below(origin, self._numbers[place]), price))
        return np.array(rates, dtype=np.int64)


def charged(fees: tuple[Fee, ...], rate: int) -> int:
    """Return what nodes take together where the seller gets `rate`."""
    return sum(fee.at(MicroPerKwh(rate)) for fee in fees)
