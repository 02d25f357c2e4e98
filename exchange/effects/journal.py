"""The journal: the append-only record of everything the exchange took and decided.

`append` hands events over and returns at once; its future is done when they are on the disk (`group_commit.py`). This
file holds the port, and the journal in one SQLite file, on the standard library's driver: the hot path.

Beside the file lies a mark, `….mark`: the number and hash of the last entry that was acknowledged. SQLite drops a torn
or missing write-ahead log without a word, and would so go back to an earlier state that hangs together; the mark shows
it. It is written after every commit, and not waited for: it may be behind after a power cut, never ahead.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing, suppress
from itertools import chain
from pathlib import Path
from typing import Protocol, TextIO

from exchange.effects.durable_file import sync_folder
from exchange.effects.entries import GENESIS, Damage, Entry, Row
from exchange.effects.group_commit import GroupCommit
from exchange.effects.reading import Head, Mark, damages, picked, replay, rolled_back
from exchange.errors import JournalBroken, JournalInUse
from exchange.events import Event

_INSERT = "INSERT INTO entries (sequence, previous, hash, body) VALUES (?, ?, ?, ?)"
_PICK = "SELECT sequence, previous, hash, body FROM entries WHERE sequence IN ({}) ORDER BY sequence"
_PICKED_AT_ONCE = 500
_ROWS_AT_ONCE = (128, 32, 8, 1)
"""Of many rows as many as fit go in with one statement: with each the interpreter's lock is given up and waited for."""

VERSION = "0001"
"""The version of the tables (`journal_tables.py`), here so that opening a journal need not load SQLAlchemy."""


class Journal(Protocol):
    """What a desk needs of a journal."""

    @property
    def writable(self) -> bool:
        """Whether this process is the one that writes; where storage is shared, one process does, others follow."""
        ...

    @property
    def sequence(self) -> int:
        """The number of the last entry that is durable; 0 before the first. Raises `JournalBroken`."""
        ...

    def take_over(self) -> bool:
        """Become the one that writes, unless another process is; say whether this process is now."""
        ...

    def append(self, events: Sequence[Event]) -> "Future[int]":
        """Write events down, all or none; the future gives the number of the last entry once they are durable.

        Futures are done in the order of the calls. No events at all: the future is done when everything handed in
        before is durable. Raises `JournalBroken`, at once or through the future, when nothing can be written, and
        `NotTheSequencer` where another process writes.
        """
        ...

    def read(self, start: int = 1) -> Iterator[tuple[int, Event]]:
        """Yield the durable events from entry `start` on; raises `JournalBroken` at the first damaged entry."""
        ...

    def pick(self, sequences: Sequence[int]) -> list[Event]:
        """Return the durable events of these entries, named in ascending order; raises `JournalBroken`."""
        ...

    def check(self) -> list[Damage]:
        """Return every damaged entry; an empty list says that all is as it was written."""
        ...

    def close(self) -> None:
        """Write what waits, and let go of the journal."""
        ...


class SqliteJournal:
    """A journal in one SQLite file, written by one process.

    Raises `JournalInUse` when another process writes to it, and `JournalBroken` when the file is not a journal, or
    not to be written. `connection_type` lets a test put a failing disk underneath.
    """

    def __init__(self, path: Path, connection_type: type[sqlite3.Connection] = sqlite3.Connection) -> None:
        self.path = path
        # A file of its own: closing any handle of a SQLite file would drop SQLite's own locks on it.
        self._lock_file = _lock(path)
        with ExitStack() as opened:
            opened.enter_context(self._lock_file)
            try:
                head, self._connection = self._open(connection_type)
                opened.callback(self._connection.close)
                self._mark = os.open(mark_path(path), os.O_RDWR | os.O_CREAT, 0o600)
                opened.callback(os.close, self._mark)
                self._note(head)
                sync_folder(path.parent)
            except (sqlite3.Error, OSError) as error:
                raise JournalBroken(f"{path} cannot be opened as a journal: {error}") from error
            self._closing = opened.pop_all()
        self._writer = GroupCommit(head.sequence, head.hash, self._commit, self._abandon)

    @property
    def writable(self) -> bool:
        """Whether this process is the one that writes: always."""
        return True

    @property
    def sequence(self) -> int:
        """The number of the last entry that is durable."""
        return self._writer.sequence

    def take_over(self) -> bool:
        """Say that this process is the one that writes."""
        return True

    def append(self, events: Sequence[Event]) -> "Future[int]":
        """Write events down; see `Journal`."""
        return self._writer.append(events)

    def read(self, start: int = 1) -> Iterator[tuple[int, Event]]:
        """Yield the durable events from entry `start` on; see `Journal`."""
        return read_journal(self.path, start)

    def pick(self, sequences: Sequence[int]) -> list[Event]:
        """Return the durable events of these entries; see `Journal`."""
        return pick_entries(self.path, sequences)

    def check(self) -> list[Damage]:
        """Return every damaged entry; an empty list says that all is as it was written."""
        return check_journal(self.path)

    def close(self) -> None:
        """Write what waits, and let go of the file. Closing twice is harmless."""
        self._writer.close()
        self._closing.close()

    def _open(self, connection_type: type[sqlite3.Connection]) -> tuple[Mark, sqlite3.Connection]:
        """Make the file a journal if it is new; return its head, and the connection to write with."""
        if not _is_current(self.path):
            _prepare(self.path)
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, factory=connection_type)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(
                "BEGIN IMMEDIATE"
            )  # a file that cannot be written is refused now, not at the first order
            connection.execute("UPDATE head SET one = one")
            connection.execute("COMMIT")
            head = _sound_head(connection)
            mark = read_mark(self.path)
            if mark is not None and mark.sequence:
                _refuse_if_rolled_back(connection, head, mark)
        except (sqlite3.Error, JournalBroken):
            connection.close()
            raise
        return head, connection

    def _commit(self, entries: Sequence[Entry]) -> None:
        last = entries[-1]
        self._connection.execute("BEGIN IMMEDIATE")
        first = 0
        for rows in _ROWS_AT_ONCE:
            while len(entries) - first >= rows:
                values = list(chain.from_iterable(entries[first : first + rows]))
                self._connection.execute(_INSERT + ", (?, ?, ?, ?)" * (rows - 1), values)
                first += rows
        self._connection.execute("UPDATE head SET sequence = ?, hash = ?", (last.sequence, last.hash))
        self._connection.execute("COMMIT")
        self._note(Mark(last.sequence, last.hash))

    def _abandon(self) -> None:
        with suppress(sqlite3.Error):  # a failed COMMIT may have rolled back already
            self._connection.execute("ROLLBACK")

    def _note(self, last: Mark) -> None:
        os.pwrite(self._mark, _mark_bytes(last), 0)


def read_journal(path: Path, start: int = 1) -> Iterator[tuple[int, Event]]:
    """Yield the events of a journal from entry `start` on, whoever writes to it meanwhile.

    Raises `JournalBroken`, naming the entry, where a link, a hash or a body is wrong.
    """
    assert start >= 1, "entries are numbered from 1"
    with _reader(path) as connection:
        try:
            head, after, previous = _head(connection), start - 1, GENESIS
            if after:
                row = connection.execute("SELECT hash FROM entries WHERE sequence = ?", (after,)).fetchone()
                if row is None:
                    raise JournalBroken("the entry is missing", after)
                previous = row[0]
            yield from replay(head, _rows(connection, start), after=after, previous=previous)
        except sqlite3.DatabaseError as error:
            raise JournalBroken(f"{path} is damaged: {error}") from error


def pick_entries(path: Path, sequences: Sequence[int]) -> list[Event]:
    """Return the durable events of some entries, named in ascending order. Raises `JournalBroken`."""
    found: list[Event] = []
    with _reader(path) as connection:
        try:
            for first in range(0, len(sequences), _PICKED_AT_ONCE):
                some = sequences[first : first + _PICKED_AT_ONCE]
                rows = connection.execute(_PICK.format(", ".join("?" * len(some))), some)
                found += (event for _, event in picked(rows, some))
        except sqlite3.DatabaseError as error:
            raise JournalBroken(f"{path} is damaged: {error}") from error
    return found


def check_journal(path: Path) -> list[Damage]:
    """Return every damaged entry of a journal; an empty list says that all is as it was written."""
    found: list[Damage] = []
    try:
        mark = read_mark(path)  # before the entries: who writes meanwhile moves both on
        with _reader(path) as connection:
            found.extend(damages(_head(connection), _rows(connection, 1), mark))
            if not found:
                pages = [str(row[0], "utf-8", "replace") for row in connection.execute("PRAGMA quick_check")]
                found += [Damage(None, f"{path}: {why}") for why in pages if why != "ok"]
    except (sqlite3.DatabaseError, JournalBroken) as error:
        return [*found, Damage(None, f"{path} is damaged: {error}")]
    return found


def read_bodies(path: Path) -> Iterator[bytes]:
    """Yield the body of every entry that can still be read, whatever its hash says: for an auditor of damage."""
    with _reader(path) as connection:
        try:
            for (body,) in connection.execute("SELECT body FROM entries ORDER BY sequence"):
                yield body
        except sqlite3.DatabaseError as error:
            raise JournalBroken(f"{path} cannot be read: {error}") from error


def mark_path(path: Path) -> Path:
    """Return where the mark of a journal lies."""
    return path.with_name(path.name + ".mark")


def read_mark(path: Path) -> Mark | None:
    """Return the mark of a journal, or None where none was written. Raises `JournalBroken` where it is unreadable."""
    try:
        content = mark_path(path).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalBroken(f"the mark of {path} cannot be read: {error}") from error
    if not content:  # made, and the power went before anything was written
        return None
    number, _, digest = content.rstrip(b"\n").partition(b" ")
    if not number.isdigit() or len(digest) != 64 or _mark_bytes(Mark(int(number), _unhex(digest))) != content:
        raise JournalBroken(f"{mark_path(path)} does not name an entry")
    return Mark(int(number), _unhex(digest))


def _mark_bytes(mark: Mark) -> bytes:
    return b"%020d %s\n" % (mark.sequence, mark.hash.hex().encode())


def _unhex(digits: bytes) -> bytes:
    try:
        return bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return b""


def _refuse_if_rolled_back(connection: sqlite3.Connection, head: Mark, mark: Mark) -> None:
    if mark.sequence > head.sequence:
        raise JournalBroken(rolled_back(head.sequence, mark))
    row = connection.execute("SELECT hash FROM entries WHERE sequence = ?", (mark.sequence,)).fetchone()
    if row is None or row[0] != mark.hash:
        raise JournalBroken("another entry was acknowledged under this number", mark.sequence)


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


def _is_current(path: Path) -> bool:
    """Whether a file is a journal of this version; nothing is changed by asking."""
    if not path.exists():
        return False
    with _reader(path) as connection:
        return _version(connection) == VERSION


def _prepare(path: Path) -> None:
    """Make or upgrade the tables of a journal."""
    # slow to import, and only needed for a journal that is new, or of an earlier version
    from sqlalchemy.exc import DBAPIError

    from exchange.effects.journal_tables import JOURNAL
    from identity.effects.versioned import VersionUnknown, open_engine

    engine = open_engine(f"sqlite:///{path}")
    try:
        JOURNAL.prepare(engine)
    except VersionUnknown as unknown:
        raise JournalBroken(f"{path} is not a journal that this program can write: {unknown}") from unknown
    except DBAPIError as error:
        raise JournalBroken(f"{path} cannot be opened as a journal: {error.orig}") from error
    finally:
        engine.dispose()


def _version(connection: sqlite3.Connection) -> str | None:
    """Return the version of a journal as its table says it, or None where there is no such table."""
    has = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'journal_version'").fetchone()[0]
    row = connection.execute("SELECT version_num FROM journal_version").fetchone() if has else None
    return None if row is None else str(row[0], "utf-8", "replace")


def _sound_head(connection: sqlite3.Connection) -> Mark:
    """Return the head, once it is what the last entry says."""
    sequence, hash_ = _head(connection)
    last = connection.execute("SELECT sequence, hash FROM entries ORDER BY sequence DESC LIMIT 1").fetchone()
    if not isinstance(sequence, int) or not isinstance(hash_, bytes) or (last or (0, GENESIS)) != (sequence, hash_):
        raise JournalBroken("the last entry is not the one that the head names")
    return Mark(sequence, hash_)


def _head(connection: sqlite3.Connection) -> Head:
    row = connection.execute("SELECT sequence, hash FROM head").fetchone()
    if row is None:
        raise JournalBroken("the journal has no head")
    return Head(*row)


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


def _rows(connection: sqlite3.Connection, start: int) -> Iterable[Row]:
    return connection.execute(
        "SELECT sequence, previous, hash, body FROM entries WHERE sequence >= ? ORDER BY sequence", (start,)
    )
