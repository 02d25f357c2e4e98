"""What of the journal may be watched, as it happens: each entry as the events it stands for.

Sessions and settlements are for everybody; an order's and a trade's events are for whom their accounts may be read by,
which is judged elsewhere. Even so an order shows as little as that there is one: its session, and the hash of the
blind in its receipt. Who handed it in has the receipt and knows it again; nobody else can find out which order it is,
not even by guessing, since only the exchange can make a blind. An event is the same whenever it is read.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from exchange.clearing import Clearing
from exchange.delivery import SessionKey
from exchange.documents import hexed
from exchange.effects.trade_index import TradeRecord
from exchange.effects.views import trade_document
from exchange.events import (
    Event,
    GateClosed,
    OrderAccepted,
    OrderCancelled,
    SessionCleared,
    SessionSettled,
    TickCleared,
)
from exchange.held_session import Session
from exchange.receipt import Receipt
from identity.hashing import keccak

Document = dict[str, Any]


class Topic(StrEnum):
    """What an event is about."""

    ORDERS = "orders"
    TRADES = "trades"
    SESSIONS = "sessions"
    SETTLEMENTS = "settlements"


class Place(NamedTuple):
    """Where an event stands: the number of its journal entry, and its place among that entry's events."""

    sequence: int
    part: int

    def __str__(self) -> str:
        """Return it as the `id` of an event."""
        return f"{self.sequence}.{self.part}"


@dataclass(frozen=True, slots=True)
class PublicEvent:
    """One event; `accounts` are an order's, or those of a trade's two sides, and none for what everybody may hear."""

    place: Place
    topic: Topic
    kind: str
    data: str
    accounts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the rest of what an event says is found: a session, an order, and what the chain holds."""

    session: Callable[[SessionKey], Session]
    order: Callable[[bytes], OrderAccepted]
    settlement: Callable[[SessionKey], Document | None]


def receipt_name(receipt: Receipt) -> str:
    """Return what an order is called in public events: the hash of the blind in its receipt."""
    return hexed(keccak(receipt.blind))


def public_events(sequence: int, event: Event, sources: Sources) -> Sequence[PublicEvent]:
    """Return the public events of a journal entry, in order; none where it is of no interest."""
    return [
        PublicEvent(Place(sequence, part), topic, kind, json.dumps(data, separators=(",", ":")), accounts)
        for part, (topic, kind, data, accounts) in enumerate(_events(event, sources))
    ]


def _events(event: Event, sources: Sources) -> Iterator[tuple[Topic, str, Document, tuple[int, ...]]]:
    match event:
        case OrderAccepted():
            name = receipt_name(event.receipt)
            data = _of(event.signed.order.session, event.receipt.received_at) | {"receipt": name}
            yield Topic.ORDERS, "order-accepted", data, (event.account,)
        case OrderCancelled():
            accepted = sources.order(event.digest)
            data = _of(event.session, event.at) | {"receipt": receipt_name(accepted.receipt)}
            yield Topic.ORDERS, "order-cancelled", data, (accepted.account,)
        case TickCleared():
            yield Topic.SESSIONS, "tick-cleared", _of(event.session, event.at) | _figures(event.clearing), ()
        case GateClosed():
            yield Topic.SESSIONS, "gate-closed", _of(event.session, event.at), ()
        case SessionCleared():
            yield from _cleared(event, sources.session(event.session))
        case SessionSettled():
            settlement = sources.settlement(event.session) or {"batches": []}
            yield Topic.SESSIONS, "session-settled", _of(event.session, event.at), ()
            yield Topic.SETTLEMENTS, "settlement", _of(event.session, event.at) | settlement, ()


def _cleared(event: SessionCleared, session: Session) -> Iterator[tuple[Topic, str, Document, tuple[int, ...]]]:
    clearing = event.clearing
    summary = {
        "orders": len(session.orders),
        "cancelled": len(session.cancelled),
        "rate_micro_per_kwh": clearing.rate,
        **_figures(clearing),
    }
    yield Topic.SESSIONS, "session-cleared", _of(event.session, event.at) | summary, ()
    for trade in clearing.trades:
        buyer, seller = session.orders[trade.bid].account, session.orders[trade.offer].account
        record = TradeRecord(leaf=trade.leaf(), trade=trade, buyer=buyer, seller=seller)
        yield Topic.TRADES, "trade", trade_document(record) | {"at": event.at}, (buyer, seller)


def _figures(clearing: Clearing) -> Document:
    return {
        "average_micro_per_kwh": clearing.average,
        "energy_wh": clearing.energy,
        "own_use_wh": sum(use.energy for use in clearing.own_uses),
        "trades": len(clearing.trades),
    }


def _of(key: SessionKey, at: int) -> Document:
    return {"session": key.number, "session_name": str(key), "at": at}
