"""The process dies at every write and every send in turn; the next one ends with each batch on the chain once."""

from itertools import count

import pytest

from settlement.effects.indexer import Indexer
from settlement.effects.settlement_contract import SettlementContract
from settlement.effects.sqlite_store import SqliteStore
from settlement.effects.submitter import ChainSettings, Submitter
from settlement.facts import BatchSettled
from settlement.lifecycle import State
from tests.settlement.effects.street import FIRST_DELIVERY, OPERATOR_KEY, TERMS
from tests.simulators.crash import Crash, Crashing, CrashPlan

STARTS = (FIRST_DELIVERY, FIRST_DELIVERY + TERMS.period)
WRITES = {"enqueue", "save", "extend", "roll_back"}
ROUNDS = 4
CONFIRMATIONS = 2


def process(street, batches, path, plan):
    """One life of the process: open the store, seal, send, index, until everything is final or it dies."""
    store = SqliteStore(path)
    try:
        written = Crashing(store, WRITES, plan)
        contract = SettlementContract(Crashing(street.evm, {"send_raw"}, plan), street.address)
        submitter = Submitter(
            written, contract, OPERATOR_KEY, ChainSettings(chain_id=street.evm.chain_id, confirmations=CONFIRMATIONS)
        )
        indexer = Indexer(written, contract, start_block=street.deployment.block)
        submitter.enqueue(batches, 10)
        for now in range(11, 11 + ROUNDS):
            submitter.step(now)
            indexer.advance()
            street.evm.mine()
        indexer.advance()
        return store.batches(), [seen.witnessed.fact for seen in store.facts()], indexer.state
    finally:
        store.close()


def live_through(street, path, plan, *, between_lives=lambda: None):
    """Live, die as planned, live again."""
    batches = [street.batch(start) for start in STARTS]
    street.close_gate(STARTS[-1])
    try:
        return process(street, batches, path, plan)
    except Crash:
        between_lives()
        return process(street, batches, path, CrashPlan(-1, after=False))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("forked", [False, True], ids=["straight", "forked"])
def test_whenever_the_process_dies_each_batch_ends_final_and_settled_once(street, tmp_path, after, forked):
    mark, now = street.evm.snapshot(), street.clock.now

    def fork():
        # as deep as a fork may be, where so many confirmations are taken for final
        street.evm.revert(max(mark, street.evm.snapshot() - CONFIRMATIONS))
        street.evm.mine()

    for at in count():
        plan = CrashPlan(at, after=after)
        path = tmp_path / f"{at}.db"
        kept, facts, state = live_through(street, path, plan, between_lives=fork if forked else lambda: None)
        assert [batch.state for batch in kept] == [State.FINAL] * len(STARTS), f"died at touch {at}"
        settled = [fact.session for fact in facts if isinstance(fact, BatchSettled)]
        assert sorted(settled) == [batch.session for batch in kept], f"died at touch {at}"
        for account, credit in state.ledger.credits().items():
            assert street.contract.credit_of(account) == credit
        street.evm.revert(mark)
        street.clock.now = now
        if not plan.crashed:
            break
    assert at > 8, "there was little to die at"
