"""Clearing one session: own energy first, then the tree by its mechanism. Same orders, same bytes in any order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from exchange.balancing_tree import as_it_flows, reserve_tree
from exchange.clearing import Clearing, Held, NodeResult, OwnUse
from exchange.congestion import rents
from exchange.delivery import BALANCING, Mechanism, SessionKey
from exchange.fee_row import FeeRow
from exchange.found import Found, find
from exchange.order import Side
from exchange.own_energy import own_use, untouched
from exchange.resting import Resting
from exchange.trade import Trade
from exchange.tree import FeeShare, Tree
from exchange.units import MicroPerKwh, Wh

__all__ = ["Resting", "ToTrade", "clear", "to_trade"]


def clear(
    entries: Iterable[Resting],
    *,
    session: SessionKey,
    tree: Tree,
    mechanism: Mechanism = Mechanism.PAY_AS_CLEAR,
) -> Clearing:
    """Clear `session` over `tree`, whose limits are what may still cross in its delivery period.

    `mechanism` is that of nodes that name no other. No account trades with itself: admission refuses own orders that
    cross at different homes, and should any stand here all the same, the later one lapses. Every order is for this
    session, hangs on a node of the tree and stands here once; anything else is a bug of the caller.

    In a balancing session own energy is none: nobody's own offer serves its own need (`exchange/balancing_tree.py`).
    """
    tree = reserve_tree(tree, session.product)
    book = to_trade(entries, session=session, tree=tree)
    bids, offers = book.bids, book.offers
    found = find(bids, offers, book.left, tree, mechanism)
    rows = _Rows(tree, found.prices if mechanism is Mechanism.NETWORK else None)
    trades = together(
        Trade(
            session=session,
            bid=bids[match.bid].digest,
            offer=offers[match.offer].digest,
            energy=match.energy,
            rate=match.rate,
            fees=rows.between(offers[match.offer].node, bids[match.bid].node, match.rate),
            alternative=match.alternative,
        )
        for match in found.matches
    )
    low, high = _span(trades, found, bids, offers, tree)
    return Clearing(
        rate=_one_rate(trades, mechanism),
        low=low,
        high=high,
        trades=tuple(sorted(trades, key=Trade.leaf)),
        own_uses=book.own_uses,
        lapsed=book.lapsed,
        nodes=as_it_flows(_nodes(found, bids, offers, tree), session.product),
        held=tuple(
            sorted(
                (
                    Held(order=side[row].digest, node=node, energy=energy)
                    for side, row, node, energy in found.held_of(bids, offers)
                ),
                key=lambda held: (held.order, held.node),
            )
        ),
    )


@dataclass(frozen=True, slots=True)
class ToTrade:
    """What is to be traded once own energy is allocated: the orders of each side, and what is left of each (Wh)."""

    bids: Sequence[Resting]
    offers: Sequence[Resting]
    left: Mapping[bytes, Wh]
    own_uses: tuple[OwnUse, ...]
    lapsed: tuple[bytes, ...]


def to_trade(entries: Iterable[Resting], *, session: SessionKey, tree: Tree) -> ToTrade:
    """Allocate own energy and let those lapse that cross an earlier order of their account; in the order they came."""
    orders = sorted(entries, key=lambda resting: resting.arrival)
    assert all(resting.order.session == session for resting in orders), "every order is for this session"
    uses, left = untouched(orders) if session.product in BALANCING else own_use(orders)
    assert len(left) == len(orders), "every order stands in the book once"
    lapsed = _crossing_their_own([resting for resting in orders if left[resting.digest]], tree)
    book = [resting for resting in orders if left[resting.digest] and resting.digest not in lapsed]
    return ToTrade(
        bids=[resting for resting in book if resting.order.side is Side.BID],
        offers=[resting for resting in book if resting.order.side is Side.OFFER],
        left=left,
        own_uses=tuple(uses),
        lapsed=tuple(sorted(lapsed)),
    )


def together(trades: Iterable[Trade]) -> list[Trade]:
    """Return trades, those of one pair of orders at one rate as one: a leaf on the chain stands for one trade.

    Of the alternatives under which they were made the first is kept.
    """
    found: dict[tuple[bytes, bytes, int, bytes], Trade] = {}
    for trade in trades:
        what = trade.bid, trade.offer, trade.rate, trade.fees.name
        known = found.get(what)
        found[what] = trade if known is None else replace(known, energy=Wh(known.energy + trade.energy))
    return list(found.values())


class _Rows:
    """The fees between nodes, each way worked out once: by network clearing with the rents of full boundaries."""

    def __init__(self, tree: Tree, prices: Mapping[int, MicroPerKwh] | None) -> None:
        self._tree = tree
        self._prices = prices
        self._known: dict[tuple[int, int, MicroPerKwh], FeeRow] = {}

    def between(self, seller: int, buyer: int, rate: MicroPerKwh) -> FeeRow:
        """Return what the nodes on the way take where the seller gets `rate`."""
        way = (seller, buyer, MicroPerKwh(0) if self._tree.is_constant else rate)
        row = self._known.get(way)
        if row is None:
            row = self._known[way] = self._row(seller, buyer, rate)
        return row

    def _row(self, seller: int, buyer: int, rate: MicroPerKwh) -> FeeRow:
        tree = self._tree
        top = tree.top(seller, buyer)
        if self._prices is None:
            return FeeRow(tree.shares(seller, buyer, rate), top)
        rent = rents(tree, self._prices, seller, buyer)
        taken = (
            FeeShare(number, MicroPerKwh(tree[number].fee.at(rate) + rent.get(number, 0)))
            for number in tree.path(seller, buyer)
        )
        return FeeRow(tuple(share for share in taken if share.rate or share.node == top), top)


def _one_rate(trades: Sequence[Trade], mechanism: Mechanism) -> MicroPerKwh | None:
    rates = {trade.rate for trade in trades}
    return rates.pop() if len(rates) == 1 and mechanism.is_uniform else None


def _span(
    trades: Sequence[Trade], found: Found, bids: Sequence[Resting], offers: Sequence[Resting], tree: Tree
) -> tuple[MicroPerKwh | None, MicroPerKwh | None]:
    """Return the low and the high rate of a clearing, as sellers see them."""
    if not trades:
        net = (tree.most_for_seller(bid.order.limit, bid.node, bid.node) for bid in bids)
        return max(net, default=None), min((offer.order.limit for offer in offers), default=None)
    if len(found.ends) == 1 and not any(trade.fees.before_top for trade in trades):
        return next(iter(found.ends.values()))
    rates = [trade.rate for trade in trades]
    return min(rates), max(rates)


def _nodes(found: Found, bids: Sequence[Resting], offers: Sequence[Resting], tree: Tree) -> tuple[NodeResult, ...]:
    energy: dict[int, int] = {}
    exported: dict[int, int] = {}
    imported: dict[int, int] = {}
    for match in found.matches:
        energy[match.top] = energy.get(match.top, 0) + match.energy
        for crossed, number in ((exported, offers[match.offer].node), (imported, bids[match.bid].node)):
            for below in tree.below(number, match.top):
                crossed[below] = crossed.get(below, 0) + match.energy
    there = sorted({*energy, *exported, *imported, *found.prices})
    return tuple(
        NodeResult(
            node=number,
            energy=Wh(energy.get(number, 0)),
            imported=Wh(imported.get(number, 0)),
            exported=Wh(exported.get(number, 0)),
            price=found.prices.get(number),
            low=found.ends[number][0] if number in found.ends else None,
            high=found.ends[number][1] if number in found.ends else None,
        )
        for number in there
    )


def _crossing_their_own(orders: Iterable[Resting], tree: Tree) -> set[bytes]:
    """Return the orders, taken as they came, that cross an order of the same account that stays."""
    best_bids: dict[int, dict[int, MicroPerKwh]] = {}
    best_offers: dict[int, dict[int, MicroPerKwh]] = {}
    lapsed = set()
    for resting in orders:
        account, node, limit = resting.account, resting.node, resting.order.limit
        if resting.order.side is Side.BID:
            others = best_offers.get(account, {}).items()
            crosses = any(tree.agree(limit, offer, seller, node) for seller, offer in others)
            own, better = best_bids.setdefault(account, {}), max
        else:
            others = best_bids.get(account, {}).items()
            crosses = any(tree.agree(bid, limit, node, buyer) for buyer, bid in others)
            own, better = best_offers.setdefault(account, {}), min
        if crosses:
            lapsed.add(resting.digest)
        else:
            own[node] = better(own.get(node, limit), limit)
    return lapsed
