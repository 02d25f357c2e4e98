"""A batch ends on the chain once, though nodes queue, lose and go away, and chains fork."""

import pytest

from contracts.errors import NodeUnreachable
from identity.signature import address_of
from settlement.calldata import settle_calldata
from settlement.effects import settlement_contract
from settlement.lifecycle import State
from tests.settlement.effects.street import (
    ADMIN_KEY,
    CONSUMER,
    EURO,
    FIRST_DELIVERY,
    NODE_KEY,
    OPERATOR_KEY,
    TERMS,
    impoverish_the_consumer,
    in_two_parts,
    on_chain,
    states,
)

SECOND_DELIVERY = FIRST_DELIVERY + TERMS.period


def test_parts_wait_for_one_another_on_a_slow_chain(street, store, unsteady, submit_to):
    submitter = submit_to(unsteady)
    submitter.enqueue(in_two_parts(street.batch()), 10)
    street.close_gate()
    unsteady.queueing = True
    progress = submitter.step(11)
    assert states(store) == [State.SUBMITTED, State.SEALED]
    assert [held.why for held in progress.held] == ["sessions: part is out of order"]
    unsteady.release()
    submitter.step(12)
    unsteady.release()
    submitter.step(13)
    assert states(store) == [State.FINAL, State.FINAL]


def test_batches_that_wait_to_be_mined_have_nonces_in_a_row(street, store, unsteady, submit_to):
    submitter = submit_to(unsteady)
    submitter.enqueue([street.batch()], 10)
    submitter.enqueue([street.batch(SECOND_DELIVERY)], 10)
    street.close_gate(SECOND_DELIVERY)
    unsteady.queueing = True
    submitter.step(11)
    first = street.evm.nonce(address_of(OPERATOR_KEY))
    assert [batch.attempts[0].nonce for batch in store.batches()] == [first, first + 1]
    unsteady.release()
    submitter.step(12)
    assert states(store) == [State.FINAL, State.FINAL]


def test_no_more_transactions_wait_than_the_chain_can_queue(street, store, unsteady, submit_to):
    submitter = submit_to(unsteady, most_in_flight=1)
    submitter.enqueue([street.batch()], 10)
    submitter.enqueue([street.batch(SECOND_DELIVERY)], 10)
    street.close_gate(SECOND_DELIVERY)
    unsteady.queueing = True
    submitter.step(11)
    submitter.step(12)
    assert states(store) == [State.SUBMITTED, State.SEALED]
    unsteady.release()
    submitter.step(13)
    assert states(store) == [State.FINAL, State.SUBMITTED]


def test_after_a_reorganisation_the_same_bytes_go_out_again(street, store, unsteady, submit_to):
    submitter = submit_to(unsteady, confirmations=2)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    fork = street.evm.snapshot()
    submitter.step(11)
    (mined,) = store.batches()
    street.evm.revert(fork)
    street.evm.mine()
    progress = submitter.step(12)
    (again,) = progress.moved
    assert again.state is State.MINED
    assert (again.tx_hash, again.attempts) == (mined.tx_hash, mined.attempts)
    assert again.block_hash != mined.block_hash
    assert unsteady.sent == [mined.attempts[0].raw] * 2
    street.evm.mine(2)
    submitter.step(13)
    assert states(store) == [State.FINAL]
    assert on_chain(street, street.batch()) == 1


def test_a_reorganisation_of_several_batches_sends_them_in_order(street, store, submit_to):
    submitter = submit_to(street.evm, confirmations=5)
    street.close_gate(SECOND_DELIVERY)
    # sealed in the other order than their sessions, to be sent in this one again
    submitter.enqueue([street.batch(SECOND_DELIVERY)], 10)
    submitter.enqueue([street.batch()], 10)
    fork = street.evm.snapshot()
    submitter.step(11)
    street.evm.revert(fork)
    submitter.step(12)
    assert states(store) == [State.MINED, State.MINED]
    street.evm.mine(5)
    submitter.step(13)
    assert states(store) == [State.FINAL, State.FINAL]
    assert [on_chain(street, street.batch(start)) for start in (FIRST_DELIVERY, SECOND_DELIVERY)] == [1, 1]


def test_a_transaction_the_node_lost_goes_out_again(street, store, unsteady, submit_to):
    submitter = submit_to(unsteady)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    unsteady.losing = True
    submitter.step(11)
    assert states(store) == [State.SUBMITTED]
    unsteady.losing = False
    submitter.step(12)
    (kept,) = store.batches()
    assert (kept.state, len(kept.attempts)) == (State.FINAL, 1)
    assert unsteady.sent == [kept.attempts[0].raw] * 2


def test_a_lost_answer_is_looked_up_and_not_sent_anew(street, store, unsteady, submit_to):
    submitter = submit_to(unsteady)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    unsteady.deaf_after_sending = True
    with pytest.raises(NodeUnreachable):
        submitter.step(11)
    assert states(store) == [State.SUBMITTED]
    submitter.step(12)
    (kept,) = store.batches()
    assert (kept.state, len(kept.attempts)) == (State.FINAL, 1)
    assert len(unsteady.sent) == 1


def test_a_node_that_is_away_leaves_the_batch_for_later(street, store, unsteady, submit_to):
    submitter = submit_to(unsteady)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    unsteady.away = True
    with pytest.raises(NodeUnreachable):
        submitter.step(11)
    unsteady.away = False
    submitter.step(12)
    assert states(store) == [State.FINAL]


def test_what_moved_before_the_node_went_away_is_told(street, store, unsteady, submit_to):
    submitter = submit_to(unsteady)
    submitter.enqueue([street.batch()], 10)
    street.close_gate(SECOND_DELIVERY)
    unsteady.losing = True
    submitter.step(11)
    unsteady.losing = False
    submitter.enqueue([street.batch(SECOND_DELIVERY)], 12)
    unsteady.away_after = 1
    progress = submitter.step(13)
    assert [batch.state for batch in progress.moved] == [State.FINAL]
    assert states(store) == [State.FINAL, State.SEALED]
    unsteady.away, unsteady.away_after = False, None
    submitter.step(14)
    assert states(store) == [State.FINAL, State.FINAL]


def test_a_nonce_somebody_else_used_is_replaced(street, store, unsteady, submit_to):
    submitter = submit_to(unsteady)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    unsteady.losing = True
    submitter.step(11)
    unsteady.losing = False
    street.tell(OPERATOR_KEY, settlement_contract.open_account(address_of(NODE_KEY)))
    submitter.step(12)
    (kept,) = store.batches()
    assert kept.state is State.FINAL
    assert kept.attempts[1].nonce == kept.attempts[0].nonce + 1
    assert on_chain(street, street.batch()) == 1


def test_a_nonce_whose_predecessor_went_with_a_fork_is_replaced(street, store, submit_to):
    submitter = submit_to(street.evm, confirmations=5)
    street.close_gate()
    fork = street.evm.snapshot()
    street.tell(OPERATOR_KEY, settlement_contract.open_account(address_of(NODE_KEY)))
    submitter.enqueue([street.batch()], 10)
    submitter.step(11)
    street.evm.revert(fork)
    submitter.step(12)
    (kept,) = store.batches()
    assert kept.state is State.MINED
    assert kept.attempts[1].nonce == kept.attempts[0].nonce - 1
    assert on_chain(street, street.batch()) == 1


def test_a_batch_that_reverts_on_chain_is_refused_with_the_reason(street, store, unsteady, submit_to):
    submitter = submit_to(unsteady, confirmations=1)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    unsteady.queueing = True
    submitter.step(11)
    impoverish_the_consumer(street)
    unsteady.release()
    # a reorganisation could still undo it
    assert [held.why for held in submitter.step(12).held] == ["money: credit is short"]
    assert states(store) == [State.SUBMITTED]
    street.evm.mine()
    submitter.step(13)
    (kept,) = store.batches()
    assert (kept.state, kept.refused) == (State.REFUSED, "money: credit is short")
    unsteady.queueing = False
    street.fund(CONSUMER.account, 10 * EURO)
    submitter.try_again(kept.session, kept.part)
    submitter.step(14)
    street.evm.mine()
    submitter.step(15)
    (kept,) = store.batches()
    assert (kept.state, len(kept.attempts)) == (State.FINAL, 2)


def test_a_batch_that_reverts_for_what_others_can_cure_is_sent_anew(street, store, unsteady, submit_to):
    submitter = submit_to(unsteady, confirmations=1)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    unsteady.queueing = True
    submitter.step(11)
    street.tell(ADMIN_KEY, settlement_contract.pause())
    unsteady.release()
    unsteady.queueing = False
    street.evm.mine()
    assert [held.why for held in submitter.step(12).held] == ["pause: paused"]
    (kept,) = store.batches()
    assert (kept.state, len(kept.attempts)) == (State.SUBMITTED, 1), "while it is paused, nothing is signed"
    street.tell(ADMIN_KEY, settlement_contract.unpause())
    submitter.step(13)
    street.evm.mine()
    submitter.step(14)
    (kept,) = store.batches()
    assert (kept.state, len(kept.attempts), kept.tx_hash) == (State.FINAL, 2, kept.attempts[1].tx_hash)
    assert on_chain(street, street.batch()) == 1


def test_a_batch_another_process_settled_is_taken_over(street, store, submitter, indexer):
    batch = street.batch()
    street.close_gate()
    receipt = street.tell(OPERATOR_KEY, settle_calldata(batch))
    submitter.enqueue([batch], 10)
    progress = submitter.step(11)
    assert "by another transaction" in progress.held[0].why
    indexer.advance()
    submitter.step(12)
    (kept,) = store.batches()
    assert (kept.state, kept.tx_hash, kept.attempts) == (State.FINAL, receipt.tx_hash, ())
    assert on_chain(street, batch) == 1


def test_a_taken_over_batch_that_a_fork_dropped_is_signed_here(street, store, submit_to, indexer):
    batch = street.batch()
    submitter = submit_to(street.evm, confirmations=2)
    street.close_gate()
    fork = street.evm.snapshot()
    street.tell(OPERATOR_KEY, settle_calldata(batch))
    indexer.advance()
    submitter.enqueue([batch], 10)
    submitter.step(11)
    assert states(store) == [State.MINED]
    street.evm.revert(fork)
    submitter.step(12)
    street.evm.mine(2)
    submitter.step(13)
    (kept,) = store.batches()
    assert (kept.state, len(kept.attempts)) == (State.FINAL, 1)
    assert on_chain(street, batch) == 1
