"""Batches page by page and by state: no batch is skipped or shown twice, and no page is without bound."""

from dataclasses import replace

import pytest

from settlement.effects.sql_store import SqlStore
from settlement.effects.store import StoredBatch
from settlement.lifecycle import State
from tests.storage_kinds import KINDS

SESSIONS = [3, 10, 9, (1 << 80) - 1, 99_999_999_999, 100_000_000_000, 1]


@pytest.fixture(params=KINDS)
def store(request, tmp_path):
    postgres = request.param == "postgres"
    url = request.getfixturevalue("postgres").new_schema() if postgres else f"sqlite:///{tmp_path / 'settlement.db'}"
    opened = SqlStore(url)
    yield opened
    opened.close()


def sealed(session, part=0, parts=1):
    return StoredBatch(
        session=session,
        part=part,
        parts=parts,
        order_root=b"\1" * 32,
        trade_root=b"\2" * 32,
        parameters=b"\3" * 32,
        calldata=b"\4" * 100,
        state=State.SEALED,
        sealed_at=5,
    )


def pages(store, limit):
    after = 0
    while page := store.page(after, limit):
        yield page
        after = page[-1].session


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_sessions_come_in_the_order_of_their_numbers_each_once(store, limit):
    for session in SESSIONS:
        store.enqueue([sealed(session)])
    found = list(pages(store, limit))
    assert [batch.session for page in found for batch in page] == sorted(SESSIONS)
    assert all(len(page) <= limit for page in found)


def test_a_session_is_never_cut_in_two(store):
    store.enqueue([sealed(5)])
    store.enqueue([sealed(7, part, 4) for part in range(4)])
    store.enqueue([sealed(8)])
    assert [[(batch.session, batch.part) for batch in page] for page in pages(store, 2)] == [
        [(5, 0), (7, 0), (7, 1), (7, 2), (7, 3)],
        [(8, 0)],
    ]


def test_a_store_without_batches_has_no_page_and_no_tally(store):
    assert store.page(0, 10) == []
    assert store.tally() == {}


def test_batches_are_counted_by_state(store):
    for session in SESSIONS:
        store.enqueue([sealed(session)])
    for session in SESSIONS[:2]:
        store.save(replace(store.batch(session, 0), state=State.SUBMITTED))
    store.save(replace(store.batch(SESSIONS[2], 0), state=State.REFUSED, refused="no"))
    assert store.tally() == {State.SEALED: 4, State.SUBMITTED: 2, State.REFUSED: 1}
