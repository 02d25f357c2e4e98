"""One thread that writes: it takes everything that waits, commits it at once, and only then tells who waits.

Under load many callers share one sync of the disk, and no timer is needed. If a commit fails, everybody who waited for
it is told, and nothing more is taken: what is in memory may then be ahead of the disk, and only a restart puts that
right.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from exchange.effects.entries import Entry, body_of, link
from exchange.errors import JournalBroken
from exchange.events import Event

_Waiting = tuple[list[Entry], int, "Future[int]"]
"""Linked entries, the number of the last one up to there, and who waits for them."""


class GroupCommit:
    """Writes events behind entry `sequence` with hash `hash_`.

    `commit` writes linked entries, all or none, and returns when they are durable; it is only called from this
    object's thread. `abandon` is called after it failed, and may fail, too.
    """

    def __init__(
        self,
        sequence: int,
        hash_: bytes,
        commit: Callable[[Sequence[Entry]], None],
        abandon: Callable[[], None],
    ) -> None:
        self._sequence = sequence
        self._linked = sequence, hash_  # the last entry that was handed in
        self._commit, self._abandon = commit, abandon
        self._pending: list[_Waiting] = []
        self._awake = threading.Condition()
        self._closing = False
        self._broken: str | None = None
        self._thread = threading.Thread(target=self._write_until_closed, name="journal", daemon=True)
        self._thread.start()

    @property
    def sequence(self) -> int:
        """The number of the last entry that is durable."""
        return self._sequence

    def append(self, events: Sequence[Event]) -> "Future[int]":
        """Hand events over; see `Journal.append`."""
        bodies = [body_of(event) for event in events]
        future: Future[int] = Future()
        future.set_running_or_notify_cancel()  # what was handed in is written, even if nobody waits any longer
        with self._awake:
            if self._broken is not None:
                raise JournalBroken(self._broken)
            if self._closing:
                raise JournalBroken("the journal is closed")
            # Linked here, by a thread that is at work anyway: the writer's should do little but wait for the disk.
            after, previous = self._linked
            entries = link(bodies, after=after, previous=previous)
            if entries:
                self._linked = entries[-1].sequence, entries[-1].hash
            self._pending.append((entries, self._linked[0], future))
            self._awake.notify()
        return future

    def close(self) -> None:
        """Write what waits, and end. Closing twice is harmless."""
        with self._awake:
            self._closing = True
            self._awake.notify()
        self._thread.join()

    def _write_until_closed(self) -> None:
        while True:
            with self._awake:
                while not self._pending and not self._closing:
                    self._awake.wait()
                batch, self._pending = self._pending, []
            if not batch:
                return
            try:
                self._write([entry for entries, _, _ in batch for entry in entries])
            except Exception as error:  # noqa: BLE001  # whatever went wrong, those who wait must be told
                self._break(f"the journal cannot be written: {error}", batch)
                return
            for _, number, future in batch:
                future.set_result(number)

    def _write(self, entries: Sequence[Entry]) -> None:
        """Write the entries of a batch in one transaction."""
        if entries:
            self._commit(entries)
            self._sequence = entries[-1].sequence

    def _break(self, why: str, batch: list[_Waiting]) -> None:
        try:
            self._abandon()
        except Exception as error:  # noqa: BLE001  # the first failure is the one to tell of
            why = f"{why} (and then: {error})"
        with self._awake:
            self._broken = why
            batch, self._pending = batch + self._pending, []
        for _, _, future in batch:
            future.set_exception(JournalBroken(why))
