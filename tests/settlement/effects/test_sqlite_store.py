"""What the store takes in is there again when it is opened anew."""

import sqlite3
from dataclasses import replace

import pytest

from exchange.units import MicroPerKwh, Nano, Wh
from identity.address import Address
from identity.registry import AccountOpened, AssetEnrolled, AssetRenewed, DelegateNamed, EpochBegun
from settlement.effects.errors import BatchConflict, StoreOfAnotherChain, StoreTooNew
from settlement.effects.fact_document import from_json, kind_of, to_json
from settlement.effects.sqlite_store import SqliteStore
from settlement.effects.store import Attempt, Checkpoint, StoredBatch, StoredFact
from settlement.facts import (
    BatchSettled,
    Deposited,
    MarketOpened,
    WithdrawalCancelled,
    WithdrawalRequested,
    Withdrawn,
    Witnessed,
)
from settlement.lifecycle import State

SOMEBODY = Address(b"\xaa" * 20)
# every field as wide as it can be
SESSION = (1 << 80) - 1
SETTLED = BatchSettled(
    session=SESSION,
    part=2,
    parts=3,
    order_root=b"\1" * 32,
    trade_root=b"\2" * 32,
    parameters=b"\3" * 32,
    orders=512,
    trades=511,
    energy=Wh(1 << 57),
    value=Nano(-(1 << 90)),
    fee=Nano(1 << 63),
)
FACTS = [
    AccountOpened(1, SOMEBODY),
    EpochBegun(1, 2, 3),
    DelegateNamed(1, SOMEBODY, 0),
    AssetEnrolled(1, SOMEBODY, 1, (1 << 40) - 1),
    AssetRenewed(1, 5),
    Deposited(1, Nano((1 << 64) - 1)),
    WithdrawalRequested(1, Nano(1_000), 7),
    WithdrawalCancelled(1),
    Withdrawn(1, Nano(0)),
    MarketOpened(market=1, fee_account=1, fee_cap=MicroPerKwh(2), period=900, lead=300, window=7_200, uniform=False),
    SETTLED,
]


def sealed(part=0, **changes):
    batch = StoredBatch(
        session=SESSION,
        part=part,
        parts=3,
        order_root=b"\1" * 32,
        trade_root=b"\2" * 32,
        parameters=b"\3" * 32,
        calldata=b"the call",
        state=State.SEALED,
        sealed_at=10,
    )
    return replace(batch, **changes)


def seen(fact, number, index=0):
    return StoredFact(
        Witnessed(fact, number, bytes([number]) * 32, b"\4" * 32, index),
        1_000 + number,
        b"the call" if isinstance(fact, BatchSettled) else None,
    )


def checkpoint(number):
    return Checkpoint(number, bytes([number]) * 32, 1_000 + number)


@pytest.mark.parametrize("fact", FACTS, ids=kind_of)
def test_a_fact_is_read_as_it_was_written(fact):
    assert from_json(kind_of(fact), to_json(fact)) == fact


def test_every_kind_of_fact_is_tried():
    assert {type(fact).__name__ for fact in FACTS} == {
        "AccountOpened",
        "EpochBegun",
        "DelegateNamed",
        "AssetEnrolled",
        "AssetRenewed",
        "Deposited",
        "WithdrawalRequested",
        "WithdrawalCancelled",
        "Withdrawn",
        "MarketOpened",
        "BatchSettled",
    }


def test_a_batch_is_there_when_the_store_is_opened_again(store, tmp_path):
    store.enqueue([sealed()])
    attempt = Attempt(b"\5" * 32, 7, b"raw", 11)
    mined = sealed(
        state=State.MINED,
        attempts=(attempt,),
        tx_hash=attempt.tx_hash,
        block_number=3,
        block_hash=b"\6" * 32,
        gas_used=200_000,
        mined_at=12,
    )
    store.save(mined)
    store.close()
    again = SqliteStore(tmp_path / "settlement.db")
    assert again.batches() == again.batches(SESSION) == again.unfinished() == [mined]
    assert again.batch(SESSION, 0) == mined
    again.close()


def test_a_batch_that_was_never_enqueued_is_none(store):
    assert store.batch(SESSION, 0) is None
    assert store.batches(SESSION) == store.unfinished() == []


def test_the_same_batch_again_changes_nothing(store):
    store.enqueue([sealed()])
    store.save(sealed(state=State.REFUSED, refused="money: credit is short", ended_at=12))
    store.enqueue([sealed(sealed_at=99)])
    assert store.batches() == [sealed(state=State.REFUSED, refused="money: credit is short", ended_at=12)]


@pytest.mark.parametrize("field", ["calldata", "order_root", "trade_root", "parameters"])
def test_other_content_for_the_same_part_is_refused_whole(store, field):
    store.enqueue([sealed()])
    with pytest.raises(BatchConflict, match="part 0"):
        store.enqueue([sealed(part=1), sealed(**{field: b"\x09" * 32})])
    assert store.batches() == [sealed()]


def test_attempts_are_added_and_never_replaced(store):
    first, second = Attempt(b"\5" * 32, 7, b"raw", 11), Attempt(b"\6" * 32, 8, b"raw too", 12)
    store.enqueue([sealed()])
    store.save(sealed(state=State.SUBMITTED, attempts=(first,)))
    store.save(sealed(state=State.SUBMITTED, attempts=(first, second)))
    assert store.batch(SESSION, 0).attempts == (first, second)


def test_what_is_final_or_refused_is_finished(store):
    store.enqueue([sealed(part) for part in range(5)])
    for part, state in enumerate(State):
        store.save(sealed(part, state=state))
    assert [batch.state for batch in store.unfinished()] == [State.SEALED, State.SUBMITTED, State.MINED]


def test_facts_come_back_in_the_order_of_the_chain(store, tmp_path):
    store.extend([checkpoint(1), checkpoint(2)], [seen(FACTS[0], 1, 5), seen(FACTS[1], 1, 6), seen(SETTLED, 2)])
    store.extend([checkpoint(3)], [seen(FACTS[2], 3)])
    store.close()
    again = SqliteStore(tmp_path / "settlement.db")
    assert again.facts() == [seen(FACTS[0], 1, 5), seen(FACTS[1], 1, 6), seen(SETTLED, 2), seen(FACTS[2], 3)]
    assert again.cursor() == checkpoint(3)
    assert again.checkpoint_below(3) == checkpoint(2)
    assert again.checkpoint_below(1) is None
    again.close()


def test_cursor_and_facts_are_written_together_or_not_at_all(store):
    store.extend([checkpoint(1)], [seen(FACTS[0], 1)])
    with pytest.raises(sqlite3.IntegrityError):
        store.extend([checkpoint(2)], [seen(FACTS[1], 2), seen(FACTS[2], 2)])
    assert store.cursor() == checkpoint(1)
    assert store.facts() == [seen(FACTS[0], 1)]


def test_a_fact_of_a_block_that_was_not_read_is_refused(store):
    with pytest.raises(sqlite3.IntegrityError):
        store.extend([checkpoint(1)], [seen(FACTS[0], 2)])


def test_rolling_back_forgets_what_is_above(store):
    store.extend([checkpoint(1), checkpoint(2)], [seen(FACTS[0], 1), seen(SETTLED, 2)])
    assert store.settled(SESSION, 2) == seen(SETTLED, 2).witnessed
    store.roll_back(1)
    assert store.settled(SESSION, 2) is None
    assert store.facts() == [seen(FACTS[0], 1)]
    assert store.cursor() == checkpoint(1)
    store.roll_back(-1)
    assert store.cursor() is None


def test_a_store_stays_with_its_contract(store):
    store.bind(1337, SOMEBODY)
    store.bind(1337, SOMEBODY)
    with pytest.raises(StoreOfAnotherChain, match="chain 1337"):
        store.bind(1, SOMEBODY)
    with pytest.raises(StoreOfAnotherChain):
        store.bind(1337, bytes(20))


def test_a_store_written_by_a_later_version_is_left_alone(store, tmp_path):
    store.close()
    with sqlite3.connect(tmp_path / "settlement.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreTooNew, match="schema version 99"):
        SqliteStore(tmp_path / "settlement.db")


def test_every_write_reaches_the_disk(store):
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)
