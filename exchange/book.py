"""The published book of one session: everything the exchange took and decided for it, in the order it happened.

Whoever holds the book and can read the chain needs nothing else to check the session.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from exchange.delivery import SessionKey
from exchange.documents import event_from_document, event_to_document
from exchange.errors import OrderMalformed, SessionNotCleared
from exchange.events import (
    OrderAccepted,
    OrderCancelled,
    ParametersSet,
    SessionCleared,
)
from exchange.held_session import Session
from exchange.parameters import Parameters

Kind = TypeVar("Kind", OrderAccepted, OrderCancelled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What was ordered, taken back and cleared in one session, and the parameters that held."""

    key: SessionKey
    parameters: Parameters
    orders: tuple[OrderAccepted, ...]
    cancellations: tuple[OrderCancelled, ...]
    cleared: SessionCleared

    def to_document(self) -> dict[str, Any]:
        """Return the book as plain values for JSON."""
        return {
            "session": self.key.number,
            "parameters": self.parameters.to_document(),
            "orders": [event_to_document(order) for order in self.orders],
            "cancellations": [event_to_document(cancellation) for cancellation in self.cancellations],
            "cleared": event_to_document(self.cleared),
        }


def book_of(session: Session, parameters: Parameters) -> Book:
    """Return the book of a session; refuses one that is not cleared yet."""
    key = session.key
    if session.cleared is None:
        raise SessionNotCleared(str(key), parameters.market.gate_closure(key.delivery_start))
    return Book(
        key=key,
        parameters=parameters,
        orders=tuple(session.orders.values()),
        cancellations=tuple(session.cancelled.values()),
        cleared=session.cleared,
    )


def book_from_document(document: Mapping[str, Any]) -> Book:
    """Read a published book; raises `OrderMalformed` naming what is wrong with its form."""
    if not isinstance(document, Mapping) or set(document) != {
        "session",
        "parameters",
        "orders",
        "cancellations",
        "cleared",
    }:
        raise OrderMalformed("a book has session, parameters, orders, cancellations and cleared, and nothing else")
    rules = event_from_document({"event": "parameters-set", "parameters": document["parameters"], "at": 0})
    cleared = event_from_document(document["cleared"])
    if not isinstance(cleared, SessionCleared) or not isinstance(rules, ParametersSet):
        raise OrderMalformed("a book ends with a clearing")
    if cleared.session.number != document["session"]:
        raise OrderMalformed("the clearing is of another session than the book")
    return Book(
        key=cleared.session,
        parameters=rules.parameters,
        orders=tuple(_events(document["orders"], OrderAccepted)),
        cancellations=tuple(_events(document["cancellations"], OrderCancelled)),
        cleared=cleared,
    )


def _events(documents: object, kind: type[Kind]) -> Iterator[Kind]:
    if not isinstance(documents, list):
        raise OrderMalformed("orders and cancellations are lists")
    for document in documents:
        event = event_from_document(document)
        if not isinstance(event, kind):
            raise OrderMalformed(f"an event of another kind stands among {kind.__name__}")
        yield event
