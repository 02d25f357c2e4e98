"""Who meets whom at the nodes of one level: each row of a bid takes the cheapest offers that it may, dearest row first.

Rows and offers stand in merit order, node by node, and their rank there says who comes first. Behind the last offer
stands a mark that no rate reaches. This is the inner loop of the walk: columns of whole numbers, read in order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace

import numpy as np

from exchange.auction import Column
from exchange.walk_stall import OUT_OF_REACH, Stall

_NOBODY = -1

Front = tuple[int, int]
"""The rank of the first offer of a list that is not filled, and its place among the entries of all lists."""


@dataclass(frozen=True, slots=True, eq=False)
class Deals:
    """What was agreed, in the order in which it was: ranks of rows and of offers, and energies (Wh)."""

    row: Column
    offer: Column
    energy: Column

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, slots=True, eq=False)
class Left:
    """What is left, by place: of bids, of what rows may buy, and of offers (Wh). A meeting writes it back here."""

    bid: Column
    cap: Column
    offer: Column


def meet(
    stall: Stall,
    bid: Column,
    accounts: tuple[Column, Column],
    left: Left,
    agree: Callable[[int, int], bool] | None = None,
) -> Deals:
    """Match rows and offers; `bid` is the bid of each row by rank, and `accounts` are those of bids and of offers.

    `agree` says whether a row can buy of an offer, both by rank, where that is not a question of their rates at the
    node. Of one list, if a row cannot buy of an offer, it must not be able to buy of one behind it.
    """
    seller = stall.offers.place
    offer_rate = [*stall.offers.rate.tolist(), OUT_OF_REACH]
    offer_account = [*accounts[1][seller].tolist(), _NOBODY]
    offer_left = [*left.offer[seller].tolist(), 1]
    purse = _first_of(bid, len(left.bid))  # rows of one bid share what is left of it: the first of them keeps it
    wants, caps, limits = left.bid[bid].tolist(), left.cap[stall.rows.place].tolist(), stall.rows.rate.tolist()
    flat, heads, several = stall.flat.tolist(), stall.start.tolist(), stall.several
    rows: list[int] = []
    ranks: list[int] = []
    energies: list[int] = []
    take_row, take_rank, take_energy = rows.append, ranks.append, energies.append
    columns = zip(stall.only.tolist(), limits, purse.tolist(), caps, accounts[0][bid].tolist(), strict=True)
    for row, (number, limit, keeper, cap, own) in enumerate(columns):
        if number < 0:
            fronts = []
            for one in several[row]:
                place = heads[one]
                rank = flat[place]
                while not offer_left[rank]:
                    place += 1
                    rank = flat[place]
                heads[one] = place
                if offer_rate[rank] <= limit or agree is not None:
                    fronts.append((rank, place))
            want = wanted = min(wants[keeper], cap)
            heapify(fronts)
            while want and fronts:
                rank, place = fronts[0]
                if offer_rate[rank] > limit if agree is None else rank == len(seller) or not agree(row, rank):
                    heappop(fronts)
                    continue
                have = offer_left[rank]
                if have and offer_account[rank] != own:  # an offer may stand in two of the lists
                    energy = min(have, want)
                    take_row(row)
                    take_rank(rank)
                    take_energy(energy)
                    offer_left[rank] = have - energy
                    want -= energy
                heapreplace(fronts, (flat[place + 1], place + 1))
        else:
            place = heads[number]
            rank = flat[place]
            if not offer_left[rank]:
                while not offer_left[rank]:
                    place += 1
                    rank = flat[place]
                heads[number] = place
            if offer_rate[rank] > limit:
                continue
            want = wants[keeper]
            if cap < want:  # noqa: PLR1730 - half the time of `min`, in the innermost loop
                want = cap
            if not want:
                continue
            wanted = want
            while offer_rate[rank] <= limit:
                have = offer_left[rank]
                if have and offer_account[rank] != own:
                    take_row(row)
                    take_rank(rank)
                    if have > want:
                        take_energy(want)
                        offer_left[rank] = have - want
                        want = 0
                        break
                    take_energy(have)
                    offer_left[rank] = 0
                    want -= have
                    if not want:
                        break
                place += 1
                rank = flat[place]
        wants[keeper] += want - wanted
        caps[row] = cap + want - wanted
    left.bid[bid] = np.array(wants, dtype=np.int64)[purse]
    left.cap[stall.rows.place] = caps
    left.offer[seller] = offer_left[:-1]
    return Deals(*(np.array(column, dtype=np.int64) for column in (rows, ranks, energies)))


def _first_of(bid: Column, bids: int) -> Column:
    """Return, for each row, the first with its bid."""
    first = np.zeros(bids, dtype=np.int64)
    first[bid[::-1]] = np.arange(len(bid))[::-1]
    return first[bid]
