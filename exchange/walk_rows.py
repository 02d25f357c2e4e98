"""The rows of a walk: each alternative of a bid is a row, and each row knows the lists in which its offers stand.

A list holds the offers with certain marks: who may buy (anybody, or one address that the offer names), from whom
(anybody, or one address that a bid names) and of which kind (any, or certain energy types). What a row accepts is then
some lists, one for most rows, and nothing is left to ask of an offer but its rate and its account.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, compress, repeat

from exchange.preferences import Alternative, Preferences
from exchange.units import MAX_ENERGY
from exchange.walk_order import WalkOrder
from identity.address import Address

ANYTHING = 0
"""The list of all offers that name no partners."""

SEVERAL = -1
"""Stands for a list where a row accepts several."""

_NOTHING = -2
"""Stands for a list where a row accepts none that has an offer."""

NO_CAP = MAX_ENERGY + 1
"""The cap of a row that has none: no order is for as much, but for what its rows take from it."""

_MOST_KINDS = 8
"""With more kinds of energy than this wanted in a book, each energy type is a kind, and a row accepts several."""

_Kind = bytes
"""The numbers of energy types, ascending; empty for any."""

_ANY = _Kind()

_ANYTHING_GOES = Alternative()

_Marks = tuple[Address | None, Address | None, _Kind]
"""Who may buy, from whom, and which energy; none is anybody."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Bids as rows in order of priority: by place of the bid, then of the alternative.

    By row: `bid`, `alternative` (none where the bid has no preferences), `limit`, `rank_limit` (the lowest of its own
    and all earlier limits of the bid: what it is ranked by; the same column where no bid has two), `cap` (what may
    still be bought under it; nothing where no offer can suit), `only` (the list it accepts, or `SEVERAL`, which are in
    `several`) and `special` (whether it is anything but a bid without preferences that accepts the list `ANYTHING`).
    `first` is the first row of each bid, and behind all bids the number of rows.
    By place of an offer: `kinds`, a mask for each list that depends on the kind alone, `ANYTHING` first; and `is_rare`,
    whether it stands in lists that depend on names, too, which are in `rare`.
    """

    bid: list[int]
    first: list[int]
    alternative: list[int | None]
    limit: list[int]
    rank_limit: list[int]
    cap: list[int]
    only: list[int]
    several: dict[int, tuple[int, ...]]
    special: bytearray
    kinds: list[bytearray]
    is_rare: bytearray
    rare: dict[int, tuple[int, ...]]

    def lists_of(self, row: int) -> tuple[int, ...]:
        """Return the lists that a row accepts."""
        return self.several[row] if self.only[row] == SEVERAL else (self.only[row],)

    def listed(self, offers: list[int]) -> dict[int, list[int]]:
        """Return the lists of some offers, given in merit order: ranks, ascending, and behind them a mark."""
        end = len(offers)
        ranks = range(end)
        lists = {}
        for number, mask in enumerate(self.kinds):
            lists[number] = list(compress(ranks, map(mask.__getitem__, offers)))
        rare = self.rare
        for rank in compress(ranks, map(self.is_rare.__getitem__, offers)):
            for number in rare[offers[rank]]:
                if number in lists:
                    lists[number].append(rank)
                else:
                    lists[number] = [rank]
        for ranked in lists.values():
            ranked.append(end)
        return lists


def rows_of(bids: Sequence[WalkOrder], offers: Sequence[WalkOrder]) -> Rows:
    """Return the rows of bids and the lists of offers."""
    asking = {place: bid.preferences.alternatives for place, bid in enumerate(bids) if bid.preferences is not None}
    naming = {
        place: _partners(offer.preferences) for place, offer in enumerate(offers) if offer.preferences is not None
    }
    rows = _rows_by_bid(bids, asking, len(offers))
    if not asking and not naming:
        return rows
    wishes = [alternative for alternatives in asking.values() for alternative in alternatives]
    index = _Index({bytes(wish.energy_types) for wish in wishes if wish.energy_types})
    types = bytes([offer.energy_type for offer in offers])
    for kind in index.kinds:
        mask = bytearray(types.translate(bytes(not kind or number in kind for number in range(256))))
        for place in naming:
            mask[place] = False
        rows.kinds.append(mask)
    sellers = _named(offers, {address for wish in wishes for address in wish.partners})
    for place in sorted(naming.keys() | sellers.keys()):
        rows.rare[place] = index.of_offer(types[place], naming.get(place, ()), sellers.get(place, ()))
        rows.is_rare[place] = True
    buyers = _named(bids, {address for partners in naming.values() for address in partners})
    first = rows.first
    for place, alternatives in asking.items():
        _prefer(rows, first[place], alternatives, index, buyers.get(place, ()))
    for place, buyer in buyers.items():
        if place not in asking:
            _accept(rows, first[place], index.of_bid(buyer, _ANYTHING_GOES))
    return rows


def _rows_by_bid(bids: Sequence[WalkOrder], asking: Mapping[int, Sequence[Alternative]], offers: int) -> Rows:
    """Return rows, one a bid or one an alternative, as if everybody accepted anything."""
    count = [1] * len(bids)
    for place, alternatives in asking.items():
        count[place] = len(alternatives)
    first = list(accumulate(count, initial=0))
    bid, limit = list(range(len(bids))), [bid.rate for bid in bids]
    if several := first[-1] > len(bids):
        bid = list(chain.from_iterable(map(repeat, bid, count)))
        limit = [limit[place] for place in bid]
    return Rows(
        bid=bid,
        first=first,
        alternative=[None] * len(bid),
        limit=limit,
        rank_limit=list(limit) if several else limit,
        cap=[NO_CAP] * len(bid),
        only=[ANYTHING] * len(bid),
        several={},
        special=bytearray(len(bid)),
        kinds=[],
        is_rare=bytearray(offers),
        rare={},
    )


def _prefer(
    rows: Rows, first: int, alternatives: Sequence[Alternative], index: "_Index", buyer: tuple[Address, ...]
) -> None:
    """Write down the alternatives of a bid, whose rows begin at `first`."""
    lowest = own = rows.limit[first]
    for number, wish in enumerate(alternatives):
        row = first + number
        rows.alternative[row] = number
        rows.special[row] = True
        if wish.limit is not None and wish.limit < own:
            rows.limit[row] = wish.limit
            lowest = min(lowest, wish.limit)
        rows.rank_limit[row] = lowest
        if wish.most_energy is not None:
            rows.cap[row] = wish.most_energy
        if wish.partners or wish.energy_types or buyer:
            _accept(rows, row, index.of_bid(buyer, wish))


def _accept(rows: Rows, row: int, lists: tuple[int, ...]) -> None:
    rows.special[row] = True
    if len(lists) == 1:
        rows.only[row] = lists[0]
    elif lists:
        rows.only[row] = SEVERAL
        rows.several[row] = lists
    else:
        rows.only[row] = _NOTHING
        rows.cap[row] = 0


def _partners(preferences: Preferences) -> tuple[Address, ...]:
    return tuple(sorted({address for alternative in preferences.alternatives for address in alternative.partners}))


def _named(orders: Sequence[WalkOrder], names: Collection[Address]) -> dict[int, tuple[Address, ...]]:
    """Return by place, of the orders that somebody names, the names of asset and holder that do."""
    if not names:
        return {}
    return {
        place: tuple(name for name in dict.fromkeys((order.asset, order.holder)) if name in names)
        for place, order in enumerate(orders)
        if order.asset in names or order.holder in names
    }


class _Index:
    """The lists there are, by their marks; an offer makes those it stands in, and a row looks them up."""

    def __init__(self, wanted: Collection[_Kind]) -> None:
        if len(wanted) > _MOST_KINDS:
            wanted = {bytes((energy_type,)) for kind in wanted for energy_type in kind}
        self.kinds = (_ANY, *sorted(wanted))
        self._number: dict[_Marks, int] = {(None, None, kind): number for number, kind in enumerate(self.kinds)}
        self._by_kind: dict[_Kind, tuple[int, ...]] = {}

    def of_offer(self, energy_type: int, partners: tuple[Address, ...], seller: tuple[Address, ...]) -> tuple[int, ...]:
        """Return the lists in which an offer stands because of a name."""
        kinds = [kind for kind in self.kinds if not kind or energy_type in kind]
        return tuple(
            self._number.setdefault((buyer, partner, kind), len(self._number))
            for buyer in partners or (None,)
            for partner in ((None, *seller) if partners else seller)
            for kind in kinds
        )

    def of_bid(self, buyer: tuple[Address, ...], wish: Alternative) -> tuple[int, ...]:
        """Return the lists that a row accepts, of those that have an offer."""
        types = bytes(wish.energy_types)
        if not buyer and not wish.partners and (known := self._by_kind.get(types)):
            return known
        kinds = (types,) if types in self.kinds else [bytes((energy_type,)) for energy_type in types]
        asked = [
            self._number.get((who, partner, kind))
            for who in (None, *buyer)
            for partner in wish.partners or (None,)
            for kind in kinds
        ]
        lists = tuple(number for number in asked if number is not None)
        if not buyer and not wish.partners:
            self._by_kind[types] = lists
        return lists
