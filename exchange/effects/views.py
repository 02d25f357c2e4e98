"""The market as it is shown: orders with their trail, sessions without names, trades.

A view is made of a copy that `look` takes under the desk's lock; the copying is quick, the rendering is done outside.
Accounts are numbers and assets addresses: no view holds a name or a reading.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from exchange.clearing import Clearing, OwnUse
from exchange.delivery import Market as Terms
from exchange.delivery import Product, SessionKey
from exchange.documents import hexed, order_to_document, receipt_to_document, trade_to_document
from exchange.effects.trade_index import TradeRecord
from exchange.errors import UnknownSession
from exchange.events import OrderAccepted, OrderCancelled
from exchange.explanation import Outcome, why
from exchange.held_session import Session, Summary
from exchange.market import Market
from exchange.order import Side
from exchange.parameters import Parameters
from exchange.resting import Resting
from exchange.session_clearing import resting_order
from exchange.trade import Trade
from exchange.units import amount, per_kwh

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """One order at one moment, with what became of its session."""

    accepted: OrderAccepted
    cancelled: OrderCancelled | None
    session: Session
    parameters: Parameters
    trades: tuple[TradeRecord, ...]
    matched: int

    @property
    def status(self) -> str:
        """How far the order has come: its session's state, unless it was taken back."""
        return "cancelled" if self.cancelled is not None else self.session.state.value

    def outcome(self) -> Outcome | None:
        """What became of the order, once its session is cleared."""
        cleared = self.session.cleared
        if cleared is None:
            return None
        return why(
            resting_order(self.accepted, self.parameters),
            cleared.clearing,
            self.parameters.tree,
            mechanism=self.parameters.market_of(self.session.key.market).mechanism,
            cancelled=self.cancelled is not None,
            excluded=dict(cleared.excluded).get(self.accepted.digest),
        )


def view_order(market: Market, digest: bytes) -> OrderView:
    """Copy what is to be said of an order, or refuse it as unknown."""
    session = market.session_of(digest)
    traded: tuple[TradeRecord, ...] = ()
    if session.cleared is not None:
        traded = tuple(
            TradeRecord(
                leaf=trade.leaf(),
                trade=trade,
                buyer=session.orders[trade.bid].account,
                seller=session.orders[trade.offer].account,
            )
            for trade in session.cleared.clearing.trades
            if digest in (trade.bid, trade.offer)
        )
    return OrderView(
        accepted=session.orders[digest],
        cancelled=session.cancelled.get(digest),
        session=replace(session),
        parameters=market.rulebook.rules(session.key),
        trades=traded,
        matched=session.used.get(digest, 0),
    )


def taken_document(accepted: OrderAccepted, status: str) -> Document:
    """Return the acknowledgement of an order that has come as far as `status`."""
    return {
        "digest": hexed(accepted.digest),
        "session": accepted.signed.order.session.number,
        "session_name": str(accepted.signed.order.session),
        "status": status,
        "receipt": receipt_to_document(accepted.receipt),
    }


def order_document(view: OrderView, settlement: Document | None) -> Document:
    """Return an order with its trail; `settlement` is what is known of its session on the chain."""
    outcome = view.outcome()
    return {
        **taken_document(view.accepted, view.status),
        "order": order_to_document(view.accepted.signed),
        "account": view.accepted.account,
        "matched_wh": view.matched,
        "trail": list(_trail(view, outcome, settlement)),
        "outcome": None
        if outcome is None
        else {
            "code": outcome.code,
            "sentence": outcome.sentence,
            "filled_wh": outcome.filled,
            "own_use_wh": outcome.own_use,
        },
    }


def _trail(view: OrderView, outcome: Outcome | None, settlement: Document | None) -> Iterable[Document]:
    accepted, session = view.accepted, view.session
    received_at = accepted.receipt.received_at
    yield {"step": "received", "at": received_at}
    yield {"step": "accepted", "at": received_at, "sequence": accepted.receipt.sequence, "account": accepted.account}
    steps = list(_ticks(view))
    if view.cancelled is not None:
        steps.append({"step": "cancelled", "at": view.cancelled.at})
    yield from steps
    if session.closed_at is not None:
        yield {"step": "gate-closed", "at": session.closed_at}
    if session.cleared is not None and outcome is not None and (view.cancelled is None or view.trades):
        used = [use for use in session.cleared.clearing.own_uses if accepted.digest in (use.bid, use.offer)]
        yield {
            "step": "matched" if view.trades or used else "not-matched",
            "at": session.cleared.at,
            "why": outcome.code,
            "trades": [trade_document(record) for record in view.trades],
            "own_uses": [_own_use(use) for use in used],
        }
    if settlement is not None or session.settled_at is not None:
        yield {"step": "settled", "at": session.settled_at, "settlement": settlement}


def _ticks(view: OrderView) -> Iterable[Document]:
    """Yield the ticks at which something of the order was matched.

    A trade has no name before its gate has closed: what two orders trade at the same rate is one trade in the end.
    """
    digest = view.accepted.digest
    for tick in view.session.ticks:
        trades = [trade for trade in tick.clearing.trades if digest in (trade.bid, trade.offer)]
        used = [use for use in tick.clearing.own_uses if digest in (use.bid, use.offer)]
        if trades or used:
            yield {
                "step": "tick",
                "at": tick.at,
                "trades": [_fill(trade) for trade in trades],
                "own_uses": [_own_use(use) for use in used],
            }


def _fill(trade: Trade) -> Document:
    shown = trade_to_document(trade) | {"fee_rate_micro_per_kwh": trade.fee_rate}
    del shown["bid"], shown["offer"]  # while the book is open, nobody learns which orders there are
    return shown


def _own_use(use: OwnUse) -> Document:
    return {"bid": hexed(use.bid), "offer": hexed(use.offer), "energy_wh": use.energy}


def trade_document(record: TradeRecord) -> Document:
    """Return a trade with what it moves."""
    trade = record.trade
    return {
        "leaf": hexed(record.leaf),
        "session": trade.session.number,
        "session_name": str(trade.session),
        "delivery_start": trade.session.delivery_start,
        **trade_to_document(trade),
        "fee_rate_micro_per_kwh": trade.fee_rate,
        "alternative": trade.alternative,
        "buyer": record.buyer,
        "seller": record.seller,
        "value_nano": trade.value,
        "fee_nano": trade.fee,
        "cost_nano": trade.cost,
    }


def read_session_name(text: str) -> SessionKey:
    """Return the session with this number or name ("1-spot-1782000000"); anything else is an unknown session."""
    try:
        if text.isascii() and text.isdecimal() and len(text) <= 25:
            return SessionKey.of(int(text))
        market, product, delivery_start = text.split("-")
        key = SessionKey(int(market), Product[product.upper()], int(delivery_start))
    except (ValueError, KeyError) as error:
        raise UnknownSession(text) from error
    if str(key) != text:
        raise UnknownSession(text)
    return key


def summary_document(session: Summary, terms: Terms) -> Document:
    """Return a session and how far it has come; of an open book only how many orders it holds."""
    key = session.key
    return {
        "session": key.number,
        "name": str(key),
        "market": key.market,
        "product": key.product.name.lower(),
        "mechanism": terms.mechanism.title,
        "delivery_start": key.delivery_start,
        "delivery_end": key.delivery_start + terms.period,
        "gate_opening": terms.gate_opening(key.delivery_start),
        "gate_closure": terms.gate_closure(key.delivery_start),
        "state": session.state.value,
        "orders": session.orders,
        "cancelled": session.cancelled,
        "closed_at": session.closed_at,
        "cleared_at": session.cleared_at,
        "settled_at": session.settled_at,
        "rate_micro_per_kwh": session.rate,
        "average_micro_per_kwh": None
        if session.value is None or session.energy is None
        else per_kwh(session.value, session.energy),
        "energy_wh": session.energy,
    }


def session_document(
    session: Session, parameters: Parameters, settlement: Document | None, *, curves: bool
) -> Document:
    """Return a session with its clearing, once there is one; with `curves` also its book without names.

    `session` is a copy; the orders of a cleared session no longer change, those of an open one are not looked at.
    """
    document = summary_document(session.summary(), parameters.market_of(session.key.market))
    cleared = session.cleared
    document |= {"book": None, "clearing": None, "settlement": settlement}
    if cleared is not None:
        clearing, excluded = cleared.clearing, dict(cleared.excluded)
        standing = [order for order in session.took_part() if order.digest not in excluded]
        resting = sorted((resting_order(order, parameters) for order in standing), key=lambda entry: entry.merit)
        if curves:
            document["book"] = {
                "bids": _nameless(resting, Side.BID, clearing),
                "offers": _nameless(resting, Side.OFFER, clearing),
            }
        document["clearing"] = {
            "rate_micro_per_kwh": clearing.rate,
            "average_micro_per_kwh": clearing.average,
            "low_micro_per_kwh": clearing.low,
            "high_micro_per_kwh": clearing.high,
            "energy_wh": clearing.energy,
            "own_use_wh": sum(use.energy for use in clearing.own_uses),
            "value_nano": clearing.value,
            "fee_nano": sum(trade.fee for trade in clearing.trades),
            "fees_by_node": _fees_by_node(clearing) if curves else None,  # a node may be one home
            "trades": len(clearing.trades),
            "excluded": [{"order": hexed(digest), "code": code} for digest, code in cleared.excluded]
            if curves
            else None,
            "lapsed": [hexed(digest) for digest in clearing.lapsed] if curves else None,
            "parameters": hexed(cleared.parameters),
            "proposer": hexed(cleared.proposer) if cleared.proposer else None,
        }
    return document


def _fees_by_node(clearing: Clearing) -> list[Document]:
    """Return what each node got of a session, by number; one that got nothing is left out."""
    fees: dict[int, int] = {}
    for trade in clearing.trades:
        for share in trade.fees.shares:
            fees[share.node] = fees.get(share.node, 0) + amount(trade.energy, share.rate)
    return [{"node": node, "fee_nano": fee} for node, fee in sorted(fees.items()) if fee]


def _nameless(entries: list[Resting], side: Side, clearing: Clearing) -> list[Document]:
    filled: dict[bytes, int] = {}
    used: dict[bytes, int] = {}
    for trade in clearing.trades:
        for digest in (trade.bid, trade.offer):
            filled[digest] = filled.get(digest, 0) + trade.energy
    for use in clearing.own_uses:
        for digest in (use.bid, use.offer):
            used[digest] = used.get(digest, 0) + use.energy
    return [
        {
            "energy_wh": entry.order.energy,
            "limit_micro_per_kwh": entry.order.limit,
            "filled_wh": filled.get(entry.digest, 0),
            "own_use_wh": used.get(entry.digest, 0),
        }
        for entry in entries
        if entry.order.side is side
    ]
