"""The outbox: sealed batches go to the chain, each exactly once, whatever breaks on the way.

Enqueued, a batch is on disk. `step` simulates it (so that a doomed batch costs no gas and its reason is known), signs
its transaction, **stores the raw bytes, then sends them**. From there on every step looks for the receipt, and where
there is none sends the same bytes again: the same hash and nonce, so sending twice is harmless. What a crash, an
unreachable node or a reorganisation leaves behind is what the next step starts from. That a session settles once is
the contract's law; nothing here is trusted with it.

One submitter sends from a key, and nothing else does while it runs. A transaction keeps the fee it was signed with.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from contracts.errors import EvmError, Refusal, Reverted, TransactionRefused, WrongChain
from contracts.evm import Receipt
from contracts.transaction import sender_of, sign
from settlement.batch import MAX_GAS, Batch, estimated_gas
from settlement.calldata import decode, encode, settle_calldata
from settlement.effects.settlement_contract import SettlementContract
from settlement.effects.store import Attempt, Store, StoredBatch
from settlement.lifecycle import State, Step, after
from settlement.record import record_of

CURABLE = frozenset({"pause: paused", "roles: not an operator", "markets: not open", "sessions: gate is open"})
"""Refusals that say nothing about the batch: it waits until others, or time, have cured them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSettings:
    """How one chain is treated.

    A batch is final when `confirmations` blocks lie on top of its own. `legacy` chains take no EIP-1559 transactions.
    `most_in_flight` transactions wait to be mined at once: nodes drop what queues too deep. Where gas is free, on a
    chain of one's own, only the session is tried before sending, not its orders and trades: if they are wrong, the
    block says so at no cost, and executing a large batch thrice in this process takes seconds.
    """

    chain_id: int
    confirmations: int = 0
    legacy: bool = False
    most_in_flight: int = 16
    free_gas: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A batch that could not move in this step, and why: the contract's reason, or the node's words."""

    session: int
    part: int
    why: str


@dataclass(frozen=True, slots=True)
class Progress:
    """What one step did: the batches that moved, as they stand now, and those held up."""

    moved: tuple[StoredBatch, ...]
    held: tuple[Held, ...]


class Submitter:
    """Brings batches to the contract with transactions signed by `key`, which must have the operator's role."""

    def __init__(self, store: Store, contract: SettlementContract, key: bytes, settings: ChainSettings) -> None:
        """Raises `WrongChain` and `StoreOfAnotherChain`."""
        evm = contract.evm
        if evm.chain_id != settings.chain_id:
            raise WrongChain(settings.chain_id, evm.chain_id)
        store.bind(settings.chain_id, contract.address)
        self.address = sender_of(key)
        self._evm = evm
        self._store = store
        self._key = key
        self._contract = contract
        self._settings = settings
        self._held: list[Held] = []

    def enqueue(self, batches: Sequence[Batch], now: int) -> None:
        """Take the batches of a session in, all or none; they are on disk when this returns.

        The same batches again change nothing. Raises `BatchConflict` where a part was sealed before with other content.
        """
        self._store.enqueue([_stored(batch, now) for batch in batches])

    def step(self, now: int) -> Progress:
        """Move every unfinished batch as far as the chain lets it.

        Where the chain stops answering on the way, what moved until then is returned; raises `EvmError` where nothing
        did. The next step goes on from there. The store knows best: a crash may swallow a return, never a write.
        """
        self._held = []
        moved: list[StoredBatch] = []
        try:
            for before, now_stands in self._moves(now):
                if now_stands != before:
                    moved.append(now_stands)
        except EvmError:
            if not moved:
                raise
        return Progress(tuple(moved), tuple(self._held))

    def try_again(self, session: int, part: int) -> StoredBatch:
        """Seal a refused batch anew, unchanged: what made the contract refuse it has been cured."""
        batch = self._store.batch(session, part)
        assert batch is not None, "only a batch that was enqueued can be tried again"
        again = replace(batch, state=after(batch.state, Step.TRIED_AGAIN), refused=None, ended_at=None)
        self._store.save(again)
        return again

    def _moves(self, now: int) -> Iterator[tuple[StoredBatch, StoredBatch]]:
        """Yield every unfinished batch as it was and as it stands now."""
        unfinished = self._store.unfinished()
        flying: list[StoredBatch] = []
        # in the order of their nonces: after a reorganisation a node takes them in no other
        for batch in sorted((b for b in unfinished if b.state is not State.SEALED), key=_nonce):
            now_stands = self._follow(batch, flying, now)
            if now_stands.state is State.SUBMITTED:
                flying.append(now_stands)
            yield batch, now_stands
        for batch in (b for b in unfinished if b.state is State.SEALED):
            if len(flying) >= self._settings.most_in_flight:
                return
            now_stands = self._begin(batch, flying, now)
            if now_stands.state is State.SUBMITTED:
                flying.append(now_stands)
            yield batch, now_stands

    def _follow(self, batch: StoredBatch, flying: Sequence[StoredBatch], now: int) -> StoredBatch:
        """Look for a batch that was sent; send it again where the chain does not have it."""
        receipt = self._receipt(batch)
        if batch.state is State.MINED and (receipt is None or receipt.block_hash != batch.block_hash):
            batch = self._saved(
                replace(
                    batch,
                    state=after(batch.state, Step.REORGED),
                    tx_hash=None,
                    block_number=None,
                    block_hash=None,
                    gas_used=None,
                    mined_at=None,
                )
            )
        if receipt is not None and receipt.ok:
            return self._mined(batch, receipt, now)
        if receipt is not None:
            return self._reverted(batch, receipt, now)
        if not batch.attempts:
            return self._begin(batch, flying, now)
        return self._send(batch, flying, now)

    def _begin(self, batch: StoredBatch, flying: Sequence[StoredBatch], now: int) -> StoredBatch:
        """Simulate, sign, write down, send."""
        try:
            gas = self._rehearse(batch)
        except Reverted as reverted:
            if self._stands(batch):
                return self._adopted(batch, now)
            # on a state in which transactions of ours are still to come, a refusal says nothing yet
            if flying or reverted.reason in CURABLE:
                return self._hold(batch, reverted.reason)
            return self._refused(batch, reverted.reason, now)
        except TransactionRefused as refused:
            return self._hold(batch, refused.reason)
        tip = self._evm.priority_fee()
        legacy = self._settings.legacy
        nonce = max(self._evm.nonce(self.address, pending=True), *(_nonce(other) + 1 for other in flying), 0)
        signed = sign(
            self._key,
            chain_id=self._settings.chain_id,
            nonce=nonce,
            to=self._contract.address,
            data=batch.calldata,
            gas=gas,
            max_fee=self._evm.gas_price() if legacy else 2 * self._evm.base_fee() + tip,
            priority_fee=tip,
            legacy=legacy,
        )
        attempt = Attempt(signed.hash, nonce, signed.raw, now)
        batch = self._saved(
            replace(batch, state=after(batch.state, Step.SENT), attempts=(*batch.attempts, attempt), refused=None)
        )
        return self._send(batch, flying, now, fresh=True)

    def _rehearse(self, batch: StoredBatch) -> int:
        """Return a gas limit that will do; raises `Reverted` where the contract would refuse the batch now."""
        if not self._settings.free_gas:
            estimate = self._evm.estimate_gas(self.address, self._contract.address, batch.calldata)
            return max(estimate, min(estimate + (estimate >> 3), MAX_GAS))
        call = decode(batch.calldata)
        session_alone = encode(replace(call, orders=(), trades=()))
        self._evm.estimate_gas(self.address, self._contract.address, session_alone)
        return estimated_gas(len(call.orders), len(call.trades), call.parts)

    def _send(self, batch: StoredBatch, flying: Sequence[StoredBatch], now: int, *, fresh: bool = False) -> StoredBatch:
        """Send the newest attempt's bytes, and look whether they are mined already."""
        try:
            self._evm.send_raw(batch.attempts[-1].raw)
        except TransactionRefused as refused:
            receipt = self._receipt(batch)
            if receipt is None and refused.kind is not Refusal.ALREADY_KNOWN:
                passed_over = refused.kind is Refusal.NONCE_TOO_LOW and not self._stands(batch)
                # what was to come before it never will: its predecessors went with a reorganisation
                stranded = refused.kind is Refusal.NONCE_TOO_HIGH and not flying
                if (passed_over or stranded) and not fresh:
                    return self._begin(batch, flying, now)
                return self._hold(batch, refused.reason)
        else:
            receipt = self._receipt(batch)
        if receipt is not None and receipt.ok:
            return self._mined(batch, receipt, now)
        if receipt is not None:
            return self._reverted(batch, receipt, now)
        return batch

    def _receipt(self, batch: StoredBatch) -> Receipt | None:
        """Return the receipt of the attempt that settled the batch, else that of the newest attempt if it is mined."""
        newest = None
        hashes = [attempt.tx_hash for attempt in batch.attempts]
        for tx_hash in hashes if batch.tx_hash is None or batch.tx_hash in hashes else [batch.tx_hash, *hashes]:
            newest = self._evm.receipt(tx_hash)
            if newest is not None and newest.ok:
                break
        return newest

    def _mined(self, batch: StoredBatch, receipt: Receipt, now: int) -> StoredBatch:
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
        if self._is_deep(receipt):
            mined = replace(mined, state=after(mined.state, Step.DEEP_ENOUGH), ended_at=now)
        return self._saved(mined) if mined != batch else batch

    def _reverted(self, batch: StoredBatch, receipt: Receipt, now: int) -> StoredBatch:
        """Refuse a batch whose transaction reverted, once no reorganisation can bring another outcome."""
        if self._stands(batch):
            return self._adopted(batch, now)
        why = self._reason(batch, receipt)
        return self._refused(batch, why, now) if self._is_deep(receipt) else self._hold(batch, why)

    def _adopted(self, batch: StoredBatch, now: int) -> StoredBatch:
        """Take over the transaction of another process that settled this very batch, once the index knows it."""
        seen = self._store.settled(batch.session, batch.part)
        receipt = None if seen is None else self._evm.receipt(seen.tx_hash)
        if receipt is None or not receipt.ok:
            return self._hold(batch, "it is on the chain by another transaction, which is yet to be read")
        return self._mined(replace(batch, state=after(batch.state, Step.SENT)), receipt, now)

    def _refused(self, batch: StoredBatch, why: str, now: int) -> StoredBatch:
        return self._saved(replace(batch, state=after(batch.state, Step.REVERTED), refused=why, ended_at=now))

    def _hold(self, batch: StoredBatch, why: str) -> StoredBatch:
        self._held.append(Held(batch.session, batch.part, why))
        return batch

    def _saved(self, batch: StoredBatch) -> StoredBatch:
        self._store.save(batch)
        return batch

    def _stands(self, batch: StoredBatch) -> bool:
        """Whether the contract holds this very batch, by whichever transaction."""
        record = record_of(batch.order_root, batch.trade_root, batch.parameters, batch.parts)
        return self._contract.record(batch.session, batch.part) == record

    def _is_deep(self, receipt: Receipt) -> bool:
        if self._evm.head().number - receipt.block_number < self._settings.confirmations:
            return False
        block = self._evm.block(receipt.block_number)
        return block is not None and block.hash == receipt.block_hash

    def _reason(self, batch: StoredBatch, receipt: Receipt) -> str:
        """Return why a mined transaction reverted: what the contract says at the end of that block."""
        at = receipt.block_number
        try:
            self._evm.call(self._contract.address, batch.calldata, sender=self.address, block=at)
        except Reverted as reverted:
            return reverted.reason or "reverted without a reason"
        except EvmError as error:
            return f"reverted, and the node cannot say why: {error}"
        return "reverted by its gas limit, or by what was undone later in its block"


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


def _nonce(batch: StoredBatch) -> int:
    """Return the nonce of the newest attempt, or -1 where another process settled the batch."""
    return batch.attempts[-1].nonce if batch.attempts else -1
