"""The outbox: sealed batches go to the chain, each exactly once, whatever breaks on the way.

Enqueued, a batch is on disk. `step` simulates it (so that a doomed batch costs no gas and its reason is known), signs
its transaction, **stores the raw bytes, then sends them**. From there on every step looks for the receipt, and where
there is none sends the same bytes again: the same hash and nonce, so sending twice is harmless. What is not mined in
time is replaced on its nonce by a dearer transaction, up to a cap. What a crash, an unreachable node or a
reorganisation leaves behind is what the next step starts from. That a session settles once is the contract's law;
nothing here is trusted with it, and a batch is final only when the contract says that it holds it.

Of all submitters of one store, the one with the lease works. Nothing else sends from its key while it runs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Lock

from contracts.errors import EvmError, Refusal, Reverted, TransactionRefused, WrongChain
from contracts.evm import Block, Receipt
from exchange.delivery import SessionKey
from settlement.batch import Batch
from settlement.calldata import decode, encode, settle_calldata
from settlement.effects.chain_settings import ChainSettings
from settlement.effects.errors import LeaseLost
from settlement.effects.fees import AboveCap
from settlement.effects.flight import Flight, name_of, nonce_of
from settlement.effects.lease import Leadership, own_name
from settlement.effects.progress import Held, Hold, Progress
from settlement.effects.settlement_contract import SettlementContract
from settlement.effects.signer import Signer
from settlement.effects.store import Attempt, Store, StoredBatch
from settlement.effects.witness import Witness
from settlement.lifecycle import State, Step, after

__all__ = ["CURABLE", "ChainSettings", "Held", "Hold", "Progress", "Submitter"]

CURABLE = frozenset(
    {
        "pause: paused",
        "roles: not an operator",
        "markets: not open",
        "sessions: gate is open",
        "sessions: part is out of order",
    }
)
"""Refusals that say nothing about the batch: it waits until others, or time, have cured them."""

_TRIES = 3
"""Transactions that may revert without a reason before the batch is refused."""


class Submitter:
    """Brings batches to the contract with transactions signed by `key`, which must have the operator's role.

    `holder` is its name in the lease; no two submitters may have the same. Safe to use from several threads.
    """

    def __init__(
        self,
        store: Store,
        contract: SettlementContract,
        key: bytes,
        settings: ChainSettings,
        *,
        holder: str | None = None,
    ) -> None:
        """Raises `WrongChain` and `StoreOfAnotherChain`."""
        evm = contract.evm
        if evm.chain_id != settings.chain_id:
            raise WrongChain(settings.chain_id, evm.chain_id)
        store.bind(settings.chain_id, contract.address)
        self._signer = Signer(evm, key, contract.address, settings)
        self.address = self._signer.address
        self._evm = evm
        self._store = store
        self._contract = contract
        self._settings = settings
        self._witness = Witness(contract, settings.confirmations)
        self._lease = Leadership(store, own_name() if holder is None else holder, settings.lease_seconds)
        self._lock = Lock()
        self._held: list[Held] = []
        self._flight = Flight()
        self._windows: dict[int, int] = {}

    @property
    def holder(self) -> str:
        """What it is called in the lease."""
        return self._lease.holder

    def enqueue(self, batches: Sequence[Batch], now: int) -> None:
        """Take the batches of a session in, all or none; they are on disk when this returns.

        The same batches again change nothing. Raises `BatchConflict` where a part was sealed before with other content.
        """
        self._store.enqueue([_stored(batch, now) for batch in batches])

    def step(self, now: int) -> Progress:
        """Move every unfinished batch as far as the chain lets it; nothing, where another submitter has the lease.

        Where the chain stops answering on the way, what moved until then is returned; raises `EvmError` where nothing
        did. The next step goes on from there. The store knows best: a crash may swallow a return, never a write.
        """
        with self._lock:
            self._held = []
            moved: list[StoredBatch] = []
            leader = self._lease.take(now)
            try:
                if leader is None:
                    for before, now_stands in self._moves(now):
                        if now_stands != before:
                            moved.append(now_stands)
            except LeaseLost:
                leader = self._store.lease()
            except EvmError:
                if not moved:
                    raise
            return Progress(tuple(moved), tuple(self._held), leader)

    def try_again(self, session: int, part: int) -> StoredBatch:
        """Seal a refused batch anew, unchanged: what made the contract refuse it has been cured."""
        with self._lock:
            batch = self._store.batch(session, part)
            assert batch is not None, "only a batch that was enqueued can be tried again"
            again = replace(batch, state=after(batch.state, Step.TRIED_AGAIN), refused=None, ended_at=None)
            self._store.save(again)
            return again

    def leads(self, now: int) -> bool:
        """Whether this submitter has the lease at `now`."""
        lease = self._store.lease()
        return lease is not None and lease.holder == self._lease.holder and lease.until > now

    def nudge(self, now: int) -> bool:
        """Have a chain that mines only what is sent mine a block: send nothing, to ourselves. False where nothing is to
        be sent: another has the lease, something of ours waits already, or it would cost more than may be offered.

        It is written down nowhere: should it be lost, the next one takes its nonce.
        """
        with self._lock:
            if self._lease.take(now) is not None:
                return False
            nonce = self._evm.nonce(self.address, pending=True)
            if nonce != self._evm.nonce(self.address):
                return False
            attempt = self._signer.idle(nonce=nonce, head=self._evm.head().number, now=now)
            if isinstance(attempt, AboveCap):
                return False
            self._evm.send_raw(attempt.raw)
            return True

    def release(self) -> None:
        """Give the lease up, so that the next submitter need not wait until it is over. For an orderly end."""
        with self._lock:
            self._lease.release()

    def _moves(self, now: int) -> Iterator[tuple[StoredBatch, StoredBatch]]:
        """Yield every unfinished batch as it was and as it stands now."""
        were_final = {name_of(batch): batch for batch in self._take_back(now)}
        unfinished = self._store.unfinished()
        self._flight = Flight(unfinished)
        clock = max(now, self._evm.head().timestamp) if unfinished else now  # the contract goes by its blocks' time
        # in the order of their nonces: after a reorganisation a node takes them in no other
        sent = sorted((batch for batch in unfinished if batch.state is not State.SEALED), key=nonce_of)
        for batch in (*sent, *(batch for batch in unfinished if batch.state is State.SEALED)):
            now_stands = batch
            if batch.state is not State.SEALED:
                now_stands = self._follow(batch, now)
            elif len(self._flight.waiting()) < self._settings.most_in_flight:
                now_stands = self._begin(batch, now)
            self._alarm(now_stands, clock)
            yield were_final.get(name_of(batch), batch), now_stands

    def _take_back(self, now: int) -> list[StoredBatch]:
        """Take back what is final though its block was replaced: a reorganisation went deeper than any was thought to.

        Returns the batches as they were. They are followed and sent again like any other.
        """
        taken = []
        while (final := self._store.newest_final()) is not None and self._witness.is_replaced(final):
            self._saved(replace(_off_the_chain(final), taken_back_at=now, ended_at=None))
            taken.append(final)
        return taken

    def _follow(self, batch: StoredBatch, now: int) -> StoredBatch:
        """Look for a batch that was sent; send it again where the chain does not have it."""
        receipt = self._witness.receipt(batch)
        if batch.state is State.MINED and (receipt is None or not receipt.ok or receipt.block_hash != batch.block_hash):
            batch = self._saved(_off_the_chain(batch))
        if receipt is not None:
            return self._mined(batch, receipt, now) if receipt.ok else self._reverted(batch, receipt, now)
        if not batch.attempts:
            return self._begin(batch, now)
        return self._send(batch, now)

    def _begin(self, batch: StoredBatch, now: int, *, nonce: int | None = None) -> StoredBatch:
        """Simulate, sign for `nonce` or one that nobody has, write down, send."""
        head = self._evm.head()
        try:
            gas = self._rehearse(batch)
        except Reverted as reverted:
            return self._doomed(batch, reverted.reason, head, now)
        except TransactionRefused as refused:
            return self._hold(batch, refused.reason)
        cap = self._settings.gas_cap
        if gas > cap:
            return self._refused(batch, f"it takes {gas} gas, and a transaction may use {cap}", now)
        if nonce is None:
            nonce = self._flight.free_nonce(batch, self._evm.nonce(self.address, pending=True))
        attempt = self._signer.first(
            batch.calldata,
            nonce=nonce,
            gas=gas if self._settings.free_gas else min(gas + (gas >> 3), cap),
            head=head.number,
            now=now,
        )
        return self._attempted(batch, attempt, now)

    def _rehearse(self, batch: StoredBatch) -> int:
        """Return how much gas will do; raises `Reverted` where the contract would refuse the batch now."""
        if not self._settings.free_gas:
            return self._evm.estimate_gas(self.address, self._contract.address, batch.calldata)
        call = decode(batch.calldata)
        session_alone = encode(replace(call, orders=(), trades=(), fees=()))
        self._evm.estimate_gas(self.address, self._contract.address, session_alone)
        return call.estimated_gas

    def _doomed(self, batch: StoredBatch, why: str, head: Block, now: int) -> StoredBatch:
        """Refuse a batch that the contract would refuse, unless that says nothing about it, or nothing yet."""
        if self._witness.stands(batch):
            return self._adopted(batch, now)
        # others in flight may change the state it was tried on; and what was tried on a fork says nothing
        if why in CURABLE or self._flight.waiting(but=batch) or self._evm.head().hash != head.hash:
            return self._hold(batch, why)
        return self._refused(batch, why, now)

    def _attempted(self, batch: StoredBatch, attempt: Attempt | AboveCap, now: int) -> StoredBatch:
        """Write the transaction down, and then send it; or say that it would have to offer too much."""
        if isinstance(attempt, AboveCap):
            return self._hold(batch, str(attempt), Hold.FEE_ABOVE_CAP)
        state, attempts = after(batch.state, Step.SENT), (*batch.attempts, attempt)
        return self._send(self._saved(replace(batch, state=state, attempts=attempts, refused=None)), now, fresh=True)

    def _send(self, batch: StoredBatch, now: int, *, fresh: bool = False) -> StoredBatch:
        """Send the newest attempt's bytes, and look whether they are mined already."""
        self._lease.check()
        refused = None
        try:
            self._evm.send_raw(batch.attempts[-1].raw)
        except TransactionRefused as error:
            refused = error
        receipt = self._witness.receipt(batch)
        if receipt is not None:
            return self._mined(batch, receipt, now) if receipt.ok else self._reverted(batch, receipt, now)
        if refused is None or refused.kind is Refusal.ALREADY_KNOWN:
            return batch if fresh else self._unstick(batch, now)
        if fresh:
            return self._hold(batch, refused.reason)
        if refused.kind is Refusal.UNDERPRICED:
            return self._raise_fee(batch, now)
        passed_over = refused.kind is Refusal.NONCE_TOO_LOW and not self._witness.stands(batch)
        # what was to come before it never will: its predecessors went with a reorganisation
        stranded = refused.kind is Refusal.NONCE_TOO_HIGH and not self._flight.waiting(below=nonce_of(batch))
        return self._begin(batch, now) if passed_over or stranded else self._hold(batch, refused.reason)

    def _unstick(self, batch: StoredBatch, now: int) -> StoredBatch:
        """Help a transaction that the node took and nobody mined, though time passed and blocks came."""
        newest = batch.attempts[-1]
        if now - newest.signed_at < self._settings.patience_seconds or self._evm.head().number <= newest.head:
            return batch
        if self._flight.waiting(below=newest.nonce):
            return batch  # it waits for another, which is helped first
        due = self._evm.nonce(self.address)
        if due > newest.nonce:
            if self._witness.stands(batch):
                return self._hold(batch, "it is on the chain, and the node has no receipt for it")
            return self._begin(batch, now)
        if due < newest.nonce:
            # what should come before it is missing, or waits and is none of the batches in flight: it takes that place
            return self._begin(batch, now, nonce=due) if self._flight.free_nonce(batch, due) == due else batch
        return self._raise_fee(batch, now)

    def _raise_fee(self, batch: StoredBatch, now: int) -> StoredBatch:
        """Replace the newest attempt by a dearer one on the same nonce."""
        newest = batch.attempts[-1]
        head = self._evm.head().number
        return self._attempted(batch, self._signer.dearer(batch.calldata, newest, head=head, now=now), now)

    def _mined(self, batch: StoredBatch, receipt: Receipt, now: int) -> StoredBatch:
        """Note by which transaction a batch was settled; for good, once it lies deep and the contract agrees."""
        mined = batch
        if batch.state is not State.MINED:
            mined = replace(
                batch,
                state=after(batch.state, Step.MINED),
                tx_hash=receipt.tx_hash,
                block_number=receipt.block_number,
                block_hash=receipt.block_hash,
                gas_used=receipt.gas_used,
                mined_at=now,
            )
        if self._witness.is_deep(receipt):
            if self._witness.stands(batch):
                mined = replace(mined, state=after(mined.state, Step.DEEP_ENOUGH), ended_at=now)
            else:
                self._hold(batch, "a receipt says it was settled, the contract does not", Hold.CONTRADICTED)
        return self._saved(mined) if mined != batch else batch

    def _reverted(self, batch: StoredBatch, receipt: Receipt, now: int) -> StoredBatch:
        """Refuse a batch whose transaction reverted, or try anew, once no reorganisation can bring another outcome."""
        if self._witness.stands(batch):
            return self._adopted(batch, now)
        why = self._witness.reason(batch, receipt, self.address)
        said = why or "reverted, by its gas limit or by what was undone later in its block"
        if not self._witness.is_deep(receipt) or not self._witness.is_spent(batch, receipt, self.address):
            return self._hold(batch, said)
        tried = len({attempt.nonce for attempt in batch.attempts})
        if why in CURABLE or (why is None and tried < _TRIES):
            return self._begin(batch, now)
        return self._refused(batch, said, now)

    def _adopted(self, batch: StoredBatch, now: int) -> StoredBatch:
        """Take over the transaction of another process that settled this very batch, once the index knows it."""
        seen = self._store.settled(batch.session, batch.part)
        receipt = None if seen is None else self._evm.receipt(seen.tx_hash)
        if receipt is None or not receipt.ok:
            return self._hold(batch, "it is on the chain by another transaction, which is yet to be read")
        return self._mined(replace(batch, state=after(batch.state, Step.SENT)), receipt, now)

    def _refused(self, batch: StoredBatch, why: str, now: int) -> StoredBatch:
        return self._saved(replace(batch, state=after(batch.state, Step.REVERTED), refused=why, ended_at=now))

    def _hold(self, batch: StoredBatch, why: str, code: Hold = Hold.WAITS) -> StoredBatch:
        self._held.append(Held(batch.session, batch.part, why, code))
        return batch

    def _alarm(self, batch: StoredBatch, clock: int) -> None:
        """Report what cannot wait: a batch that was final once, and one whose window is nearly over."""
        if batch.taken_back_at is not None:
            why = f"a reorganisation deeper than {self._settings.confirmations} blocks took it back after it was final"
            self._hold(batch, f"{why}, at {batch.taken_back_at}; it is {batch.state.value} again", Hold.DEEP_REORG)
        if batch.state in {State.SEALED, State.SUBMITTED}:
            key = SessionKey.of(batch.session)
            window = self._window(key.market)
            left = key.delivery_start + window - clock
            if left < min(self._settings.margin_seconds, window >> 1):
                self._hold(batch, f"its window is over in {left} s, and it is not mined", Hold.DEADLINE)

    def _window(self, market: int) -> int:
        """Return the seconds after delivery start in which the contract takes a session; terms never change."""
        if market not in self._windows:
            terms = self._contract.market(market)
            if terms is None:
                return 1 << 40  # not open yet: it has no window, and no batch of it moves
            self._windows[market] = terms.window
        return self._windows[market]

    def _saved(self, batch: StoredBatch) -> StoredBatch:
        self._store.save(batch, self._lease.term)
        self._flight.note(batch)
        return batch


def _stored(batch: Batch, now: int) -> StoredBatch:
    return StoredBatch(
        session=batch.session.number,
        part=batch.part,
        parts=batch.parts,
        order_root=batch.order_root,
        trade_root=batch.trade_root,
        parameters=batch.parameters,
        calldata=settle_calldata(batch),
        state=State.SEALED,
        sealed_at=now,
    )


def _off_the_chain(batch: StoredBatch) -> StoredBatch:
    """A batch whose transaction is on the chain no longer."""
    return replace(
        batch,
        state=after(batch.state, Step.REORGED),
        tx_hash=None,
        block_number=None,
        block_hash=None,
        gas_used=None,
        mined_at=None,
    )
