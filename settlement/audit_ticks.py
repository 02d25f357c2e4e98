"""The ticks of one book: when they were made, with which orders, and what clearing them again gives."""

from collections.abc import Iterator

from exchange.book import Book
from exchange.documents import hexed
from exchange.events import TickCleared
from exchange.resting import Resting
from exchange.ticks import clear_rest, used_by
from settlement.authority import Authority
from settlement.boundaries import Boundaries
from settlement.findings import Finding


def check_ticks(
    book: Book, entries: list[Resting], boundaries: Boundaries, authority: Authority, index: int
) -> Iterator[Finding]:
    """Yield where the ticks of the book at `index` are not those that its orders and rules give.

    `entries` are all its orders as the clearing sees them, whatever became of them.
    """
    yield from _check_times(book)
    yield from _check_exclusions(book, authority, index)
    yield from _check_cancelled(book)
    gone_at = {cancellation.digest: cancellation.at for cancellation in book.cancellations}
    used: dict[bytes, int] = {}
    for tick, tree in zip(book.ticks, boundaries.ticks, strict=True):
        excluded = {digest for digest, _ in tick.excluded}
        standing = [
            entry
            for entry in entries
            if entry.sequence <= tick.upto
            and entry.digest not in excluded
            and gone_at.get(entry.digest, tick.at) >= tick.at
        ]
        mechanism = book.market.mechanism
        if clear_rest(standing, used, session=book.key, tree=tree, mechanism=mechanism) != tick.clearing:
            sentence = f"clearing the tick of {tick.at} again gives something else than the book has"
            yield Finding("tick-clearing", book.key, str(tick.at), sentence)
        for digest, energy in used_by([tick.clearing]).items():
            used[digest] = used.get(digest, 0) + energy


def used_up(book: Book) -> dict[bytes, TickCleared]:
    """Return the orders of which a tick left nothing, each with that tick."""
    left = {accepted.digest: int(accepted.signed.order.energy) for accepted in book.orders}
    found: dict[bytes, TickCleared] = {}
    for tick in book.ticks:
        for digest, energy in used_by([tick.clearing]).items():
            if digest in left:
                left[digest] -= energy
                if left[digest] <= 0:
                    found.setdefault(digest, tick)
    return found


def _check_times(book: Book) -> Iterator[Finding]:
    """Yield ticks that are none by the calendar, that took other orders than those before them, or that are missing.

    A tick is due at the first instant of the calendar after something was ordered. While the exchange was down it was
    not made; but then nothing was decided either, until the newest that had come was made up for.
    """
    start, market = book.key.delivery_start, book.market
    decided = [accepted.receipt.received_at for accepted in book.orders]
    decided += [cancellation.at for cancellation in book.cancellations]
    before, upto = 0, 0
    for tick in book.ticks:
        if tick.at <= before or market.newest_tick(start, tick.at) != tick.at:
            yield _finding(book, "tick-time", tick.at, f"no tick comes at {tick.at}, or one before it comes later")
        for accepted in book.orders:
            if (accepted.receipt.sequence <= tick.upto) is not (accepted.receipt.received_at < tick.at):
                sentence = f"it came at {accepted.receipt.received_at}, and the tick of {tick.at} treats it otherwise"
                yield Finding("tick-orders", book.key, hexed(accepted.digest), sentence)
        due = _due(book, upto)
        if due is None:
            yield _finding(book, "tick-time", tick.at, f"nothing was ordered before the tick of {tick.at}")
        elif any(due <= moment < tick.at for moment in decided):
            yield _finding(book, "tick-missed", due, f"a tick was due at {due}, and none was made until {tick.at}")
        before, upto = tick.at, tick.upto
    due = _due(book, upto)
    if due is not None:
        yield _finding(book, "tick-missed", due, f"a tick was due at {due}, and none was made")


def _due(book: Book, upto: int) -> int | None:
    """Return when a tick was due after the one with this last order."""
    came = [accepted.receipt.received_at for accepted in book.orders if accepted.receipt.sequence > upto]
    return book.market.tick_after(book.key.delivery_start, min(came)) if came else None


def _check_exclusions(book: Book, authority: Authority, index: int) -> Iterator[Finding]:
    places = {accepted.digest: place for place, accepted in enumerate(book.orders)}
    for tick in book.ticks:
        for digest, code in tick.excluded:
            if digest not in places or code not in authority.ended(index, places[digest]):
                sentence = f"it was left out of the tick of {tick.at} as {code}, which never held"
                yield Finding("excluded-wrongly", book.key, hexed(digest), sentence)


def _check_cancelled(book: Book) -> Iterator[Finding]:
    done = used_up(book)
    for cancellation in book.cancellations:
        tick = done.get(cancellation.digest)
        if tick is not None and tick.at <= cancellation.at:
            sentence = f"nothing was left of the order since the tick of {tick.at}"
            yield Finding("cancellation", book.key, hexed(cancellation.digest), sentence)


def _finding(book: Book, code: str, at: int, sentence: str) -> Finding:
    return Finding(code, book.key, str(at), sentence)
