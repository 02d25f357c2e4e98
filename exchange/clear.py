"""Clearing one session: own energy first, then its mechanism. Same orders, same bytes, in whatever order."""

from collections.abc import Iterable, Sequence

import numpy as np

from exchange.auction import Column, Columns
from exchange.clearing import Clearing
from exchange.delivery import Mechanism, SessionKey
from exchange.mechanism import RULES
from exchange.order import Side
from exchange.own_energy import own_use
from exchange.resting import Resting
from exchange.trade import Trade
from exchange.units import MicroPerKwh, Wh

__all__ = ["Resting", "clear"]


def clear(
    entries: Iterable[Resting],
    *,
    session: SessionKey,
    fee: MicroPerKwh,
    mechanism: Mechanism = Mechanism.PAY_AS_CLEAR,
) -> Clearing:
    """Clear `session` by `mechanism`; its node takes `fee` on top of what sellers get.

    No account trades with itself: admission refuses own orders that cross at different homes, and should any stand
    here all the same, the later one lapses. Where nothing is traded there is no rate, and `low` and `high` are the
    best bid (less the fee) and the best offer, each none where that side is empty. Every order is for this session
    and stands here once; anything else is a bug of the caller.
    """
    orders = sorted(entries, key=lambda resting: resting.arrival)
    assert all(resting.order.session == session for resting in orders), "every order is for this session"
    uses, left = own_use(orders)
    assert len(left) == len(orders), "every order stands in the book once"
    lapsed = _crossing_their_own([resting for resting in orders if left[resting.digest]], fee)
    book = [resting for resting in orders if left[resting.digest] and resting.digest not in lapsed]
    bids = [resting for resting in book if resting.order.side is Side.BID]
    offers = [resting for resting in book if resting.order.side is Side.OFFER]
    bid_rates = [_net_limit(resting, fee) for resting in bids]
    offer_rates = [_net_limit(resting, fee) for resting in offers]
    result = RULES[mechanism](
        _columns(bid_rates, [left[resting.digest] for resting in bids]),
        _columns(offer_rates, [left[resting.digest] for resting in offers]),
        markets=1,
    )
    trading = bool(result.energy[0])
    trades = [
        Trade(session=session, bid=bids[bid].digest, offer=offers[offer].digest, energy=energy, rate=rate, fee_rate=fee)
        for bid, offer, energy, rate in zip(
            result.bid.tolist(), result.offer.tolist(), result.quantity.tolist(), result.rate.tolist(), strict=True
        )
    ]
    return Clearing(
        rate=_first(result.uniform) if trading and result.uniform is not None else None,
        low=_first(result.low) if trading else max(bid_rates, default=None),
        high=_first(result.high) if trading else min(offer_rates, default=None),
        trades=tuple(sorted(trades, key=Trade.leaf)),
        own_uses=tuple(uses),
        lapsed=tuple(sorted(lapsed)),
    )


def _first(column: Column) -> MicroPerKwh:
    return MicroPerKwh(int(column[0]))


def _net_limit(resting: Resting, fee: MicroPerKwh) -> MicroPerKwh:
    """Return the limit as a rate for the seller: a bid's limit covers the fee too."""
    limit = resting.order.limit
    return MicroPerKwh(limit - fee) if resting.order.side is Side.BID else limit


def _columns(rates: Sequence[MicroPerKwh], energies: Sequence[Wh]) -> Columns:
    return Columns(
        np.zeros(len(rates), dtype=np.int64), np.array(rates, dtype=np.int64), np.array(energies, dtype=np.int64)
    )


def _crossing_their_own(orders: Iterable[Resting], fee: MicroPerKwh) -> set[bytes]:
    """Return the orders, taken as they came, that cross an order of the same account that stays."""
    best_bid: dict[int, MicroPerKwh] = {}
    best_offer: dict[int, MicroPerKwh] = {}
    lapsed = set()
    for resting in orders:
        account, limit = resting.account, _net_limit(resting, fee)
        if resting.order.side is Side.BID:
            crosses = account in best_offer and limit >= best_offer[account]
            own, better = best_bid, max
        else:
            crosses = account in best_bid and limit <= best_bid[account]
            own, better = best_offer, min
        if crosses:
            lapsed.add(resting.digest)
        else:
            own[account] = better(own.get(account, limit), limit)
    return lapsed
