"""The entries of a journal: one event each, hash-linked, so that no change goes unnoticed.

An entry's hash is keccak(hash of the entry before ‖ sequence as eight bytes ‖ body); before the first stand 32 zero
bytes. The body is the canonical JSON (sorted keys, no spaces, ASCII) of the event. What is read from a file is
believed only after its hash, its link and its form have been checked.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from exchange.canonical import canonical, event_of
from exchange.errors import OrderMalformed
from exchange.events import Event
from identity.errors import IdentityRefused
from identity.hashing import keccak

GENESIS = bytes(32)
"""What stands before the first entry."""

Row = tuple[object, object, object, object]
"""Sequence, previous, hash and body as a file holds them: nothing about them is believed yet."""


class Entry(NamedTuple):
    """An entry as it is written down."""

    sequence: int
    previous: bytes
    hash: bytes
    body: str


class Damage(NamedTuple):
    """An entry that is not as it was written, or none for the file as a whole, and what is wrong."""

    sequence: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Examined:
    """A row that was looked at: its event if it is sound, else what is wrong with it."""

    sequence: int
    hash: bytes
    event: Event | None
    why: str | None


def body_of(event: Event) -> str:
    """Return the canonical JSON of an event."""
    return canonical(event)


def entry_hash(previous: bytes, sequence: int, body: bytes) -> bytes:
    """Return the hash that links an entry to the one before."""
    return keccak(previous + sequence.to_bytes(8, "big") + body)


def link(bodies: Iterable[str], *, after: int, previous: bytes) -> list[Entry]:
    """Return entries for `bodies`, following entry number `after` whose hash is `previous`."""
    entries = []
    for sequence, body in enumerate(bodies, start=after + 1):
        current = entry_hash(previous, sequence, body.encode())
        entries.append(Entry(sequence, previous, current, body))
        previous = current
    return entries


def examine(rows: Iterable[Row], *, after: int = 0, previous: bytes = GENESIS) -> Iterator[Examined]:
    """Check rows in ascending order of sequence, and yield each with its event or with what is wrong.

    A damaged entry is named once: the next is compared both with the hash that stands there and with the right one.
    """
    links = {previous}
    for sequence, before, stored, body in rows:
        if not isinstance(sequence, int) or sequence <= after:
            yield Examined(after + 1, GENESIS, None, f"an entry is numbered {sequence!r} instead of {after + 1}")
            continue
        if sequence != after + 1:
            missing = (
                f"entry {after + 1} is missing" if sequence == after + 2 else f"{after + 1} to {sequence - 1} miss"
            )
            yield Examined(after + 1, GENESIS, None, missing)
            links.add(before if isinstance(before, bytes) else GENESIS)
        event, why, right = None, None, GENESIS
        if not (isinstance(before, bytes) and isinstance(stored, bytes) and isinstance(body, bytes)):
            why = "a column holds something else than bytes"
        else:
            right = entry_hash(before, sequence, body)
            if before not in links:
                why = "the link to the entry before is wrong"
            elif right != stored:
                why = "the hash is wrong: the body, the number, the link or the hash was changed"
            else:
                event, why = _parsed(body)
        yield Examined(sequence, right, event, why)
        links = {item for item in (stored, right) if isinstance(item, bytes)}
        after = sequence


def _parsed(body: bytes) -> tuple[Event | None, str | None]:
    try:
        return event_of(body), None
    except (ValueError, RecursionError, OrderMalformed, IdentityRefused) as error:
        return None, f"the body is no event: {error}"
