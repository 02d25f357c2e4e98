"""Clearing a whole tree from the bottom up, in one pass over columns: local first, what is left moves up.

Level by level, the deepest first, all nodes of a level are cleared as the markets of one auction. What it leaves over
moves to the nodes above, cut by limits, and meets there what came from other children and the orders that hang there.
No loop runs over orders, nodes or trades.

A node's mechanism (`exchange/mechanism.py`) changes the rates of its trades, never who trades with whom; so one auction
serves all mechanisms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exchange.auction import MOST_RATE, Column, Columns, auction, check_side, radix_order
from exchange.delivery import Mechanism
from exchange.levels import ROOT, Levels, TreeMatches
from exchange.mechanism import RULES
from exchange.pairs import Pairs
from exchange.rising import NOTHING_HELD, Held, Rising, bounded


def clear_levels(bids: Columns, offers: Columns, tree: Levels) -> TreeMatches:
    """Clear a tree with constant fees, each node by its own mechanism, from the bottom up.

    `market` is the place of the node on which the order hangs, `rate` the order's own limit, which covers a buyer's
    fees. Among equal rates at a node the earlier row has priority. Raises `ValueError` where `auction` does, for places
    that make no tree, fees or limits below zero, mechanisms that do not clear from the bottom up, and rates that fees
    could carry further than 2^60 from zero. What a root may let in or out bounds nothing: nobody is above it.
    """
    _check_tree(tree)
    check_side(bids, len(tree))
    check_side(offers, len(tree))
    _check_rates(bids, offers, tree)
    buying, selling = _own_rows(bids, tree), _own_rows(offers, tree)
    demand = supply = Rising.nobody()
    limit: Column | None = None  # an offer's rate is its limit, until it has moved up
    levels: list[_Level] = []
    held_bids = [NOTHING_HELD]
    held_offers = [NOTHING_HELD]
    for depth in range(int(tree.depth.max(initial=-1)), -1, -1):
        if depth in buying:
            own = Rising.own(bids, buying[depth])
            demand = demand.joined(own.at(own.rate - tree.fee[own.node]))
        if depth in selling:
            supply = supply.joined(Rising.own(offers, selling[depth]))
        if len(demand) and len(supply):
            level, demand, supply = _clear(np.flatnonzero(tree.depth == depth), demand, supply, limit, tree)
            levels.append(level)
        if depth:
            demand, held = bounded(demand, -demand.rate, tree.import_limit)
            held_bids.append(held)
            supply, held = bounded(supply, supply.rate, tree.export_limit)
            held_offers.append(held)
            above = tree.parent[demand.node]
            demand = demand.at(demand.rate - tree.fee[above], above)
            supply = supply.at(supply.rate + tree.fee[supply.node], tree.parent[supply.node])
            limit = offers.rate if len(supply) else None
    return _together(levels, held_bids, held_offers, len(tree))


def _check_tree(tree: Levels) -> None:
    below = tree.parent != ROOT
    up = tree.parent[below]
    if len(up) and (up.min() < 0 or up.max() >= len(tree)):
        raise ValueError("a node hangs on one that is not there")
    if (tree.depth[~below] != 0).any() or (tree.depth[below] != tree.depth[up] + 1).any():
        raise ValueError("a root lies at depth 0, and every other node one deeper than the one above it")
    if (tree.fee < 0).any() or (tree.import_limit < 0).any() or (tree.export_limit < 0).any():
        raise ValueError("fees and limits are not negative")
    if not np.isin(tree.mechanism, list(RULES)).all():
        raise ValueError("a node that clears from the bottom up is pay-as-offer, pay-as-bid or pay-as-clear")


def _check_rates(bids: Columns, offers: Columns, tree: Levels) -> None:
    """See that the dearest way to a root could carry no rate beyond 2^60."""
    furthest = max(int(abs(side.rate).max(initial=0)) for side in (bids, offers))
    way = np.zeros(len(tree), dtype=np.int64)
    for depth in range(int(tree.depth.max(initial=-1)) + 1):
        nodes = np.flatnonzero(tree.depth == depth)
        dearest = int(tree.fee[nodes].max(initial=0))
        if dearest <= MOST_RATE:
            way[nodes] = tree.fee[nodes] + (way[tree.parent[nodes]] if depth else 0)
            dearest = furthest + int(way[nodes].max(initial=0))
        if dearest > MOST_RATE:
            raise ValueError("a rate lies within 2^60 of zero at every node, with all fees up to the root")


def _own_rows(side: Columns, tree: Levels) -> dict[int, Column]:
    """Return, for each depth at which orders hang, their rows, ascending."""
    depths = np.unique(tree.depth[np.bincount(side.market, minlength=len(tree)) > 0]).tolist()
    if len(depths) == 1:
        return {depths[0]: np.arange(len(side))}
    depth = tree.depth[side.market]
    return {at: np.flatnonzero(depth == at) for at in depths}


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """The trades of all nodes of one depth, with the columns of `TreeMatches`; by node only where there are trades."""

    bid: Column
    offer: Column
    quantity: Column
    rate: Column
    top: Column
    node: Column
    energy: NDArray[Any]
    low: Column
    high: Column
    price: Column
    has_price: NDArray[np.bool_]


def _clear(
    nodes: Column, demand: Rising, supply: Rising, limit: Column | None, tree: Levels
) -> tuple[_Level, Rising, Rising]:
    """Clear all nodes of one depth; return the trades and what is left of both sides.

    `limit` is that of all offers, none where no offer has passed a node that took a fee.
    """
    number = np.zeros(len(tree), dtype=np.int64)
    number[nodes] = np.arange(len(nodes))
    bid, offer = _promising(demand, supply, len(tree))
    buyers, sellers = demand.some(bid), supply.some(offer)
    pairs = auction(
        Columns(number[buyers.node], buyers.rate, buyers.energy),
        Columns(number[sellers.node], sellers.rate, sellers.energy),
        len(nodes),
    )
    row, top = sellers.row[pairs.offer], buyers.node[pairs.bid]
    first = np.flatnonzero(np.diff(top, prepend=-1))  # a node's trades stand together, in merit order
    count = np.diff(first, append=len(top))
    node = top[first]
    live, uniform = number[node], tree.mechanism[node] == Mechanism.PAY_AS_CLEAR
    met = Pairs(buyers.rate[pairs.bid], sellers.rate[pairs.offer], np.repeat(pairs.rate[live], count))
    at_node = _rates_at_node(met, np.repeat(tree.mechanism[node], count))
    # bids fall and offers rise, so the ends of a node's own rates are those of its first and its last trade
    ends = at_node[first], at_node[first + count - 1]
    level = _Level(
        bid=buyers.row[pairs.bid],
        offer=row,
        quantity=pairs.quantity,
        rate=at_node if limit is None else at_node - (sellers.rate[pairs.offer] - limit[row]),
        top=top,
        node=node,
        energy=pairs.energy[live],
        low=np.where(uniform, pairs.low[live], np.minimum(*ends)),
        high=np.where(uniform, pairs.high[live], np.maximum(*ends)),
        price=np.where(uniform, pairs.rate[live], 0),
        has_price=uniform,
    )
    return level, demand.less(bid, pairs.bid_fill), supply.less(offer, pairs.offer_fill)


def _promising(demand: Rising, supply: Rising, places: int) -> tuple[Column, Column]:
    """Return the rows that agree with the best of the other side at their node.

    The others cannot trade there. Nor do they move the rate: a bid below the cheapest offer is no bound of it.
    """
    best_bid = np.full(places, -MOST_RATE - 1)
    best_offer = np.full(places, MOST_RATE + 1)
    np.maximum.at(best_bid, demand.node, demand.rate)
    np.minimum.at(best_offer, supply.node, supply.rate)
    bid = np.flatnonzero(demand.rate >= best_offer[demand.node])
    offer = np.flatnonzero(supply.rate <= best_bid[supply.node])
    return bid, offer


def _rates_at_node(pairs: Pairs, mechanism: Column) -> Column:
    """Return each trade's rate at its node, by the node's mechanism."""
    kinds = np.unique(mechanism).tolist()
    rate = RULES[kinds[0]](pairs) if kinds else pairs.bid
    for kind in kinds[1:]:
        rate = np.where(mechanism == kind, RULES[kind](pairs), rate)
    return rate


def _together(
    levels: Sequence[_Level], held_bids: Sequence[Held], held_offers: Sequence[Held], places: int
) -> TreeMatches:
    """Return the trades of all levels by the place of their tops, and what each node came to."""
    found = sorted((level for level in levels if len(level.top)), key=lambda level: int(level.top[0]))
    wide = any(level.energy.dtype == object for level in found)
    energy: NDArray[Any] = np.zeros(places, dtype=object if wide else np.int64)
    low, high, price = (np.zeros(places, dtype=np.int64) for _ in range(3))
    has_price = np.zeros(places, dtype=np.bool_)
    for level in found:
        energy[level.node] = level.energy
        low[level.node], high[level.node], price[level.node] = level.low, level.high, level.price
        has_price[level.node] = level.has_price
    none = np.zeros(0, dtype=np.int64)
    trades = [(none,) * 5, *((level.bid, level.offer, level.quantity, level.rate, level.top) for level in found)]
    bid, offer, quantity, rate, top = _by_place(trades, 4, places)
    return TreeMatches(
        bid,
        offer,
        quantity,
        rate,
        top,
        energy,
        low,
        high,
        price,
        has_price,
        held_bid=_by_place(held_bids, 1, places),
        held_offer=_by_place(held_offers, 1, places),
    )


def _by_place(tables: Sequence[tuple[Column, ...]], key: int, places: int) -> tuple[Column, ...]:
    """Return all tables as one, by the places in column `key`, and otherwise as their rows stand."""
    columns = tuple(np.concatenate(column) for column in zip(*tables, strict=True))
    place = columns[key]
    if (place[1:] >= place[:-1]).all():
        return columns
    order = radix_order(place, np.zeros_like(place), places)
    return tuple(column[order] for column in columns)
