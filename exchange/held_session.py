"""A session as the market holds it, what is kept of it once it is settled and forgotten, and how it is made again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from exchange.anonymous import NO_BLIND
from exchange.delivery import SessionKey
from exchange.events import (
    Event,
    GateClosed,
    OrderAccepted,
    OrderCancelled,
    ProposalTaken,
    SessionCleared,
    SessionSettled,
    TickCleared,
)
from exchange.session import SessionState, Step, after
from exchange.ticks import used_by
from exchange.units import MicroPerKwh, Nano, Wh


@dataclass(slots=True)
class Session:
    """One session as the market holds it: every order that was taken, and what became of it.

    `used` is what ticks have matched of each order so far (Wh); what was matched is not taken back.
    """

    key: SessionKey
    state: SessionState = SessionState.OPEN
    orders: dict[bytes, OrderAccepted] = field(default_factory=dict)
    cancelled: dict[bytes, OrderCancelled] = field(default_factory=dict)
    ticks: tuple[TickCleared, ...] = ()
    used: dict[bytes, int] = field(default_factory=dict)
    blind: bytes = NO_BLIND
    proposals: tuple[ProposalTaken, ...] = ()
    closed_at: int | None = None
    cleared: SessionCleared | None = None
    settled_at: int | None = None

    def live(self) -> list[OrderAccepted]:
        """Return the orders that were not taken back, in the order they came."""
        return [order for digest, order in self.orders.items() if digest not in self.cancelled]

    def took_part(self) -> list[OrderAccepted]:
        """Return the orders of which something stands or was matched, in the order they came."""
        return [order for digest, order in self.orders.items() if digest not in self.cancelled or digest in self.used]

    def left(self, digest: bytes) -> Wh:
        """Return what ticks have left of an order so far."""
        return Wh(self.orders[digest].signed.order.energy - self.used.get(digest, 0))

    def costs(self) -> Mapping[int, int]:
        """Return what the trades of a cleared session cost each account that pays on balance (nano)."""
        assert self.cleared is not None, "what is not cleared has no trades yet"
        net: dict[int, int] = {}
        for trade in self.cleared.clearing.trades:
            buyer, seller = self.orders[trade.bid].account, self.orders[trade.offer].account
            net[buyer] = net.get(buyer, 0) + trade.cost
            net[seller] = net.get(seller, 0) - trade.value
        return {account: cost for account, cost in net.items() if cost > 0}

    def tick(self, event: TickCleared) -> list[OrderAccepted]:
        """Take up what was matched at a tick; returns the orders that were used up by it."""
        self.state = after(self.state, Step.TICK)
        self.ticks = (*self.ticks, event)
        matched = used_by([event.clearing])
        self.used = self.used | {digest: self.used.get(digest, 0) + energy for digest, energy in matched.items()}
        assert all(self.left(digest) >= 0 and digest not in self.cancelled for digest in matched), "matched beyond"
        return [self.orders[digest] for digest in sorted(matched) if not self.left(digest)]

    def close(self, event: GateClosed) -> None:
        """Take no more orders."""
        self.state, self.closed_at, self.blind = after(self.state, Step.CLOSE), event.at, event.blind

    def propose(self, event: ProposalTaken) -> None:
        """Take up a proposal."""
        self.state, self.proposals = after(self.state, Step.PROPOSE), (*self.proposals, event)

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
            case TickCleared():
                session.tick(event)
            case GateClosed():
                session.close(event)
            case ProposalTaken():
                session.propose(event)
            case SessionCleared():
                session.state, session.cleared = after(session.state, Step.CLEAR), event
            case SessionSettled():
                session.state, session.settled_at = after(session.state, Step.SETTLE), event.at
    return session
