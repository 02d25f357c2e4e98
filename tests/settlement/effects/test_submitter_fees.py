"""What is not mined in time is replaced on its nonce by a dearer transaction, up to the cap and no further."""

import pytest

from contracts.errors import NodeUnreachable
from contracts.transaction import sign
from identity.signature import address_of
from settlement.effects import settlement_contract
from settlement.effects.submitter import Hold
from settlement.lifecycle import State
from tests.settlement.effects.street import FIRST_DELIVERY, OPERATOR_KEY, TERMS, on_chain, states
from tests.simulators.mempool_evm import GWEI

PATIENCE = 60
SECOND_DELIVERY = FIRST_DELIVERY + TERMS.period


@pytest.fixture
def sent(street, store, mempool, submit_to):
    """A submitter whose one batch waits in the mempool, at two gwei and a tip of one."""
    submitter = submit_to(mempool, max_fee_cap_wei=100 * GWEI, patience_seconds=PATIENCE)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    submitter.step(100)
    assert states(store) == [State.SUBMITTED]
    return submitter


def test_a_transaction_nobody_mines_is_replaced_on_its_nonce(street, store, mempool, sent):
    mempool.least_tip = 5 * GWEI // 4
    mempool.mine()
    sent.step(100 + PATIENCE)
    (kept,) = store.batches()
    first, second = kept.attempts
    assert second.nonce == first.nonce
    assert second.priority_fee * 100 == first.priority_fee * 113
    assert second.max_fee * 100 == first.max_fee * 113
    sent.step(100 + 2 * PATIENCE - 1)
    assert len(store.batches()[0].attempts) == 2, "the second gets its time too"
    mempool.mine()
    sent.step(100 + 2 * PATIENCE)
    mempool.mine()
    sent.step(100 + 2 * PATIENCE + 1)
    (kept,) = store.batches()
    assert (kept.state, kept.tx_hash) == (State.FINAL, kept.attempts[2].tx_hash)
    assert on_chain(street, street.batch()) == 1


def test_a_transaction_is_given_its_time(store, mempool, sent):
    mempool.least_tip = 5 * GWEI
    mempool.mine()
    sent.step(100 + PATIENCE - 1)
    assert len(store.batches()[0].attempts) == 1


def test_where_no_block_comes_a_higher_fee_would_not_help(store, mempool, sent):
    sent.step(100 + 10 * PATIENCE)
    assert len(store.batches()[0].attempts) == 1
    mempool.mine()
    sent.step(101 + 10 * PATIENCE)
    assert states(store) == [State.FINAL]


def test_the_replaced_transaction_may_win_after_all(street, store, mempool, sent):
    """Miners need not have heard of the replacement."""
    mempool.least_tip = 5 * GWEI
    waiting = dict(mempool.pool)
    mempool.mine()
    sent.step(100 + PATIENCE)
    mempool.pool, mempool.least_tip = waiting, GWEI
    mempool.mine()
    sent.step(101 + PATIENCE)
    (kept,) = store.batches()
    assert (kept.state, len(kept.attempts), kept.tx_hash) == (State.FINAL, 2, kept.attempts[0].tx_hash)
    assert on_chain(street, street.batch()) == 1


def test_a_replacement_the_node_finds_too_cheap_is_raised_again(store, mempool, sent):
    mempool.least_tip = 5 * GWEI
    mempool.mine()
    ((place, waiting),) = mempool.pool.items()
    # what waits there offers more than we ever signed: another process used the key
    dearer = type(waiting)(waiting.raw + b"\0", waiting.transaction.copy(max_priority_fee_per_gas=GWEI * 5 // 4))
    mempool.pool[place] = dearer
    progress = sent.step(100 + PATIENCE)
    assert [held.why for held in progress.held] == ["replacement transaction underpriced"]
    sent.step(101 + PATIENCE)
    sent.step(102 + PATIENCE)
    (kept,) = store.batches()
    assert len({attempt.nonce for attempt in kept.attempts}) == 1
    assert mempool.pool[place].raw == kept.attempts[-1].raw


def test_at_the_cap_the_batch_waits_and_says_for_what(store, mempool, sent):
    mempool.base = 150 * GWEI
    mempool.mine()
    progress = sent.step(100 + PATIENCE)
    (held,) = progress.held
    assert held.code is Hold.FEE_ABOVE_CAP
    assert held.why == f"it takes a fee of {151_130_000_000} wei per gas, and the cap is {100 * GWEI}"
    assert len(store.batches()[0].attempts) == 1
    mempool.base = GWEI
    mempool.mine()
    sent.step(101 + PATIENCE)
    assert states(store) == [State.FINAL]


def test_raises_end_at_the_cap_which_is_mined_once_it_pays(street, store, mempool, sent):
    mempool.least_tip = 200 * GWEI
    now = 100
    for _ in range(50):
        mempool.mine()
        now += PATIENCE
        progress = sent.step(now)
    (kept,) = store.batches()
    assert progress.held[0].code is Hold.FEE_ABOVE_CAP
    assert (kept.attempts[-1].max_fee, kept.attempts[-1].priority_fee) == (100 * GWEI, 100 * GWEI)
    assert max(mempool.offers) == (100 * GWEI, 100 * GWEI)
    assert len(kept.attempts) < 40
    mempool.least_tip = 99 * GWEI
    mempool.mine()
    sent.step(now + 1)
    assert states(store) == [State.FINAL]
    assert on_chain(street, street.batch()) == 1


def test_a_batch_is_not_signed_while_the_cap_does_not_pay_for_it(street, store, mempool, submit_to):
    submitter = submit_to(mempool, max_fee_cap_wei=100 * GWEI)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    mempool.base = 100 * GWEI
    assert [held.code for held in submitter.step(11).held] == [Hold.FEE_ABOVE_CAP]
    assert store.batches()[0].attempts == ()
    mempool.base = 80 * GWEI
    assert submitter.step(12).held == ()
    assert len(store.batches()[0].attempts) == 1


def test_only_the_transaction_that_all_others_wait_for_is_raised(street, store, mempool, submit_to):
    submitter = submit_to(mempool, patience_seconds=PATIENCE)
    submitter.enqueue([street.batch()], 10)
    submitter.enqueue([street.batch(SECOND_DELIVERY)], 10)
    street.close_gate(SECOND_DELIVERY)
    submitter.step(100)
    mempool.least_tip = 9 * GWEI // 8
    mempool.mine()
    submitter.step(100 + PATIENCE)
    assert [len(batch.attempts) for batch in store.batches()] == [2, 1]


def test_a_gap_before_a_waiting_transaction_is_filled(street, store, mempool, submit_to):
    """Nodes queue a transaction whose predecessor is missing, and say nothing."""
    submitter = submit_to(mempool, patience_seconds=PATIENCE, confirmations=1)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    operator = address_of(OPERATOR_KEY)
    nonce = street.evm.nonce(operator)
    mempool.pool[operator, nonce] = None  # somebody else's, and the node forgets it
    submitter.step(100)
    assert store.batches()[0].attempts[0].nonce == nonce + 1
    del mempool.pool[operator, nonce]
    mempool.mine()
    submitter.step(100 + PATIENCE)
    (kept,) = store.batches()
    assert [attempt.nonce for attempt in kept.attempts] == [nonce + 1, nonce]
    mempool.mine(2)
    submitter.step(101 + PATIENCE)
    assert states(store) == [State.FINAL]
    assert on_chain(street, street.batch()) == 1


def test_what_waits_before_it_and_is_nobodys_is_replaced(street, store, mempool, submit_to):
    """An attempt that was given up comes back with a fork, at a price nobody takes."""
    submitter = submit_to(mempool, patience_seconds=PATIENCE)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    operator = address_of(OPERATOR_KEY)
    nonce = street.evm.nonce(operator)
    cheap = sign(
        OPERATOR_KEY,
        chain_id=street.evm.chain_id,
        nonce=nonce,
        to=street.address,
        data=settlement_contract.open_account(operator),
        gas=200_000,
        max_fee=GWEI,
        priority_fee=0,
    )
    mempool.send_raw(cheap.raw)
    submitter.step(100)
    mempool.mine()
    submitter.step(100 + PATIENCE)
    (kept,) = store.batches()
    assert [attempt.nonce for attempt in kept.attempts] == [nonce + 1, nonce]
    mempool.mine()
    submitter.step(101 + PATIENCE)
    assert states(store) == [State.FINAL]
    assert on_chain(street, street.batch()) == 1


def test_a_node_that_forgot_what_waits_is_told_again(street, store, mempool, sent):
    mempool.forget()
    mempool.mine()
    sent.step(101)
    mempool.mine()
    sent.step(102)
    (kept,) = store.batches()
    assert (kept.state, len(kept.attempts)) == (State.FINAL, 1)


def test_a_replacement_whose_answer_was_lost_is_found(street, store, mempool, sent):
    mempool.least_tip = 11 * GWEI // 10
    mempool.mine()
    mempool.deaf = True
    mempool.forget()
    with pytest.raises(NodeUnreachable):
        sent.step(100 + PATIENCE)
    mempool.deaf = False
    sent.step(101 + PATIENCE)
    mempool.mine()
    sent.step(102 + PATIENCE)
    (kept,) = store.batches()
    assert (kept.state, len(kept.attempts)) == (State.FINAL, 2)
    assert on_chain(street, street.batch()) == 1


def test_a_batch_over_the_gas_cap_is_refused_with_both_figures(street, store, submit_to):
    submitter = submit_to(street.evm, gas_cap=100_000)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    submitter.step(11)
    (kept,) = store.batches()
    estimate = street.evm.estimate_gas(address_of(OPERATOR_KEY), street.address, kept.calldata)
    assert (kept.state, kept.attempts) == (State.REFUSED, ())
    assert kept.refused == f"it takes {estimate} gas, and a transaction may use 100000"


def test_a_batch_at_the_gas_cap_is_sent(street, store, submit_to):
    batch = street.batch()
    street.close_gate()
    probe = submit_to(street.evm)
    probe.enqueue([batch], 10)
    (kept,) = store.batches()
    estimate = street.evm.estimate_gas(address_of(OPERATOR_KEY), street.address, kept.calldata)
    submit_to(street.evm, gas_cap=estimate).step(11)
    assert states(store) == [State.FINAL]


def test_a_legacy_transaction_is_replaced_by_a_dearer_legacy_one(street, store, mempool, submit_to):
    submitter = submit_to(mempool, legacy=True, patience_seconds=PATIENCE)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    submitter.step(100)
    mempool.base = GWEI + GWEI // 8
    mempool.mine()
    submitter.step(100 + PATIENCE)
    mempool.mine()
    submitter.step(101 + PATIENCE)
    (kept,) = store.batches()
    assert kept.state is State.FINAL
    assert [attempt.raw[0] >= 0xC0 for attempt in kept.attempts] == [True, True]
    assert all(attempt.max_fee == attempt.priority_fee for attempt in kept.attempts)
