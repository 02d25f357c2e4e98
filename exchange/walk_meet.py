"""Who meets whom at one node: each row of a bid takes the cheapest offers that it may, dearest row first.

Offers stand in merit order, and their rank there says who is cheaper. Behind the last one stands a mark that no rate
reaches. These are the inner loops of the walk: lists of whole numbers, and nothing looked up twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heapify, heappop, heapreplace
from typing import TypeVar

from exchange.units import MAX_RATE
from exchange.walk_rows import SEVERAL, Rows

_Key = TypeVar("_Key")

Deal = tuple[int, int, int]
"""A row, the rank of an offer, and energy."""

OUT_OF_REACH = MAX_RATE << 32
"""The rate behind the last offer: above any limit and all fees."""

_NOBODY = -1


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
class Buyers:
    """All rows, and account and what is left (Wh) of all bids, by place; what is left is written back here."""

    rows: Rows
    account: list[int]
    left: list[int]


def stall_of(offer: list[int], rate: list[int], account: list[int], left: list[int]) -> Stall:
    """Return the offers at a node, given in merit order, out of columns by place."""
    return Stall(
        offer,
        [*map(rate.__getitem__, offer), OUT_OF_REACH],
        [*map(account.__getitem__, offer), _NOBODY],
        [*map(left.__getitem__, offer), 1],
    )


def meet_plain(ranked: list[int], rate: list[int], buyers: Buyers, stall: Stall) -> list[Deal]:
    """Match rows that accept anything: two pointers, one down each merit order.

    `ranked` are rows in merit order, `rate` is by row. What is left of bids and offers is written back.
    """
    deals: list[Deal] = []
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
            if offer_account[rank] == own or not have:
                rank += 1
            elif have > want:
                deals.append((row, rank, want))
                offer_left[rank] = have - want
                want = 0
                break
            else:
                deals.append((row, rank, have))
                offer_left[rank] = 0
                want -= have
                if not want:
                    break
                rank += 1
        left[bid] = want
        while not offer_left[head]:
            head += 1
    return deals


def meet_by_lists(ranked: list[int], rate: list[int], buyers: Buyers, stall: Stall) -> list[Deal]:
    """Match rows that each accept some lists of offers; the same result as `meet_plain`'s where both can be used.

    A list has a head, the place in it before which nothing is left. Offers of the buyer's own account are passed by.
    """
    lists = _listed(stall, buyers.rows)
    heads = dict.fromkeys(lists, 0)
    deals: list[Deal] = []
    offer_rate, offer_account, offer_left = stall.rate, stall.account, stall.left
    rows, account, left = buyers.rows, buyers.account, buyers.left
    bid_of, cap, only = rows.bid, rows.cap, rows.only
    for row in ranked:
        bid = bid_of[row]
        want = left[bid]
        if not want:
            continue
        limit, number = rate[row], only[row]
        if number not in lists:
            accepted = [number for number in rows.lists[row] if number in lists] if number == SEVERAL else []
            if len(accepted) > 1:
                fronts = [_unfilled(lists[number], number, heads, offer_left) for number in accepted]
                _take_cheapest(row, fronts, partial(_within, offer_rate, limit), buyers, stall, deals)
            if len(accepted) != 1:
                continue
            number = accepted[0]
        listed, place = lists[number], heads[number]
        rank = listed[place]
        while not offer_left[rank]:
            place += 1
            rank = listed[place]
        heads[number] = place
        if offer_rate[rank] > limit:
            continue
        most = cap[row]
        want = min(want, most)
        own, wanted = account[bid], want
        while offer_rate[rank] <= limit:
            have = offer_left[rank]
            if have and offer_account[rank] != own:
                if have > want:
                    deals.append((row, rank, want))
                    offer_left[rank] = have - want
                    want = 0
                    break
                deals.append((row, rank, have))
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
) -> list[Deal]:
    """Match rows where `agree` says whether a row can buy of the offer with a rank, as it is with fees that are shares.

    Offers with one entry in `way`, which is by rank, come the same way: of those, if a row cannot buy of one, it cannot
    buy of a dearer one. Slower than the others.
    """
    lists: dict[tuple[int, int], list[int]] = {}
    ways = sorted(set(way))
    rows, left = buyers.rows, buyers.left
    for rank, offer in enumerate(stall.offer):
        for number in rows.in_lists[offer]:
            lists.setdefault((number, way[rank]), []).append(rank)
    for listed in lists.values():
        listed.append(len(stall.offer))
    heads = dict.fromkeys(lists, 0)
    deals: list[Deal] = []
    for row in ranked:
        if left[rows.bid[row]]:
            keys = [(number, one) for number in rows.lists[row] for one in ways if (number, one) in lists]
            fronts = [_unfilled(lists[key], key, heads, stall.left) for key in keys]
            _take_cheapest(row, fronts, partial(agree, row), buyers, stall, deals)
    return deals


def _listed(stall: Stall, rows: Rows) -> dict[int, list[int]]:
    """Return the lists of a node: ranks, ascending, and behind them the mark."""
    lists: dict[int, list[int]] = {}
    in_lists = rows.in_lists
    for rank, offer in enumerate(stall.offer):
        for number in in_lists[offer]:
            if number in lists:
                lists[number].append(rank)
            else:
                lists[number] = [rank]
    for listed in lists.values():
        listed.append(len(stall.offer))
    return lists


def _within(rate: list[int], limit: int, rank: int) -> bool:
    return rate[rank] <= limit


def _unfilled(listed: list[int], key: _Key, heads: dict[_Key, int], left: list[int]) -> tuple[list[int], int]:
    """Return a list and its head, moved past what is filled."""
    place = heads[key]
    while not left[listed[place]]:
        place += 1
    heads[key] = place
    return listed, place


def _take_cheapest(
    row: int,
    fronts: Sequence[tuple[list[int], int]],
    agree: Callable[[int], bool],
    buyers: Buyers,
    stall: Stall,
    deals: list[Deal],
) -> None:
    """Let a row take of several lists, each from its head on, the cheapest offer first."""
    rows, bid = buyers.rows, buyers.rows.bid[row]
    own, want = buyers.account[bid], min(buyers.left[bid], rows.cap[row])
    wanted = want
    nearest = [(listed[place], number, place) for number, (listed, place) in enumerate(fronts)]
    heapify(nearest)
    while want and nearest:
        rank, number, place = nearest[0]
        if rank == len(stall.offer) or not agree(rank):
            heappop(nearest)
            continue
        energy = min(stall.left[rank], want)
        if energy and stall.account[rank] != own:
            deals.append((row, rank, energy))
            stall.left[rank] -= energy
            want -= energy
        heapreplace(nearest, (fronts[number][0][place + 1], number, place + 1))
    buyers.left[bid] += want - wanted
    rows.cap[row] += want - wanted
