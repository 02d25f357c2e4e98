"""A receipt is hearsay: a batch is final when the contract holds it, and what a node takes back is made up for."""

import pytest

from identity.signature import address_of
from settlement.calldata import settle_calldata
from settlement.effects import settlement_contract
from settlement.effects.submitter import Hold
from settlement.lifecycle import State
from tests.settlement.effects.street import FIRST_DELIVERY, OPERATOR_KEY, TERMS, in_two_parts, on_chain, states

CONFIRMATIONS = 3


@pytest.fixture
def careful(street, store, mempool, submit_to):
    """A submitter whose one batch waits in the mempool."""
    submitter = submit_to(mempool, confirmations=CONFIRMATIONS)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    submitter.step(11)
    assert states(store) == [State.SUBMITTED]
    return submitter


def test_an_invented_receipt_makes_nothing_final(street, store, mempool, careful):
    mempool.forget()
    mempool.mine(20)
    mempool.lie = "invented"
    progress = careful.step(12)
    assert states(store) == [State.MINED]
    assert [held.code for held in progress.held] == [Hold.CONTRADICTED]
    mempool.lie = None
    careful.step(13)
    assert states(store) == [State.SUBMITTED]
    mempool.mine(1 + CONFIRMATIONS)
    careful.step(14)
    (kept,) = store.batches()
    assert (kept.state, len(kept.attempts)) == (State.FINAL, 1)
    assert on_chain(street, street.batch()) == 1


def test_an_invented_failure_refuses_nothing(street, store, mempool, careful):
    mempool.forget()
    mempool.mine(20)
    mempool.lie = "invented-failure"
    careful.step(12)
    assert states(store) == [State.SUBMITTED]
    mempool.lie = None
    careful.step(13)
    mempool.mine(1 + CONFIRMATIONS)
    careful.step(14)
    assert states(store) == [State.FINAL]


@pytest.mark.parametrize("lie", ["hidden", "flipped", "elsewhere"])
def test_a_batch_on_the_chain_survives_a_lie_about_its_receipt(street, store, mempool, careful, lie):
    mempool.mine(1 + CONFIRMATIONS)
    mempool.lie = lie
    careful.step(12)
    careful.step(13)
    (kept,) = store.batches()
    assert kept.state in {State.SUBMITTED, State.MINED}
    assert len(kept.attempts) == 1, "it is on the chain: nothing is signed anew"
    mempool.lie = None
    careful.step(14)
    (kept,) = store.batches()
    assert (kept.state, kept.block_hash) == (State.FINAL, street.evm.receipt(kept.tx_hash).block_hash)
    assert on_chain(street, street.batch()) == 1


def test_a_mined_batch_whose_receipt_says_failed_next_is_not_lost(street, store, mempool, careful):
    mempool.mine()
    careful.step(12)
    assert states(store) == [State.MINED]
    mempool.lie = "flipped"
    careful.step(13)
    assert states(store) == [State.SUBMITTED]
    mempool.lie = None
    mempool.mine(CONFIRMATIONS)
    careful.step(14)
    assert states(store) == [State.FINAL]


@pytest.mark.parametrize("depth", range(1, CONFIRMATIONS + 1))
@pytest.mark.parametrize("reinject", [False, True], ids=["forgotten", "kept"])
def test_a_fork_as_deep_as_the_confirmations_never_reaches_what_is_final(
    street, store, mempool, careful, depth, reinject
):
    mempool.mine(depth)
    careful.step(12)
    assert states(store) == [State.MINED]
    mempool.fork(depth, reinject=reinject)
    careful.step(13)
    mempool.mine(1 + CONFIRMATIONS)
    careful.step(14)
    mempool.fork(CONFIRMATIONS, reinject=reinject)
    progress = careful.step(15)
    (kept,) = store.batches()
    assert (kept.state, kept.taken_back_at, progress.held) == (State.FINAL, None, ())
    assert on_chain(street, street.batch()) == 1


def test_a_deeper_fork_is_reported_and_the_batch_sent_again(street, store, mempool, careful):
    mempool.mine(1 + CONFIRMATIONS)
    careful.step(12)
    assert states(store) == [State.FINAL]
    mempool.fork(1 + CONFIRMATIONS, reinject=False)
    progress = careful.step(13)
    (kept,) = progress.moved
    assert (kept.state, kept.taken_back_at, kept.ended_at) == (State.SUBMITTED, 13, None)
    (held,) = progress.held
    assert held.code is Hold.DEEP_REORG
    assert "deeper than 3 blocks took it back after it was final, at 13" in held.why
    assert [held.code for held in careful.step(14).held] == [Hold.DEEP_REORG], "until it is final again"
    mempool.mine(1 + CONFIRMATIONS)
    careful.step(15)
    (kept,) = store.batches()
    assert (kept.state, kept.taken_back_at, len(kept.attempts)) == (State.FINAL, 13, 1)
    assert careful.step(16).held == ()
    assert on_chain(street, street.batch()) == 1


def test_a_deeper_fork_takes_back_every_batch_above_it_and_no_other(street, store, mempool, careful):
    mempool.mine(1 + CONFIRMATIONS)
    careful.step(12)
    careful.enqueue([street.batch(FIRST_DELIVERY + n * TERMS.period) for n in (1, 2)], 13)
    street.close_gate(FIRST_DELIVERY + 2 * TERMS.period)
    careful.step(13)
    mempool.mine(1 + CONFIRMATIONS)
    careful.step(14)
    assert states(store) == [State.FINAL] * 3
    mempool.fork(1 + CONFIRMATIONS, reinject=False)
    careful.step(15)
    assert states(store) == [State.FINAL, State.SUBMITTED, State.SUBMITTED]
    mempool.mine(1 + CONFIRMATIONS)
    careful.step(16)
    assert states(store) == [State.FINAL] * 3


def test_a_node_that_fell_behind_takes_nothing_back(street, store, mempool, careful):
    mempool.mine(1 + CONFIRMATIONS)
    careful.step(12)
    street.evm.revert(street.evm.snapshot() - 1 - CONFIRMATIONS)
    assert careful.step(13).held == ()
    assert states(store) == [State.FINAL]


def test_a_batch_whose_window_is_nearly_over_is_reported(street, store, mempool, submit_to):
    submitter = submit_to(mempool, margin_seconds=600)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    mempool.losing = True
    submitter.step(11)
    end = FIRST_DELIVERY + TERMS.window
    street.clock.now = end - 601
    mempool.mine()
    assert submitter.step(12).held == ()
    street.clock.now = end - 501
    mempool.mine()
    (held,) = submitter.step(13).held
    assert (held.code, held.why) == (Hold.DEADLINE, "its window is over in 500 s, and it is not mined")
    mempool.losing = False
    submitter.step(14)
    mempool.mine()
    assert submitter.step(15).held == ()
    assert states(store) == [State.FINAL]


def test_parts_mined_in_the_wrong_order_are_put_right(street, store, mempool, submit_to):
    submitter = submit_to(mempool, confirmations=1)
    first, second = in_two_parts(street.batch())
    street.close_gate()
    # the first part is settled from elsewhere, so that the second may be sent; then a fork forgets the first
    street.tell(OPERATOR_KEY, settle_calldata(first))
    submitter.enqueue([second], 10)
    submitter.step(11)
    street.evm.revert(street.evm.snapshot() - 1)
    street.tell(OPERATOR_KEY, settlement_contract.open_account(address_of(OPERATOR_KEY)))
    mempool.mine(2)
    (kept,) = store.batches()
    assert not street.evm.receipt(kept.attempts[0].tx_hash).ok
    assert [held.why for held in submitter.step(12).held] == ["sessions: part is out of order"]
    street.tell(OPERATOR_KEY, settle_calldata(first))
    submitter.step(13)
    mempool.mine(2)
    submitter.step(14)
    (kept,) = store.batches()
    assert (kept.state, len(kept.attempts)) == (State.FINAL, 2)
    assert on_chain(street, second) == 1
