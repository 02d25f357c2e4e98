"""Reading a journal through, wherever it lies: to replay it, or to name everything that is wrong with it."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import NamedTuple

from exchange.effects.entries import GENESIS, Damage, Row, examine
from exchange.errors import JournalBroken
from exchange.events import Event


class Head(NamedTuple):
    """What a journal says its last entry is; nothing about it is believed yet."""

    sequence: object
    hash: object


class Mark(NamedTuple):
    """The last entry that is known to have been acknowledged."""

    sequence: int
    hash: bytes


def replay(
    head: Head, rows: Iterable[Row], *, after: int = 0, previous: bytes = GENESIS
) -> Iterator[tuple[int, Event]]:
    """Yield the events of rows that follow entry `after`, whose hash is `previous`.

    Raises `JournalBroken`, naming the entry, where a link, a hash or a body is wrong, or the end is not the head.
    """
    last = previous
    for found in examine(rows, after=after, previous=previous):
        if found.event is None:
            raise JournalBroken(found.why or "damaged", found.sequence)
        yield found.sequence, found.event
        after, last = found.sequence, found.hash
    if (after, last) != head:
        raise JournalBroken(f"the journal ends here, and should end with entry {head.sequence}", after)


def picked(rows: Iterable[Row], sequences: Iterable[int]) -> Iterator[tuple[int, Event]]:
    """Yield the events of the rows with these numbers, each believed by its own hash: what stands between is not read.

    Raises `JournalBroken`, naming the entry, where one is missing or is not as it was written.
    """
    for sequence, row in zip_longest(sequences, rows):
        if row is None or row[0] != sequence or not isinstance(row[1], bytes):
            raise JournalBroken("the entry is missing, or another stands in its place", sequence)
        (found,) = examine([row], after=sequence - 1, previous=row[1])
        if found.event is None or found.hash != row[2]:
            raise JournalBroken(found.why or "damaged", sequence)
        yield sequence, found.event


def damages(head: Head, rows: Iterable[Row], mark: Mark | None = None) -> Iterator[Damage]:
    """Yield every damaged entry of a journal, and what is wrong with its end."""
    after, last, last_is_damaged = 0, GENESIS, False
    marked, marked_is_damaged = None, False
    for found in examine(rows):
        last_is_damaged = found.why is not None
        if found.why is not None:
            yield Damage(found.sequence, found.why)
        after, last = found.sequence, found.hash
        if mark is not None and after == mark.sequence:
            marked, marked_is_damaged = last, last_is_damaged
    if after != head.sequence or (last != head.hash and not last_is_damaged):
        yield Damage(after, f"the journal ends with entry {after}, and says that it ends with {head.sequence!r}")
    elif mark is not None and mark.sequence > after:
        yield Damage(after, rolled_back(after, mark))
    elif mark is not None and mark.sequence and marked != mark.hash and not marked_is_damaged:
        yield Damage(mark.sequence, "another entry was acknowledged under this number")


def rolled_back(sequence: int, mark: Mark) -> str:
    """Say that entries are missing at the end: a lost write-ahead log, or an older copy."""
    return f"the journal ends with entry {sequence}, but entries up to {mark.sequence} were acknowledged"
