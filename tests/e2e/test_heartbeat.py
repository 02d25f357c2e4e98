"""The heartbeat dies at every step in turn; whatever the next process finds, each session is settled once."""

import time
from contextlib import ExitStack, closing

import pytest

from app.auditing import gather, judge
from app.clock import SetClock
from app.heartbeat import HeartbeatThread
from contracts.errors import NodeUnreachable
from contracts.local_evm import LocalEvm
from exchange.effects.desk import Taken
from exchange.session import SessionState
from settlement.facts import BatchSettled
from settlement.lifecycle import State
from settlement.statement import totals
from tests.e2e.day import LEAD_SECONDS, NEXT, order_of, rebuilt, signed_by
from tests.simulators.crash import Crash, Crashing, CrashPlan
from tests.simulators.unsteady_evm import UnsteadyEvm

OPENED = NEXT - 2_000
CLOSED = NEXT - LEAD_SECONDS + 1
STEPS = {
    "reading the chain": ("_indexer", "advance", 0),
    "clearing": ("_desk", "close_and_clear", 0),
    "sealing": ("_submitter", "enqueue", 0),
    "submitting": ("_submitter", "step", 0),
    "reading what was mined": ("_indexer", "advance", 2),
    "noting what is settled": ("_desk", "settled", 0),
}


def trade(exchange):
    """Hand in two orders that meet; return their session."""
    founded = exchange.founded
    orders = [
        signed_by(founded, "consumer", order_of(founded, "consumer", "load", 800, 250_000, start=NEXT)),
        signed_by(founded, "producer", order_of(founded, "producer", "pv", 500, 90_000, start=NEXT)),
    ]
    assert all(isinstance(result, Taken) for result in exchange.house.desk.submit(orders))
    return orders[0].order.session


def state_of(exchange, key):
    return exchange.house.desk.look(lambda market, _: market.session(key).state)


def times_settled(exchange, key):
    facts = [stored.witnessed.fact for stored in exchange.house.store.facts()]
    return sum(isinstance(fact, BatchSettled) and fact.session == key.number for fact in facts)


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_session_is_settled_once_whenever_the_process_dies(stack, copy, step, after):
    owner, method, times = STEPS[step]
    clock = SetClock(OPENED)
    evm = stack.enter_context(closing(LocalEvm.reopen(copy / "chain.jsonl", clock)))  # a chain outlives who uses it
    with rebuilt(copy, OPENED, evm) as exchange:
        clock.set(CLOSED)
        exchange.clock.set(OPENED)
        key, heartbeat = trade(exchange), exchange.house.heartbeat
        plan = CrashPlan(times, after=after)
        setattr(heartbeat, owner, Crashing(getattr(heartbeat, owner), {method}, plan))
        with pytest.raises(Crash):
            exchange.beat(CLOSED)
    clock.set(CLOSED + 2)
    with rebuilt(copy, CLOSED + 1, evm) as exchange:
        exchange.beat(CLOSED + 2)
        assert state_of(exchange, key) is SessionState.SETTLED
        assert times_settled(exchange, key) == 1
        assert [batch.state for batch in exchange.house.store.batches(key.number)] == [State.FINAL]
        for member in exchange.founded.members:
            lines = exchange.house.heartbeat.statements.lines(member.account)
            assert totals(lines).balance == exchange.house.contract.credit_of(member.account)
        exchange.beat(CLOSED + 3)
        assert times_settled(exchange, key) == 1
        assert judge(gather(copy), exchange.evm).findings == ()


def test_a_session_is_cleared_once_the_chain_was_read_beyond_its_gate_closure(copy):
    with rebuilt(copy, OPENED) as exchange:
        key, heartbeat = trade(exchange), exchange.house.heartbeat
        heartbeat._catch_up = None  # a chain on which others mine
        exchange.beat(CLOSED)
        assert state_of(exchange, key) is SessionState.OPEN
        exchange.evm.mine()
        exchange.beat(CLOSED + 1)
        assert state_of(exchange, key) is SessionState.SETTLED


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_a_heart_goes_on_beating_when_the_chain_comes_back(copy):
    with rebuilt(copy, OPENED) as exchange:
        key, heartbeat = trade(exchange), exchange.house.heartbeat
        chain = UnsteadyEvm(exchange.evm)
        exchange.house.contract.evm = chain
        chain.away = True
        exchange.clock.set(CLOSED)
        heard = []
        heart = HeartbeatThread(heartbeat, exchange.house.desk, every=0.01, before=heard.append)
        heart.start()
        try:
            until(lambda: heartbeat.last_error is not None)
            assert "it is away" in heartbeat.last_error
            assert state_of(exchange, key) is SessionState.OPEN
            chain.away = False
            until(lambda: state_of(exchange, key) is SessionState.SETTLED)
            until(lambda: heartbeat.last_error is None)
        finally:
            heart.stop()
        assert set(heard) == {CLOSED}


def test_a_heart_survives_a_fault_and_says_so(copy):
    with rebuilt(copy, OPENED) as exchange:

        def stumble(now):
            raise ZeroDivisionError("over a stone")

        heart = HeartbeatThread(exchange.house.heartbeat, exchange.house.desk, every=0.01, before=stumble)
        heart.start()
        try:
            until(lambda: exchange.house.heartbeat.last_error == "ZeroDivisionError: over a stone")
        finally:
            heart.stop()


def test_a_beat_says_that_the_chain_does_not_answer(copy):
    with rebuilt(copy, OPENED) as exchange:
        chain = UnsteadyEvm(exchange.evm)
        exchange.house.contract.evm = chain
        chain.away = True
        with pytest.raises(NodeUnreachable):
            exchange.beat(CLOSED)
