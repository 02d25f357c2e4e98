"""Of two submitters that share a store, one works; the other says who does, and changes nothing."""

import subprocess
import sys

import pytest

from settlement.effects.errors import LeaseLost
from settlement.effects.lease import Leadership, own_name
from settlement.effects.store import Lease
from settlement.lifecycle import State
from tests.settlement.effects.street import FIRST_DELIVERY, TERMS, on_chain, states

SECOND_DELIVERY = FIRST_DELIVERY + TERMS.period
LEASE = 15


@pytest.fixture
def first(submit_to, mempool):
    return submit_to(mempool, holder="first", lease_seconds=LEASE)


@pytest.fixture
def second(submit_to, mempool):
    return submit_to(mempool, holder="second", lease_seconds=LEASE)


def test_a_second_submitter_does_nothing_and_says_who_works(street, store, mempool, first, second):
    first.enqueue([street.batch()], 10)
    first.step(11)
    street.close_gate()
    progress = second.step(12)
    assert (progress.moved, progress.held, progress.led_by) == ((), (), Lease("first", 11 + LEASE, 1))
    assert states(store) == [State.SEALED]
    assert mempool.offers == []
    assert first.step(13).led_by is None
    assert states(store) == [State.SUBMITTED]


def test_every_step_renews_the_lease(store, first, second):
    for now in range(11, 100, LEASE - 1):
        assert first.step(now).led_by is None
        assert second.step(now + 1).led_by == Lease("first", now + LEASE, 1)


def test_when_the_lease_is_over_the_second_takes_it(street, store, mempool, first, second):
    first.enqueue([street.batch()], 10)
    street.close_gate()
    first.step(11)
    assert second.step(10 + LEASE).led_by is not None
    assert second.step(11 + LEASE).led_by is None
    assert store.lease() == Lease("second", 11 + 2 * LEASE, 2)
    assert first.step(12 + LEASE).led_by == store.lease()
    mempool.mine()
    second.step(13 + LEASE)
    (kept,) = store.batches()
    assert (kept.state, len(kept.attempts)) == (State.FINAL, 1)
    assert on_chain(street, street.batch()) == 1


def test_a_lease_that_was_given_up_is_taken_at_once(store, first, second):
    first.step(11)
    first.release()
    assert second.step(11).led_by is None
    first.release()
    assert store.lease().holder == "second", "only the holder gives it up"


def test_a_submitter_that_was_overtaken_while_it_stalled_writes_and_sends_nothing(
    street, store, mempool, first, second
):
    first.enqueue([street.batch()], 10)
    first.enqueue([street.batch(SECOND_DELIVERY)], 10)
    street.close_gate(SECOND_DELIVERY)
    first.step(11)
    mempool.forget()

    def meanwhile():
        second.step(12 + LEASE)

    mempool.interrupt = meanwhile
    sent = len(mempool.offers)
    progress = first.step(12)
    assert progress.led_by == Lease("second", 12 + 2 * LEASE, 2)
    assert len(mempool.offers) == sent + 2, "the second sent both again, the first none"
    assert [len(batch.attempts) for batch in store.batches()] == [1, 1]


def test_what_is_written_under_an_old_term_is_refused(street, store, first, second):
    first.enqueue([street.batch()], 10)
    first.step(11)
    second.step(11 + LEASE)
    (batch,) = store.batches()
    with pytest.raises(LeaseLost, match="second"):
        store.save(batch, 1)
    store.save(batch, 2)


def test_a_lease_is_looked_at_again_before_sending(store):
    first, second = Leadership(store, "first", LEASE), Leadership(store, "second", LEASE)
    with pytest.raises(LeaseLost, match="nobody"):
        first.check()
    assert first.take(11) is None
    first.check()
    assert second.take(11 + LEASE) is None
    with pytest.raises(LeaseLost, match="second"):
        first.check()


def test_a_process_that_died_on_this_machine_is_not_waited_for(store, submit_to, mempool):
    name_one = "from settlement.effects.lease import own_name; print(own_name())"
    dead = subprocess.run([sys.executable, "-c", name_one], capture_output=True, text=True, check=True).stdout.strip()
    store.take_lease(dead, 11, 11 + LEASE)
    assert submit_to(mempool, lease_seconds=LEASE).step(12).led_by is None
    assert store.lease().term == 2


def test_a_process_that_runs_or_is_elsewhere_is_waited_for(store, submit_to, mempool):
    elsewhere = "another-host:pid:[1]/" + own_name().split("/", 1)[1]
    for holder in (own_name(), elsewhere, "elsewhere"):
        store.take_lease(holder, 11, 11 + LEASE)
        assert submit_to(mempool, lease_seconds=LEASE).step(12).led_by.holder == holder
        store.release_lease(holder)


def test_no_two_processes_have_one_name():
    assert own_name() != own_name()
