"""Every check on an incoming order, in order of precedence: the first that fails is the answer.

     1  malformed-order         (at the edge: the bytes make no order)
     2  bad-signature           nobody's canonical signature of this digest
     3  wrong-market            another node, or a product not traded here
     4  not-a-delivery-start    no delivery period begins then
     5  unknown-asset, asset-without-owner, asset-not-enrolled, asset-sold, asset-not-certified, asset-not-current,
        not-a-balancing-provider, orders-voided, not-authorised (or, by the reason, mandate-ended,
        mandate-of-earlier-owner, ownership-ended); in balancing rate-above-certified, not-a-balancing-agent
     6  gate-not-open, gate-closed
     7  order-expired           ends before the gate closes
     8  size-out-of-bounds      energy, then limit
     9  preferences-unknown, preferences-differ, malformed-order (preferences that no order of its side can have)
    10  order-cancelled         this very order was taken back before
    11  no-forecast, beyond-forecast
                                the asset would have more on order and matched than was forecast of it, where the
                                community holds its members to that
        beyond-headroom, no-state-of-charge (or session-not-cleared: what it has traded for that time is not known)
                                the asset cannot do what it offers in balancing beside what it has traded and offered
    12  own-crossing            the account could trade with itself
    13  short-of-collateral     free credit does not cover the worst case

An order that is already held is not refused: it is answered as it was the first time.
Steps 3 to 9 look at the order alone and stand here; 10 to 13 need what else there is and stand in `market.py`.
"""

from exchange.balancing_admission import check_balancing
from exchange.delivery import BALANCING, Market
from exchange.errors import (
    GateClosed,
    GateNotOpen,
    NotADeliveryStart,
    OrderExpired,
    PreferencesDiffer,
    PreferencesUnknown,
    SizeOutOfBounds,
    WrongMarket,
)
from exchange.order import NO_PREFERENCES, Order, Side, SignedOrder
from exchange.parameters import Parameters
from exchange.preferences import check_fit
from identity.address import Address
from identity.registry import Registry, Standing


def admit(signed: SignedOrder, signer: Address, parameters: Parameters, registry: Registry, now: int) -> Standing:
    """Return for which account `signer` may place an order at `now`, or refuse it by the first rule it breaks.

    That there is such a market was checked before (`check_market`); `parameters` are the rules of its session.
    """
    order = signed.order
    standing = judge(order, signer, parameters, registry)
    check_terms(order, parameters, now)
    check_preferences(signed, parameters)
    return standing


def judge(
    order: Order, signer: Address, parameters: Parameters, registry: Registry, *, number: int | None = None
) -> Standing:
    """Return for which account `signer` may act for the order's asset as of its gate closure, or refuse.

    `number` is the enrolment under which the order was taken, if it was.
    """
    closure = parameters.market_of(order.market).gate_closure(order.delivery_start)
    balancing = order.product in BALANCING
    standing = registry.judge(
        order.asset,
        signer,
        order.epoch,
        closure,
        balancing=balancing and order.side is Side.OFFER,
        number=number,
    )
    if balancing:
        check_balancing(order, standing, parameters, registry, closure)
    return standing


def check_market(order: Order, parameters: Parameters) -> None:
    """Refuse an order for another market, another product or no delivery period."""
    market = parameters.market_or_none(order.market)
    if market is None or order.product != market.product:
        raise WrongMarket(order.market, order.product)
    if not market.is_delivery_start(order.delivery_start):
        raise NotADeliveryStart(order.delivery_start, market.period)


def check_terms(order: Order, parameters: Parameters, now: int) -> None:
    """Refuse an order that comes too early or late, ends too early, or asks for what the community does not take."""
    market = parameters.market_of(order.market)
    closure = market.gate_closure(order.delivery_start)
    check_gate(market, order.delivery_start, now)
    if order.valid_until < closure:
        raise OrderExpired(order.valid_until, closure)
    if not parameters.least_energy <= order.energy <= parameters.most_energy:
        raise SizeOutOfBounds("energy", order.energy, parameters.least_energy, parameters.most_energy)
    if not parameters.lowest_limit <= order.limit <= parameters.highest_limit:
        raise SizeOutOfBounds("limit", order.limit, parameters.lowest_limit, parameters.highest_limit)


def check_preferences(signed: SignedOrder, parameters: Parameters) -> None:
    """Refuse preferences where there are to be none, and a hash without what it stands for, or with something else."""
    order, preferences = signed.order, signed.preferences
    if preferences is None:
        if order.preferences != NO_PREFERENCES:
            raise PreferencesUnknown
        return
    if not parameters.preferences:
        raise PreferencesUnknown
    if preferences.hash() != order.preferences:
        raise PreferencesDiffer
    check_fit(preferences, order.limit, is_offer=order.side is Side.OFFER)


def check_gate(market: Market, delivery_start: int, now: int) -> None:
    """Refuse what comes before the gate opens or from its closure on."""
    opens, closes = market.gate_opening(delivery_start), market.gate_closure(delivery_start)
    if now < opens:
        raise GateNotOpen(opens)
    if now >= closes:
        raise GateClosed(closes)
