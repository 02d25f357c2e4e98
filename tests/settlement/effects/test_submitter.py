"""A sealed batch reaches the chain exactly once, whatever the chain does meanwhile."""

from dataclasses import replace

import pytest

from contracts.errors import NodeUnreachable, WrongChain
from identity.signature import address_of
from settlement.calldata import settle_calldata
from settlement.effects import settlement_contract
from settlement.effects.errors import BatchConflict, StoreOfAnotherChain
from settlement.effects.settlement_contract import Role, SettlementContract
from settlement.effects.submitter import ChainSettings, Submitter
from settlement.lifecycle import State
from tests.settlement.effects.street import (
    ADMIN_KEY,
    CONSUMER,
    EURO,
    FIRST_DELIVERY,
    NODE_KEY,
    OPERATOR_KEY,
    TERMS,
)
from tests.simulators.unsteady_evm import UnsteadyEvm

SECOND_DELIVERY = FIRST_DELIVERY + TERMS.period


def in_two_parts(batch):
    """The batch as two parts of one trade each."""
    return [
        replace(
            batch,
            part=part,
            parts=2,
            orders=tuple(order for order in batch.orders if order.digest in (trade.bid, trade.offer)),
            trades=(trade,),
        )
        for part, trade in enumerate(batch.trades)
    ]


def on_chain(street, batch):
    """How often the chain holds the batch."""
    street_logs = street.evm.logs(street.address, street.deployment.block, street.evm.head().number)
    settled = settlement_contract.abi_of("Settlement")
    named = [settled.event(entry.topics, entry.data) for entry in street_logs]
    return sum(
        name == "Settled" and (fields["session"], fields["part"]) == (batch.session.number, batch.part)
        for name, fields in named
    )


def states(store):
    return [batch.state for batch in store.batches()]


@pytest.fixture
def unsteady(street):
    return UnsteadyEvm(street.evm)


@pytest.fixture
def submit_to(store, street):
    """A submitter of the same store over another view of the chain."""

    def over(evm, key=OPERATOR_KEY, **settings):
        contract = SettlementContract(evm, street.address)
        return Submitter(store, contract, key, ChainSettings(chain_id=street.evm.chain_id, **settings))

    return over


def test_a_batch_is_settled_and_final(street, store, submitter):
    batch = street.batch()
    credit = street.contract.credit_of(CONSUMER.account)
    submitter.enqueue([batch], 10)
    assert states(store) == [State.SEALED]
    street.close_gate()
    progress = submitter.step(11)
    (kept,) = store.batches()
    assert progress.moved == (kept,)
    assert progress.held == ()
    assert kept.state is State.FINAL
    assert (kept.sealed_at, kept.attempts[0].signed_at, kept.mined_at, kept.ended_at) == (10, 11, 11, 11)
    receipt = street.evm.receipt(kept.tx_hash)
    assert (kept.block_number, kept.block_hash, kept.gas_used) == (
        receipt.block_number,
        receipt.block_hash,
        receipt.gas_used,
    )
    assert kept.calldata == street.evm.calldata(kept.tx_hash) == settle_calldata(batch)
    assert street.contract.trade_root(batch.session.number, 0) == kept.trade_root
    assert street.contract.credit_of(CONSUMER.account) < credit


def test_a_step_with_nothing_to_do_does_nothing(street, store, submitter):
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    submitter.step(11)
    head = street.evm.head()
    progress = submitter.step(12)
    assert progress.moved == progress.held == ()
    assert street.evm.head() == head


def test_the_same_batch_again_is_settled_once(street, store, submitter):
    street.close_gate()
    submitter.enqueue([street.batch()], 10)
    submitter.enqueue([street.batch()], 11)
    submitter.step(12)
    submitter.enqueue([street.batch()], 13)
    submitter.step(14)
    assert states(store) == [State.FINAL]
    assert on_chain(street, street.batch()) == 1


def test_another_batch_for_the_same_part_is_refused(street, store, submitter):
    submitter.enqueue([street.batch()], 10)
    with pytest.raises(BatchConflict):
        submitter.enqueue([street.batch(consumed=999)], 11)
    assert [batch.calldata for batch in store.batches()] == [settle_calldata(street.batch())]


def test_the_parts_of_a_session_settle_in_order(street, store, submitter):
    parts = in_two_parts(street.batch())
    submitter.enqueue(parts, 10)
    street.close_gate()
    submitter.step(11)
    assert states(store) == [State.FINAL, State.FINAL]
    assert [on_chain(street, part) for part in parts] == [1, 1]


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


def test_a_doomed_batch_is_refused_without_costing_gas(street, store, submitter):
    street.tell(CONSUMER.key, settlement_contract.request_withdrawal(CONSUMER.account, 10 * EURO))
    street.clock.now = street.contract.withdrawal(CONSUMER.account)[1]
    street.tell(ADMIN_KEY, settlement_contract.withdraw(CONSUMER.account))
    street.close_gate()
    submitter.enqueue([street.batch()], 10)
    balance, head = street.evm.balance(address_of(OPERATOR_KEY)), street.evm.head()
    progress = submitter.step(11)
    (kept,) = progress.moved
    assert (kept.state, kept.refused, kept.ended_at) == (State.REFUSED, "money: credit is short", 11)
    assert kept.attempts == ()
    assert (street.evm.balance(address_of(OPERATOR_KEY)), street.evm.head()) == (balance, head)
    assert store.unfinished() == []


def test_a_refused_batch_is_tried_again_once_its_cause_is_cured(street, store, submitter):
    test_a_doomed_batch_is_refused_without_costing_gas(street, store, submitter)
    batch = street.batch()
    street.fund(CONSUMER.account, 10 * EURO)
    assert submitter.try_again(batch.session.number, 0).state is State.SEALED
    submitter.step(12)
    (kept,) = store.batches()
    assert (kept.state, kept.refused) == (State.FINAL, None)


def test_a_batch_before_gate_closure_waits(street, store, submitter):
    submitter.enqueue([street.batch()], 10)
    progress = submitter.step(11)
    assert progress.moved == ()
    assert [held.why for held in progress.held] == ["sessions: gate is open"]
    street.close_gate()
    submitter.step(12)
    assert states(store) == [State.FINAL]


def test_a_batch_waits_while_the_contract_is_paused(street, store, submitter):
    street.close_gate()
    submitter.enqueue([street.batch()], 10)
    street.tell(ADMIN_KEY, settlement_contract.pause())
    assert [held.why for held in submitter.step(11).held] == ["pause: paused"]
    assert states(store) == [State.SEALED]
    street.tell(ADMIN_KEY, settlement_contract.unpause())
    submitter.step(12)
    assert states(store) == [State.FINAL]


def test_a_batch_waits_while_its_key_is_no_operator(street, store, submitter):
    street.close_gate()
    submitter.enqueue([street.batch()], 10)
    street.tell(ADMIN_KEY, settlement_contract.revoke(Role.OPERATOR, address_of(OPERATOR_KEY)))
    assert [held.why for held in submitter.step(11).held] == ["roles: not an operator"]
    street.tell(ADMIN_KEY, settlement_contract.grant(Role.OPERATOR, address_of(OPERATOR_KEY)))
    submitter.step(12)
    assert states(store) == [State.FINAL]


def test_a_batch_after_its_window_is_refused(street, store, submitter):
    submitter.enqueue([street.batch()], 10)
    street.clock.now = FIRST_DELIVERY + TERMS.window + 1
    submitter.step(11)
    (kept,) = store.batches()
    assert (kept.state, kept.refused) == (State.REFUSED, "sessions: window is over")


def test_a_batch_is_final_only_under_enough_blocks(street, store, submit_to):
    submitter = submit_to(street.evm, confirmations=3)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    submitter.step(11)
    street.evm.mine(2)
    submitter.step(12)
    assert states(store) == [State.MINED]
    street.evm.mine()
    submitter.step(13)
    assert states(store) == [State.FINAL]
    (kept,) = store.batches()
    assert (kept.mined_at, kept.ended_at) == (11, 13)


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
    street.tell(ADMIN_KEY, settlement_contract.pause())
    unsteady.release()
    # a reorganisation could still undo it
    assert [held.why for held in submitter.step(12).held] == ["pause: paused"]
    assert states(store) == [State.SUBMITTED]
    street.evm.mine()
    submitter.step(13)
    (kept,) = store.batches()
    assert (kept.state, kept.refused) == (State.REFUSED, "pause: paused")
    unsteady.queueing = False
    street.tell(ADMIN_KEY, settlement_contract.unpause())
    submitter.try_again(kept.session, kept.part)
    submitter.step(14)
    street.evm.mine()
    submitter.step(15)
    (kept,) = store.batches()
    assert (kept.state, len(kept.attempts)) == (State.FINAL, 2)


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


def test_a_session_settled_with_other_content_is_refused(street, store, submitter):
    street.close_gate()
    street.tell(OPERATOR_KEY, settle_calldata(street.batch(consumed=999)))
    submitter.enqueue([street.batch()], 10)
    submitter.step(11)
    (kept,) = store.batches()
    assert (kept.state, kept.refused) == (State.REFUSED, "sessions: settled already")


def test_a_legacy_chain_gets_legacy_transactions(street, store, submit_to):
    submitter = submit_to(street.evm, legacy=True)
    submitter.enqueue([street.batch()], 10)
    street.close_gate()
    submitter.step(11)
    (kept,) = store.batches()
    assert kept.state is State.FINAL
    assert kept.attempts[0].raw[0] >= 0xC0, "an RLP list, not a typed envelope"


def test_a_submitter_of_another_chain_does_not_start(street, store):
    with pytest.raises(WrongChain):
        Submitter(store, street.contract, OPERATOR_KEY, ChainSettings(chain_id=1))
    store.bind(street.evm.chain_id, bytes(20))
    with pytest.raises(StoreOfAnotherChain):
        Submitter(store, street.contract, OPERATOR_KEY, ChainSettings(chain_id=street.evm.chain_id))
