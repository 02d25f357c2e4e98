"""Whatever node and chain do, once they behave again every batch ends final, settled by the contract exactly once.

A state machine plays node, miners, forks, crashes and a second submitter started by mistake; the laws are checked
after every move, and at the end the chain behaves and the outbox must come to rest.
"""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from contracts.errors import EvmError
from contracts.transaction import sign
from settlement.effects import settlement_contract
from settlement.effects.indexer import Indexer
from settlement.effects.settlement_contract import SettlementContract
from settlement.effects.sqlite_store import SqliteStore
from settlement.effects.submitter import ChainSettings, Hold, Submitter
from settlement.effects.witness import Witness
from settlement.facts import BatchSettled
from settlement.lifecycle import State
from tests.settlement.effects.street import FIRST_DELIVERY, OPERATOR_KEY, TERMS, in_two_parts
from tests.simulators.crash import Crash, Crashing, CrashPlan
from tests.simulators.mempool_evm import GWEI, LIES, MempoolEvm

CONFIRMATIONS = 3
CAP = 40 * GWEI
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # shrinking a run takes minutes
LEASE, PATIENCE = 10, 20
STARTS = tuple(FIRST_DELIVERY + TERMS.period * n for n in range(4))
WRITES = {"enqueue", "save", "take_lease", "extend", "roll_back"}


class Submission(RuleBasedStateMachine):
    """The outbox on a chain that stalls, forks, forgets and lies."""

    def __init__(self, street):
        super().__init__()
        self.street = street
        self.mark, self.then = street.evm.snapshot(), street.clock.now
        self.folder = tempfile.TemporaryDirectory()
        self.store = SqliteStore(Path(self.folder.name) / "settlement.db")
        self.chain = MempoolEvm(street.evm, street.clock)
        self.chain_id = street.evm.chain_id
        self.settings = ChainSettings(
            chain_id=self.chain_id,
            confirmations=CONFIRMATIONS,
            max_fee_cap_wei=CAP,
            lease_seconds=LEASE,
            patience_seconds=PATIENCE,
            most_in_flight=3,
        )
        self.lives = 0
        self.plan = CrashPlan(-1, after=False)
        self.sealed = []

    @initialize()
    def begin(self):
        self.street.close_gate(STARTS[-1])
        self.now = self.street.clock.now
        self.rival = self.another()
        self.start()

    def another(self):
        self.lives += 1
        contract = SettlementContract(self.chain, self.street.address)
        return Submitter(self.store, contract, OPERATOR_KEY, self.settings, holder=f"life {self.lives}")

    def start(self):
        """Begin a life of the process, on what is on disk."""
        store = Crashing(self.store, WRITES, self.plan)
        contract = SettlementContract(Crashing(self.chain, {"send_raw"}, self.plan), self.street.address)
        self.lives += 1
        self.submitter = Submitter(store, contract, OPERATOR_KEY, self.settings, holder=f"life {self.lives}")
        self.indexer = None

    def read(self):
        if self.indexer is None:
            self.indexer = Indexer(
                self.store,
                SettlementContract(self.chain, self.street.address),
                confirmations=CONFIRMATIONS,
                start_block=self.street.deployment.registries_since,
            )
        return self.indexer.advance()

    def step_of(self, submitter, now):
        try:
            return submitter.step(now)
        except EvmError:
            return None

    # what the exchange does

    @precondition(lambda self: len(self.sealed) < len(STARTS))
    @rule(split=st.booleans())
    def a_session_is_sealed(self, split):
        batch = self.street.batch(STARTS[len(self.sealed)])
        parts = in_two_parts(batch) if split else [batch]
        self.submitter.enqueue(parts, self.now)
        self.sealed.append(parts)

    @rule(seconds=st.sampled_from([1, 5, PATIENCE, 2 * PATIENCE]))
    def the_submitter_steps(self, seconds):
        self.now += seconds
        self.step_of(self.submitter, self.now)

    @rule(seconds=st.sampled_from([1, LEASE + 1]))
    def a_second_submitter_was_started_by_mistake(self, seconds):
        self.now += seconds
        self.step_of(self.rival, self.now)

    @rule()
    def a_stalled_submitter_is_overtaken(self):
        self.chain.interrupt = lambda: self.step_of(self.rival, self.now + LEASE + 1)
        self.step_of(self.submitter, self.now)
        self.chain.interrupt = None
        self.now += LEASE + 1

    @rule(at=st.integers(0, 8), after=st.booleans())
    def the_process_dies_and_is_started_again(self, at, after):
        self.plan.at, self.plan.after, self.plan.touches = at, after, 0
        try:
            self.step_of(self.submitter, self.now)
            self.read()
        except Crash:
            pass
        except EvmError:
            pass
        self.plan.at = -1
        self.start()

    @rule()
    def the_chain_is_read(self):
        try:
            self.read()
        except EvmError:
            return

    # what the world does

    @rule(blocks=st.integers(1, 4))
    def blocks_are_mined(self, blocks):
        self.chain.mine(blocks)

    @rule(depth=st.integers(1, CONFIRMATIONS), reinject=st.booleans())
    def the_chain_forks(self, depth, reinject):
        self.chain.fork(min(depth, self.street.evm.snapshot() - self.mark), reinject=reinject)

    @rule()
    def the_node_forgets_what_waits(self):
        self.chain.forget()

    @rule(mood=st.sampled_from(["away", "deaf", "losing"]), on=st.booleans())
    def the_node_has_a_mood(self, mood, on):
        setattr(self.chain, mood, on)

    @rule(base=st.sampled_from([1, 8, 30, 100]), tip=st.sampled_from([1, 2, 6]), said=st.sampled_from([0, 1, 2]))
    def prices_change(self, base, tip, said):
        self.chain.base, self.chain.least_tip, self.chain.suggested_tip = base * GWEI, tip * GWEI, said * GWEI

    @rule(lie=st.sampled_from([None, *LIES]))
    def receipts_are_falsified(self, lie):
        self.chain.lie = lie

    @rule()
    def somebody_else_uses_the_key(self):
        nonce = self.street.evm.nonce(self.submitter.address)
        other = sign(
            OPERATOR_KEY,
            chain_id=self.chain_id,
            nonce=nonce,
            to=self.street.address,
            data=settlement_contract.open_account(self.submitter.address),
            gas=200_000,
            max_fee=300 * GWEI,
            priority_fee=50 * GWEI,
        )
        transaction = self.street.evm._machine.decode(other.raw)
        self.street.clock.now += 1
        self.street.evm._mine(self.street.evm._next_time(), [transaction], [other.raw])
        self.chain.pool.pop((self.submitter.address, nonce), None)

    # the laws

    @invariant()
    def no_two_batches_in_flight_have_one_nonce(self):
        nonces = [
            batch.attempts[-1].nonce
            for batch in self.store.batches()
            if batch.state is State.SUBMITTED and batch.attempts
        ]
        assert len(set(nonces)) == len(nonces)

    @invariant()
    def nothing_above_the_cap_is_ever_signed(self):
        assert all(max_fee <= CAP and tip <= max_fee for max_fee, tip in self.chain.offers)
        for batch in self.store.batches():
            assert all(0 < attempt.max_fee <= CAP for attempt in batch.attempts)

    @invariant()
    def what_is_final_is_held_by_the_contract(self):
        witness = Witness(self.street.contract, CONFIRMATIONS)
        for batch in self.store.batches():
            if batch.state is State.FINAL:
                assert witness.stands(batch)
                assert batch.tx_hash is not None
            assert batch.taken_back_at is None
            assert batch.state is not State.REFUSED, batch.refused

    def teardown(self):
        try:
            if hasattr(self, "now"):
                self.comes_to_rest()
        finally:
            self.store.close()
            self.folder.cleanup()
            self.street.evm.revert(self.mark)
            self.street.clock.now = self.then

    def comes_to_rest(self):
        """The chain behaves: every batch ends final, settled once, and the index agrees with the contract."""
        self.chain.behave()
        for _ in range(60):
            self.now += PATIENCE + LEASE
            progress = self.submitter.step(self.now)
            assert progress.led_by is None or progress.led_by.holder != self.submitter._lease.holder
            self.chain.mine(CONFIRMATIONS)
            self.read()
            if not self.store.unfinished():
                break
        batches = self.store.batches()
        assert [batch.state for batch in batches] == [State.FINAL] * sum(map(len, self.sealed)), progress.held
        self.chain.mine(CONFIRMATIONS)
        self.read()
        settled = [seen.witnessed for seen in self.store.facts() if isinstance(seen.witnessed.fact, BatchSettled)]
        assert sorted((seen.fact.session, seen.fact.part) for seen in settled) == sorted(
            (batch.session, batch.part) for batch in batches
        )
        winners = {(seen.fact.session, seen.fact.part): seen.tx_hash for seen in settled}
        assert winners == {(batch.session, batch.part): batch.tx_hash for batch in batches}
        for account, credit in self.indexer.state.ledger.credits().items():
            assert self.street.contract.credit_of(account) == credit
        assert not any(held.code is Hold.DEEP_REORG for held in progress.held)


def run(street, examples, moves):
    run_state_machine_as_test(
        lambda: Submission(street),
        settings=settings(
            max_examples=examples,
            stateful_step_count=moves,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
            phases=PHASES,
        ),
    )


def test_whatever_happens_every_batch_ends_final_exactly_once(street):
    run(street, 8, 25)


@pytest.mark.slow
def test_whatever_happens_for_long_every_batch_ends_final_exactly_once(street):
    run(street, 300, 60)
