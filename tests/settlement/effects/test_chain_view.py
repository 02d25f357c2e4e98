"""What an auditor reads from a node alone is what the index holds."""

import pytest

from contracts.errors import NoSuchContract
from contracts.transacting import transact
from identity.address import Address
from settlement.audit import audit
from settlement.calldata import settle_calldata
from settlement.effects import escrow_token, settlement_contract
from settlement.effects.chain_view import read_chain
from settlement.effects.errors import ChainMoved
from settlement.effects.settlement_contract import SettlementContract
from tests.settlement.effects.street import ADMIN_KEY, CONSUMER, EURO, NANO_PER_UNIT, OPERATOR_KEY
from tests.simulators.unsteady_evm import UnsteadyEvm


def view_of(street, evm=None, **arguments):
    contract = street.contract if evm is None else SettlementContract(evm, street.address)
    return read_chain(contract, start_block=street.deployment.registries_since, **arguments)


def settle(street):
    batch = street.batch()
    street.close_gate()
    street.tell(OPERATOR_KEY, settle_calldata(batch))
    return batch


def test_the_view_holds_what_the_index_holds(street, store, indexer):
    batch = settle(street)
    indexer.advance()
    view = view_of(street)
    assert (view.chain_id, view.contract) == (street.evm.chain_id, street.address)
    assert view.facts == tuple(seen.witnessed for seen in store.facts())
    assert view.credits == {number: indexer.state.ledger.credit(number) for number in indexer.state.registry.accounts}
    assert view.calldata == {(batch.session.number, 0): settle_calldata(batch)}
    assert view.tokens_held == indexer.state.ledger.total
    for seen in view.facts:
        assert view.block_times[seen.block_number] == street.evm.block(seen.block_number).timestamp


def test_an_auditor_with_the_book_and_a_node_finds_nothing_wrong(street):
    settle(street)
    assert audit([street.book()], view_of(street)) == []


def test_an_auditor_finds_a_session_settled_otherwise_than_booked(street):
    settle(street)
    codes = {finding.code for finding in audit([street.book(consumed=999)], view_of(street))}
    assert {"calldata", "trade-root", "order-root"} <= codes


def test_an_earlier_block_is_seen_as_it_was(street):
    before = street.evm.head().number
    settle(street)
    then, now = view_of(street, end_block=before), view_of(street)
    assert then.calldata == {}
    assert then.credits[CONSUMER.account] > now.credits[CONSUMER.account]
    assert now.facts[: len(then.facts)] == then.facts


def test_tokens_sent_without_a_deposit_do_not_count_as_held(street):
    held = view_of(street).tokens_held
    token = Address(street.deployment.token)
    transact(street.evm, ADMIN_KEY, token, escrow_token.mint(street.address, EURO))
    assert view_of(street).tokens_held == held
    street.fund(CONSUMER.account, EURO)
    assert view_of(street).tokens_held == held + EURO * NANO_PER_UNIT


def test_a_chain_that_turns_while_it_is_read_gives_no_view(street):
    unsteady = UnsteadyEvm(street.evm)
    fork = street.evm.snapshot()
    street.fund(CONSUMER.account, EURO)

    def turn():
        street.evm.revert(fork)
        street.clock.now += 5
        street.evm.mine(4)

    unsteady.before_logs = turn
    with pytest.raises(ChainMoved):
        view_of(street, unsteady)
    assert view_of(street, unsteady).facts == view_of(street).facts


def test_a_block_that_is_not_mined_gives_no_view(street):
    with pytest.raises(ChainMoved):
        view_of(street, end_block=street.evm.head().number + 1)


def test_where_no_contract_is_there_is_no_view(street):
    with pytest.raises(NoSuchContract):
        read_chain(SettlementContract(street.evm, Address(b"\7" * 20)))


def test_pausing_leaves_no_trace_in_the_view(street):
    facts = view_of(street).facts
    street.tell(ADMIN_KEY, settlement_contract.pause())
    assert view_of(street).facts == facts
