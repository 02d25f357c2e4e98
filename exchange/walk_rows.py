"""The rows of a walk: each alternative of a bid is a row, and each row knows the lists in which its offers stand.

A list holds the offers with one set of marks: who may buy (anybody, or one address that the offer names), from whom
(anybody, or one address that a bid names) and of which energy type (any, or one). What a row accepts is then some
lists, one for most rows, and nothing is left to ask of an offer but its rate and its account.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from exchange.preferences import Alternative
from exchange.units import MAX_ENERGY
from exchange.walk_order import WalkOrder
from identity.address import Address
from identity.claim_data import EnergyType

ANYTHING = 0
"""The list of all offers that name no partners."""

SEVERAL = -1
"""Stands for a list where a row accepts several."""

NO_CAP = MAX_ENERGY + 1
"""The cap of a row that has none: no order is for as much, but for what its rows take from it."""

_Marks = tuple[Address | None, Address | None, EnergyType | None]
"""Who may buy, from whom, and which energy; none is anybody, or any."""

_PLAIN = (ANYTHING,)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Bids as rows in order of priority: by place of the bid, then of the alternative. Rows without lists are left out.

    By row: `bid`, `alternative` (none where the bid has no preferences), `limit`, `rank_limit` (the lowest of its own
    and all earlier limits of the bid: what it is ranked by), `cap` (what may still be bought under it), `only` (the
    list it accepts, or `SEVERAL`) and `lists` (all of them), and `special` (whether it is anything but a bid without
    preferences that accepts the list `ANYTHING`). By bid: `of_bid`, its rows. By offer: `in_lists`. `narrow` says
    whether any row is special or any offer names partners.
    """

    bid: list[int]
    alternative: list[int | None]
    limit: list[int]
    rank_limit: list[int]
    cap: list[int]
    only: list[int]
    lists: list[tuple[int, ...]]
    special: bytearray
    of_bid: dict[int, list[int]]
    in_lists: list[tuple[int, ...]]
    narrow: bool


def rows_of(bids: Sequence[WalkOrder], offers: Sequence[WalkOrder]) -> Rows:
    """Return the rows of bids and the lists of offers."""
    alternatives = [() if bid.preferences is None else bid.preferences.alternatives for bid in bids]
    partners = [() if offer.preferences is None else _partners(offer.preferences.alternatives) for offer in offers]
    if not any(alternatives) and not any(partners):
        return _plain_rows(bids, offers)
    index = _Index()
    named_by_bids = {address for listed in alternatives for alternative in listed for address in alternative.partners}
    named_by_offers = {address for listed in partners for address in listed}
    wanted = {energy for listed in alternatives for alternative in listed for energy in alternative.energy_types}
    in_lists = [
        index.of_offer(offer, listed, named_by_bids, wanted) for offer, listed in zip(offers, partners, strict=True)
    ]
    rows = Rows([], [], [], [], [], [], [], bytearray(), {}, in_lists, narrow=True)
    for place, (bid, listed) in enumerate(zip(bids, alternatives, strict=True)):
        buyer = _named(bid, named_by_offers) if named_by_offers else ()
        if not listed and not buyer:  # most are such, and go the quick way
            _add(rows, place, None, bid.rate, bid.rate, NO_CAP, _PLAIN)
        elif not listed:
            _add(rows, place, None, bid.rate, bid.rate, NO_CAP, index.of_bid(buyer, None))
        else:
            lowest, first = bid.rate, len(rows.bid)
            for number, wish in enumerate(listed):
                limit = bid.rate if wish.limit is None else min(bid.rate, wish.limit)
                lowest = min(lowest, limit)
                cap = NO_CAP if wish.most_energy is None else wish.most_energy
                if accepted := index.of_bid(buyer, wish):
                    _add(rows, place, number, limit, lowest, cap, accepted)
            rows.of_bid[place] = list(range(first, len(rows.bid)))
    return rows


def _plain_rows(bids: Sequence[WalkOrder], offers: Sequence[WalkOrder]) -> Rows:
    """Return the rows where nobody asks for anything: one a bid, and one list."""
    count = len(bids)
    limit = [bid.rate for bid in bids]
    return Rows(
        bid=list(range(count)),
        alternative=[None] * count,
        limit=limit,
        rank_limit=limit,
        cap=[NO_CAP] * count,
        only=[ANYTHING] * count,
        lists=[_PLAIN] * count,
        special=bytearray(count),
        of_bid={},
        in_lists=[_PLAIN] * len(offers),
        narrow=False,
    )


def _add(
    rows: Rows, bid: int, alternative: int | None, limit: int, rank_limit: int, cap: int, lists: tuple[int, ...]
) -> None:
    rows.bid.append(bid)
    rows.alternative.append(alternative)
    rows.limit.append(limit)
    rows.rank_limit.append(rank_limit)
    rows.cap.append(cap)
    rows.only.append(lists[0] if len(lists) == 1 else SEVERAL)
    rows.lists.append(lists)
    rows.special.append(alternative is not None or lists is not _PLAIN)


def _partners(alternatives: Iterable[Alternative]) -> tuple[Address, ...]:
    return tuple(sorted({address for alternative in alternatives for address in alternative.partners}))


def _named(order: WalkOrder, named: Collection[Address]) -> tuple[Address, ...]:
    """Return the names of an order's asset and holder that stand among `named`."""
    asset, holder = order.asset, order.holder
    if asset in named:
        return (asset, holder) if holder in named and holder != asset else (asset,)
    return (holder,) if holder in named else ()


class _Index:
    """The lists there are, by their marks; an offer makes those it stands in, and a row looks them up."""

    def __init__(self) -> None:
        self._number: dict[_Marks, int] = {(None, None, None): ANYTHING}
        self._by_type: dict[EnergyType, tuple[int, ...]] = {}
        self._by_wish: dict[tuple[tuple[Address, ...], tuple[EnergyType, ...]], tuple[int, ...]] = {}

    def of_offer(
        self,
        offer: WalkOrder,
        partners: tuple[Address, ...],
        named_by_bids: Collection[Address],
        wanted: Collection[EnergyType],
    ) -> tuple[int, ...]:
        """Return the lists in which an offer stands, `ANYTHING` first where it names no partners."""
        energy = offer.energy_type
        seller = _named(offer, named_by_bids) if named_by_bids else ()
        if not partners and not seller and (known := self._by_type.get(energy)):
            return known
        types = (None, energy) if energy in wanted else (None,)
        lists = tuple(
            self._number.setdefault((buyer, partner, kind), len(self._number))
            for buyer in partners or (None,)
            for partner in (None, *seller)
            for kind in types
        )
        if not partners and not seller:
            self._by_type[energy] = lists
        return lists

    def of_bid(self, buyer: tuple[Address, ...], wish: Alternative | None) -> tuple[int, ...]:
        """Return the lists that a row accepts, of those that have an offer; none accepts all."""
        partners, types = ((), ()) if wish is None else (wish.partners, wish.energy_types)
        if not buyer and (known := self._by_wish.get((partners, types))) is not None:
            return known
        asked = (
            self._number.get((who, partner, kind))
            for who in (None, *buyer)
            for partner in partners or (None,)
            for kind in types or (None,)
        )
        lists = tuple(number for number in asked if number is not None)
        if not buyer:
            self._by_wish[partners, types] = lists
        return lists
