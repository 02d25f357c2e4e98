"""Turns the fills of a whole tree into trades, bottom-up: what can be traded below stays below.

At each node its own sellers, and those that its children have left over, meet its own buyers and those of its children,
cheapest offers and dearest bids first at the rates of the node; what one side has left over moves up. The fills come
from one optimum, so there every filled bid agrees with every filled offer, and the auction's line of watt-hours pairs
all of them, as many nodes at a time as one depth has.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exchange.auction import Column, Columns, auction
from exchange.levels import Levels


def by_depth(tree: Levels) -> list[Column]:
    """Return the places of the nodes of each depth, ascending, the root's first."""
    order = np.argsort(tree.depth, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(tree.depth[order])) + 1)


def pair(
    bids: Columns, offers: Columns, bid_fill: Column, offer_fill: Column, tree: Levels
) -> tuple[Column, Column, Column, Column, NDArray[Any]]:
    """Return `bid`, `offer`, `quantity` and `top` by trade, and `energy` by node, as `TreeMatches` describes them.

    The fills are those of an optimum of the whole tree, beside an order's node and its limit.
    """
    demand = _filled(bids, bids.rate - tree.fee[bids.market], bid_fill)
    supply = _filled(offers, offers.rate, offer_fill)
    energy: NDArray[Any] = np.zeros(len(tree), dtype=np.int64)
    met = []
    for depth, nodes in reversed(list(enumerate(by_depth(tree)))):
        rank = np.zeros(len(tree), dtype=np.int64)
        rank[nodes] = np.arange(len(nodes))
        buying = np.flatnonzero(tree.depth[demand.node] == depth)
        selling = np.flatnonzero(tree.depth[supply.node] == depth)
        trades = auction(demand.at(buying).columns(rank), supply.at(selling).columns(rank), len(nodes))
        bid, offer = buying[trades.bid], selling[trades.offer]
        met.append((demand.row[bid], supply.row[offer], trades.quantity, demand.node[bid]))
        if trades.energy.dtype == np.object_:
            energy = energy.astype(object)
        energy[nodes] = trades.energy
        if depth:
            demand = demand.without(buying, trades.bid_fill)
            supply = supply.without(selling, trades.offer_fill)
            demand = demand.moved_up(depth, tree, -tree.fee[tree.parent])
            supply = supply.moved_up(depth, tree, tree.fee)
        else:
            assert np.array_equal(trades.bid_fill, demand.left), "every filled bid meets offers"
            assert np.array_equal(trades.offer_fill, supply.left), "every filled offer meets bids"
    columns = [np.concatenate(column) for column in zip(*met, strict=True)]
    order = np.argsort(columns[-1], kind="stable")
    bid, offer, quantity, top = (column[order] for column in columns)
    return bid, offer, quantity, top, energy


@dataclass(frozen=True, slots=True, eq=False)
class _Hand:
    """What one side still has to trade, by row: at which node it stands, its rate there, and how much is left."""

    row: Column
    node: Column
    rate: Column
    left: Column

    def at(self, chosen: NDArray[Any]) -> "_Hand":
        return _Hand(self.row[chosen], self.node[chosen], self.rate[chosen], self.left[chosen])

    def columns(self, rank: Column) -> Columns:
        return Columns(rank[self.node], self.rate, self.left)

    def without(self, chosen: Column, fill: Column) -> "_Hand":
        left = self.left.copy()
        left[chosen] -= fill
        kept = np.flatnonzero(left)
        return _Hand(self.row[kept], self.node[kept], self.rate[kept], left[kept])

    def moved_up(self, depth: int, tree: Levels, costs: Column) -> "_Hand":
        """Return it with all that stands at this depth at its parent; `costs` is what the way there costs, by node."""
        moves = tree.depth[self.node] == depth
        node = np.where(moves, tree.parent[self.node], self.node)
        return _Hand(self.row, node, np.where(moves, self.rate + costs[self.node], self.rate), self.left)


def _filled(side: Columns, rate: Column, fill: Column) -> _Hand:
    row = np.flatnonzero(fill)
    return _Hand(row, side.market[row], rate[row], fill[row])
