"""The market as a state machine: whatever happens, replaying what was written down gives the same state."""

import copy
import json

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from exchange.documents import event_from_document, event_to_document
from exchange.errors import ExchangeRefused, GateClosed, OrderCancelledBefore, UnknownOrder, UnknownSession
from exchange.events import Event, OrderAccepted, OrderCancelled, ParametersSet, SessionSettled
from exchange.market import Market
from exchange.order import Side
from exchange.session import SessionState
from identity.errors import BadSignature, IdentityRefused, NotAuthorised
from identity.facts import ClaimRevoked
from tests.actors import AGENT, STRANGER
from tests.exchange import street
from tests.registries import ASSET_ROLE, CERTIFIER


def take(market, signed, registry, purse, now):
    """Have the market decide on an order and make the decision so."""
    event = market.take(
        signed, registry=registry, credit=purse, receipt=street.receipt, sequence=market.next_sequence, now=now
    )
    market.apply(event)
    return event


def replayed(events: list[Event]) -> Market:
    """Return the market that the events lead to, after a journey through JSON."""
    market = Market()
    for event in events:
        market.apply(event_from_document(json.loads(json.dumps(event_to_document(event)))))
    return market


class AnyDay(RuleBasedStateMachine):
    """A day on the street: orders come and go, gates close, sessions are cleared and settled, authority ends."""

    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        self.market = Market()
        self.registry = street.registry()
        self.purse = street.Purse(dict.fromkeys(street.ACCOUNTS.values(), 5_000_000_000))
        self.now = street.OPENING
        self.events: list[Event] = []
        self.happen(ParametersSet(parameters=street.PARAMETERS, at=0))

    def happen(self, event: Event) -> None:
        """Write an event down and make it so."""
        self.events.append(event)
        self.market.apply(event)

    @rule(
        target=orders,
        asset=st.sampled_from(sorted(street.ASSETS)),
        side=st.sampled_from(Side),
        period=st.integers(0, 2),
        energy=st.integers(5, 2_000),
        limit=st.integers(-60_000, 400_000),
        salt=st.integers(0, 3),
    )
    def an_order_comes(self, asset, side, period, energy, limit, salt):
        start = street.START + 900 * period
        signed = street.signed(
            street.order(asset, side, delivery_start=start, energy=energy, limit=limit, salt=salt),
        )
        if self.market.held(street.digest_of(signed)) is not None:
            return multiple()
        try:
            event = self.market.take(
                signed,
                registry=self.registry,
                credit=self.purse,
                receipt=street.receipt,
                sequence=self.market.next_sequence,
                now=self.now,
            )
        except (ExchangeRefused, IdentityRefused):
            return multiple()
        self.happen(event)
        return event

    @rule(event=orders, by=st.sampled_from([None, STRANGER]))
    def an_order_is_taken_back(self, event: OrderAccepted, by):
        before = event.digest in self.market.session_of(event.digest).cancelled
        signature = street.cancellation(event.signed, by)
        try:
            cancelled = self.market.cancel(event.digest, signature, registry=self.registry, now=self.now)
        except (GateClosed, IdentityRefused):
            return
        assert by is None
        assert (cancelled is None) == before
        if cancelled is not None:
            self.happen(cancelled)

    @rule(seconds=st.integers(1, 1_000))
    def time_passes(self, seconds):
        self.now = max(self.now, street.CLOSURE - 500) + seconds

    @rule()
    def what_is_due_is_closed_and_cleared(self):
        for session in self.market.due(self.now):
            if session.state is SessionState.OPEN:
                self.happen(self.market.close(session.key, self.now))
            self.happen(self.market.clear(session.key, registry=self.registry, now=self.now))
        assert self.market.due(self.now) == []

    @rule(event=consumes(orders))
    def a_certificate_is_revoked(self, event: OrderAccepted):
        self.registry.apply(ClaimRevoked(event.signed.order.asset, ASSET_ROLE, CERTIFIER.address, self.now))

    @rule(event=orders)
    def a_session_is_settled(self, event: OrderAccepted):
        session = self.market.session_of(event.digest)
        if session.state is SessionState.CLEARED:
            self.happen(SessionSettled(session=session.key, at=self.now))

    @invariant()
    def replaying_what_was_written_down_gives_the_same_state(self):
        assert street.state_of(replayed(self.events)) == street.state_of(self.market)

    @invariant()
    def what_is_reserved_is_what_orders_and_trades_can_still_cost(self):
        reserved: dict[int, int] = {}
        for session in self.market.sessions.values():
            if session.state in {SessionState.OPEN, SessionState.CLOSED}:
                for accepted in session.live():
                    cost = accepted.signed.order.most_it_can_cost
                    reserved[accepted.account] = reserved.get(accepted.account, 0) + cost
            elif session.state is SessionState.CLEARED:
                net: dict[int, int] = {}
                for trade in session.cleared.clearing.trades:
                    buyer, seller = session.orders[trade.bid].account, session.orders[trade.offer].account
                    assert buyer != seller
                    net[buyer] = net.get(buyer, 0) + trade.cost
                    net[seller] = net.get(seller, 0) - trade.value
                for account, cost in net.items():
                    reserved[account] = reserved.get(account, 0) + max(cost, 0)
        for account in street.ACCOUNTS.values():
            assert self.market.reserved(account) == reserved.get(account, 0)
            assert self.market.reserved(account) <= self.purse(account)

    @invariant()
    def receipts_are_numbered_without_gaps(self):
        numbers = [event.receipt.sequence for event in self.events if isinstance(event, OrderAccepted)]
        assert numbers == list(range(1, self.market.next_sequence))


AnyDay.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
TestAnyDay = AnyDay.TestCase


def test_a_cancelled_order_is_refused_when_it_comes_again(market, registry, purse):
    order = street.bid()
    take(market, order, registry, purse, street.OPENING)
    digest = street.digest_of(order)
    market.apply(market.cancel(digest, street.cancellation(order), registry=registry, now=street.OPENING))
    with pytest.raises(OrderCancelledBefore):
        take(market, order, registry, purse, street.OPENING)
    take(market, street.bid(salt=2), registry, purse, street.OPENING)


def test_a_cancellation_frees_what_the_order_had_reserved(market, registry, purse):
    order = street.bid()
    take(market, order, registry, purse, street.OPENING)
    assert market.reserved(2) == 300_000_000
    event = market.cancel(street.digest_of(order), street.cancellation(order), registry=registry, now=street.OPENING)
    assert market.reserved(2) == 300_000_000
    market.apply(event)
    assert market.reserved(2) == 0


def test_a_cancelled_order_no_longer_crosses_another(market, registry, purse):
    order = street.bid(street.HOUSE)
    take(market, order, registry, purse, street.OPENING)
    market.apply(
        market.cancel(street.digest_of(order), street.cancellation(order), registry=registry, now=street.OPENING)
    )
    take(market, street.offer(street.BARN), registry, purse, street.OPENING)


@pytest.mark.parametrize(
    ("by", "refusal"), [(None, None), (AGENT, None), (STRANGER, NotAuthorised)], ids=["owner", "delegate", "stranger"]
)
def test_who_may_order_may_cancel(market, registry, purse, by, refusal):
    order = street.bid()
    take(market, order, registry, purse, street.OPENING)
    signature = street.cancellation(order, by)
    if refusal is None:
        event = market.cancel(street.digest_of(order), signature, registry=registry, now=street.OPENING)
        assert event == OrderCancelled(
            digest=street.digest_of(order), session=street.SESSION, signature=signature, at=street.OPENING
        )
    else:
        with pytest.raises(refusal):
            market.cancel(street.digest_of(order), signature, registry=registry, now=street.OPENING)


@pytest.mark.parametrize(("now", "taken_back"), [(street.CLOSURE - 1, True), (street.CLOSURE, False)])
def test_an_order_is_taken_back_before_its_gate_closes_and_not_after(market, registry, purse, now, taken_back):
    order = street.bid()
    take(market, order, registry, purse, street.OPENING)
    digest, signature = street.digest_of(order), street.cancellation(order)
    if taken_back:
        assert market.cancel(digest, signature, registry=registry, now=now) is not None
    else:
        with pytest.raises(GateClosed):
            market.cancel(digest, signature, registry=registry, now=now)


def test_a_cancellation_is_not_the_signature_of_the_order(market, registry, purse):
    order = street.bid()
    take(market, order, registry, purse, street.OPENING)
    with pytest.raises((NotAuthorised, BadSignature)):
        market.cancel(street.digest_of(order), order.signature, registry=registry, now=street.OPENING)


def test_a_closed_session_takes_nothing_though_the_clock_went_back(market, registry, purse):
    take(market, street.bid(), registry, purse, street.OPENING)
    market.apply(market.close(street.SESSION, street.CLOSURE))
    with pytest.raises(GateClosed):
        take(market, street.bid(salt=2), registry, purse, street.CLOSURE - 1)
    order = street.bid()
    with pytest.raises(GateClosed):
        market.cancel(street.digest_of(order), street.cancellation(order), registry=registry, now=street.CLOSURE - 1)


def test_a_session_is_not_closed_early(market, registry, purse):
    take(market, street.bid(), registry, purse, street.OPENING)
    assert market.due(street.CLOSURE - 1) == []
    with pytest.raises(AssertionError, match="early"):
        market.close(street.SESSION, street.CLOSURE - 1)
    assert [session.key for session in market.due(street.CLOSURE)] == [street.SESSION]


def test_unknown_orders_and_sessions_are_refused(market, registry):
    with pytest.raises(UnknownOrder):
        market.session_of(bytes(32))
    with pytest.raises(UnknownOrder):
        market.cancel(bytes(32), bytes(64), registry=registry, now=0)
    with pytest.raises(UnknownSession):
        market.session(street.SESSION)


def test_a_decision_alone_changes_nothing(market, registry, purse):
    before = copy.deepcopy(street.state_of(market))
    for _ in range(2):
        market.take(
            street.bid(), registry=registry, credit=purse, receipt=street.receipt, sequence=1, now=street.OPENING
        )
    assert street.state_of(market) == before
    assert market.held(street.digest_of(street.bid())) is None
