"""Network clearing: the whole tree at once, for the most welfare after path fees and within limits.

Welfare is what buyers would pay at most, less what sellers ask at least, less the fees of the ways. A node's price is
what a seller at that very node gets; a buyer there pays it and the node's fee. So an offer is a step at its limit, and
a bid one at its limit less its node's fee: below the step the bid is served, above it is not. All steps of a node, put
in order, are its **curve**: what the node would send out, less what it would take in, at each price.

1. Bottom-up, a depth at a time. A node's curve is made of its own steps and its children's curves as its parent sees
   them: what comes out of a child costs the child's fee more, what goes into it has the parent's fee less to give, and
   nothing beyond the child's limits is there at all. Nothing is lost by that: on a tree one number, the flow, is all
   that a node and the rest of the tree have to agree on.
2. Top-down. Nothing crosses the root, which settles the flow over every boundary, the fills and the prices.

Where steps are equal, offers come before bids, so that as much is traded as can be; then earlier offers are sold first,
and earlier bids are served first. No loop runs over orders, nodes or trades, only over depths.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exchange.auction import MOST_RATE, MOST_SUM, Column, Columns, check_side, radix_order, total_energy
from exchange.levels import ROOT, Levels, TreeMatches
from exchange.network_pairs import by_depth, pair

_OWN = -1
"""The child that a node's own steps come from."""

_NO_PRICE = 1 << 61
"""Stands for a bound that is not there, either way."""


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """Steps of curves, in order of priority: `row` counts the offers as they come, then the bids from the last.

    `node` and `child` are places, `child` the one whose curve it comes from or `_OWN`; `value` is µ/kWh, `energy` Wh.
    `wanted` is what of the energy comes in at the lowest price: all or nothing of it.
    """

    row: Column
    node: Column
    child: Column
    value: Column
    energy: NDArray[Any]
    wanted: NDArray[Any]

    def __len__(self) -> int:
        return len(self.row)

    def at(self, chosen: NDArray[Any]) -> "_Steps":
        """Return the chosen ones."""
        return _Steps(*(getattr(self, column.name)[chosen] for column in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class _Curves:
    """The curves of all nodes of one depth, laid end to end on one line of watt-hours.

    By node of the depth: `nodes` (its place), `start` and `count` of its steps in `order`, and `zero`, the point of the
    line where the node neither sends nor takes. By place in `order`: where each step ends (`edge`, from 0). By step:
    what the node sends before it (`before`, Wh).
    """

    steps: _Steps
    nodes: Column
    rank: Column
    order: Column
    start: Column
    count: Column
    edge: NDArray[Any]
    zero: NDArray[Any]
    before: NDArray[Any]


def clear_network(bids: Columns, offers: Columns, tree: Levels) -> TreeMatches:
    """Clear the whole tree for the most welfare; an order's market is the place of its node, its rate its own limit.

    Every node has a price that supports the fills: orders that gain at it are filled, orders that lose by it are not.
    Limits bound what crosses a boundary on balance; since fees are not negative, nothing crosses one both ways.
    `held_bid` and `held_offer` are orders that would have traded at the price beyond a boundary whose limit is used up.

    Raises `ValueError` as `exchange.auction.auction` does, and where rates and fees together go beyond 2^60. Sums are
    exact: where one could leave 62 bits, they are kept as Python's own whole numbers, which is slower.
    """
    check_side(bids, len(tree))
    check_side(offers, len(tree))
    _check_values(bids, offers, tree)
    wide = total_energy(bids.energy) + total_energy(offers.energy) >= MOST_SUM
    own = _own_steps(bids, offers, tree, wide)
    depths = by_depth(tree)
    levels = []
    moved = own.at(np.zeros(0, dtype=np.int64))
    for depth in reversed(range(len(depths))):
        here = own.at(np.flatnonzero(tree.depth[own.node] == depth)) if len(depths) > 1 else own
        levels.append(_curves(_merged(here, moved), depths[depth], len(tree)))
        if depth:
            moved = _as_the_parent_sees_it(levels[-1], tree)

    price = np.zeros(len(tree), dtype=np.int64)
    flow = np.zeros(len(tree), dtype=own.energy.dtype)
    fill = np.zeros(len(own), dtype=np.int64)
    held = []
    for level in reversed(levels):
        _set_prices(level, tree, flow, price)
        accepted = np.clip(flow[level.steps.node] - level.before, 0, level.steps.energy)
        _hand_down(level.steps, accepted, flow, fill)
        held.append(_held(level, accepted, tree, flow, price, len(bids), len(offers)))

    offer_fill, bid_fill = fill[: len(offers)], fill[len(offers) :][::-1]
    bid, offer, quantity, top, energy = pair(bids, offers, bid_fill, offer_fill, tree)
    traded = energy > 0
    at_top = np.where(traded, price, 0)
    return TreeMatches(
        bid=bid,
        offer=offer,
        quantity=quantity,
        rate=price[offers.market[offer]],
        top=top,
        energy=energy,
        low=at_top,
        high=at_top,
        price=price,
        has_price=np.ones(len(tree), dtype=np.bool_),
        held_bid=_in_order([bid_part for bid_part, _ in held]),
        held_offer=_in_order([offer_part for _, offer_part in held]),
    )


def _check_values(bids: Columns, offers: Columns, tree: Levels) -> None:
    """Raise `ValueError` where a rate could leave 2^60 on its way through the tree."""
    steepest = 2 * (int(tree.depth.max()) + 1) * int(tree.fee.max())
    highest = max(int(np.abs(side.rate).max(initial=0)) for side in (bids, offers))
    if tree.fee.min() < 0 or highest + steepest > MOST_RATE:
        raise ValueError("fees are not negative, and rates with fees lie within 2^60 of zero")


def _own_steps(bids: Columns, offers: Columns, tree: Levels, wide: bool) -> _Steps:
    """Return a step for each order, at its own node."""
    energy: NDArray[Any] = np.concatenate((offers.energy, bids.energy[::-1]))
    if wide:
        energy = energy.astype(object)
    wanted = energy.copy()
    wanted[: len(offers)] = 0
    return _Steps(
        row=np.arange(len(energy)),
        node=np.concatenate((offers.market, bids.market[::-1])),
        child=np.full(len(energy), _OWN),
        value=np.concatenate((offers.rate, (bids.rate - tree.fee[bids.market])[::-1])),
        energy=energy,
        wanted=wanted,
    )


def _merged(own: _Steps, moved: _Steps) -> _Steps:
    """Return both in order of priority. Parts of one order stay in the order in which they lie on their curve."""
    if not len(own) or not len(moved):
        return own if len(own) else moved
    both = _Steps(
        *(np.concatenate((getattr(own, column.name), getattr(moved, column.name))) for column in fields(_Steps))
    )
    return both.at(np.argsort(both.row, kind="stable"))


def _curves(steps: _Steps, nodes: Column, places: int) -> _Curves:
    """Put the steps of each node in order: by value, then as they come."""
    rank = np.zeros(places, dtype=np.int64)
    rank[nodes] = np.arange(len(nodes))
    market = rank[steps.node]
    order = radix_order(market, steps.value, len(nodes))
    count = np.bincount(market, minlength=len(nodes))
    start = np.cumsum(count) - count
    edge = np.zeros(len(steps) + 1, dtype=steps.energy.dtype)
    np.cumsum(steps.energy[order], out=edge[1:])
    zero = edge[start]
    np.add.at(zero, market, steps.wanted)
    before = np.empty_like(steps.energy)
    before[order] = edge[:-1]
    before -= zero[market]
    return _Curves(steps, nodes, rank, order, start, count, edge, zero, before)


def _as_the_parent_sees_it(level: _Curves, tree: Levels) -> _Steps:
    """Return what the limits leave of each curve, as steps of the parents.

    A step that reaches from taking in to sending out becomes two; their order stays.
    """
    steps = level.steps
    after = level.before + steps.energy
    most_in, most_out = tree.import_limit[steps.node], tree.export_limit[steps.node]
    coming_in = np.minimum(after, 0) - np.maximum(level.before, -most_in)
    going_out = np.minimum(after, most_out) - np.maximum(level.before, 0)
    comes_in, goes_out = coming_in > 0, going_out > 0
    parts = comes_in.astype(np.int64) + goes_out
    step = np.repeat(np.arange(len(steps)), parts)
    second = np.zeros(len(step), dtype=np.bool_)
    second[1:] = step[1:] == step[:-1]
    is_out = second | ~comes_in[step]
    child = steps.node[step]
    parent = tree.parent[child]
    return _Steps(
        row=steps.row[step],
        node=parent,
        child=child,
        value=steps.value[step] + np.where(is_out, tree.fee[child], -tree.fee[parent]),
        energy=np.where(is_out, going_out[step], coming_in[step]),
        wanted=np.where(is_out, 0, coming_in[step]),
    )


def _set_prices(level: _Curves, tree: Levels, flow: NDArray[Any], price: Column) -> None:
    """Write the prices of one depth, whose flows and whose parents' prices are known.

    What crosses the boundary couples the node's price to its parent's: that one and the fee. Where nothing crosses, or
    a limit is used up and the coupled price would not support the fills, it is the price of the step that is filled in
    part, otherwise the middle of all prices that do support them, rounded down.
    """
    nodes = level.nodes
    low, high = _bounds(level, flow[nodes])
    parent = tree.parent[nodes]
    if parent[0] == ROOT:
        price[nodes] = _middle(low, high, np.zeros_like(low))
        return
    above, sent = price[parent], flow[nodes]
    if_sending, if_taking = above - tree.fee[nodes], above + tree.fee[parent]
    coupled = np.where(sent > 0, if_sending, if_taking)
    is_coupled = (sent != 0) & (low <= coupled) & (coupled <= high)
    still = sent == 0
    low = np.where(still & (tree.export_limit[nodes] > 0), np.maximum(low, if_sending), low)
    high = np.where(still & (tree.import_limit[nodes] > 0), np.minimum(high, if_taking), high)
    price[nodes] = np.where(is_coupled, coupled, _middle(low, high, above))


def _bounds(level: _Curves, sent: NDArray[Any]) -> tuple[Column, Column]:
    """Return the values of the last step that is accepted at each node, and of the first that is not, even in part."""
    low, high = np.full(len(sent), -_NO_PRICE), np.full(len(sent), _NO_PRICE)
    point = sent + level.zero
    last = np.searchsorted(level.edge, point, side="left") - 1
    left = np.searchsorted(level.edge, point, side="right") - 1
    is_last, is_left = last >= level.start, left < level.start + level.count
    low[is_last] = level.steps.value[level.order[last[is_last]]]
    high[is_left] = level.steps.value[level.order[left[is_left]]]
    return low, high


def _middle(low: Column, high: Column, otherwise: Column) -> Column:
    """Return the middle, rounded down; where one bound is missing the other, where both are, `otherwise`."""
    has_low, has_high = low > -_NO_PRICE, high < _NO_PRICE
    middle = (low + high) >> 1  # `units.midpoint`: an arithmetic shift rounds down, as it does
    return np.where(has_low & has_high, middle, np.where(has_low, low, np.where(has_high, high, otherwise)))


def _hand_down(steps: _Steps, accepted: NDArray[Any], flow: NDArray[Any], fill: Column) -> None:
    """Write the fills of the nodes' own orders, and the flows of their children."""
    sent = accepted - steps.wanted
    is_own = steps.child == _OWN
    fill[steps.row[is_own]] = np.abs(sent[is_own])
    if not is_own.all():
        moved = ~is_own
        np.add.at(flow, steps.child[moved], sent[moved])


_Held = tuple[Column, Column, Column]


def _held(
    level: _Curves, accepted: NDArray[Any], tree: Levels, flow: NDArray[Any], price: Column, bids: int, offers: int
) -> tuple[_Held, _Held]:
    """Return what would have traded at the parents' prices, but for limits that are used up: of bids, and of offers."""
    nodes, steps = level.nodes, level.steps
    parent = tree.parent[nodes]
    is_full, is_sated = flow[nodes] == tree.export_limit[nodes], flow[nodes] == -tree.import_limit[nodes]
    if parent[0] == ROOT or not (is_full.any() or is_sated.any()):
        nothing = np.zeros(0, dtype=np.int64)
        return (nothing, nothing, nothing), (nothing, nothing, nothing)
    below = np.where(is_full, price[parent] - tree.fee[nodes], -_NO_PRICE)[level.rank[steps.node]]
    beyond = np.where(is_sated, price[parent] + tree.fee[parent], _NO_PRICE)[level.rank[steps.node]]
    is_offer = steps.row < offers
    unsold = is_offer & (accepted < steps.energy) & (steps.value < below)
    unserved = ~is_offer & (accepted > 0) & (steps.value > beyond)
    orders = offers + bids
    return (
        (orders - 1 - steps.row[unserved], steps.node[unserved], accepted[unserved].astype(np.int64)),
        (steps.row[unsold], steps.node[unsold], (steps.energy - accepted)[unsold].astype(np.int64)),
    )


def _in_order(held: Sequence[_Held]) -> _Held:
    """Return one entry for each node and order, by node, then by row."""
    row, node, energy = (np.concatenate(column) for column in zip(*held, strict=True))
    order = np.lexsort((row, node))
    row, node, energy = row[order], node[order], energy[order]
    first = np.ones(len(row), dtype=np.bool_)
    first[1:] = (row[1:] != row[:-1]) | (node[1:] != node[:-1])
    entry = np.flatnonzero(first)
    return row[entry], node[entry], np.add.reduceat(energy, entry) if len(entry) else energy
