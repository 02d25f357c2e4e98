"""The process dies at every write and every send in turn; the next one ends with each batch on the chain once.

It dies before the touch: to die after one leaves the same behind as to die before the next.
"""

from itertools import count

import pytest

from settlement.effects.indexer import Indexer
from settlement.effects.settlement_contract import SettlementContract
from settlement.effects.sqlite_store import SqliteStore
from settlement.effects.submitter import ChainSettings, Submitter
from settlement.facts import BatchSettled
from settlement.lifecycle import State
from tests.settlement.effects.street import FIRST_DELIVERY, OPERATOR_KEY, TERMS, on_chain
from tests.simulators.crash import Crash, Crashing, CrashPlan
from tests.simulators.mempool_evm import GWEI, MempoolEvm

STARTS = (FIRST_DELIVERY, FIRST_DELIVERY + TERMS.period)
WRITES = {"enqueue", "save", "take_lease", "extend", "roll_back"}
ROUNDS = 3
CONFIRMATIONS = 2
LEASE = 15


def process(street, batches, path, plan, begin=11):
    """One life of the process: open the store, seal, send, index, until everything is final or it dies."""
    store = SqliteStore(path)
    try:
        written = Crashing(store, WRITES, plan)
        contract = SettlementContract(Crashing(street.evm, {"send_raw"}, plan), street.address)
        submitter = Submitter(
            written,
            contract,
            OPERATOR_KEY,
            ChainSettings(chain_id=street.evm.chain_id, confirmations=CONFIRMATIONS, lease_seconds=LEASE),
        )
        indexer = Indexer(written, contract, start_block=street.deployment.registries_since)
        submitter.enqueue(batches, 10)
        for now in range(begin, begin + ROUNDS):
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
        # the lease of a process that died is over when its time is
        return process(street, batches, path, CrashPlan(-1, after=False), begin=11 + ROUNDS + LEASE)


def raising_process(street, chain, path, plan, begin):
    """One life on a chain whose miners find the first offer too low: sent, raised on its nonce, mined, final."""
    store = SqliteStore(path)
    try:
        contract = SettlementContract(Crashing(chain, {"send_raw"}, plan), street.address)
        chain_settings = ChainSettings(
            chain_id=street.evm.chain_id, confirmations=1, lease_seconds=LEASE, patience_seconds=LEASE
        )
        submitter = Submitter(Crashing(store, WRITES, plan), contract, OPERATOR_KEY, chain_settings)
        submitter.enqueue([street.batch()], 10)
        for now in (begin, begin + LEASE, begin + 2 * LEASE, begin + 2 * LEASE + 1):
            submitter.step(now)
            chain.mine(2)
        submitter.step(begin + 3 * LEASE)
        return store.batches()
    finally:
        store.close()


def test_whenever_the_process_dies_in_raising_a_fee_the_batch_is_settled_once(street, tmp_path):
    mark, now = street.evm.snapshot(), street.clock.now
    for at in count():
        street.close_gate()
        chain, plan, path = MempoolEvm(street.evm, street.clock), CrashPlan(at, after=False), tmp_path / f"{at}.db"
        chain.least_tip = 11 * GWEI // 10
        try:
            (kept,) = raising_process(street, chain, path, plan, 100)
        except Crash:
            (kept,) = raising_process(street, chain, path, CrashPlan(-1, after=False), 100 + 4 * LEASE)
        assert kept.state is State.FINAL, f"died at touch {at}"
        assert len({attempt.nonce for attempt in kept.attempts}) == 1, f"died at touch {at}"
        assert len(kept.attempts) == 2, f"died at touch {at}"
        assert on_chain(street, street.batch()) == 1, f"died at touch {at}"
        street.evm.revert(mark)
        street.clock.now = now
        if not plan.crashed:
            break
    assert at > 8, "there was little to die at"


@pytest.mark.parametrize("forked", [pytest.param(False, marks=pytest.mark.slow), True], ids=["straight", "forked"])
def test_whenever_the_process_dies_each_batch_ends_final_and_settled_once(street, tmp_path, forked):
    mark, now = street.evm.snapshot(), street.clock.now

    def fork():
        # as deep as a fork may be, where so many confirmations are taken for final
        street.evm.revert(max(mark, street.evm.snapshot() - CONFIRMATIONS))
        street.evm.mine()

    for at in count():
        plan = CrashPlan(at, after=False)
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
    assert at > 12, "there was little to die at"
