"""The rows of a walk: each alternative of a bid is a row, and lists say which offers suit it.

A list holds the offers with certain marks: who may buy (anybody, or one address that the offer names), from whom
(anybody, or one address that a bid names) and of which kind (any, or certain energy types). What a row accepts is then
some lists, one for most rows, and nothing is left to ask of an offer but its rate and its account.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from exchange.auction import Column
from exchange.preferences import Alternative
from exchange.units import MAX_ENERGY, MAX_RATE
from exchange.walk_order import WalkSide
from identity.address import Address

NO_CAP = MAX_ENERGY + 1
"""The cap of a row that has none: no order is for as much, but for what its rows take from it."""

NO_ALTERNATIVE = -1
"""Stands for an alternative where a bid has no preferences."""

_MOST_KINDS = 8
"""With more kinds of energy than this wanted in a book, each energy type is a kind, and a row accepts several."""

_TYPES = 256
"""Energy types have numbers below this."""

_Kind = bytes
"""The numbers of energy types, ascending; empty for any."""

_ANY = _Kind()


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Who stands in which lists: places of rows or of offers, and beside each the number of a list."""

    place: Column
    number: Column

    def some(self, places: Column) -> "Standing":
        """Return some of the entries."""
        return Standing(self.place[places], self.number[places])


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Bids as rows in order of priority: by place of the bid, then of the alternative.

    By row: `bid`, `alternative` (`NO_ALTERNATIVE` where the bid has no preferences), `limit`, `rank_limit` (the lowest
    of its own and all earlier limits of the bid: what it is ranked by) and `cap` (what may be bought under it; nothing
    where it names partners who offer nothing). `first` is the first row of each bid. `accepted` are the lists that
    rows accept, `offered` those in which offers stand; a list has a number below `lists`.
    """

    bid: Column
    first: Column
    alternative: Column
    limit: Column
    rank_limit: Column
    cap: Column
    accepted: Standing
    offered: Standing
    lists: int


def rows_of(bids: WalkSide, offers: WalkSide) -> Rows:
    """Return the rows of bids and the lists of offers."""
    asking = sorted(bids.preferences)
    count = np.ones(len(bids), dtype=np.int64)
    count[asking] = [len(bids.preferences[place].alternatives) for place in asking]
    first = np.cumsum(count) - count
    bid = np.repeat(np.arange(len(bids)), count)
    own = bids.rate[bid]
    wishes = [wish for place in asking for wish in bids.preferences[place].alternatives]
    wishing = np.flatnonzero(_mask(asking, len(bids))[bid])
    limit, cap = own.copy(), np.full(len(bid), NO_CAP)
    limit[wishing] = [MAX_RATE if wish.limit is None else wish.limit for wish in wishes]
    cap[wishing] = [NO_CAP if wish.most_energy is None else wish.most_energy for wish in wishes]
    np.minimum(limit, own, out=limit)
    turn = np.arange(len(bid)) - first[bid]
    alternative = np.full(len(bid), NO_ALTERNATIVE)
    alternative[wishing] = turn[wishing]
    rank_limit = limit.copy()
    for after in range(1, int(count.max(initial=1))):
        rows = np.flatnonzero(turn == after)
        rank_limit[rows] = np.minimum(rank_limit[rows - 1], rank_limit[rows])
    accepted, offered, lists = _lists(bids, offers, bid, wishing, wishes)
    cap[~_mask(accepted.place, len(bid))] = 0
    return Rows(bid, first, alternative, limit, rank_limit, cap, accepted, offered, lists)


def _lists(
    bids: WalkSide, offers: WalkSide, bid: Column, wishing: Column, wishes: Sequence[Alternative]
) -> tuple[Standing, Standing, int]:
    """Return the lists that rows accept, those in which offers stand, and how many there are.

    The marks of a list are three numbers in one: who may buy, from whom, and the kind, nought for anybody and any.
    Lists that no name is on have the lowest numbers, and a row may hope for them; others are there if they have an
    offer and a row that accepts them.
    """
    kinds = _kinds(wishes)
    naming = sorted(offers.preferences)
    named_buyers = [offers.preferences[place].alternatives[0].partners for place in naming]
    named_sellers = [wish.partners for wish in wishes]
    buyers, sellers = _numbers(named_buyers), _numbers(named_sellers)
    by_seller, by_buyer = len(kinds), len(kinds) * (len(sellers) + 1)

    row, mark = _each(np.arange(len(bid)), _by_kind(wishes, kinds, wishing, len(bid)))
    row, mark = _each_named(row, mark, _by_name(named_sellers, sellers, wishing, len(bid)), by_seller)
    row, mark = _or_named(row, mark, bid[row], bids, buyers, by_buyer)

    offer, marked = np.arange(len(offers)), np.zeros(len(offers), dtype=np.int64)
    offer, marked = _each_named(
        offer, marked, _by_name(named_buyers, buyers, np.array(naming, dtype=np.int64), len(offers)), by_buyer
    )
    offer, marked = _or_named(offer, marked, offer, offers, sellers, by_seller)
    sold = offers.energy_type[offer]
    suits = [np.flatnonzero(_mask(list(kind), _TYPES)[sold]) for kind in kinds[1:]]
    marked = np.concatenate((marked, *(marked[at] + number for number, at in enumerate(suits, start=1))))
    offer = np.concatenate((offer, *(offer[at] for at in suits)))

    rare, rarely = np.flatnonzero(mark >= len(kinds)), np.flatnonzero(marked >= len(kinds))
    both = np.intersect1d(_distinct(mark[rare]), _distinct(marked[rarely]), assume_unique=True)
    return (
        _numbered(Standing(row, mark), rare, both, len(kinds)),
        _numbered(Standing(offer, marked), rarely, both, len(kinds)),
        len(kinds) + len(both),
    )


def _numbered(standing: Standing, rare: Column, marks: Column, common: int) -> Standing:
    """Give the lists with names numbers from `common` on, and strike the entries in lists that are not there."""
    number = standing.number.copy()
    if not len(marks):
        number[rare] = -1
    else:
        place = np.minimum(np.searchsorted(marks, number[rare]), len(marks) - 1)
        number[rare] = np.where(marks[place] == number[rare], place + common, -1)
    return Standing(standing.place, number).some(np.flatnonzero(number >= 0))


def _kinds(wishes: Sequence[Alternative]) -> tuple[_Kind, ...]:
    """Return the kinds of which there are lists, any first."""
    wanted = {wish.kind for wish in wishes} - {_ANY}
    if len(wanted) > _MOST_KINDS:
        wanted = {bytes((energy_type,)) for kind in wanted for energy_type in kind}
    return (_ANY, *sorted(wanted))


def _by_kind(
    wishes: Sequence[Alternative], kinds: tuple[_Kind, ...], wishing: Column, rows: int
) -> tuple[Column, Column]:
    """Return how many kinds each row accepts, and which, row by row."""
    number = {kind: place for place, kind in enumerate(kinds)}
    wanted = [wish.kind for wish in wishes]
    count = np.ones(rows, dtype=np.int64)
    if number.keys() >= set(wanted):
        entries = np.zeros(rows, dtype=np.int64)
        entries[wishing] = list(map(number.__getitem__, wanted))
        return count, entries
    count[wishing] = [len(kind) or 1 for kind in wanted]
    entries = np.zeros(int(count.sum()), dtype=np.int64)
    entries[np.repeat(_mask(wishing, rows), count)] = [
        number[one] for kind in wanted for one in ([bytes((energy_type,)) for energy_type in kind] or [_ANY])
    ]
    return count, entries


def _numbers(named: Sequence[tuple[Address, ...]]) -> dict[Address, int]:
    """Return a number from 1 for each address that is named."""
    addresses = dict.fromkeys(address for addresses in named for address in addresses)
    return dict(zip(addresses, range(1, len(addresses) + 1), strict=True))


def _by_name(
    named: Sequence[tuple[Address, ...]], numbers: Mapping[Address, int], places: Column, rows: int
) -> tuple[Column, Column]:
    """Return how many names stand at each row, at least one, and their numbers, row by row: nought for anybody.

    `named` are the names at `places`.
    """
    count = np.zeros(rows, dtype=np.int64)
    count[places] = list(map(len, named))
    entries = np.zeros(int(np.maximum(count, 1).sum()), dtype=np.int64)
    entries[np.repeat(count > 0, np.maximum(count, 1))] = [
        numbers[address] for addresses in named for address in addresses
    ]
    return np.maximum(count, 1), entries


def _each(place: Column, listed: tuple[Column, Column]) -> tuple[Column, Column]:
    count, entries = listed
    return np.repeat(place, count), entries


def _each_named(place: Column, mark: Column, listed: tuple[Column, Column], weight: int) -> tuple[Column, Column]:
    """Repeat each entry for each of the names that stand at its place; `weight` is what a name counts in a mark."""
    count, entries = listed
    start = np.cumsum(count) - count
    times = count[place]
    at = np.repeat(np.arange(len(place)), times)
    turn = np.arange(len(at)) - np.repeat(np.cumsum(times) - times, times)
    return place[at], mark[at] + weight * entries[start[place[at]] + turn]


def _or_named(
    place: Column, mark: Column, order: Column, side: WalkSide, numbers: Mapping[Address, int], weight: int
) -> tuple[Column, Column]:
    """Repeat entries for the names, of asset and holder, by which somebody names their order."""
    if not numbers:
        return place, mark
    asset, holder = (
        np.fromiter(map(numbers.get, names, repeat(0)), dtype=np.int64, count=len(side))
        for names in (side.asset, side.holder)
    )
    holder[holder == asset] = 0
    by_asset, by_holder = np.flatnonzero(asset[order]), np.flatnonzero(holder[order])
    places = np.concatenate((place, place[by_asset], place[by_holder]))
    marks = np.concatenate(
        (mark, mark[by_asset] + weight * asset[order[by_asset]], mark[by_holder] + weight * holder[order[by_holder]])
    )
    return places, marks


def _distinct(numbers: Column) -> Column:
    """Return numbers that are not negative in ascending order, each once."""
    ascending = np.sort(numbers)
    return ascending[np.diff(ascending, prepend=-1) > 0]


def _mask(places: Sequence[int] | Column, length: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    mask = np.zeros(length, dtype=np.bool_)
    mask[places] = True
    return mask
