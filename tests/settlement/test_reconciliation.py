"""Journal, outbox and chain: one story, and a name for every way in which they can differ."""

from dataclasses import dataclass, replace

import pytest

from exchange.session import SessionState
from exchange.units import Wh
from settlement.batch import seal
from settlement.calldata import settle_calldata
from settlement.lifecycle import State
from settlement.reconciliation import BEHIND, CODES, reconcile
from tests.settlement.generated import large_book
from tests.settlement.world import honest_world, settled


@dataclass(frozen=True)
class Kept:
    """A batch as some outbox keeps it."""

    session: int
    part: int
    parts: int
    order_root: bytes
    trade_root: bytes
    parameters: bytes
    calldata: bytes
    state: State = State.FINAL


def keep(batch, state=State.FINAL):
    return Kept(
        batch.session.number,
        batch.part,
        batch.parts,
        batch.order_root,
        batch.trade_root,
        batch.parameters,
        settle_calldata(batch),
        state,
    )


@dataclass
class Stories:
    """What the three say."""

    journal: dict
    outbox: list
    chain: list

    def breaks(self):
        return reconcile(self.journal, self.outbox, self.chain)

    def codes(self):
        return [found.code for found in self.breaks()]


BATCHES = honest_world().batches
LARGE = seal(large_book(300))


@pytest.fixture
def stories():
    """Three sessions of one part and one of several, settled and noted everywhere."""
    batches = (*BATCHES[1:], *LARGE)
    return Stories(
        journal={batch.session: SessionState.SETTLED for batch in batches},
        outbox=[keep(batch) for batch in batches],
        chain=[settled(batch) for batch in batches],
    )


def test_one_story_has_no_breaks(stories):
    assert stories.breaks() == []


def test_a_session_that_still_trades_is_no_break(stories):
    stories.journal[BATCHES[0].session._replace(delivery_start=1_790_000_100)] = SessionState.OPEN
    assert stories.breaks() == []


def test_a_session_on_its_way_is_no_break(stories):
    stories.journal[BATCHES[1].session] = SessionState.CLEARED
    for state in (State.SEALED, State.SUBMITTED, State.REFUSED):
        stories.outbox[0] = keep(BATCHES[1], state)
        stories.chain = [settled(batch) for batch in (*BATCHES[2:], *LARGE)]
        assert stories.breaks() == []


def not_sealed(stories):
    stories.journal[BATCHES[0].session._replace(delivery_start=1_790_000_100)] = SessionState.CLEARED


def not_final(stories):
    stories.outbox[0] = replace(stories.outbox[0], state=State.MINED)


def not_noted(stories):
    stories.journal[BATCHES[1].session] = SessionState.CLEARED


def not_in_journal(stories):
    del stories.journal[BATCHES[1].session]


def still_open_in_the_journal(stories):
    stories.journal[BATCHES[1].session] = SessionState.OPEN


def parts_missing(stories):
    del stories.outbox[-1], stories.chain[-1]


def not_on_chain(stories):
    del stories.chain[0]


def not_in_outbox(stories):
    stories.chain.append(replace(stories.chain[-1], part=len(LARGE)))


def behind_chain(stories):
    stories.outbox[0] = replace(stories.outbox[0], state=State.SUBMITTED)
    stories.journal[BATCHES[1].session] = SessionState.CLEARED


def refused_on_chain(stories):
    stories.outbox[0] = replace(stories.outbox[0], state=State.REFUSED)
    stories.journal[BATCHES[1].session] = SessionState.CLEARED


def roots_differ(stories):
    stories.chain[0] = replace(stories.chain[0], order_root=bytes(32))


def amounts_differ(stories):
    stories.chain[1] = replace(stories.chain[1], energy=Wh(stories.chain[1].energy + 1))


def kept_call_unreadable(stories):
    stories.outbox[0] = replace(stories.outbox[0], calldata=b"?")


CASES = [
    (not_sealed, "not-sealed"),
    (not_final, "not-final"),
    (not_noted, "not-noted"),
    (not_in_journal, "not-in-journal"),
    (still_open_in_the_journal, "not-in-journal"),
    (parts_missing, "parts-missing"),
    (not_on_chain, "not-on-chain"),
    (not_in_outbox, "not-in-outbox"),
    (behind_chain, "behind-chain"),
    (refused_on_chain, "refused-on-chain"),
    (roots_differ, "roots-differ"),
    (amounts_differ, "amounts-differ"),
    (kept_call_unreadable, "amounts-differ"),
]


@pytest.mark.parametrize(("differ", "code"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_difference_is_named(stories, differ, code):
    differ(stories)
    assert stories.codes() == [code]
    (found,) = stories.breaks()
    assert found.sentence
    assert found.behind == (code in BEHIND)


def test_every_break_is_tried():
    assert {code for _, code in CASES} == set(CODES)


def test_a_cleared_session_on_chain_that_was_never_sealed_here_is_named_twice(stories):
    del stories.outbox[0]
    assert stories.codes() == ["not-sealed", "not-in-outbox"]
