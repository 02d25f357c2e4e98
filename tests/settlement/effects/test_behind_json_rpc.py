"""The whole way once more with the chain behind JSON-RPC, as any node would have it."""

from contracts.devnet_server import DevnetServer
from contracts.rpc_evm import RpcEvm
from settlement.effects.chain_view import read_chain
from settlement.effects.indexer import Indexer
from settlement.effects.settlement_contract import SettlementContract
from settlement.effects.submitter import ChainSettings, Submitter
from settlement.lifecycle import State
from tests.settlement.effects.street import CONSUMER, OPERATOR_KEY


def test_a_batch_goes_through_a_node_and_is_seen_there(street, store):
    with DevnetServer(street.evm, port=0) as server:
        chain_id = street.evm.chain_id
        contract = SettlementContract(RpcEvm(server.url, timeout=10, expected_chain_id=chain_id), street.address)
        submitter = Submitter(store, contract, OPERATOR_KEY, ChainSettings(chain_id=chain_id, confirmations=1))
        indexer = Indexer(store, contract, start_block=street.deployment.registries_since)
        submitter.enqueue([street.batch()], 10)
        assert [held.why for held in submitter.step(11).held] == ["sessions: gate is open"]
        street.close_gate()
        fork = street.evm.snapshot()
        submitter.step(12)
        assert indexer.advance().facts
        street.evm.revert(fork)
        street.evm.mine()
        submitter.step(13)
        street.evm.mine()
        submitter.step(14)
        assert indexer.advance().rolled_back
        (kept,) = store.batches()
        assert (kept.state, len(kept.attempts)) == (State.FINAL, 1)
        view = read_chain(contract, start_block=street.deployment.registries_since)
        local = read_chain(street.contract, start_block=street.deployment.registries_since)
        assert view == local
        assert view.facts == tuple(seen.witnessed for seen in store.facts())
        assert view.credits[CONSUMER.account] == indexer.state.ledger.credit(CONSUMER.account)
