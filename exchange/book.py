"""The published book of one session: everything the exchange took and decided for it, in the order it happened.

Whoever holds the book and can read the chain needs nothing else to check the session.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from exchange.anonymous import NO_BLIND
from exchange.delivery import Market, SessionKey
from exchange.documents import event_from_document, event_to_document, hexed
from exchange.errors import OrderMalformed, SessionNotCleared
from exchange.events import (
    ForecastSet,
    NodeTermsSet,
    OrderAccepted,
    OrderCancelled,
    ParametersSet,
    ProposalTaken,
    SessionCleared,
    TickCleared,
)
from exchange.fields import raw_bytes
from exchange.held_session import Session
from exchange.parameters import Parameters
from exchange.rulebook import Rulebook
from exchange.terms import under

Kind = TypeVar("Kind", NodeTermsSet, OrderAccepted, OrderCancelled, TickCleared, ProposalTaken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What was ordered, taken back and cleared in one session, and the rules that held.

    `parameters` are those of the founding, `changes` all that were made of them before the session's gate opened, in
    their order; `rules` are what they make. `ticks` are the clearings while the gate was open, in order; `cleared`
    is what they and the last one came to. `proposals` are what matchers
    proposed, whose rows are named by `blind`. Raises `ValueError` where they make none.
    """

    key: SessionKey
    parameters: Parameters
    orders: tuple[OrderAccepted, ...]
    cancellations: tuple[OrderCancelled, ...]
    cleared: SessionCleared
    changes: tuple[NodeTermsSet, ...] = ()
    ticks: tuple[TickCleared, ...] = ()
    blind: bytes = NO_BLIND
    proposals: tuple[ProposalTaken, ...] = ()
    rules: Parameters = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rules = self.parameters
        if rules.market_or_none(self.key.market) is None:
            raise ValueError(f"the rules know no market {self.key.market}")
        for change in self.changes:
            if change.terms.node not in rules.tree:
                raise ValueError(f"the rules know no node {change.terms.node}")
            rules = under(rules, change.terms)
        object.__setattr__(self, "rules", rules)

    @property
    def market(self) -> Market:
        """The product that was traded."""
        return self.rules.market_of(self.key.market)

    @property
    def forecasts(self) -> tuple[ForecastSet, ...]:
        """The forecasts that its orders were held to, in the order they were taken."""
        return self.cleared.forecasts

    @property
    def gate_opening(self) -> int:
        """When the session's gate opened."""
        return self.market.gate_opening(self.key.delivery_start)

    @property
    def gate_closure(self) -> int:
        """When the session's gate closed."""
        return self.market.gate_closure(self.key.delivery_start)

    def to_document(self) -> dict[str, Any]:
        """Return the book as plain values for JSON."""
        return {
            "session": self.key.number,
            "parameters": self.parameters.to_document(),
            "changes": [event_to_document(change) for change in self.changes],
            "orders": [event_to_document(order) for order in self.orders],
            "cancellations": [event_to_document(cancellation) for cancellation in self.cancellations],
            "ticks": [event_to_document(tick) for tick in self.ticks],
            "blind": hexed(self.blind),
            "proposals": [event_to_document(proposal) for proposal in self.proposals],
            "cleared": event_to_document(self.cleared),
        }


def book_of(session: Session, rulebook: Rulebook) -> Book:
    """Return the book of a session; refuses one that is not cleared yet."""
    key, parameters = session.key, rulebook.founding
    if session.cleared is None:
        closure = parameters.market_of(key.market).gate_closure(key.delivery_start)
        raise SessionNotCleared(str(key), closure)
    return Book(
        key=key,
        parameters=parameters,
        changes=rulebook.changes_before(key),
        orders=tuple(session.orders.values()),
        cancellations=tuple(session.cancelled.values()),
        ticks=session.ticks,
        blind=session.blind,
        proposals=session.proposals,
        cleared=session.cleared,
    )


def book_from_document(document: Mapping[str, Any]) -> Book:
    """Read a published book; raises `OrderMalformed` naming what is wrong with its form."""
    if not isinstance(document, Mapping) or set(document) != {
        "session",
        "parameters",
        "changes",
        "orders",
        "cancellations",
        "ticks",
        "blind",
        "proposals",
        "cleared",
    }:
        raise OrderMalformed(
            "a book has session, parameters, changes, orders, cancellations, ticks, blind, proposals and cleared, "
            "and nothing else"
        )
    rules = event_from_document({"event": "parameters-set", "parameters": document["parameters"], "at": 0})
    cleared = event_from_document(document["cleared"])
    if not isinstance(cleared, SessionCleared) or not isinstance(rules, ParametersSet):
        raise OrderMalformed("a book ends with a clearing")
    if cleared.session.number != document["session"]:
        raise OrderMalformed("the clearing is of another session than the book")
    ticks = tuple(_events(document["ticks"], TickCleared))
    proposals = tuple(_events(document["proposals"], ProposalTaken))
    if {*(tick.session for tick in ticks), *(taken.session for taken in proposals)} - {cleared.session}:
        raise OrderMalformed("a tick or a proposal is of another session than the book")
    try:
        return Book(
            key=cleared.session,
            parameters=rules.parameters,
            changes=tuple(_events(document["changes"], NodeTermsSet)),
            orders=tuple(_events(document["orders"], OrderAccepted)),
            cancellations=tuple(_events(document["cancellations"], OrderCancelled)),
            ticks=ticks,
            blind=raw_bytes(document["blind"], 32, "blind"),
            proposals=proposals,
            cleared=cleared,
        )
    except ValueError as error:
        raise OrderMalformed(str(error)) from error


def _events(documents: object, kind: type[Kind]) -> Iterator[Kind]:
    if not isinstance(documents, list):
        raise OrderMalformed("changes, orders, cancellations, ticks and proposals are lists")
    for document in documents:
        event = event_from_document(document)
        if not isinstance(event, kind):
            raise OrderMalformed(f"an event of another kind stands among {kind.__name__}")
        yield event
