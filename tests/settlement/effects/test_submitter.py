"""A sealed batch reaches the chain exactly once, and a doomed one never."""

import pytest

from contracts.errors import WrongChain
from identity.signature import address_of
from settlement.calldata import settle_calldata
from settlement.effects import settlement_contract
from settlement.effects.errors import BatchConflict, StoreOfAnotherChain
from settlement.effects.settlement_contract import Role
from settlement.effects.submitter import ChainSettings, Submitter
from settlement.lifecycle import State
from settlement.record import record_of
from tests.settlement.effects.street import (
    ADMIN_KEY,
    CONSUMER,
    EURO,
    FIRST_DELIVERY,
    OPERATOR_KEY,
    TERMS,
    impoverish_the_consumer,
    in_two_parts,
    on_chain,
    states,
)


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
    record = record_of(batch.order_root, batch.trade_root, batch.parameters, batch.parts)
    assert street.contract.record(batch.session.number, 0) == record
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


def test_a_doomed_batch_is_refused_without_costing_gas(street, store, submitter):
    impoverish_the_consumer(street)
    submitter.enqueue([street.batch()], 10)
    balance, head = street.evm.balance(address_of(OPERATOR_KEY)), street.evm.head()
    progress = submitter.step(11)
    (kept,) = progress.moved
    assert (kept.state, kept.refused, kept.ended_at) == (State.REFUSED, "money: credit is short", 11)
    assert kept.attempts == ()
    assert (street.evm.balance(address_of(OPERATOR_KEY)), street.evm.head()) == (balance, head)
    assert store.unfinished() == []


def test_a_refused_batch_is_tried_again_once_its_cause_is_cured(street, store, submitter):
    impoverish_the_consumer(street)
    batch = street.batch()
    submitter.enqueue([batch], 10)
    submitter.step(11)
    assert states(store) == [State.REFUSED]
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


def test_where_gas_is_free_a_batch_is_settled_all_the_same(street, store, submit_to):
    submitter = submit_to(street.evm, free_gas=True)
    submitter.enqueue([street.batch()], 10)
    assert [held.why for held in submitter.step(11).held] == ["sessions: gate is open"]
    street.close_gate()
    submitter.step(12)
    assert states(store) == [State.FINAL]
    assert on_chain(street, street.batch()) == 1


def test_where_gas_is_free_the_block_says_what_is_wrong(street, store, submit_to):
    impoverish_the_consumer(street)
    submitter = submit_to(street.evm, free_gas=True)
    submitter.enqueue([street.batch()], 10)
    submitter.step(11)
    (kept,) = store.batches()
    assert (kept.state, kept.refused) == (State.REFUSED, "money: credit is short")
    assert not street.evm.receipt(kept.attempts[0].tx_hash).ok


def test_where_gas_is_free_a_session_that_is_over_costs_no_block(street, store, submit_to):
    submitter = submit_to(street.evm, free_gas=True)
    submitter.enqueue([street.batch()], 10)
    street.clock.now = FIRST_DELIVERY + TERMS.window + 1
    head = street.evm.head()
    submitter.step(11)
    (kept,) = store.batches()
    assert (kept.state, kept.refused, kept.attempts) == (State.REFUSED, "sessions: window is over", ())
    assert street.evm.head() == head
