"""What settlement keeps on disk: the outbox of batches, who submits them, and the chain's facts read so far.

`Store` is the port; `sqlite_store.SqliteStore` is the implementation. Every method that writes is one transaction that
has reached the disk when it returns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from settlement.facts import Witnessed
from settlement.lifecycle import State


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction for a batch, kept before it was sent. `raw` is what goes out, each time the same.

    `gas` is its limit; `max_fee` and `priority_fee` are what it offers, in wei per gas (a legacy transaction's gas
    price is its `max_fee`); `head` is the newest block when it was signed. All four are 0 in a store written before
    they were kept.
    """

    tx_hash: bytes
    nonce: int
    raw: bytes = field(repr=False)
    signed_at: int
    gas: int = 0
    max_fee: int = 0
    priority_fee: int = 0
    head: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBatch:
    """A sealed batch and how far it has come. Instants are unix seconds.

    `tx_hash`, `block_number`, `block_hash` and `gas_used` are those of the transaction that settled it, while it is
    mined. `refused` says why a refused batch was refused. `attempts` are in the order they were signed. Where the
    chain took a final batch back, `taken_back_at` says when that was seen; it stays, also when the batch is final anew.
    """

    session: int
    part: int
    parts: int
    order_root: bytes
    trade_root: bytes
    parameters: bytes
    calldata: bytes = field(repr=False)
    state: State
    sealed_at: int
    attempts: tuple[Attempt, ...] = ()
    tx_hash: bytes | None = None
    block_number: int | None = None
    block_hash: bytes | None = None
    gas_used: int | None = None
    mined_at: int | None = None
    ended_at: int | None = None
    refused: str | None = None
    taken_back_at: int | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may submit, until when (unix seconds). `term` grows by one whenever the holder changes."""

    holder: str
    until: int
    term: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A block of which everything up to and including it was read."""

    number: int
    hash: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class StoredFact:
    """A fact as it was witnessed, the time of its block, and the calldata of its transaction if it settled a batch."""

    witnessed: Witnessed
    block_time: int
    calldata: bytes | None = field(repr=False)


class Store(Protocol):
    """Where settlement keeps what must survive the process."""

    def bind(self, chain_id: int, contract: bytes) -> None:
        """Say which contract this store is about. Raises `StoreOfAnotherChain` where it was another before."""

    def enqueue(self, batches: Sequence[StoredBatch]) -> None:
        """Take sealed batches in, all or none. The same batch again changes nothing; `BatchConflict` if it differs."""

    def save(self, batch: StoredBatch, term: int | None = None) -> None:
        """Write how far a batch has come, with its attempts. With `term`, raises `LeaseLost` unless it is still that
        of the lease, and then nothing is written.
        """

    def batch(self, session: int, part: int) -> StoredBatch | None:
        """Return one batch."""

    def batches(self, session: int | None = None) -> list[StoredBatch]:
        """Return all batches, or those of one session, in the order they were sealed."""

    def unfinished(self) -> list[StoredBatch]:
        """Return the batches that are neither final nor refused, in the order they were sealed."""

    def page(self, after: int, limit: int) -> list[StoredBatch]:
        """Return the batches of the next sessions after number `after`, in order of session and part.

        There are `limit` of them at most, unless the last session has more parts: a session is never cut in two.
        """

    def tally(self) -> Mapping[State, int]:
        """Return how many batches there are in each state."""

    def newest_final(self) -> StoredBatch | None:
        """Return the final batch in the highest block, or None where nothing is final."""

    def take_lease(self, holder: str, now: int, until: int) -> Lease:
        """Take or renew the lease for `holder`, unless another has it beyond `now`; return it as it then stands."""

    def lease(self) -> Lease | None:
        """Return the lease, also when it is over; None where there never was one."""

    def release_lease(self, holder: str) -> None:
        """End the lease now, if it is that of `holder`."""

    def cursor(self) -> Checkpoint | None:
        """Return the newest checkpoint, or None if nothing was read yet."""

    def checkpoint_below(self, number: int) -> Checkpoint | None:
        """Return the newest checkpoint below block `number`."""

    def extend(self, blocks: Sequence[Checkpoint], facts: Sequence[StoredFact]) -> None:
        """Add checkpoints with the facts read up to them. Each fact's block is among the checkpoints."""

    def roll_back(self, number: int) -> None:
        """Forget every checkpoint and fact above block `number`."""

    def facts(self, above: int = -1, up_to: int | None = None) -> list[StoredFact]:
        """Return the facts in blocks above `above`, and up to `up_to`, in the order of the chain."""

    def settled(self, session: int, part: int) -> Witnessed | None:
        """Return the fact that this part of a session is settled, if it was read."""
