"""The journal in a PostgreSQL database: several processes read it, and exactly one, the sequencer, writes.

The sequencer is who holds an advisory lock of the server, in the very session it writes with. The server gives the
lock up when that session ends, however it ends; another process can then take over, after it has read what was
written. Should a pool between us and the server tear lock and session apart, a commit still goes through only if the
head is the entry it was linked to: two writers cannot both be right. After a failure the session is not opened again:
who was sequencer once either still is, or is done.
"""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing, suppress
from threading import Lock

from sqlalchemy import Connection, Engine, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from exchange.effects.entries import GENESIS, Damage, Entry, Row
from exchange.effects.group_commit import GroupCommit
from exchange.effects.journal_tables import ENTRIES, HEAD, JOURNAL
from exchange.effects.reading import Head, damages, picked, replay
from exchange.errors import JournalBroken, JournalInUse, NotTheSequencer
from exchange.events import Event
from identity.effects.versioned import VersionUnknown, open_engine

_ROWS_AT_ONCE = 1_000

_TAKE_LOCK = text("SELECT pg_try_advisory_lock(hashtext('merit journal'), hashtext(current_schema()))")


class PostgresJournal:
    """A journal in the database at `url`; the tables are made where there are none.

    A new object follows; `take_over` makes it the sequencer. Raises `JournalBroken` where the database cannot be
    reached or holds something else, and where it does not wait for its disk (`fsync` off).
    """

    def __init__(self, url: str) -> None:
        self._engine: Engine = open_engine(url)
        self.name = self._engine.url.render_as_string(hide_password=True)
        self._taking = Lock()
        self._session: Connection | None = None
        self._writer: GroupCommit | None = None
        with ExitStack() as opened:
            opened.callback(self._engine.dispose)
            try:
                JOURNAL.prepare(self._engine)
                with self._engine.connect() as connection:
                    waits = connection.execute(text("SHOW fsync")).scalar() == "on"
            except VersionUnknown as unknown:
                raise JournalBroken(f"{self.name} holds no journal that this program can write: {unknown}") from unknown
            except SQLAlchemyError as error:
                raise self._broken(error) from error
            if not waits:
                raise JournalBroken(f"{self.name} does not wait for its disk: fsync is off")
            opened.pop_all()

    @classmethod
    def sequencer(cls, url: str) -> "PostgresJournal":
        """Return a journal that this process writes to. Raises `JournalInUse` where another process does."""
        journal = cls(url)
        with ExitStack() as opened:
            opened.callback(journal.close)
            if not journal.take_over():
                raise JournalInUse(journal.name)
            opened.pop_all()
        return journal

    @property
    def writable(self) -> bool:
        """Whether this process is the sequencer."""
        return self._writer is not None

    @property
    def sequence(self) -> int:
        """The number of the last entry that is durable, whoever wrote it."""
        if self._writer is not None:
            return self._writer.sequence
        try:
            with self._engine.connect() as connection:
                return int(str(_head(connection).sequence))
        except SQLAlchemyError as error:
            raise self._broken(error) from error

    def take_over(self) -> bool:
        """Become the sequencer unless another process is; say whether this process is now.

        Raises `JournalBroken` where the database does not answer, or its end is not what it says.
        """
        with self._taking:
            if self._writer is not None:
                return True
            session = None
            try:
                session = self._engine.connect()
                if not session.execute(_TAKE_LOCK).scalar():
                    session.close()
                    return False
                sequence, hash_ = _sound_head(session)
                session.commit()
            except SQLAlchemyError as error:
                raise self._broken(error) from error
            except JournalBroken:
                assert session is not None
                session.invalidate()  # with the session goes the lock
                raise
            session.detach()  # this session is nobody else's, and ends when it is closed
            self._session = session
            self._writer = GroupCommit(sequence, hash_, self._commit, self._abandon)
            return True

    def append(self, events: Sequence[Event]) -> "Future[int]":
        """Write events down; see `Journal`."""
        if self._writer is None:
            raise NotTheSequencer
        return self._writer.append(events)

    def read(self, start: int = 1) -> Iterator[tuple[int, Event]]:
        """Yield the durable events from entry `start` on; see `Journal`."""
        assert start >= 1, "entries are numbered from 1"
        try:
            with self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
                head, after, previous = _head(connection), start - 1, GENESIS
                if after:
                    before = select(ENTRIES.c.hash).where(ENTRIES.c.sequence == after)
                    row = connection.execute(before).first()
                    if row is None:
                        raise JournalBroken("the entry is missing", after)
                    previous = row.hash
                with closing(_rows(connection, start)) as rows:
                    yield from replay(head, rows, after=after, previous=previous)
        except SQLAlchemyError as error:
            raise self._broken(error) from error

    def pick(self, sequences: Sequence[int]) -> list[Event]:
        """Return the durable events of these entries; see `Journal`."""
        columns = select(ENTRIES.c.sequence, ENTRIES.c.previous, ENTRIES.c.hash, ENTRIES.c.body)
        found: list[Event] = []
        try:
            with self._engine.connect() as connection:
                for first in range(0, len(sequences), _ROWS_AT_ONCE):
                    some = sequences[first : first + _ROWS_AT_ONCE]
                    query = columns.where(ENTRIES.c.sequence.in_(some)).order_by(ENTRIES.c.sequence)
                    rows = [
                        (number, before, hash_, body.encode())
                        for number, before, hash_, body in connection.execute(query)
                    ]
                    found += (event for _, event in picked(rows, some))
        except SQLAlchemyError as error:
            raise self._broken(error) from error
        return found

    def bodies(self) -> Iterator[bytes]:
        """Yield the body of every entry, whatever its hash says: for an auditor of damage."""
        with self._engine.connect() as connection, closing(_rows(connection, 1)) as rows:
            for _, _, _, body in rows:
                assert isinstance(body, bytes)
                yield body

    def check(self) -> list[Damage]:
        """Return every damaged entry; an empty list says that all is as it was written."""
        found: list[Damage] = []
        try:
            with self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
                head = _head(connection)
                with closing(_rows(connection, 1)) as rows:
                    found.extend(damages(head, rows))
        except (SQLAlchemyError, JournalBroken) as error:
            found.append(Damage(None, str(error)))
        return found

    def close(self) -> None:
        """Write what waits, and let the next process take over. Closing twice is harmless."""
        if self._writer is not None:
            self._writer.close()
        if self._session is not None:
            self._session.close()
        self._engine.dispose()

    def _commit(self, entries: Sequence[Entry]) -> None:
        assert self._session is not None
        first, last = entries[0], entries[-1]
        with self._session.begin():
            self._session.execute(
                insert(ENTRIES),
                [
                    {"sequence": entry.sequence, "previous": entry.previous, "hash": entry.hash, "body": entry.body}
                    for entry in entries
                ],
            )
            moved = self._session.execute(
                update(HEAD)
                .where(HEAD.c.sequence == first.sequence - 1, HEAD.c.hash == first.previous)
                .values(sequence=last.sequence, hash=last.hash)
            )
            if moved.rowcount != 1:
                raise JournalInUse(self.name)

    def _abandon(self) -> None:
        """Let go of the session, and with it of the lock: whoever takes over finds out what is durable."""
        assert self._session is not None
        with suppress(SQLAlchemyError):
            self._session.close()

    def _broken(self, error: SQLAlchemyError) -> JournalBroken:
        return JournalBroken(f"{self.name} does not answer as it should: {getattr(error, 'orig', None) or error}")


def _head(connection: Connection) -> Head:
    row = connection.execute(select(HEAD.c.sequence, HEAD.c.hash)).first()
    if row is None:
        raise JournalBroken("the journal has no head")
    return Head(*row)


def _sound_head(connection: Connection) -> tuple[int, bytes]:
    """Return the head, once it is what the last entry says."""
    head = _head(connection)
    last = connection.execute(
        select(ENTRIES.c.sequence, ENTRIES.c.hash).order_by(ENTRIES.c.sequence.desc()).limit(1)
    ).first()
    if tuple(head) != ((0, GENESIS) if last is None else tuple(last)):
        raise JournalBroken("the last entry is not the one that the head names")
    assert isinstance(head.sequence, int)
    assert isinstance(head.hash, bytes)
    return head.sequence, head.hash


def _rows(connection: Connection, start: int) -> Generator[Row, None, None]:
    """Yield rows a thousand at a time: a journal is longer than a memory."""
    columns = select(ENTRIES.c.sequence, ENTRIES.c.previous, ENTRIES.c.hash, ENTRIES.c.body)
    query = columns.where(ENTRIES.c.sequence >= start).order_by(ENTRIES.c.sequence)
    with connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query) as streamed:
        for sequence, previous, hash_, body in streamed:
            yield sequence, previous, hash_, body.encode()
