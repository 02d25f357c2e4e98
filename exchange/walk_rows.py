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
    whether it stands in lists that depend on names, too, which are in `rare`. `plain`: nobody asks for anything.
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
    plain: bool

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
    rows = _rows_by_bid([bid.rate for bid in bids], asking, len(offers), plain=not asking and not naming)
    if rows.plain:
        return rows
    wishes = [alternative for alternatives in asking.values() for alternative in alternatives]
    index = _Index({wish.kind for wish in wishes if wish.kind})
    buyers = _named(bids, {address for partners in naming.values() for address in partners})
    _prefer(rows, asking, buyers, index)
    for place, buyer in buyers.items():
        if place not in asking:
            _accept(rows, rows.first[place], index.of_bid(buyer, _ANYTHING_GOES))
    types = bytes([offer.energy_type for offer in offers])
    rows.kinds.clear()
    for kind in index.kinds:
        mask = bytearray(types.translate(bytes(not kind or number in kind for number in range(256))))
        for place in naming:
            mask[place] = False
        rows.kinds.append(mask)
    sellers = _named(offers, {address for wish in wishes for address in wish.partners})
    for place in sorted(naming.keys() | sellers.keys()):
        if lists := index.of_offer(types[place], naming.get(place, ()), sellers.get(place, ())):
            rows.rare[place] = lists
            rows.is_rare[place] = True
    _forget_empty_lists(rows, index)
    return rows


def _rows_by_bid(limit: list[int], asking: Mapping[int, Sequence[Alternative]], offers: int, plain: bool) -> Rows:
    """Return rows, one a bid or one an alternative, as if everybody accepted anything."""
    count = [1] * len(limit)
    for place, alternatives in asking.items():
        count[place] = len(alternatives)
    first = list(accumulate(count, initial=0))
    bid = list(range(len(limit)))
    if several := first[-1] > len(limit):
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
        kinds=[bytearray(b"\1" * offers)],
        is_rare=bytearray(offers),
        rare={},
        plain=plain,
    )


def _prefer(
    rows: Rows,
    asking: Mapping[int, Sequence[Alternative]],
    buyers: Mapping[int, tuple[Address, ...]],
    index: "_Index",
) -> None:
    """Write down the alternatives of bids; `buyers` are the names by which offers name a bid."""
    first, alternative, special, only = rows.first, rows.alternative, rows.special, rows.only
    for place, alternatives in asking.items():
        row = first[place]
        lowest = own = rows.limit[row]
        buyer = buyers.get(place, ())
        for number, wish in enumerate(alternatives, start=row):
            alternative[number] = number - row
            special[number] = True
            limit, most = wish.limit, wish.most_energy
            if limit is not None and limit < own:
                rows.limit[number] = limit
                lowest = min(lowest, limit)
            if lowest < own:
                rows.rank_limit[number] = lowest
            if most is not None:
                rows.cap[number] = most
            if buyer or wish.partners:
                _accept(rows, number, index.of_bid(buyer, wish))
            elif kind := wish.kind:
                lists = index.of_kind(kind)
                if len(lists) == 1:
                    only[number] = lists[0]
                else:
                    _accept(rows, number, lists)


def _accept(rows: Rows, row: int, lists: tuple[int, ...]) -> None:
    rows.special[row] = True
    rows.only[row] = SEVERAL if len(lists) > 1 else lists[0]
    if len(lists) > 1:
        rows.several[row] = lists


def _forget_empty_lists(rows: Rows, index: "_Index") -> None:
    """Strike lists without offers, and let rows that accept nothing else ask for nothing."""
    by_name = len(index.kinds)  # lists with a higher number depend on names
    filled = {number for lists in rows.rare.values() for number in lists}
    for row, lists in list(rows.several.items()):
        kept = tuple(number for number in lists if number < by_name or number in filled)
        if len(kept) < 2:
            del rows.several[row]
            rows.only[row] = kept[0] if kept else _NOTHING
        else:
            rows.several[row] = kept
    only = rows.only
    for row in compress(range(len(only)), rows.special):
        number = only[row]
        if number == _NOTHING or (number >= by_name and number not in filled):
            only[row] = _NOTHING
            rows.cap[row] = 0


def _partners(preferences: Preferences) -> tuple[Address, ...]:
    return tuple(sorted({address for alternative in preferences.alternatives for address in alternative.partners}))


def _named(orders: Sequence[WalkOrder], names: Collection[Address]) -> dict[int, tuple[Address, ...]]:
    """Return by place, of the orders that somebody names, the names of asset and holder that do."""
    if not names:
        return {}
    known, places = names.__contains__, range(len(orders))
    assets, holders = [order.asset for order in orders], [order.holder for order in orders]
    named: dict[int, tuple[Address, ...]] = {place: (assets[place],) for place in compress(places, map(known, assets))}
    for place in compress(places, map(known, holders)):
        asset, holder = named.get(place), holders[place]
        if asset is None:
            named[place] = (holder,)
        elif asset[0] != holder:
            named[place] = (*asset, holder)
    return named


class _Index:
    """The lists there are, by their marks: a row asks for lists, and an offer stands in those that were asked for."""

    def __init__(self, wanted: Collection[_Kind]) -> None:
        if len(wanted) > _MOST_KINDS:
            wanted = {bytes((energy_type,)) for kind in wanted for energy_type in kind}
        self.kinds = (_ANY, *sorted(wanted))
        self._number: dict[_Marks, int] = {(None, None, kind): number for number, kind in enumerate(self.kinds)}
        self._by_kind: dict[_Kind, tuple[int, ...]] = {}
        self._kinds_of: dict[int, list[_Kind]] = {}

    def of_kind(self, types: _Kind) -> tuple[int, ...]:
        """Return the lists that a row accepts which names no partners and is named by no offer."""
        lists = self._by_kind.get(types)
        if lists is None:
            lists = self._by_kind[types] = tuple(self._number[None, None, kind] for kind in self._kinds(types))
        return lists

    def of_bid(self, buyer: tuple[Address, ...], wish: Alternative) -> tuple[int, ...]:
        """Return the lists that a row accepts."""
        number, kinds = self._number, self._kinds(wish.kind)
        return tuple(
            [
                number.setdefault((who, partner, kind), len(number))
                for who in (None, *buyer)
                for partner in wish.partners or (None,)
                for kind in kinds
            ]
        )

    def of_offer(self, energy_type: int, partners: tuple[Address, ...], seller: tuple[Address, ...]) -> tuple[int, ...]:
        """Return the lists in which an offer stands because of a name."""
        kinds = self._kinds_of.get(energy_type)
        if kinds is None:
            kinds = [kind for kind in self.kinds if not kind or energy_type in kind]
            self._kinds_of[energy_type] = kinds
        number = self._number
        sellers = (None, *seller) if partners else seller
        asked = [(buyer, partner, kind) for buyer in partners or (None,) for partner in sellers for kind in kinds]
        return tuple([number[marks] for marks in asked if marks in number])

    def _kinds(self, types: _Kind) -> Sequence[_Kind]:
        return (types,) if types in self.kinds else [bytes((energy_type,)) for energy_type in types]
