"""What the store takes in is there again when it is opened anew: one suite for every database."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import get_args

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.event import listen
from sqlalchemy.exc import IntegrityError

from exchange.units import MicroPerKwh, Nano, Wh
from identity.address import Address
from identity.effects.versioned import open_engine, writing
from identity.facts import (
    AccountOpened,
    AssetCreated,
    AssetEnrolled,
    AssetOffered,
    AssetRefreshed,
    AssetRetired,
    AssetTransferred,
    AttributeChanged,
    ClaimRegistered,
    ClaimRevoked,
    DelegateChanged,
    EpochBegun,
    NamespaceOwned,
    OfferWithdrawn,
    OwnerChanged,
    RoleDefined,
)
from settlement.effects.errors import BatchConflict, LeaseLost, StoreBroken, StoreOfAnotherChain, StoreTooNew
from settlement.effects.fact_document import from_json, kind_of, to_json
from settlement.effects.sql_store import SqlStore
from settlement.effects.store import Attempt, Checkpoint, Lease, StoredBatch, StoredFact
from settlement.facts import (
    BatchSettled,
    Deposited,
    Fact,
    MarketOpened,
    WithdrawalCancelled,
    WithdrawalRequested,
    Withdrawn,
    Witnessed,
)
from settlement.lifecycle import State
from tests.storage_kinds import KINDS

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
    AssetEnrolled(1, SOMEBODY, 1, (1 << 32) - 1, (1 << 32) - 1, 0),
    AssetRefreshed(1, 5, 6),
    OwnerChanged(SOMEBODY, Address(bytes(20)), 1),
    DelegateChanged(SOMEBODY, b"\5" * 32, SOMEBODY, (1 << 256) - 1, 2),
    AttributeChanged(SOMEBODY, b"did/svc/a".ljust(32, b"\0"), b"", 0, 3),
    AssetCreated(SOMEBODY, SOMEBODY, 4),
    AssetOffered(SOMEBODY, SOMEBODY, SOMEBODY, 0, 5),
    OfferWithdrawn(SOMEBODY, True, 6),
    AssetTransferred(SOMEBODY, SOMEBODY, 7),
    AssetRetired(SOMEBODY, 8),
    NamespaceOwned(b"\6" * 32, SOMEBODY, 9),
    RoleDefined(
        node=b"\6" * 32,
        name="0xasset.\0\ufffd",
        version=(1 << 32) - 1,
        issuers=(SOMEBODY, Address(b"\7" * 20)),
        issuer_role=bytes(32),
        revokers=(),
        revoker_role=b"\6" * 32,
        prerequisites=(b"\6" * 32,),
        all_prerequisites=True,
        most_seconds=(1 << 64) - 1,
        ends_at_sale=False,
        metadata=b"\xff" * 32,
        at=10,
    ),
    ClaimRegistered(
        subject=SOMEBODY,
        role=b"\6" * 32,
        version=1,
        expiry=(1 << 64) - 1,
        issuer=SOMEBODY,
        data=b"\xff" * 32,
        epoch=1,
        at=11,
    ),
    ClaimRevoked(SOMEBODY, b"\6" * 32, SOMEBODY, 12),
    Deposited(1, Nano((1 << 64) - 1)),
    WithdrawalRequested(1, Nano(1_000), 7),
    WithdrawalCancelled(1),
    Withdrawn(1, Nano(0)),
    MarketOpened(
        market=1, tree=1, fee_account=1, fee_cap=MicroPerKwh(2), period=900, lead=300, window=7_200, uniform=False
    ),
    SETTLED,
]


@pytest.fixture(params=KINDS)
def url(request, tmp_path):
    if request.param == "postgres":
        return request.getfixturevalue("postgres").new_schema()
    return f"sqlite:///{tmp_path / 'settlement.db'}"


@pytest.fixture
def store(url):
    opened = SqlStore(url)
    yield opened
    opened.close()


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
    assert {type(fact) for fact in FACTS} == set(get_args(Fact))


def test_a_batch_is_there_when_the_store_is_opened_again(store, url):
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
    again = SqlStore(url)
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


def test_facts_come_back_in_the_order_of_the_chain(store, url):
    store.extend([checkpoint(1), checkpoint(2)], [seen(FACTS[0], 1, 5), seen(FACTS[1], 1, 6), seen(SETTLED, 2)])
    store.extend([checkpoint(3)], [seen(FACTS[2], 3)])
    store.close()
    again = SqlStore(url)
    assert again.facts() == [seen(FACTS[0], 1, 5), seen(FACTS[1], 1, 6), seen(SETTLED, 2), seen(FACTS[2], 3)]
    assert again.cursor() == checkpoint(3)
    assert again.checkpoint_below(3) == checkpoint(2)
    assert again.checkpoint_below(1) is None
    again.close()


def test_cursor_and_facts_are_written_together_or_not_at_all(store):
    store.extend([checkpoint(1)], [seen(FACTS[0], 1)])
    with pytest.raises(IntegrityError):
        store.extend([checkpoint(2)], [seen(FACTS[1], 2), seen(FACTS[2], 2)])
    assert store.cursor() == checkpoint(1)
    assert store.facts() == [seen(FACTS[0], 1)]


def test_a_fact_of_a_block_that_was_not_read_is_refused(store):
    with pytest.raises(IntegrityError):
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


def test_what_does_not_fit_the_tables_changes_nothing_of_what_was_there(store):
    store.extend([checkpoint(1)], [])
    with pytest.raises(IntegrityError):
        store.extend([checkpoint(1)], [])
    assert store.cursor() == checkpoint(1)


def test_the_final_batch_in_the_highest_block_is_the_newest(store):
    assert store.newest_final() is None
    store.enqueue([sealed(part) for part in range(3)])
    for part, block in ((0, 7), (1, 9), (2, 8)):
        store.save(sealed(part, state=State.FINAL, block_number=block, taken_back_at=5))
    assert store.newest_final() == sealed(1, state=State.FINAL, block_number=9, taken_back_at=5)


def test_a_lease_is_one_holders_until_it_is_over(store):
    assert store.lease() is None
    assert store.take_lease("one", 10, 20) == Lease("one", 20, 1)
    assert store.take_lease("two", 19, 30) == Lease("one", 20, 1)
    assert store.take_lease("one", 19, 30) == Lease("one", 30, 1)
    assert store.take_lease("two", 30, 40) == store.lease() == Lease("two", 40, 2)
    store.release_lease("one")
    assert store.lease() == Lease("two", 40, 2)
    store.release_lease("two")
    assert store.take_lease("one", 31, 50) == Lease("one", 50, 3)


def test_who_has_lost_the_lease_writes_nothing(store):
    store.enqueue([sealed()])
    store.take_lease("one", 10, 20)
    store.save(sealed(state=State.SUBMITTED), term=1)
    store.take_lease("two", 20, 30)
    with pytest.raises(LeaseLost, match="went to two"):
        store.save(sealed(state=State.MINED), term=1)
    assert store.batch(SESSION, 0).state is State.SUBMITTED


def test_two_processes_that_take_the_lease_at_once_agree_on_who_has_it(url):
    stores = [SqlStore(url) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        leases = list(threads.map(lambda number: stores[number].take_lease(str(number), 10, 20), range(4)))
    assert len(set(leases)) == 1
    for store in stores:
        store.close()


def test_two_processes_that_begin_at_once_make_the_tables_once(url):
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(SqlStore, [url] * 4))
    stores[0].enqueue([sealed()])
    assert stores[3].batches() == [sealed()]
    for store in stores:
        store.close()


def test_a_store_written_by_a_later_version_is_left_alone(store, url):
    store.close()
    engine = open_engine(url)
    with writing(engine) as connection:
        connection.execute(text("UPDATE store_version SET version_num = '0099'"))
    engine.dispose()
    with pytest.raises(StoreTooNew, match="schema version 0099"):
        SqlStore(url)


def test_other_peoples_tables_are_left_alone(url):
    engine = open_engine(url)
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE batches (cake TEXT)"))
    with pytest.raises(StoreTooNew, match="other tables"):
        SqlStore(url)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["batches"]
    engine.dispose()


def test_a_commit_waits_for_the_disk(store):
    with store._engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        else:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


def test_a_full_disk_is_told_of_and_leaves_nothing_half_written(tmp_path):
    store = SqlStore(f"sqlite:///{tmp_path / 'settlement.db'}")
    store.extend([checkpoint(1)], [seen(FACTS[0], 1)])

    def little_room(connection, _):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    store._engine.dispose()
    listen(store._engine, "connect", little_room)
    with pytest.raises(StoreBroken, match="full"):
        store.extend([checkpoint(2)], [seen(SETTLED, 2, index) for index in range(100)])
    assert store.cursor() == checkpoint(1)
    assert store.facts() == [seen(FACTS[0], 1)]
    store.close()


def test_a_database_that_cannot_be_written_is_told_of(tmp_path):
    path = tmp_path / "settlement.db"
    SqlStore(f"sqlite:///{path}").close()
    store = SqlStore(f"sqlite:///file:{path}?mode=ro&uri=true")
    assert store.batches() == []
    with pytest.raises(StoreBroken, match="readonly"):
        store.enqueue([sealed()])
    store.close()


def test_a_file_that_is_no_store_is_refused(tmp_path):
    (tmp_path / "settlement.db").write_bytes(b"somebody's letters" * 100)
    with pytest.raises(StoreBroken, match="not a database"):
        SqlStore(f"sqlite:///{tmp_path / 'settlement.db'}")


@pytest.mark.postgres
def test_a_server_that_went_away_is_told_of_and_found_again(postgres):
    store = SqlStore(postgres.new_schema())
    store.enqueue([sealed()])
    postgres.stop()
    with pytest.raises(StoreBroken):
        store.batches()
    postgres.start()
    assert store.batches() == [sealed()]
    store.close()
