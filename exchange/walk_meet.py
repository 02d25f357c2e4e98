"""Who meets whom at one node: each row of a bid takes the cheapest offers that it may, dearest row first.

Offers stand in merit order, and their rank there says who is cheaper. Behind the last one stands a mark that no rate
reaches. These are the inner loops of the walk: columns of whole numbers, and nothing looked up twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heapify, heappop, heapreplace
from typing import TypeVar

from exchange.units import MAX_RATE
from exchange.walk_rows import ANYTHING, SEVERAL, Rows

OUT_OF_REACH = MAX_RATE << 32
"""The rate behind the last offer: above any limit and all fees."""

_NOBODY = -1

_Key = TypeVar("_Key")

Front = tuple[int, int, list[int]]
"""The rank of the first offer of a list that is not filled, its place in the list, and the list."""


@dataclass(frozen=True, slots=True, eq=False)
class Buyers:
    """All rows, and account and what is left (Wh) of all bids, by place; what is left is written back here."""

    rows: Rows
    account: list[int]
    left: list[int]


@dataclass(frozen=True, slots=True, eq=False)
class Stall:
    """The offers at a node by rank: place, rate at the node, account and what is left (Wh). Rate, account and rest
    have one entry more than there are offers: the mark behind the last one.
    """

    offer: list[int]
    rate: list[int]
    account: list[int]
    left: list[int]


@dataclass(frozen=True, slots=True, eq=False)
class Deals:
    """What was agreed, in the order in which it was: columns of rows, ranks and energies (Wh)."""

    row: list[int] = field(default_factory=list)
    rank: list[int] = field(default_factory=list)
    energy: list[int] = field(default_factory=list)


def stall_of(offer: list[int], rate: list[int], account: list[int], left: list[int]) -> Stall:
    """Return the offers at a node, given in merit order, out of columns by place."""
    return Stall(
        offer,
        [*map(rate.__getitem__, offer), OUT_OF_REACH],
        [*map(account.__getitem__, offer), _NOBODY],
        [*map(left.__getitem__, offer), 1],
    )


def meet_plain(ranked: list[int], rate: list[int], buyers: Buyers, stall: Stall) -> Deals:
    """Match rows that accept anything: two pointers, one down each merit order.

    `ranked` are rows in merit order, `rate` is by row. What is left of bids and offers is written back.
    """
    deals = Deals()
    agree_row, agree_rank, agree_energy = deals.row.append, deals.rank.append, deals.energy.append
    offer_rate, offer_account, offer_left = stall.rate, stall.account, stall.left
    bid_of, account, left = buyers.rows.bid, buyers.account, buyers.left
    head = 0
    for row in ranked:
        limit = rate[row]
        if offer_rate[head] > limit:  # as for all that follow
            break
        bid = bid_of[row]
        own, want, rank = account[bid], left[bid], head
        while offer_rate[rank] <= limit:
            have = offer_left[rank]
            if have and offer_account[rank] != own:
                agree_row(row)
                agree_rank(rank)
                if have > want:
                    agree_energy(want)
                    offer_left[rank] = have - want
                    want = 0
                    break
                agree_energy(have)
                offer_left[rank] = 0
                want -= have
                if not want:
                    break
            rank += 1
        left[bid] = want
        while not offer_left[head]:
            head += 1
    return deals


def meet_by_lists(ranked: list[int], rate: list[int], buyers: Buyers, stall: Stall) -> Deals:
    """Match rows that each accept some lists of offers; the same result as `meet_plain`'s where both can be used.

    A list has a head, the place in it before which nothing is left. Offers of the buyer's own account are passed by.
    """
    rows, account, left = buyers.rows, buyers.account, buyers.left
    lists = rows.listed(stall.offer)
    heads = dict.fromkeys(lists, 0)
    anything, head = lists[ANYTHING], 0
    deals = Deals()
    agree_row, agree_rank, agree_energy = deals.row.append, deals.rank.append, deals.energy.append
    offer_rate, offer_account, offer_left = stall.rate, stall.account, stall.left
    bid_of, cap, several = rows.bid, rows.cap, rows.several
    for row, limit, number in zip(
        ranked, map(rate.__getitem__, ranked), map(rows.only.__getitem__, ranked), strict=True
    ):
        if number == ANYTHING:  # most rows, and the quickest way
            rank = anything[head]
            while not offer_left[rank]:
                head += 1
                rank = anything[head]
            if offer_rate[rank] > limit:
                continue
            heads[ANYTHING] = place = head
            listed = anything
        elif number in lists:
            listed, place = lists[number], heads[number]
            rank = listed[place]
            if not offer_left[rank]:
                while not offer_left[rank]:
                    place += 1
                    rank = listed[place]
                heads[number] = place
            if offer_rate[rank] > limit:
                continue
        elif number == SEVERAL:
            fronts = []
            for one in several[row]:
                if one in lists:
                    front = _front(lists[one], one, heads, offer_left)
                    if offer_rate[front[0]] <= limit:
                        fronts.append(front)
            if len(fronts) > 1:
                _take_cheapest(row, fronts, partial(_within, offer_rate, limit), buyers, stall, deals)
            if len(fronts) != 1:
                continue
            rank, place, listed = fronts[0]
        else:
            continue
        bid = bid_of[row]
        most = cap[row]
        want = wanted = min(left[bid], most)
        if not want:
            continue
        own = account[bid]
        while offer_rate[rank] <= limit:
            have = offer_left[rank]
            if have and offer_account[rank] != own:
                agree_row(row)
                agree_rank(rank)
                if have > want:
                    agree_energy(want)
                    offer_left[rank] = have - want
                    want = 0
                    break
                agree_energy(have)
                offer_left[rank] = 0
                want -= have
                if not want:
                    break
            place += 1
            rank = listed[place]
        left[bid] += want - wanted
        cap[row] = most + want - wanted
    return deals


def meet_by_terms(
    ranked: list[int], buyers: Buyers, stall: Stall, way: Sequence[int], agree: Callable[[int, int], bool]
) -> Deals:
    """Match rows where `agree` says whether a row can buy of the offer with a rank, as it is with fees that are shares.

    Offers with one entry in `way`, which is by rank, come the same way: of those, if a row cannot buy of one, it cannot
    buy of a dearer one. Slower than the others.
    """
    rows, end = buyers.rows, len(stall.offer)
    lists: dict[tuple[int, int], list[int]] = {}
    for number, ranks in rows.listed(stall.offer).items():
        for rank in ranks[:-1]:
            lists.setdefault((number, way[rank]), []).append(rank)
    for ranks in lists.values():
        ranks.append(end)
    heads = dict.fromkeys(lists, 0)
    ways = sorted(set(way))
    deals = Deals()
    for row in ranked:
        keys = [(number, one) for number in rows.lists_of(row) for one in ways if (number, one) in lists]
        fronts = [_front(lists[key], key, heads, stall.left) for key in keys]
        _take_cheapest(row, fronts, partial(agree, row), buyers, stall, deals)
    return deals


def _within(rate: list[int], limit: int, rank: int) -> bool:
    return rate[rank] <= limit


def _front(listed: list[int], key: _Key, heads: dict[_Key, int], left: list[int]) -> Front:
    """Return where a list begins, its head moved past what is filled."""
    place = heads[key]
    if not left[listed[place]]:
        while not left[listed[place]]:
            place += 1
        heads[key] = place
    return listed[place], place, listed


def _take_cheapest(
    row: int, fronts: list[Front], agree: Callable[[int], bool], buyers: Buyers, stall: Stall, deals: Deals
) -> None:
    """Let a row take of several lists, the cheapest offer first; of none from where `agree` says no."""
    rows, bid = buyers.rows, buyers.rows.bid[row]
    own, want = buyers.account[bid], min(buyers.left[bid], rows.cap[row])
    wanted, left, end = want, stall.left, len(stall.offer)
    heapify(fronts)
    while want and fronts:
        rank, place, listed = fronts[0]
        if rank == end or not agree(rank):
            heappop(fronts)
            continue
        energy = min(left[rank], want)
        if energy and stall.account[rank] != own:  # an offer may stand in two of the lists
            deals.row.append(row)
            deals.rank.append(rank)
            deals.energy.append(energy)
            left[rank] -= energy
            want -= energy
        heapreplace(fronts, (listed[place + 1], place + 1, listed))
    buyers.left[bid] += want - wanted
    rows.cap[row] += want - wanted
