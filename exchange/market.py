"""The market as a state machine: decide from the state, write the event down, then fold it in.

Methods named by a verb in the imperative (`take`, `cancel`, `close`, `clear`) decide: they change nothing and return
the event that should happen, or refuse. `apply` is the only method that changes the state, and replaying the journal
through it gives the same state again.
"""

from bisect import insort
from collections.abc import Callable

from exchange.admission import admit, check_gate, check_market
from exchange.anonymous import NO_BLIND
from exchange.crossings import Crossings
from exchange.delivery import SessionKey
from exchange.errors import (
    GateClosed,
    OrderCancelledBefore,
    OrderFilled,
    OwnCrossing,
    ShortOfCollateral,
)
from exchange.events import (
    ChargeStated,
    Event,
    ForecastSet,
    NodeTermsSet,
    OrderAccepted,
    OrderCancelled,
    ParametersSet,
    ProposalTaken,
    SessionCleared,
    SessionSettled,
    TickCleared,
)
from exchange.events import (
    GateClosed as GateClosedEvent,
)
from exchange.forecasts import Forecasts
from exchange.held_session import Session
from exchange.held_sessions import HeldSessions
from exchange.order import Order, SignedOrder, cancellation_digest
from exchange.own_orders import OwnOrders, home_for
from exchange.parameters import Parameters
from exchange.positions import Positions
from exchange.receipt import Receipt
from exchange.recovered import Recovered, recovered
from exchange.reserves import Reserves
from exchange.rulebook import Rulebook
from exchange.session import SessionState, Step, after, follows
from exchange.session_clearing import clear_closed, clear_tick
from exchange.terms import NodeTerms
from exchange.units import Nano, Wh
from identity.claim_data import EnergyType
from identity.registry import Registry
from identity.signature import recover

_KEPT_SECONDS = 32 * 86_400
"""How long after its delivery began it is kept what crossed boundaries and what assets are to deliver: no session is
cleared so late."""


class Market(HeldSessions):
    """The state of one exchange, and what it decides from it."""

    def __init__(self) -> None:
        super().__init__()
        self.next_sequence = 1
        self._rulebook: Rulebook | None = None
        self._separator = b""
        self._reserved: dict[int, int] = {}
        self._own_orders: dict[tuple[SessionKey, int], OwnOrders] = {}
        self._uncleared: dict[SessionKey, None] = {}
        self.crossings = Crossings({}, 1)
        self.positions = Positions({}, 1)
        self.forecasts = Forecasts({}, 1, bind=False)
        self.reserves = Reserves({}, 1)
        self._tick_due: dict[SessionKey, int] = {}  # of open sessions in which something was ordered since the last
        self.latest_tick = 0  # nothing is decided as of an earlier instant, should the clock be set back
        self.turn = 0  # how many clearings there were, ticks included

    @property
    def rulebook(self) -> Rulebook:
        """Which rules hold for which session; a market without any is a bug of the caller."""
        assert self._rulebook is not None, "the first entry of a journal sets the parameters"
        return self._rulebook

    @property
    def parameters(self) -> Parameters:
        """The rules as they were founded; those of a session are in the rulebook."""
        return self.rulebook.founding

    @property
    def has_parameters(self) -> bool:
        """Whether the rules have been set."""
        return self._rulebook is not None

    @property
    def separator(self) -> bytes:
        """The domain separator under which orders are signed here."""
        return self._separator

    # Questions

    def reserved(self, account: int) -> Nano:
        """Return what the account's orders and unsettled trades can still cost it."""
        return Nano(self._reserved.get(account, 0))

    def due(self, now: int) -> list[Session]:
        """Return the sessions that are to be cleared by `now` and are not yet, in the order in which they are due."""
        clears_at = (
            (self.parameters.market_of(key.market).clears_at(key.delivery_start), key) for key in self._uncleared
        )
        return [self.sessions[key] for at, key in sorted(clears_at) if at <= now]

    def closing(self, now: int) -> list[SessionKey]:
        """Return the open sessions whose gate closure has come by `now`, in order of closure."""
        closures = ((self.gate_closure(key), key) for key in self._uncleared)
        return [key for at, key in sorted(closures) if at <= now and self.sessions[key].state is SessionState.OPEN]

    def ticks_due(self, now: int) -> list[SessionKey]:
        """Return the sessions in which orders are to be matched by `now` before anything else is decided, in order.

        A tick at which nothing was ordered since the one before is passed over.
        """
        return sorted(key for key, due in self._tick_due.items() if due <= now)

    def gate_closure(self, key: SessionKey) -> int:
        """Return when the gate of a session closes."""
        return self.parameters.market_of(key.market).gate_closure(key.delivery_start)

    # Decisions

    def take(
        self,
        signed: SignedOrder,
        *,
        registry: Registry,
        credit: Callable[[int], Nano],
        receipt: Callable[[bytes, int, int], Receipt],
        sequence: int,
        now: int,
        known: Recovered | None = None,
    ) -> OrderAccepted:
        """Decide on an incoming order that is not held yet: accept it as number `sequence`, or refuse it.

        `credit` tells what an account could withdraw at once; `receipt` makes the acknowledgement, signed or to be
        signed with others (`acknowledge`); `known` is what was
        recovered of this very order before, under this market's separator.
        """
        order = signed.order
        known = recovered(signed, order.digest(self._separator)) if known is None else known
        digest, signer = known.digest, known.must_be_signed()
        check_market(order, self.parameters)
        key = order.session
        standing = admit(signed, signer, self.rulebook.rules(key), registry, now)
        session = self.sessions.get(key)
        if session is not None:
            if not follows(session.state, Step.ORDER):
                raise GateClosed(self.gate_closure(key))
            if digest in session.cancelled:
                raise OrderCancelledBefore(digest)
        elif key in self.forgotten:
            raise GateClosed(self.gate_closure(key))
        self.forecasts.check(order, self.positions)
        self.reserves.must_fit(order, self.positions, self._uncleared, registry)
        account = standing.account.number
        self._refuse_own_crossing(order, key, account)
        free = Nano(credit(account) - self.reserved(account))
        if order.most_it_can_cost > free:
            raise ShortOfCollateral(order.most_it_can_cost, free)
        known_by = self.parameters.preferences  # what the preferences of others are held against
        return OrderAccepted(
            digest=digest,
            signed=signed,
            receipt=receipt(digest, sequence, now),
            signer=signer,
            account=account,
            asset=standing.asset.number,
            free=free,
            holder=standing.account.holder if known_by else b"",
            energy_type=registry.energy_type(order.asset, self.gate_closure(key)) if known_by else EnergyType.NONE,
        )

    def cancel(self, digest: bytes, signature: bytes, *, registry: Registry, now: int) -> OrderCancelled | None:
        """Decide on a signed cancellation; nothing is to be done for an order that is cancelled already."""
        session = self.session_of(digest)
        order = session.orders[digest].signed.order
        signer = recover(cancellation_digest(digest, self._separator), signature)
        market = self.parameters.market_of(order.market)
        registry.judge(order.asset, signer, order.epoch, market.gate_closure(order.delivery_start))
        if digest in session.cancelled:
            return None
        check_gate(market, order.delivery_start, now)
        if not follows(session.state, Step.CANCEL):
            raise GateClosed(market.gate_closure(order.delivery_start))
        if not session.left(digest):
            raise OrderFilled(digest)
        return OrderCancelled(digest=digest, session=session.key, signature=signature, at=now)

    def tick(self, key: SessionKey, *, registry: Registry, now: int) -> TickCleared:
        """Decide what the orders of an open session make of each other at the newest tick that has come by `now`.

        Ticks that were missed are made up for as one: nothing was ordered in between, or they would not be missing.
        """
        session = self.session(key)
        assert follows(session.state, Step.TICK), "orders are matched at ticks while the gate is open"
        at = self.parameters.market_of(key.market).newest_tick(key.delivery_start, now)
        assert at is not None, "a tick has come"
        clearing, excluded = clear_tick(session, self.rulebook.rules(key), registry, self.crossings)
        upto = next(reversed(session.orders.values())).receipt.sequence
        return TickCleared(session=key, clearing=clearing, excluded=excluded, upto=upto, turn=self.turn, at=at)

    def close(self, key: SessionKey, now: int, blind: bytes = NO_BLIND) -> GateClosedEvent:
        """Decide to close a session whose gate closure has come; `blind` is what names its rows for matchers."""
        session = self.session(key)
        assert follows(session.state, Step.CLOSE), "only an open session closes"
        assert now >= self.gate_closure(key), "a gate does not close early"
        return GateClosedEvent(session=key, at=now, blind=blind)

    def clear(self, key: SessionKey, *, registry: Registry, now: int) -> SessionCleared:
        """Decide the clearing of a closed session; orders whose authority has ended since are left out by name."""
        session = self.session(key)
        assert follows(session.state, Step.CLEAR), "only a closed session is cleared"
        clearing, excluded, proposer = clear_closed(session, self.rulebook.rules(key), registry, self.crossings)
        return SessionCleared(
            session=key,
            clearing=clearing,
            excluded=excluded,
            parameters=self.rulebook.hash(key),
            at=now,
            turn=self.turn,
            proposer=proposer,
            forecasts=self.forecasts.behind(session.orders.values()),
        )

    def set_terms(self, terms: NodeTerms, signature: bytes, *, registry: Registry, now: int) -> NodeTermsSet | None:
        """Decide on a signed change of a node's fee and limits; nothing is to be done for one that was taken before."""
        return self.rulebook.change(
            terms, signature, separator=self._separator, registry=registry, now=now, begun=self.sessions
        )

    # The fold

    def apply(self, event: Event) -> None:
        """Make `event` part of the state."""
        match event:
            case ParametersSet():
                self._rulebook = Rulebook(event.parameters)
                self._separator = event.parameters.domain.separator()
                calendar, slot = event.parameters.calendar, event.parameters.slot
                self.crossings, self.positions = Crossings(calendar, slot), Positions(calendar, slot)
                self.forecasts = Forecasts(calendar, slot, bind=event.parameters.forecast_caps)
                self.reserves = Reserves(calendar, slot)
            case NodeTermsSet():
                self.rulebook.set(event)
            case ForecastSet():
                self.forecasts.set(event)
            case ChargeStated():
                self.reserves.state(event)
            case OrderAccepted():
                self._accept(event)
            case OrderCancelled():
                session = self.sessions[event.session]
                session.state = after(session.state, Step.CANCEL)
                accepted = session.orders[event.digest]
                assert event.digest not in session.cancelled, "an order is taken back once"
                session.cancelled[event.digest] = event
                order = accepted.signed.order
                self._take_away(accepted)
                self._reserve(accepted.account, -order.can_cost(session.left(event.digest)))
                self.reserves.remove(order)
                self.forecasts.reduce(order, to=Wh(session.used.get(event.digest, 0)))
            case TickCleared():
                session = self.sessions[event.session]
                for accepted in session.tick(event):
                    self._take_away(accepted)
                self.crossings.tick(event.session, event.clearing)
                self._tick_due.pop(event.session, None)
                self.latest_tick = max(self.latest_tick, event.at)
                self.turn += 1
            case GateClosedEvent():
                self.sessions[event.session].close(event)
                self._tick_due.pop(event.session, None)
            case ProposalTaken():
                self.sessions[event.session].propose(event)
            case SessionCleared():
                self._clear(event)
            case SessionSettled():
                session = self.sessions[event.session]
                session.state = after(session.state, Step.SETTLE)
                session.settled_at = event.at
                for account, cost in session.costs().items():
                    self._reserve(account, -cost)

    def acknowledge(self, event: OrderAccepted) -> None:
        """Put the signed receipt of an order in place of the bare one that it was taken with."""
        session = self.sessions[event.signed.order.session]
        assert not session.orders[event.digest].receipt.signature, "an order is acknowledged once"
        session.orders[event.digest] = event

    def _accept(self, event: OrderAccepted) -> None:
        order = event.signed.order
        key = order.session
        session = self.sessions.get(key)
        if session is None:
            assert key not in self.forgotten, "a settled session takes no orders"
            session = self.sessions[key] = Session(key)
            insort(self.in_order, key)
            self._uncleared[key] = None
        session.state = after(session.state, Step.ORDER)
        assert event.digest not in session.orders, "an order is taken once"
        session.orders[event.digest] = event
        self._session_of[event.digest] = session.key
        own = self._own_orders.get((session.key, event.account))
        if own is None:
            own = self._own_orders[session.key, event.account] = OwnOrders()
        own.add(order, event.digest, home_for(order, self.parameters))
        self._reserve(event.account, order.most_it_can_cost)
        self.forecasts.add(order)
        self.reserves.add(order)
        self.next_sequence = event.receipt.sequence + 1
        if key not in self._tick_due:
            market = self.parameters.market_of(key.market)
            due = market.tick_after(key.delivery_start, event.receipt.received_at)
            if due is not None:
                self._tick_due[key] = due

    def _take_away(self, accepted: OrderAccepted) -> None:
        """Let go of an order of which nothing stands any more, among those that its account must not cross."""
        order = accepted.signed.order
        own = self._own_orders[order.session, accepted.account]
        own.remove(order, accepted.digest, home_for(order, self.parameters))
        if not own:
            del self._own_orders[order.session, accepted.account]

    def _clear(self, event: SessionCleared) -> None:
        session = self.sessions[event.session]
        session.state = after(session.state, Step.CLEAR)
        session.cleared = event
        del self._uncleared[event.session]
        self.crossings.note(event.session, event.clearing)
        self.positions.note(event.session, session.orders, event.clearing)
        self.reserves.award(session, event.clearing)
        for kept in (self.crossings, self.positions, self.forecasts, self.reserves):
            kept.forget(event.at - _KEPT_SECONDS)
        self.turn += 1
        for accepted in session.took_part():  # of one that was taken back, what was matched before is still reserved
            order, taken_back = accepted.signed.order, accepted.digest in session.cancelled
            still = Wh(session.used[accepted.digest]) if taken_back else order.energy
            self._reserve(accepted.account, -order.can_cost(still))
            self.forecasts.remove(order, still)
        for account, cost in session.costs().items():
            self._reserve(account, cost)
        for account in {accepted.account for accepted in session.orders.values()}:
            self._own_orders.pop((event.session, account), None)

    def _reserve(self, account: int, nano: int) -> None:
        reserved = self._reserved.get(account, 0) + nano
        assert reserved >= 0, "no more is freed than was reserved"
        if reserved:
            self._reserved[account] = reserved
        else:
            self._reserved.pop(account, None)

    def _refuse_own_crossing(self, order: Order, key: SessionKey, account: int) -> None:
        own = self._own_orders.get((key, account))
        if own is not None:
            other = own.crossing(order, home_for(order, self.parameters), self.rulebook.rules(key).tree)
            if other is not None:
                raise OwnCrossing(other)
