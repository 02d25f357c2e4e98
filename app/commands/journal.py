"""`merit journal`: is every entry as it was written, and what does it say?"""

import json
import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from app.auditing import VerificationFailed
from app.output import Output
from app.storage import Storage, storage_of
from exchange.documents import event_to_document
from exchange.effects.journal import read_journal
from exchange.errors import JournalBroken
from exchange.events import Event


def check(data: Path, *, storage: str | None, as_json: bool) -> None:
    """Name every damaged entry; raises `VerificationFailed` where there is one. A running exchange is not disturbed."""
    output, place = Output(as_json=as_json), storage_of(storage, data)
    _refuse_if_missing(place)
    damages = place.check_journal()
    output.result({"sound": not damages, "damages": [{"entry": at, "why": why} for at, why in damages]})
    for damage in damages:
        output.text(damage.why if damage.sequence is None else f"entry {damage.sequence}: {damage.why}")
    if damages:
        raise VerificationFailed(f"{len(damages)} damages")
    output.text("every entry is as it was written")


def show(data: Path, *, storage: str | None, start: int, most: int) -> None:
    """Print entries as JSON lines. Raises `JournalBroken` at the first that is damaged."""
    place = storage_of(storage, data)
    _refuse_if_missing(place)
    if place.journal is not None:
        entries = read_journal(place.journal, start)
        _print(islice(entries, most))
    else:
        with place.journal_to_read() as journal:
            _print(islice(journal.read(start), most))


def _print(entries: Iterable[tuple[int, Event]]) -> None:
    for sequence, event in entries:
        sys.stdout.write(json.dumps({"entry": sequence} | event_to_document(event)) + "\n")


def _refuse_if_missing(place: Storage) -> None:
    if place.journal is not None and not place.journal.exists():
        raise JournalBroken(f"there is no journal at {place.journal}")
