"""A session as the market holds it, what is kept of it once it is settled and forgotten, and how it is made again."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from exchange.delivery import SessionKey
from exchange.events import Event, GateClosed, OrderAccepted, OrderCancelled, SessionCleared, SessionSettled
from exchange.session import SessionState, Step, after
from exchange.units import MicroPerKwh, Nano, Wh


@dataclass(slots=True)
class Session:
    """One session as the market holds it: every order that was taken, and what became of it."""

    key: SessionKey
    state: SessionState = SessionState.OPEN
    orders: dict[bytes, OrderAccepted] = field(default_factory=dict)
    cancelled: dict[bytes, OrderCancelled] = field(default_factory=dict)
    closed_at: int | None = None
    cleared: SessionCleared | None = None
    settled_at: int | None = None

    def live(self) -> list[OrderAccepted]:
        """Return the orders that were not taken back, in the order they came."""
        return [order for digest, order in self.orders.items() if digest not in self.cancelled]

    def summary(self) -> "Summary":
        """Return the session in a few numbers."""
        clearing = None if self.cleared is None else self.cleared.clearing
        return Summary(
            key=self.key,
            state=self.state,
            orders=len(self.orders),
            cancelled=len(self.cancelled),
            closed_at=self.closed_at,
            cleared_at=None if self.cleared is None else self.cleared.at,
            settled_at=self.settled_at,
            rate=None if clearing is None else clearing.rate,
            value=None if clearing is None else clearing.value,
            energy=None if clearing is None else clearing.energy,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A session in a few numbers: all that is kept of one that is settled and forgotten."""

    key: SessionKey
    state: SessionState
    orders: int
    cancelled: int
    closed_at: int | None
    cleared_at: int | None
    settled_at: int | None
    rate: MicroPerKwh | None
    value: Nano | None
    energy: Wh | None


class SessionForgotten(Exception):
    """The session is settled, and its orders are no longer held here: whoever asks finds them in the archive first.

    Not a refusal: the desk answers it by `Market.recall`.
    """

    def __init__(self, key: SessionKey) -> None:
        super().__init__(str(key))
        self.key = key


def rebuilt(key: SessionKey, events: Iterable[Event]) -> Session:
    """Return a session as its own events leave it, in their order. Raises `AssertionError` where they cannot be its."""
    session = Session(key)
    for event in events:
        match event:
            case OrderAccepted():
                assert event.signed.order.session == key, "the order is for another session"
                session.orders[event.digest] = event
            case OrderCancelled():
                session.cancelled[event.digest] = event
            case GateClosed():
                session.state, session.closed_at = after(session.state, Step.CLOSE), event.at
            case SessionCleared():
                session.state, session.cleared = after(session.state, Step.CLEAR), event
            case SessionSettled():
                session.state, session.settled_at = after(session.state, Step.SETTLE), event.at
    return session
