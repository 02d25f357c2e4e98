"""The heartbeat dies at every step in turn; whatever the next process finds, each session is settled once."""

import logging
import sqlite3
import time
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest

from app.auditing import gather, judge
from app.clock import SetClock
from app.founding import Founded, Keys
from app.heartbeat_thread import HeartbeatThread
from app.storage import Storage
from app.wiring import Places, build
from contracts.chains import preset_of
from contracts.devnet_server import DevnetServer
from contracts.errors import NodeUnreachable
from contracts.rpc_evm import RpcEvm
from exchange.effects.taken import Taken
from exchange.session import SessionState
from settlement.effects.store import StoredBatch
from settlement.facts import BatchSettled
from settlement.lifecycle import State
from settlement.statement import totals
from tests.e2e.day import LEAD_SECONDS, NEXT, PERIOD_SECONDS, Running, order_of, rebuilt, signed_by
from tests.simulators.crash import Crash, Crashing, CrashPlan
from tests.simulators.following_journal import FollowingJournal
from tests.simulators.remembering_evm import RememberingEvm
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


def trade(exchange, start=NEXT):
    """Hand in two orders that meet; return their session."""
    founded = exchange.founded
    orders = [
        signed_by(founded, "consumer", order_of(founded, "consumer", "load", 800, 250_000, start=start)),
        signed_by(founded, "producer", order_of(founded, "producer", "pv", 500, 90_000, start=start)),
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


@pytest.mark.parametrize(
    ("step", "after"),
    # to die after a step is to die before the next
    [*((step, False) for step in STEPS), (list(STEPS)[-1], True)],
    ids=[*(f"before {step}" for step in STEPS), "at the end"],
)
def test_a_session_is_settled_once_whenever_the_process_dies(stack, copy, step, after):
    owner, method, times = STEPS[step]
    clock = SetClock(OPENED)
    evm = stack.enter_context(
        closing(RememberingEvm.reopen(copy / "chain.jsonl", clock))
    )  # a chain outlives who uses it
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


def in_the_way_of(key):
    """A batch of the session with other content, which somebody left in the store."""
    return StoredBatch(
        session=key.number,
        part=0,
        parts=1,
        order_root=bytes(32),
        trade_root=bytes(32),
        parameters=bytes(32),
        calldata=b"",
        state=State.SEALED,
        sealed_at=CLOSED,
    )


def test_a_session_that_cannot_be_sealed_holds_up_no_other_and_is_tried_again_at_the_next_start(copy):
    with rebuilt(copy, OPENED) as exchange:
        key, heartbeat, store = trade(exchange), exchange.house.heartbeat, exchange.house.store
        later = trade(exchange, start=NEXT + PERIOD_SECONDS)
        store.enqueue([in_the_way_of(key)])
        store.save(replace(in_the_way_of(key), state=State.REFUSED))
        exchange.clock.set(CLOSED + PERIOD_SECONDS)
        beat = heartbeat.beat(CLOSED + PERIOD_SECONDS)
        assert [(found.session, found.code) for found in beat.unsealed] == [(key, "batch-conflict")]
        assert list(heartbeat.unsealed) == [key]
        assert (state_of(exchange, key), state_of(exchange, later)) == (SessionState.CLEARED, SessionState.SETTLED)
        assert heartbeat.beat(CLOSED + PERIOD_SECONDS + 1).unsealed == (), "it is said once"
    with rebuilt(copy, CLOSED + PERIOD_SECONDS + 2) as exchange:
        assert exchange.house.heartbeat.beat(CLOSED + PERIOD_SECONDS + 2).unsealed, "it is still in the way"
    with sqlite3.connect(copy / "settlement.db") as database:
        database.execute("DELETE FROM batches WHERE session = ?", [str(key.number)])
    database.close()
    with rebuilt(copy, CLOSED + PERIOD_SECONDS + 3) as exchange:
        exchange.beat(CLOSED + PERIOD_SECONDS + 3)
        assert state_of(exchange, key) is SessionState.SETTLED
        assert exchange.house.heartbeat.unsealed == {}
        assert judge(gather(copy), exchange.evm).findings == ()


def logged(caplog):
    """What was logged, by level and fields."""
    return [(record.levelname, getattr(record, "fields", {})) for record in caplog.records]


def test_who_submits_is_logged_when_it_changes_and_not_again(copy, caplog):
    caplog.set_level(logging.INFO, "merit.heartbeat")
    with rebuilt(copy, OPENED) as exchange:
        heartbeat, store = exchange.house.heartbeat, exchange.house.store
        assert heartbeat.beat(OPENED).led_by is None
        exchange.house.submitter.release()
        other = store.take_lease("the other", OPENED, OPENED + 60)
        assert [heartbeat.beat(OPENED + second).led_by for second in range(3)] == [other] * 3
        assert heartbeat.led_by == other
        assert heartbeat.beat(OPENED + 60).led_by is None
        assert heartbeat.led_by is None
    assert logged(caplog) == [
        ("WARNING", {"holder": "the other", "term": other.term, "until": OPENED + 60}),
        ("INFO", {"holder": exchange.house.submitter.holder}),
    ]


def test_a_deep_reorganisation_is_logged_and_counted(copy, caplog):
    with rebuilt(copy, OPENED) as exchange:
        exchange.evm.mine()
        exchange.beat(OPENED)
        before = exchange.house.heartbeat.statements.lines(1)
        store = exchange.house.store
        cursor = store.cursor()
        store.roll_back(cursor.number - 1)
        kept = store.cursor().number
        store.extend([replace(cursor, hash=b"\7" * 32)], [])  # what the chain once said
        beat = exchange.house.heartbeat.beat(OPENED + 5)
        assert (beat.deep_reorg.kept, beat.deep_reorg.read) == (kept, cursor.number)
        assert exchange.house.heartbeat.deep_reorgs == 1
        assert exchange.house.heartbeat.last_deep_reorg == beat.deep_reorg
        assert exchange.house.heartbeat.statements.lines(1) == before
        assert exchange.house.heartbeat.beat(OPENED + 6).deep_reorg is None
        assert exchange.house.heartbeat.deep_reorgs == 1
    fields = {"code": "deep-reorg", "kept": kept, "read": cursor.number}
    assert logged(caplog) == [("ERROR", fields)]


def behind_its_node(stack, copy, evm, clock, **settings):
    """The exchange of `copy`, with its chain behind JSON-RPC."""
    node = stack.enter_context(DevnetServer(evm, 0))
    founded = Founded.read(copy / "exchange.json")
    preset = replace(preset_of(evm.chain_id), **settings)
    house = build(Places(copy), founded, Keys.devnet(), clock, RpcEvm(node.url), preset=preset)
    stack.enter_context(house)
    return Running(copy, founded, house, evm, clock, "", node.url)


@pytest.mark.parametrize("confirmations", [0, 2])
def test_a_chain_that_mines_only_what_is_sent_is_sent_something_where_a_block_is_waited_for(stack, copy, confirmations):
    clock = SetClock(OPENED)
    evm = stack.enter_context(closing(RememberingEvm.reopen(copy / "chain.jsonl", clock)))
    exchange = behind_its_node(stack, copy, evm, clock, confirmations=confirmations)
    key, heads = trade(exchange), []
    for second in range(0, 60, 4):
        exchange.beat(CLOSED + second)
        heads.append(evm.head().number)
    assert state_of(exchange, key) is SessionState.SETTLED
    assert heads[-1] == heads[-3], "nothing is sent where nothing is waited for"
    assert judge(gather(copy), evm).findings == ()


def test_a_chain_on_which_others_mine_is_waited_for(stack, copy):
    clock = SetClock(OPENED)
    evm = stack.enter_context(closing(RememberingEvm.reopen(copy / "chain.jsonl", clock)))
    exchange = behind_its_node(stack, copy, evm, clock, on_demand=False)
    key, head = trade(exchange), evm.head()
    exchange.beat(CLOSED + 30)
    assert (state_of(exchange, key), evm.head()) == (SessionState.OPEN, head)


class Shared(Storage):
    """The storage of a process that follows, until the other has ended."""

    def open_journal(self):
        return FollowingJournal(self.journal)


def lines_of(house):
    return [house.heartbeat.statements.lines(member.account) for member in house.founded.members]


def test_who_follows_adds_what_is_new_to_its_statements_and_takes_over_with_all_of_it(stack, copy):
    clock = SetClock(OPENED)
    evm = stack.enter_context(closing(RememberingEvm.reopen(copy / "chain.jsonl", clock)))
    founded = Founded.read(copy / "exchange.json")
    with rebuilt(copy, OPENED, evm) as exchange:
        following = build(Places(copy), founded, Keys.devnet(), clock, evm, storage=Shared(copy, None))
        stack.enter_context(following)
        statements = following.heartbeat.statements
        assert not following.heartbeat.lead()
        assert lines_of(following) == lines_of(exchange.house)
        before = lines_of(following)
        for at in (NEXT, NEXT + PERIOD_SECONDS):
            trade(exchange, start=at)
            clock.set(at - LEAD_SECONDS + 1)
            exchange.beat(at - LEAD_SECONDS + 1)
            assert not following.heartbeat.lead()
            assert lines_of(following) == lines_of(exchange.house) != before
        assert following.heartbeat.statements is statements, "they were not made anew"
    following.journal.other_ended = True
    assert following.heartbeat.lead()
    assert lines_of(following) == lines_of(exchange.house)
    following.heartbeat.beat(clock())
    assert lines_of(following) == lines_of(exchange.house)


def until(condition):
    deadline = time.monotonic() + 60
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
