"""A street a test run; every test starts from the same block of it."""

import pytest

from contracts.local_evm import LocalEvm
from settlement.effects.indexer import Indexer
from settlement.effects.settlement_contract import SettlementContract
from settlement.effects.sqlite_store import SqliteStore
from settlement.effects.submitter import ChainSettings, Submitter
from tests.settlement.effects.street import GENESIS_TIME, OPERATOR_KEY, Clock, found_street
from tests.simulators.mempool_evm import MempoolEvm
from tests.simulators.unsteady_evm import UnsteadyEvm


@pytest.fixture(scope="session")
def founded():
    clock = Clock()
    street = found_street(LocalEvm(clock, genesis_time=GENESIS_TIME), clock)
    return street, street.evm.snapshot(), clock.now


@pytest.fixture
def street(founded):
    street, mark, now = founded
    street.clock.now = now
    yield street
    street.evm.revert(mark)


@pytest.fixture
def store(tmp_path):
    store = SqliteStore(tmp_path / "settlement.db")
    yield store
    store.close()


@pytest.fixture
def settings(street):
    return ChainSettings(chain_id=street.evm.chain_id)


@pytest.fixture
def submitter(street, store, settings):
    return Submitter(store, street.contract, OPERATOR_KEY, settings)


@pytest.fixture
def indexer(street, store):
    return Indexer(store, street.contract, start_block=street.deployment.registries_since)


@pytest.fixture
def unsteady(street):
    return UnsteadyEvm(street.evm)


@pytest.fixture
def mempool(street):
    """The street's chain with a mempool, mining when told."""
    return MempoolEvm(street.evm, street.clock)


@pytest.fixture
def submit_to(store, street):
    """A submitter of the same store over another view of the chain, with other settings."""

    def over(evm, *, holder=None, **settings):
        contract = SettlementContract(evm, street.address)
        chain = ChainSettings(chain_id=street.evm.chain_id, **settings)
        return Submitter(store, contract, OPERATOR_KEY, chain, holder=holder)

    return over
