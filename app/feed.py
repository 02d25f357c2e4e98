"""The journal, followed as it grows, for everybody who watches it.

Whoever watches has a place in the journal and reads on from there: what was missed is read from the disk, what is new
from a short memory that all share. Nothing is sent that is not durable, nobody's slowness is stored, and after any
interruption a place is enough to go on without a gap or a repetition. While nobody watches, nothing is read.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from typing import TypeVar

from app.public_events import Place, PublicEvent, Sources, public_events
from exchange.effects.journal import Journal
from exchange.errors import CursorMalformed, ExchangeRefused, UnknownOrder, UnknownSession

EVERY_PART = 1 << 62
"""A part behind all parts: the place of somebody who has seen a whole entry."""

_AT_ONCE = 500
_KEPT = 20_000
"""Events, not entries: a large session is one entry with all its trades."""

_LOOK_SECONDS = 0.2

T = TypeVar("T")
_Entry = tuple[int, Sequence[PublicEvent]]


class FeedEnded(Exception):
    """There is nothing more to follow here: the server stops, or its journal broke. A place is as good as before."""


class Feed:
    """Follows a journal. Used from one event loop; only `close` may be called from elsewhere."""

    def __init__(
        self, journal: Journal, sources: Sources, *, kept: int = _KEPT, look_seconds: float = _LOOK_SECONDS
    ) -> None:
        self._journal = journal
        self._sources = sources
        self._kept = kept
        self._look_seconds = look_seconds
        self._recent: list[_Entry] = []
        self._last = 0
        self._followers = 0
        self._looking: asyncio.Task[None] | None = None
        self._beginning = asyncio.Lock()
        self._news: asyncio.Event | None = None
        self._ended: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def close(self) -> None:
        """End every stream, so that a server can end."""
        self._ended = "the server stops"
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell)

    async def place(self, last_seen: str | None) -> Place:
        """Return the place that an `id` names, or without one that of the newest entry.

        Raises `CursorMalformed` for what is no id of this journal.
        """
        newest = await asyncio.to_thread(lambda: self._journal.sequence)
        if last_seen is None:
            return Place(newest, EVERY_PART)
        sequence, dot, part = last_seen.partition(".")
        if not _is_number(sequence) or (dot and not _is_number(part)) or int(sequence) > newest:
            raise CursorMalformed(last_seen)
        return Place(int(sequence), int(part) if dot else EVERY_PART)

    async def follow(self, after: Place, patience: float) -> AsyncIterator[tuple[Sequence[PublicEvent], Place]]:
        """Yield what comes after a place, in order, each time with the place then reached.

        Nothing is yielded as such when `patience` seconds have passed without anything. Raises `FeedEnded`.
        """
        async with self._following():
            while True:
                entries = self._remembered(after)
                if entries is None:
                    entries = await self._in_thread(partial(self._read, _first(after)))
                if entries:
                    found = [event for _, events in entries for event in events if event.place > after]
                    after = Place(entries[-1][0], EVERY_PART)
                    yield found, after
                elif not await self._wait(patience):
                    yield (), after

    @asynccontextmanager
    async def _following(self) -> AsyncIterator[None]:
        """Have the journal looked at while anybody follows."""
        if self._ended is not None:
            raise FeedEnded(self._ended)
        self._followers += 1
        try:
            async with self._beginning:
                if self._looking is None:
                    self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()
                    self._last = await self._in_thread(lambda: self._journal.sequence)
                    self._looking = asyncio.create_task(self._look())
            yield
        finally:
            self._followers -= 1
            if not self._followers and self._looking is not None:
                self._looking.cancel()
                self._looking, self._recent = None, []

    def _remembered(self, after: Place) -> Sequence[_Entry] | None:
        """Return what is remembered after a place, or none where the memory does not reach back so far."""
        first = _first(after)
        if first > self._last:
            return ()
        if not self._recent or first < self._recent[0][0]:
            return None
        return self._recent[first - self._recent[0][0] :][:_AT_ONCE]

    async def _look(self) -> None:
        """Remember what is new, until nobody follows."""
        while True:
            try:
                new = await asyncio.to_thread(self._read, self._last + 1)
            except ExchangeRefused as refusal:
                self._ended = str(refusal)
                self._tell()
                return
            if new:
                self._recent = _newest([*self._recent, *new], self._kept)
                self._last = new[-1][0]
                self._tell()
            else:
                await asyncio.sleep(self._look_seconds)

    def _read(self, first: int) -> list[_Entry]:
        """Read some entries from the disk; called in a thread.

        Where another process decides, the journal may be ahead of what this one has taken in: then less is read.
        """
        reading = self._journal.read(first)
        entries: list[_Entry] = []
        count = 0
        try:
            for sequence, event in islice(reading, _AT_ONCE):
                try:
                    events = public_events(sequence, event, self._sources)
                except (UnknownSession, UnknownOrder, KeyError):
                    break
                entries.append((sequence, events))
                count += len(events)
                if count >= _AT_ONCE:
                    break
        finally:
            reading.close()  # type: ignore[attr-defined]  # a generator: it lets go of the journal
        return entries

    async def _in_thread(self, ask: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(ask)
        except ExchangeRefused as refusal:
            raise FeedEnded(str(refusal)) from refusal

    async def _wait(self, patience: float) -> bool:
        """Wait for news; false where there were none for so many seconds."""
        if self._ended is not None:
            raise FeedEnded(self._ended)
        assert self._news is not None
        try:
            async with asyncio.timeout(patience):
                await self._news.wait()
        except TimeoutError:
            return False
        if self._ended is not None:
            raise FeedEnded(self._ended)
        return True

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()
            self._news = asyncio.Event()


def _newest(entries: list[_Entry], most: int) -> list[_Entry]:
    """Return the last entries, with so many events at most; the last one in any case."""
    first, events = len(entries) - 1, len(entries[-1][1])
    while first and events + len(entries[first - 1][1]) <= most:
        first -= 1
        events += len(entries[first][1])
    return entries[first:]


def _first(after: Place) -> int:
    """Return the first entry that holds anything after a place."""
    return after.sequence + 1 if after.part >= EVERY_PART else after.sequence


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
