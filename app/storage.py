"""Storage by URL: where journal, store, grants and readings lie; the one place that knows which database it is.

`sqlite:///folder` holds them in files of a folder, for one process; without a URL that is the exchange's own folder.
`postgresql+pg8000://user@host/database` holds all in one database, for many processes.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from exchange.effects.archive import Archive
from exchange.effects.entries import Damage
from exchange.effects.journal import Journal, SqliteJournal, check_journal, read_bodies
from identity.effects.access_store import AccessStore
from identity.effects.versioned import StorageUrlRefused
from settlement.effects.meter_store import MeterStore
from settlement.effects.sql_store import SqlStore
from settlement.effects.sqlite_store import SqliteStore

JOURNAL_FILE = "journal.db"
STORE_FILE = "settlement.db"
ACCESS_FILE = "access.db"
ARCHIVE_FILE = "archive.db"
METERS_FILE = "meters.db"

_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Storage:
    """Where an exchange keeps what it writes: the files of `folder`, or else the database at `url`."""

    folder: Path | None
    url: str | None

    @property
    def journal(self) -> Path | None:
        """The file of the journal, where it is one."""
        return None if self.folder is None else self.folder / JOURNAL_FILE

    @property
    def store(self) -> Path | None:
        """The file of the store, where it is one."""
        return None if self.folder is None else self.folder / STORE_FILE

    @property
    def access(self) -> Path | None:
        """The file of grants, sessions and the record of reads, where it is one."""
        return None if self.folder is None else self.folder / ACCESS_FILE

    @property
    def meters(self) -> Path | None:
        """The file of readings and imbalance runs, where it is one."""
        return None if self.folder is None else self.folder / METERS_FILE

    def open_journal(self) -> Journal:
        """Open the journal; where it is shared, this process follows until it takes over. Raises `JournalBroken`."""
        if self.url is not None:
            from exchange.effects.postgres_journal import PostgresJournal

            return PostgresJournal(self.url)
        assert self.journal is not None
        return SqliteJournal(self.journal)

    def open_store(self) -> SqlStore:
        """Open the store. Raises `StoreTooNew` and `StoreBroken`."""
        if self.url is not None:
            return SqlStore(self.url)
        assert self.store is not None
        return SqliteStore(self.store)

    def open_access(self) -> AccessStore:
        """Open the store of grants, sessions and reads. Raises `AccessStoreBroken`."""
        if self.url is not None:
            return AccessStore(self.url)
        assert self.access is not None
        return AccessStore(f"sqlite:///{self.access}")

    def open_meters(self) -> MeterStore:
        """Open the store of readings and imbalance runs. Raises `StoreTooNew` and `StoreBroken`."""
        if self.url is not None:
            return MeterStore(self.url)
        assert self.meters is not None
        return MeterStore(f"sqlite:///{self.meters}")

    def open_archive(self) -> Archive:
        """Open the archive of settled sessions. Raises `ArchiveBroken`."""
        if self.url is not None:
            return Archive(self.url)
        assert self.folder is not None
        return Archive(f"sqlite:///{self.folder / ARCHIVE_FILE}")

    def is_there(self) -> bool:
        """Whether there is something to read: a file of a journal, or a server."""
        return self.journal is None or self.journal.exists()

    def bodies(self) -> Iterator[bytes]:
        """Yield the body of every entry that can still be read, whatever its hash says. Raises `JournalBroken`."""
        if self.journal is not None:
            yield from read_bodies(self.journal)
            return
        from exchange.effects.postgres_journal import PostgresJournal

        assert self.url is not None
        with closing(PostgresJournal(self.url)) as journal:
            yield from journal.bodies()

    def check_journal(self) -> list[Damage]:
        """Return every damaged entry of the journal; a running exchange is not in the way."""
        if self.journal is not None:
            return check_journal(self.journal)
        with self.journal_to_read() as journal:
            return journal.check()

    @contextmanager
    def journal_to_read(self) -> Iterator[Journal]:
        """Open a journal that is shared, to read it only."""
        with ExitStack() as stack:
            journal = self.open_journal()
            stack.callback(journal.close)
            yield journal


def storage_of(url: str | None, folder: Path) -> Storage:
    """Return the storage that `url` names, else the files in the exchange's own folder.

    Raises `StorageUrlRefused` for any other URL.
    """
    if not url:
        return Storage(folder, None)
    if url.startswith(_SQLITE):
        place = Path(url.removeprefix(_SQLITE))
        if not place.is_dir():
            raise StorageUrlRefused(f"{place} is not a folder: {_SQLITE}folder names the one that holds both files")
        return Storage(place, None)
    if url.startswith("postgresql+pg8000://"):
        return Storage(None, url)
    raise StorageUrlRefused("storage is sqlite:///folder or postgresql+pg8000://user@host/database")
