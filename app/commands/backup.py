"""`merit backup`: a copy of an exchange, taken while it runs.

The order is what makes the copy hang together. What the store knows comes from journal and chain: it may lag behind
them, since every beat makes up for what is missing, but it must never be ahead of them, for nothing would ever bring
the journal of a settled session back. The chain is likewise made up for from the journal. So the store is copied first,
then the chain, then the journal, and `exchange.json`, without which a folder is no exchange, last of all.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from app.founding import ExchangeFileUnusable, Founded
from app.output import Output
from app.storage import ACCESS_FILE, JOURNAL_FILE, METERS_FILE, STORE_FILE, storage_of
from app.wiring import Places
from exchange.effects.durable_file import sync_folder, write_durably
from exchange.effects.journal import check_journal
from exchange.errors import JournalBroken
from identity.effects.versioned import StorageUrlRefused


def run(data: Path, to: Path, *, storage: str | None, as_json: bool) -> None:
    """Copy the exchange in `data` to the new folder `to`, and check the copy of the journal.

    Raises `ExchangeFileUnusable` where there is nothing to copy or `to` is not empty, `JournalBroken` where the copy
    is damaged, and `StorageUrlRefused` for a database server, which has backups of its own.
    """
    output, source, copy = Output(as_json=as_json), storage_of(storage, data), Places(to)
    Founded.read(Places(data).exchange)
    if source.journal is None or source.store is None or source.access is None:
        raise StorageUrlRefused("this copies files; pg_dump takes journal and store of a server in one snapshot")
    if to.exists() and any(to.iterdir()):
        raise ExchangeFileUnusable(f"{to} is not empty")
    to.mkdir(parents=True, exist_ok=True)
    copied = [_copy_database(source.store, to / STORE_FILE)]
    if source.access.exists():  # grants and reads hang on nothing else; an older exchange has none
        copied.append(_copy_database(source.access, to / ACCESS_FILE))
    if source.meters is not None and source.meters.exists():  # runs rest on the journal's books: copied before them
        copied.append(_copy_database(source.meters, to / METERS_FILE))
    if Places(data).chain.exists():
        copied.append(_copy_recording(Places(data).chain, copy.chain))
    copied.append(_copy_database(source.journal, to / JOURNAL_FILE))
    if damages := check_journal(to / JOURNAL_FILE):
        raise JournalBroken(f"the copy is damaged, and so may be what it was copied from: {damages[0].why}")
    for setting, its_copy in (
        (Places(data).chain_settings, copy.chain_settings),
        (Places(data).imbalance, copy.imbalance),
    ):
        if setting.exists():
            shutil.copyfile(setting, its_copy)
    write_durably(copy.exchange, Places(data).exchange.read_bytes())
    copied.append(copy.exchange)
    sync_folder(to.parent)
    output.result({"to": str(to), "files": {path.name: path.stat().st_size for path in copied}})
    output.text(f"{', '.join(path.name for path in copied)} in {to}; keys are not copied")


def _copy_database(source: Path, target: Path) -> Path:
    """Copy a SQLite database as it stands in one moment, whoever writes to it meanwhile."""
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as reader,
            closing(sqlite3.connect(target)) as writer,
        ):
            reader.backup(writer)
    except sqlite3.Error as error:
        raise ExchangeFileUnusable(f"{source} cannot be copied to {target}: {error}") from error
    _sync(target)
    return target


def _copy_recording(source: Path, target: Path) -> Path:
    """Copy whole lines only: the last one may just be being written."""
    whole, newline, _ = source.read_bytes().rpartition(b"\n")
    write_durably(target, whole + newline)
    return target


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
