"""What stands before the rows at the nodes of one level: offers in merit order, and the lists that rows accept there.

Columns all the way: whatever no row can reach is left out here, so that the loop over the rows need not look at it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exchange.auction import Column, radix_order
from exchange.units import MAX_RATE
from exchange.walk_rows import Rows

OUT_OF_REACH = MAX_RATE << 14
"""The rate behind the last offer: above any limit and all fees."""

_SEVERAL = -1
"""Stands for a list where a row accepts several."""


@dataclass(frozen=True, slots=True, eq=False)
class Present:
    """Rows, or offers, at the nodes of one level: their places, the places of their nodes, and their rates there."""

    place: Column
    node: Column
    rate: Column

    def some(self, places: Column) -> "Present":
        """Return some of them, in this order."""
        return Present(self.place[places], self.node[places], self.rate[places])

    def ordered(self, value: Column, nodes: int) -> "Present":
        """Return them by node, there by value, and then by place."""
        return self.some(radix_order(self.node, value, nodes))


@dataclass(frozen=True, slots=True, eq=False)
class Stall:
    """Rows and offers in merit order, node by node, and who accepts whom.

    `flat` has all lists one behind the other: ranks of offers, ascending, and behind each list the number of offers.
    `start` says where each list begins. `only` is, by rank of the row, the list that it accepts, or less than nought
    where its lists are in `several`: where there are more, and wherever rates at the node do not say who agrees.
    """

    rows: Present
    offers: Present
    flat: Column
    start: Column
    only: Column
    several: dict[int, list[int]]


def within_reach(rows: Present, offers: Present, nodes: int) -> Present:
    """Return the offers that agree with the best row at their node."""
    best = np.full(nodes, -OUT_OF_REACH)
    np.maximum.at(best, rows.node, rows.rate)
    return offers.some(np.flatnonzero(offers.rate <= best[offers.node]))


def stall_of(
    book: Rows, rows: Present, rank_rate: Column, offers: Present, nodes: int, ways: Sequence[int] | None
) -> Stall:
    """Return who stands where; `offers` are in merit order, and `rank_rate` is what `rows` are ranked by.

    `ways` are numbers by rank of the offer, those of one node together and of no other: a list is then only of offers
    that came one way, and no row is left out for its rate. Otherwise rows are left out that no list can serve.
    """
    end = len(offers.place)
    way = offers.node if ways is None else np.array(ways, dtype=np.int64)
    several_ways = nodes if ways is None else int(way.max(initial=0)) + 1
    bits = end.bit_length()
    assert (book.lists * several_ways).bit_length() + bits < 63, "a book too large for numbers of 64 bits"

    rank = np.full(int(book.offered.place.max(initial=-1)) + 1, -1)
    here = np.flatnonzero(offers.place < len(rank))
    rank[offers.place[here]] = here
    stands = rank[book.offered.place]
    at = np.flatnonzero(stands >= 0)
    stands = stands[at]
    entries = np.sort((book.offered.number[at] * several_ways + way[stands]) << bits | stands)
    mark = entries >> bits
    begins = np.diff(mark, prepend=-1) > 0
    start = np.flatnonzero(begins)
    marks = mark[start]
    start += np.arange(len(start))
    flat = np.full(len(entries) + len(start), end)
    flat[np.arange(len(entries)) + np.cumsum(begins) - 1] = entries & (1 << bits) - 1

    place = np.full(len(book.bid), -1)
    place[rows.place] = np.arange(len(rows.place))
    row = place[book.accepted.place]
    at = np.flatnonzero(row >= 0)
    row, wanted = row[at], book.accepted.number[at] * several_ways
    if ways is None:
        low = np.minimum(np.searchsorted(marks, wanted + rows.node[row]), max(len(marks) - 1, 0))
        at = np.flatnonzero(marks[low] == wanted + rows.node[row]) if len(marks) else low[:0]
        row, number = row[at], low[at]
        at = np.flatnonzero(offers.rate[flat[start[number]]] <= rows.rate[row])
        row, number = row[at], number[at]
    else:
        first, count = _ways_of_nodes(way, offers.node, nodes)
        low = np.searchsorted(marks, wanted + first[rows.node[row]])
        times = np.searchsorted(marks, wanted + (first + count)[rows.node[row]]) - low
        row = np.repeat(row, times)
        number = np.repeat(low, times) + np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)
    times = np.bincount(row, minlength=len(rows.place))
    some = np.flatnonzero(times)
    ranked = some[radix_order(rows.node[some], -rank_rate[some], nodes)]
    only, several = _by_rank(ranked, row, number, times == 1 if ways is None else times < 0)
    return Stall(rows.some(ranked), offers, flat, start, only, several)


def _ways_of_nodes(way: Column, node: Column, nodes: int) -> tuple[Column, Column]:
    """Return the lowest number of a way to each node, and how many ways there are."""
    first = np.full(nodes, len(way))
    np.minimum.at(first, node, way)
    last = np.full(nodes, -1)
    np.maximum.at(last, node, way)
    return first, np.maximum(last - first + 1, 0)


def _by_rank(
    ranked: Column, row: Column, number: Column, has_one: NDArray[np.bool_]
) -> tuple[Column, dict[int, list[int]]]:
    """Return the one list of each row by rank, `_SEVERAL` where `has_one` denies it, and the lists of such rows."""
    rank = np.zeros(len(has_one), dtype=np.int64)
    rank[ranked] = np.arange(len(ranked))
    alone = has_one[row]
    only = np.full(len(ranked), _SEVERAL)
    only[rank[row[alone]]] = number[alone]
    several: dict[int, list[int]] = {}
    for at, one in zip(rank[row[~alone]].tolist(), number[~alone].tolist(), strict=True):
        several.setdefault(at, []).append(one)
    return only, several
