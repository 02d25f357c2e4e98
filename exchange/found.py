"""Which kernel clears a tree, and what it decided: in numbers of nodes, the same whichever it was."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from exchange.auction import Column, Columns
from exchange.delivery import Mechanism
from exchange.levels import TreeMatches, levels_of
from exchange.network import clear_network
from exchange.order import Side
from exchange.resting import Resting
from exchange.tree import Tree
from exchange.tree_auction import clear_levels
from exchange.units import MicroPerKwh, Wh
from exchange.walk import walk
from exchange.walk_order import WalkSide


@dataclass(frozen=True, slots=True)
class Match:
    """One trade: places of bid and offer, energy, what the seller gets, and the number of the node it was made at."""

    bid: int
    offer: int
    energy: Wh
    rate: MicroPerKwh
    top: int
    alternative: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a kernel decided, in numbers of nodes: trades, one rate a node where it has one, and what was held where."""

    matches: Sequence[Match]
    prices: Mapping[int, MicroPerKwh]
    ends: Mapping[int, tuple[MicroPerKwh, MicroPerKwh]]
    held_bids: Sequence[tuple[int, int, Wh]]
    held_offers: Sequence[tuple[int, int, Wh]]

    def held_of(
        self, bids: Sequence[Resting], offers: Sequence[Resting]
    ) -> Iterable[tuple[Sequence[Resting], int, int, Wh]]:
        for side, held in ((bids, self.held_bids), (offers, self.held_offers)):
            for row, node, energy in held:
                yield side, row, node, energy


def find(
    bids: Sequence[Resting], offers: Sequence[Resting], left: Mapping[bytes, Wh], tree: Tree, mechanism: Mechanism
) -> Found:
    """Decide who trades with whom: whole trees over columns, order by order where the columns do not say it all.

    `left` is the energy of each order that is left to trade, by digest.
    """
    plain = tree.is_constant and not any(resting.preferences for resting in (*bids, *offers))
    if mechanism is not Mechanism.NETWORK and not plain:
        return _walked(bids, offers, left, tree, mechanism)
    kernel = clear_network if mechanism is Mechanism.NETWORK else clear_levels
    place = {node.number: index for index, node in enumerate(tree.nodes)}
    result = kernel(_columns(bids, left, place), _columns(offers, left, place), levels_of(tree, mechanism))
    return _numbered(result, [node.number for node in tree.nodes])


def _numbered(result: TreeMatches, numbers: Sequence[int]) -> Found:
    """Return a kernel's columns with the numbers of nodes in place of their places."""
    matches = [
        Match(bid, offer, Wh(energy), MicroPerKwh(rate), numbers[top])
        for bid, offer, energy, rate, top in zip(
            result.bid.tolist(),
            result.offer.tolist(),
            result.quantity.tolist(),
            result.rate.tolist(),
            result.top.tolist(),
            strict=True,
        )
    ]
    priced = np.flatnonzero(result.has_price).tolist()
    traded = np.flatnonzero(result.energy).tolist()
    return Found(
        matches,
        {numbers[at]: MicroPerKwh(int(result.price[at])) for at in priced},
        {numbers[at]: (MicroPerKwh(int(result.low[at])), MicroPerKwh(int(result.high[at]))) for at in traded},
        _held(result.held_bid, numbers),
        _held(result.held_offer, numbers),
    )


def _held(held: Sequence[Column], numbers: Sequence[int]) -> list[tuple[int, int, Wh]]:
    rows = zip(*(column.tolist() for column in held), strict=True)
    return [(row, numbers[at], Wh(energy)) for row, at, energy in rows]


def _columns(side: Sequence[Resting], left: Mapping[bytes, Wh], place: Mapping[int, int]) -> Columns:
    return Columns(
        np.array([place[resting.node] for resting in side], dtype=np.int64),
        np.array([resting.order.limit for resting in side], dtype=np.int64),
        np.array([left[resting.digest] for resting in side], dtype=np.int64),
    )


def _walked(
    bids: Sequence[Resting], offers: Sequence[Resting], left: Mapping[bytes, Wh], tree: Tree, mechanism: Mechanism
) -> Found:
    result = walk(_walk_side(bids, left), _walk_side(offers, left), tree, mechanism)
    matches = [Match(*trade) for trade in result.trades]
    ends: dict[int, tuple[MicroPerKwh, MicroPerKwh]] = {}
    for match in matches:
        below = tree.below(offers[match.offer].node, match.top)
        rate = MicroPerKwh(match.rate + sum(tree[number].fee.at(match.rate) for number in below))
        low, high = ends.get(match.top, (rate, rate))
        ends[match.top] = min(low, rate), max(high, rate)
    held: dict[Side, list[tuple[int, int, Wh]]] = {Side.BID: [], Side.OFFER: []}
    for side, row, node, energy in result.held:
        held[side].append((row, node, energy))
    return Found(matches, result.prices, ends, held[Side.BID], held[Side.OFFER])


def _walk_side(side: Sequence[Resting], left: Mapping[bytes, Wh]) -> WalkSide:
    def column(values: Sequence[int]) -> Column:
        return np.array(values, dtype=np.int64)

    return WalkSide(
        node=column([resting.node for resting in side]),
        rate=column([resting.order.limit for resting in side]),
        energy=column([left[resting.digest] for resting in side]),
        account=column([resting.account for resting in side]),
        energy_type=column([resting.energy_type for resting in side]),
        holder=[resting.holder for resting in side],
        asset=[resting.order.asset for resting in side],
        preferences={place: one.preferences for place, one in enumerate(side) if one.preferences is not None},
    )
