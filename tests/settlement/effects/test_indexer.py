"""The index says what the chain says, whatever the chain said before."""

from dataclasses import replace

import pytest

from contracts.errors import NodeUnreachable
from identity.errors import AssetNotCertified, AssetNotEnrolled, MandateOfEarlierOwner, OwnershipEnded
from identity.facts import AccountOpened
from identity.purposes import TRADE, delegate_type
from settlement.calldata import settle_calldata
from settlement.effects import indexer as indexing
from settlement.effects import settlement_contract
from settlement.effects.errors import StoreOfAnotherChain, UnknownEvent, UnreadableBatch
from settlement.effects.indexer import Indexer
from settlement.effects.settlement_contract import SettlementContract
from settlement.effects.sqlite_store import SqliteStore
from settlement.effects.store import Checkpoint
from settlement.facts import BatchSettled, MarketOpened, WithdrawalRequested
from tests.actors import AGENT, STRANGER
from tests.settlement.effects.registrar import ASSET
from tests.settlement.effects.street import (
    ADMIN_KEY,
    CONSUMER,
    EURO,
    FIRST_DELIVERY,
    NANO_PER_UNIT,
    OPERATOR_KEY,
    PRODUCER,
    TERMS,
)
from tests.simulators.unsteady_evm import UnsteadyEvm


def assert_agrees(state, street):
    """The state holds of every account, asset and market what the contract holds."""
    numbers = range(1, street.contract.account_count() + 1)
    assert sorted(state.registry.accounts) == list(numbers)
    for number in numbers:
        held, kept = street.contract.account(number), state.registry.accounts[number]
        assert (kept.holder, state.ledger.credit(number), kept.epoch) == (held.holder, held.credit, held.epoch)
        for epoch in range(held.epoch + 1):
            assert (state.registry.epoch_ended(number, epoch) or 0) == street.contract.epoch_ended(number, epoch)
    for number in range(1, street.contract.asset_count() + 1):
        held, kept = street.contract.asset(number), state.registry.asset_by_number(number)
        kept_until = (kept.until, kept.balancing_until)
        assert (kept.identity, kept.account, *kept_until) == (
            held.identity,
            held.account,
            held.until,
            held.balancing_until,
        )
        assert kept.epoch == street.contract.epoch_of(number)
        assert state.registry.asset(kept.identity).number == street.contract.asset_of(kept.identity)
    assert state.ledger.total == street.contract.tokens_held() * NANO_PER_UNIT
    assert state.markets == {TERMS.market: street.contract.market(TERMS.market)}


def settle(street, batch):
    street.close_gate()
    return street.tell(OPERATOR_KEY, settle_calldata(batch))


def test_the_state_is_what_the_contract_holds(street, indexer):
    settle(street, street.batch())
    street.tell(CONSUMER.key, settlement_contract.request_withdrawal(CONSUMER.account, EURO))
    identity = street.identities[CONSUMER.asset]
    named = street.registrar.delegate(identity, CONSUMER.key, AGENT.address, 900)
    street.tell(CONSUMER.key, settlement_contract.void_orders(CONSUMER.account))
    street.registrar.revoke(identity, ASSET)
    street.tell(ADMIN_KEY, settlement_contract.refresh([CONSUMER.asset]))
    indexer.advance()
    assert_agrees(indexer.state, street)
    until = street.evm.block(named.block_number).timestamp + 900
    authority = indexer.state.registry.authority
    assert authority.delegation(identity, delegate_type(TRADE, 1), AGENT.address) == until
    assert authority.held_until(identity, ASSET) == street.contract.asset(CONSUMER.asset).until
    credit = street.contract.credit_of(CONSUMER.account)
    assert indexer.state.free(CONSUMER.account) == credit - EURO * NANO_PER_UNIT


def test_a_sale_counts_at_the_gate_as_soon_as_it_is_read_though_the_contract_has_not_heard_of_it(street, indexer):
    identity = street.identities[PRODUCER.asset]
    street.registrar.delegate(identity, PRODUCER.key, AGENT.address, 100_000)
    indexer.advance()
    gate = street.parameters.spot.gate_closure(FIRST_DELIVERY)
    judge = indexer.state.registry.judge
    assert judge(identity, PRODUCER.address, 0, gate).account.number == PRODUCER.account
    assert judge(identity, AGENT.address, 0, gate).as_delegate
    street.registrar.sell(identity, PRODUCER.key, CONSUMER.key)
    indexer.advance()
    assert street.contract.asset(PRODUCER.asset).until > gate
    with pytest.raises(AssetNotEnrolled):
        judge(identity, CONSUMER.address, 0, gate)
    street.tell(ADMIN_KEY, settlement_contract.enrol(identity, CONSUMER.account))
    indexer.advance()
    assert judge(identity, CONSUMER.address, 0, gate).account.number == CONSUMER.account
    with pytest.raises(OwnershipEnded):
        judge(identity, PRODUCER.address, 0, gate)
    with pytest.raises(MandateOfEarlierOwner):
        judge(identity, AGENT.address, 0, gate)
    assert_agrees(indexer.state, street)


def test_a_revocation_counts_at_the_gate_as_soon_as_it_is_read(street, indexer):
    identity = street.identities[PRODUCER.asset]
    gate = street.parameters.spot.gate_closure(FIRST_DELIVERY)
    indexer.advance()
    assert indexer.state.registry.judge(identity, PRODUCER.address, 0, gate)
    street.registrar.revoke(identity, ASSET)
    indexer.advance()
    assert street.contract.asset(PRODUCER.asset).until > gate
    with pytest.raises(AssetNotCertified, match="was revoked at"):
        indexer.state.registry.judge(identity, PRODUCER.address, 0, gate)


def test_a_sale_that_a_reorganisation_undoes_was_none(street, indexer, tmp_path):
    identity = street.identities[PRODUCER.asset]
    indexer.advance()
    before = indexer.state.registry.authority.digest()
    fork = street.evm.snapshot()
    street.registrar.sell(identity, PRODUCER.key, CONSUMER.key)
    indexer.advance()
    sold = indexer.state.registry.authority.digest()
    assert sold != before
    street.evm.revert(fork)
    for _ in range(3):
        street.tell(ADMIN_KEY, settlement_contract.open_account(STRANGER.address))
    assert indexer.advance().rolled_back
    assert indexer.state.registry.authority.digest() == before
    store = SqliteStore(tmp_path / "afresh.db")
    afresh = Indexer(store, street.contract, start_block=street.deployment.registries_since)
    afresh.advance()
    assert afresh.state.registry.authority.digest() == before
    afresh.reload()
    assert afresh.state.registry.authority.digest() == before
    store.close()


def test_only_what_is_new_is_returned(street, indexer):
    first = indexer.advance()
    assert [type(seen.fact) for seen in first.facts].count(MarketOpened) == 1
    assert not first.rolled_back
    assert indexer.advance().facts == ()
    receipt = street.tell(ADMIN_KEY, settlement_contract.open_account(STRANGER.address))
    (new,) = indexer.advance().facts
    assert new.fact == AccountOpened(street.contract.account_count(), STRANGER.address)
    assert (new.block_number, new.block_hash, new.tx_hash, new.log_index) == (
        receipt.block_number,
        receipt.block_hash,
        receipt.tx_hash,
        0,
    )


def test_an_index_opened_again_goes_on_where_it_was(street, store, indexer, tmp_path):
    settle(street, street.batch())
    indexer.advance()
    street.tell(ADMIN_KEY, settlement_contract.open_account(STRANGER.address))
    store.close()
    again = SqliteStore(tmp_path / "settlement.db")
    reopened = Indexer(again, street.contract, start_block=street.deployment.registries_since)
    assert reopened.state.ledger.credits() == indexer.state.ledger.credits()
    assert len(reopened.advance().facts) == 1
    assert_agrees(reopened.state, street)
    again.close()


@pytest.mark.parametrize("span", [1, 2, 7])
def test_the_length_of_the_ranges_changes_nothing(street, store, indexer, monkeypatch, tmp_path, span):
    settle(street, street.batch())
    monkeypatch.setattr(indexing, "SPAN", span)
    other_store = SqliteStore(tmp_path / "other.db")
    other = Indexer(other_store, street.contract, start_block=street.deployment.registries_since)
    monkeypatch.undo()
    assert other.advance() == indexer.advance()
    other_store.close()


def test_after_a_reorganisation_facts_are_replaced_and_not_added(street, store, indexer):
    street.close_gate()
    fork = street.evm.snapshot()
    settle(street, street.batch())
    street.fund(CONSUMER.account, EURO)
    indexer.advance()
    before = indexer.state
    street.evm.revert(fork)
    street.evm.mine()
    settle(street, street.batch(consumed=500))
    advance = indexer.advance()
    assert advance.rolled_back
    (settled,) = [seen.fact for seen in advance.facts]
    assert (settled.session, settled.energy) == (street.batch().session.number, 900)
    assert indexer.state is not before
    assert_agrees(indexer.state, street)
    assert [seen.witnessed.fact for seen in store.facts()].count(settled) == 1
    assert sum(isinstance(seen.witnessed.fact, BatchSettled) for seen in store.facts()) == 1


def test_a_chain_that_became_shorter_takes_its_facts_along(street, store, indexer):
    indexer.advance()
    fork = street.evm.snapshot()
    street.fund(CONSUMER.account, EURO)
    indexer.advance()
    street.evm.revert(fork)
    advance = indexer.advance()
    assert (advance.facts, advance.rolled_back) == ((), True)
    assert_agrees(indexer.state, street)


def test_a_chain_replaced_to_the_root_is_read_from_the_start(street, store, indexer):
    indexer.advance()
    known = store.facts()
    store.roll_back(-1)
    # another chain's checkpoint, which this one never had
    first = known[0]
    store.extend([Checkpoint(first.witnessed.block_number, bytes(32), first.block_time)], [])
    advance = indexer.advance()
    assert advance.rolled_back
    assert store.facts() == known


def test_blocks_that_are_not_deep_enough_are_not_read(street, store):
    careful = Indexer(store, street.contract, confirmations=3, start_block=street.deployment.registries_since)
    careful.advance()
    street.tell(CONSUMER.key, settlement_contract.request_withdrawal(CONSUMER.account, EURO))
    street.evm.mine(2)
    assert not any(isinstance(seen.fact, WithdrawalRequested) for seen in careful.advance().facts)
    street.evm.mine()
    assert any(isinstance(seen.fact, WithdrawalRequested) for seen in careful.advance().facts)


def test_blocks_that_were_deep_enough_and_are_gone_are_a_finding(street, store):
    careful = Indexer(store, street.contract, confirmations=3, start_block=street.deployment.registries_since)
    street.fund(CONSUMER.account, EURO)
    street.evm.mine(3)
    read = street.evm.head().number - 3
    assert careful.advance().deep_reorg is None
    # as deep as the confirmations: nothing that was read is touched
    street.evm.revert(street.evm.snapshot() - 3)
    street.clock.now += 5
    street.evm.mine(4)
    assert careful.advance().deep_reorg is None
    street.evm.revert(street.evm.snapshot() - 6)
    street.clock.now += 5
    street.evm.mine(7)
    advance = careful.advance()
    assert advance.rolled_back
    assert (advance.deep_reorg.code, advance.deep_reorg.read, advance.deep_reorg.confirmations) == (
        "deep-reorg",
        read + 1,
        3,
    )
    assert advance.deep_reorg.kept < read
    assert "though each was read under at least 3 others" in str(advance.deep_reorg)
    assert_agrees(careful.state, street)


def test_a_chain_that_turns_while_it_is_read_is_read_again(street, store):
    unsteady = UnsteadyEvm(street.evm)
    indexer = Indexer(
        store, SettlementContract(unsteady, street.address), start_block=street.deployment.registries_since
    )
    indexer.advance()
    fork = street.evm.snapshot()
    street.fund(CONSUMER.account, EURO)

    def turn():
        street.evm.revert(fork)
        street.clock.now += 5
        street.evm.mine(4)

    unsteady.before_logs = turn
    assert indexer.advance().facts == ()
    street.fund(CONSUMER.account, 2 * EURO)
    indexer.advance()
    assert_agrees(indexer.state, street)


def test_a_node_that_goes_away_loses_nothing(street, store):
    unsteady = UnsteadyEvm(street.evm)
    indexer = Indexer(
        store, SettlementContract(unsteady, street.address), start_block=street.deployment.registries_since
    )
    unsteady.away = True
    with pytest.raises(NodeUnreachable):
        indexer.advance()
    unsteady.away = False
    indexer.advance()
    assert_agrees(indexer.state, street)


class CutOff(UnsteadyEvm):
    """Goes away while the second range is read: four contracts have their logs."""

    def logs(self, address, from_block, to_block):
        found = super().logs(address, from_block, to_block)
        self.reads = getattr(self, "reads", 0) + 1
        self.away = self.reads == 8
        return found


def test_what_was_read_before_the_node_went_away_is_returned(street, store, monkeypatch):
    monkeypatch.setattr(indexing, "SPAN", 8)
    evm = CutOff(street.evm)
    indexer = Indexer(store, SettlementContract(evm, street.address), start_block=street.deployment.registries_since)
    first = indexer.advance().facts
    evm.away = False
    rest = indexer.advance().facts
    assert first
    assert rest
    assert list(first + rest) == [seen.witnessed for seen in store.facts()]
    assert_agrees(indexer.state, street)


class Forging(UnsteadyEvm):
    """A node that lies about one thing."""

    def __init__(self, inner, **lies):
        super().__init__(inner)
        self.lies = lies

    def calldata(self, tx_hash):
        return self.lies["calldata"] if "calldata" in self.lies else self.inner.calldata(tx_hash)

    def logs(self, address, from_block, to_block):
        found = self.inner.logs(address, from_block, to_block)
        if "topic" in self.lies and address == self.lies["of"]:
            found[-1] = replace(found[-1], topics=(self.lies["topic"],))
        return found


@pytest.mark.parametrize("calldata", [None, b"", b"\0" * 100], ids=["none", "empty", "zeros"])
def test_a_batch_whose_calldata_cannot_be_read_is_named_and_not_stored(street, store, calldata):
    receipt = settle(street, street.batch())
    contract = SettlementContract(Forging(street.evm, calldata=calldata), street.address)
    indexer = Indexer(store, contract, start_block=street.deployment.registries_since)
    with pytest.raises(UnreadableBatch, match=receipt.tx_hash.hex()):
        indexer.advance()
    assert store.cursor() is None
    assert indexer.state.registry.accounts == {}
    honest = Indexer(store, street.contract, start_block=street.deployment.registries_since)
    honest.advance()
    assert_agrees(honest.state, street)


@pytest.mark.parametrize("name", ["Settlement", "AssetRegistry", "RoleRegistry"])
def test_an_event_nobody_knows_stops_the_index(street, store, name):
    liar = Forging(street.evm, topic=b"\5" * 32, of=street.deployment.address_of(name))
    contract = SettlementContract(liar, street.address)
    indexer = Indexer(store, contract, start_block=street.deployment.registries_since)
    with pytest.raises(UnknownEvent):
        indexer.advance()
    assert store.cursor() is None


def test_an_index_of_another_contract_is_left_alone(street, store):
    store.bind(street.evm.chain_id, bytes(20))
    with pytest.raises(StoreOfAnotherChain):
        Indexer(store, street.contract)


# Who reads what another process has read


@pytest.fixture
def follower(street, store):
    return Indexer(store, street.contract, start_block=street.deployment.block)


def test_who_follows_takes_in_what_is_new_and_no_more(street, store, follower, indexer):
    assert (follower.facts(), follower.read_to) == ([], -1)
    indexer.advance()
    assert follower.follow()
    assert follower.facts() == store.facts()
    read_to = follower.read_to
    street.fund(CONSUMER.account, EURO)
    settle(street, street.batch())
    new = indexer.advance().facts
    state = follower.state
    assert follower.follow()
    assert [seen.witnessed for seen in follower.facts(above=read_to)] == list(new)
    assert follower.state is state, "nothing is built anew"
    assert follower.follow()
    assert follower.facts() == store.facts()
    assert_agrees(follower.state, street)


def test_who_follows_begins_anew_where_something_was_taken_back(street, store, follower, indexer):
    indexer.advance()
    fork = street.evm.snapshot()
    street.fund(CONSUMER.account, EURO)
    indexer.advance()
    assert follower.follow()
    state = follower.state
    street.evm.revert(fork)
    street.clock.now += 5
    street.evm.mine(3)
    assert indexer.advance().rolled_back
    assert not follower.follow()
    assert follower.state is not state
    assert follower.facts() == store.facts()
    assert_agrees(follower.state, street)
    street.fund(CONSUMER.account, 2 * EURO)
    indexer.advance()
    assert follower.follow()
    assert_agrees(follower.state, street)


def test_what_was_read_after_the_look_at_the_cursor_is_taken_in_the_next_time(street, store, indexer, follower):
    indexer.advance()
    cursor = store.cursor()
    street.fund(CONSUMER.account, EURO)
    indexer.advance()
    follower._store = LookingBack(store, cursor)
    assert follower.follow()
    assert len(follower.facts()) == len(store.facts()) - 1
    follower._store = store
    assert follower.follow()
    assert follower.facts() == store.facts()
    assert_agrees(follower.state, street)


class LookingBack:
    """A store whose cursor moved right after it was asked for."""

    def __init__(self, store, cursor):
        self._store, self._cursor = store, cursor

    def __getattr__(self, name):
        return getattr(self._store, name)

    def cursor(self):
        return self._cursor
