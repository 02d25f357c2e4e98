"""The journal of a process that follows another's, until it is told that the other has ended."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

from exchange.effects.entries import Damage
from exchange.effects.journal import SqliteJournal, check_journal, pick_entries, read_journal
from exchange.errors import NotTheSequencer
from exchange.events import Event


class FollowingJournal:
    """Reads the file of another's journal; writes to it once `other_ended` and it was asked to take over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.other_ended = False
        self._own: SqliteJournal | None = None

    @property
    def writable(self) -> bool:
        return self._own is not None

    def take_over(self) -> bool:
        if self._own is None and self.other_ended:
            self._own = SqliteJournal(self.path)
        return self._own is not None

    def append(self, events: Sequence[Event]) -> "Future[int]":
        if self._own is None:
            raise NotTheSequencer
        return self._own.append(events)

    def read(self, start: int = 1) -> Iterator[tuple[int, Event]]:
        return read_journal(self.path, start)

    def pick(self, sequences: Sequence[int]) -> list[Event]:
        return pick_entries(self.path, sequences)

    def check(self) -> list[Damage]:
        return check_journal(self.path)

    def close(self) -> None:
        if self._own is not None:
            self._own.close()
