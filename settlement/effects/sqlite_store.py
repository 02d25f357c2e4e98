"""The store in one SQLite file: write-ahead log, `synchronous=FULL`, one transaction a write.

A session's number has up to 80 bits and SQLite's integers 64, so sessions are kept as decimal text.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Any

from settlement.effects.errors import BatchConflict, StoreOfAnotherChain, StoreTooNew
from settlement.effects.fact_document import from_json, kind_of, to_json
from settlement.effects.store import Attempt, Checkpoint, StoredBatch, StoredFact
from settlement.facts import BatchSettled, Witnessed
from settlement.lifecycle import State

# One script a schema version; a script that was released is never edited, the next one follows it.
_MIGRATIONS = (
    """
    CREATE TABLE binding (chain_id INTEGER NOT NULL, contract BLOB NOT NULL) STRICT;
    CREATE TABLE batches (
        id INTEGER PRIMARY KEY,  -- ascending in the order of sealing
        session TEXT NOT NULL,
        part INTEGER NOT NULL,
        parts INTEGER NOT NULL,
        order_root BLOB NOT NULL,
        trade_root BLOB NOT NULL,
        parameters BLOB NOT NULL,
        calldata BLOB NOT NULL,
        state TEXT NOT NULL,
        sealed_at INTEGER NOT NULL,
        tx_hash BLOB,
        block_number INTEGER,
        block_hash BLOB,
        gas_used INTEGER,
        mined_at INTEGER,
        ended_at INTEGER,
        refused TEXT,
        UNIQUE (session, part)
    ) STRICT;
    CREATE INDEX batches_by_state ON batches (state, id);
    CREATE TABLE attempts (
        batch INTEGER NOT NULL REFERENCES batches (id),
        position INTEGER NOT NULL,
        tx_hash BLOB NOT NULL,
        nonce INTEGER NOT NULL,
        raw BLOB NOT NULL,
        signed_at INTEGER NOT NULL,
        PRIMARY KEY (batch, position)
    ) STRICT;
    CREATE TABLE blocks (
        number INTEGER PRIMARY KEY,
        hash BLOB NOT NULL,
        timestamp INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE facts (
        block_number INTEGER NOT NULL REFERENCES blocks (number),
        log_index INTEGER NOT NULL,
        tx_hash BLOB NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        session TEXT,  -- of a settled batch
        part INTEGER,
        calldata BLOB,
        PRIMARY KEY (block_number, log_index)
    ) STRICT;
    CREATE INDEX facts_by_session ON facts (session, part) WHERE session IS NOT NULL;
    """,
)
SCHEMA_VERSION = len(_MIGRATIONS)

_BATCH_COLUMNS = (
    "id, session, part, parts, order_root, trade_root, parameters, calldata, state, sealed_at, tx_hash, block_number, "
    "block_hash, gas_used, mined_at, ended_at, refused"
)
_FACT_COLUMNS = "kind, body, block_number, hash, tx_hash, log_index, timestamp, calldata"
_UNFINISHED = (State.SEALED.value, State.SUBMITTED.value, State.MINED.value)


class SqliteStore:
    """A store in the file at `path`, made if there is none. Safe to use from several threads of one process."""

    def __init__(self, path: Path) -> None:
        self._lock = RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._migrate()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def bind(self, chain_id: int, contract: bytes) -> None:
        """Say which contract this store is about. Raises `StoreOfAnotherChain` where it was another before."""
        with self._writing() as connection:
            row = connection.execute("SELECT chain_id, contract FROM binding").fetchone()
            if row is None:
                connection.execute("INSERT INTO binding VALUES (?, ?)", (chain_id, contract))
            elif row != (chain_id, contract):
                raise StoreOfAnotherChain(*row)

    # the outbox

    def enqueue(self, batches: Sequence[StoredBatch]) -> None:
        """Take sealed batches in, all or none. The same batch again changes nothing; `BatchConflict` if it differs."""
        with self._writing() as connection:
            for batch in batches:
                assert batch.state is State.SEALED, "what is enqueued is sealed and unsent"
                known = self.batch(batch.session, batch.part)
                if known is None:
                    connection.execute(
                        f"INSERT INTO batches ({_BATCH_COLUMNS}) VALUES (NULL{', ?' * 16})",  # noqa: S608 - our own names
                        (str(batch.session), batch.part, batch.parts, *_written_once(batch), *_written_often(batch)),
                    )
                elif _content(known) != _content(batch):
                    raise BatchConflict(batch.session, batch.part)

    def save(self, batch: StoredBatch) -> None:
        """Write how far a batch has come, with its attempts."""
        with self._writing() as connection:
            row = connection.execute(
                "UPDATE batches SET state = ?, sealed_at = ?, tx_hash = ?, block_number = ?, block_hash = ?,"
                " gas_used = ?, mined_at = ?, ended_at = ?, refused = ? WHERE session = ? AND part = ? RETURNING id",
                (*_written_often(batch), str(batch.session), batch.part),
            ).fetchone()
            assert row is not None, "only a batch that was enqueued can be saved"
            connection.executemany(
                "INSERT OR IGNORE INTO attempts VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (row[0], position, attempt.tx_hash, attempt.nonce, attempt.raw, attempt.signed_at)
                    for position, attempt in enumerate(batch.attempts)
                ],
            )

    def batch(self, session: int, part: int) -> StoredBatch | None:
        """Return one batch."""
        found = self._batches("WHERE session = ? AND part = ?", (str(session), part))
        return found[0] if found else None

    def batches(self, session: int | None = None) -> list[StoredBatch]:
        """Return all batches, or those of one session, in the order they were sealed."""
        return self._batches("") if session is None else self._batches("WHERE session = ?", (str(session),))

    def unfinished(self) -> list[StoredBatch]:
        """Return the batches that are neither final nor refused, in the order they were sealed."""
        return self._batches(f"WHERE state IN ({', '.join('?' * len(_UNFINISHED))})", _UNFINISHED)

    # the chain, as far as it was read

    def cursor(self) -> Checkpoint | None:
        """Return the newest checkpoint, or None if nothing was read yet."""
        return self._checkpoint("")

    def checkpoint_below(self, number: int) -> Checkpoint | None:
        """Return the newest checkpoint below block `number`."""
        return self._checkpoint("WHERE number < ?", (number,))

    def extend(self, blocks: Sequence[Checkpoint], facts: Sequence[StoredFact]) -> None:
        """Add checkpoints with the facts read up to them. Each fact's block is among the checkpoints."""
        with self._writing() as connection:
            connection.executemany(
                "INSERT INTO blocks VALUES (?, ?, ?)", [(block.number, block.hash, block.timestamp) for block in blocks]
            )
            connection.executemany("INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_fact_row, facts))

    def roll_back(self, number: int) -> None:
        """Forget every checkpoint and fact above block `number`."""
        with self._writing() as connection:
            connection.execute("DELETE FROM facts WHERE block_number > ?", (number,))
            connection.execute("DELETE FROM blocks WHERE number > ?", (number,))

    def facts(self) -> list[StoredFact]:
        """Return all facts in the order of the chain."""
        return self._facts("", ())

    def settled(self, session: int, part: int) -> Witnessed | None:
        """Return the fact that this part of a session is settled, if it was read."""
        found = self._facts("WHERE session = ? AND part = ?", (str(session), part))
        return found[0].witnessed if found else None

    # inside

    def _migrate(self) -> None:
        with self._writing() as connection:
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            if found > SCHEMA_VERSION:
                raise StoreTooNew(found, SCHEMA_VERSION)
            for script in _MIGRATIONS[found:]:
                for statement in script.split(";\n"):
                    connection.execute(statement)
            # a pragma takes no parameters; the number is ours
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _batches(self, where: str, values: Sequence[object] = ()) -> list[StoredBatch]:
        with self._lock:
            rows = self._connection.execute(
                f"SELECT {_BATCH_COLUMNS} FROM batches {where} ORDER BY id",  # noqa: S608 - our own names
                values,
            ).fetchall()
            attempts: dict[int, list[Attempt]] = {}
            for batch, *attempt in self._connection.execute(
                "SELECT batch, tx_hash, nonce, raw, signed_at FROM attempts"  # noqa: S608 - our own names
                f" WHERE batch IN (SELECT id FROM batches {where}) ORDER BY batch, position",
                values,
            ):
                attempts.setdefault(batch, []).append(Attempt(*attempt))
        return [replace(_batch(row), attempts=tuple(attempts.get(row[0], ()))) for row in rows]

    def _checkpoint(self, where: str, values: Sequence[object] = ()) -> Checkpoint | None:
        with self._lock:
            row = self._connection.execute(
                f"SELECT number, hash, timestamp FROM blocks {where} ORDER BY number DESC LIMIT 1",  # noqa: S608 - our own names
                values,
            ).fetchone()
        return None if row is None else Checkpoint(*row)

    def _facts(self, where: str, values: Sequence[object]) -> list[StoredFact]:
        with self._lock:
            rows = self._connection.execute(
                f"SELECT {_FACT_COLUMNS} FROM facts JOIN blocks ON number = block_number {where}"  # noqa: S608 - our own names
                " ORDER BY block_number, log_index",
                values,
            ).fetchall()
        return [_fact(*row) for row in rows]


def _content(batch: StoredBatch) -> tuple[object, ...]:
    """What makes two batches the same: everything but when it was sealed and how far it came."""
    return (batch.parts, batch.order_root, batch.trade_root, batch.parameters, batch.calldata)


def _written_once(batch: StoredBatch) -> tuple[object, ...]:
    return (batch.order_root, batch.trade_root, batch.parameters, batch.calldata)


def _written_often(batch: StoredBatch) -> tuple[object, ...]:
    return (
        batch.state.value,
        batch.sealed_at,
        batch.tx_hash,
        batch.block_number,
        batch.block_hash,
        batch.gas_used,
        batch.mined_at,
        batch.ended_at,
        batch.refused,
    )


def _batch(row: Sequence[Any]) -> StoredBatch:
    return StoredBatch(
        session=int(row[1]),
        part=row[2],
        parts=row[3],
        order_root=row[4],
        trade_root=row[5],
        parameters=row[6],
        calldata=row[7],
        state=State(row[8]),
        sealed_at=row[9],
        tx_hash=row[10],
        block_number=row[11],
        block_hash=row[12],
        gas_used=row[13],
        mined_at=row[14],
        ended_at=row[15],
        refused=row[16],
    )


def _fact_row(fact: StoredFact) -> tuple[object, ...]:
    seen = fact.witnessed
    settled = seen.fact if isinstance(seen.fact, BatchSettled) else None
    return (
        seen.block_number,
        seen.log_index,
        seen.tx_hash,
        kind_of(seen.fact),
        to_json(seen.fact),
        None if settled is None else str(settled.session),
        None if settled is None else settled.part,
        fact.calldata,
    )


def _fact(
    kind: str,
    body: str,
    block_number: int,
    block_hash: bytes,
    tx_hash: bytes,
    log_index: int,
    block_time: int,
    calldata: bytes | None,
) -> StoredFact:
    return StoredFact(
        Witnessed(from_json(kind, body), block_number, block_hash, tx_hash, log_index), block_time, calldata
    )
