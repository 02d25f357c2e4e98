"""The journal: the append-only record of everything the exchange took and decided.

`append` hands events over and returns at once; its future is done when they are on the disk. One thread writes. It
takes everything that waits, commits it in one transaction, and only then tells who waits: under load many callers
share one sync of the disk, and no timer is needed. If a commit fails, everybody who waited for it is told, and the
journal takes nothing more: what is in memory may then be ahead of the disk, and only a restart puts that right.
"""

import fcntl
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from pathlib import Path
from typing import Protocol, TextIO

from exchange.effects.entries import GENESIS, Damage, Row, body_of, examine, link
from exchange.errors import JournalBroken, JournalInUse
from exchange.events import Event

SCHEMA_VERSION = 1

_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE entries(sequence INTEGER PRIMARY KEY, previous BLOB NOT NULL, hash BLOB NOT NULL, body TEXT NOT NULL);
CREATE TABLE head(one INTEGER PRIMARY KEY CHECK (one = 1), sequence INTEGER NOT NULL, hash BLOB NOT NULL);
INSERT INTO head VALUES (1, 0, zeroblob(32));
PRAGMA user_version = 1;
COMMIT;
"""


class Journal(Protocol):
    """What a desk needs of a journal."""

    def append(self, events: Sequence[Event]) -> "Future[int]":
        """Write events down, all or none; the future gives the number of the last entry once they are durable.

        Futures are done in the order of the calls. No events at all: the future is done when everything handed in
        before is durable. Raises `JournalBroken`, at once or through the future, when nothing can be written.
        """
        ...

    def read(self, start: int = 1) -> Iterator[tuple[int, Event]]:
        """Yield the durable events from entry `start` on; raises `JournalBroken` at the first damaged entry."""
        ...

    def close(self) -> None:
        """Write what waits, and let go of the journal."""
        ...


class SqliteJournal:
    """A journal in one SQLite file, written by one process.

    Raises `JournalInUse` when another process writes to it, and `JournalBroken` when the file is not a journal.
    `connection_type` lets a test put a failing disk underneath.
    """

    def __init__(self, path: Path, connection_type: type[sqlite3.Connection] = sqlite3.Connection) -> None:
        self.path = path
        # A file of its own: closing any handle of a SQLite file would drop SQLite's own locks on it.
        self._lock_file = _lock(path)
        try:
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, factory=connection_type
            )
            try:
                self._sequence, self._hash = _prepare(self._connection)
            except (sqlite3.Error, JournalBroken):
                self._connection.close()
                raise
        except sqlite3.Error as error:
            self._lock_file.close()
            raise JournalBroken(f"{path} cannot be opened as a journal: {error}") from error
        except JournalBroken:
            self._lock_file.close()
            raise
        self._pending: list[tuple[list[str], Future[int]]] = []
        self._awake = threading.Condition()
        self._closing = False
        self._broken: str | None = None
        self._writer = threading.Thread(target=self._write_until_closed, name="journal", daemon=True)
        self._writer.start()

    def append(self, events: Sequence[Event]) -> "Future[int]":
        """Write events down; see `Journal`."""
        bodies = [body_of(event) for event in events]
        future: Future[int] = Future()
        future.set_running_or_notify_cancel()  # what was handed in is written, even if nobody waits any longer
        with self._awake:
            if self._broken is not None:
                raise JournalBroken(self._broken)
            if self._closing:
                raise JournalBroken("the journal is closed")
            self._pending.append((bodies, future))
            self._awake.notify()
        return future

    def read(self, start: int = 1) -> Iterator[tuple[int, Event]]:
        """Yield the durable events from entry `start` on; see `Journal`."""
        return read_journal(self.path, start)

    def check(self) -> list[Damage]:
        """Return every damaged entry; an empty list says that all is as it was written."""
        return check_journal(self.path)

    def close(self) -> None:
        """Write what waits, and let go of the file. Closing twice is harmless."""
        with self._awake:
            self._closing = True
            self._awake.notify()
        self._writer.join()
        self._connection.close()
        self._lock_file.close()

    def _write_until_closed(self) -> None:
        while True:
            with self._awake:
                while not self._pending and not self._closing:
                    self._awake.wait()
                batch, self._pending = self._pending, []
            if not batch:
                return
            try:
                numbers = self._commit([bodies for bodies, _ in batch])
            except Exception as error:  # noqa: BLE001  # whatever went wrong, those who wait must be told
                self._break(f"the journal cannot be written: {error}", batch)
                return
            for (_, future), number in zip(batch, numbers, strict=True):
                future.set_result(number)

    def _commit(self, batch: list[list[str]]) -> list[int]:
        """Write the bodies of a batch in one transaction; return the last number of each part."""
        entries = link((body for part in batch for body in part), after=self._sequence, previous=self._hash)
        if entries:
            last = entries[-1]
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "INSERT INTO entries VALUES (?, ?, ?, ?)",
                [(entry.sequence, entry.previous, entry.hash, entry.body) for entry in entries],
            )
            self._connection.execute("UPDATE head SET sequence = ?, hash = ?", (last.sequence, last.hash))
            self._connection.execute("COMMIT")
        numbers, number = [], self._sequence
        for part in batch:
            number += len(part)
            numbers.append(number)
        if entries:
            self._sequence, self._hash = entries[-1].sequence, entries[-1].hash
        return numbers

    def _break(self, why: str, batch: list[tuple[list[str], "Future[int]"]]) -> None:
        with suppress(sqlite3.Error):
            self._connection.execute("ROLLBACK")
        with self._awake:
            self._broken = why
            batch, self._pending = batch + self._pending, []
        for _, future in batch:
            future.set_exception(JournalBroken(why))


def read_journal(path: Path, start: int = 1) -> Iterator[tuple[int, Event]]:
    """Yield the events of a journal from entry `start` on, whoever writes to it meanwhile.

    Raises `JournalBroken`, naming the entry, where a link, a hash or a body is wrong.
    """
    assert start >= 1, "entries are numbered from 1"
    with _reader(path) as connection:
        try:
            head, head_hash = _head(connection)
            after, previous, last = start - 1, GENESIS, GENESIS
            if after:
                row = connection.execute("SELECT hash FROM entries WHERE sequence = ?", (after,)).fetchone()
                if row is None:
                    raise JournalBroken("the entry is missing", after)
                previous = last = row[0]
            for found in examine(_rows(connection, start), after=after, previous=previous):
                if found.event is None:
                    raise JournalBroken(found.why or "damaged", found.sequence)
                yield found.sequence, found.event
                after, last = found.sequence, found.hash
        except sqlite3.DatabaseError as error:
            raise JournalBroken(f"{path} is damaged: {error}") from error
    if (after, last) != (head, head_hash):
        raise JournalBroken(f"the journal ends here, and should end with entry {head}", after)


def check_journal(path: Path) -> list[Damage]:
    """Return every damaged entry of a journal; an empty list says that all is as it was written."""
    damages, after, last = [], 0, GENESIS
    try:
        with _reader(path) as connection:
            head, head_hash = _head(connection)
            for found in examine(_rows(connection, 1)):
                if found.why is not None:
                    damages.append(Damage(found.sequence, found.why))
                after, last = found.sequence, found.hash
    except (sqlite3.DatabaseError, JournalBroken) as error:
        return [*damages, Damage(None, f"{path} is damaged: {error}")]
    if after != head or (last != head_hash and not any(damage.sequence == after for damage in damages)):
        damages.append(Damage(after, f"the journal ends with entry {after}, and says that it ends with {head!r}"))
    return damages


def _lock(path: Path) -> TextIO:
    try:
        lock_file = path.with_name(path.name + ".lock").open("a")
    except OSError as error:
        raise JournalBroken(f"{path} cannot be opened as a journal: {error}") from error
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock_file.close()
        raise JournalInUse(str(path)) from error
    return lock_file


def _prepare(connection: sqlite3.Connection) -> tuple[int, bytes]:
    """Make the file a journal if it is new; return the number and the hash of its last entry."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables:
        _head(connection)  # before anything is changed in a file that is something else
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if not tables:
        connection.executescript(_SCHEMA)
    sequence, hash_ = _head(connection)
    last = connection.execute("SELECT sequence, hash FROM entries ORDER BY sequence DESC LIMIT 1").fetchone()
    if not isinstance(sequence, int) or not isinstance(hash_, bytes) or (last or (0, GENESIS)) != (sequence, hash_):
        raise JournalBroken("the last entry is not the one that the head names")
    return sequence, hash_


def _head(connection: sqlite3.Connection) -> tuple[object, object]:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        raise JournalBroken(f"this is not a journal of version {SCHEMA_VERSION}, but of {version}")
    row: tuple[object, object] | None = connection.execute("SELECT sequence, hash FROM head").fetchone()
    if row is None:
        raise JournalBroken("the journal has no head")
    return row


def _reader(path: Path) -> "closing[sqlite3.Connection]":
    """Open a journal for reading only; text comes as bytes, so that damaged text can be looked at."""
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise JournalBroken(f"{path} cannot be read: {error}") from error
    connection.text_factory = bytes
    connection.execute("BEGIN")  # head and entries of one moment, whatever is written meanwhile
    return closing(connection)


def _rows(connection: sqlite3.Connection, start: int) -> Iterator[Row]:
    yield from connection.execute(
        "SELECT sequence, previous, hash, body FROM entries WHERE sequence >= ? ORDER BY sequence", (start,)
    )
