"""Forecasts over all books: who signed them, that no book leaves one out, and that no order went beyond them.

What stood on order when an order was taken is known to the second only: an order that was taken back, or a session that
was cleared, in that second counts as it did afterwards. So only what was certainly too much is a finding.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from exchange.book import Book
from exchange.documents import hexed
from exchange.events import ForecastSet, OrderAccepted
from exchange.order import Side
from exchange.positions import fills_of, slots_of
from exchange.units import Wh, slice_of
from identity.address import Address, to_text
from identity.errors import BadSignature
from identity.signature import recover
from settlement.authority import Authority
from settlement.findings import Finding


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What one order drew on the forecast of a slot: how much while it was on order, and how much it was matched."""

    sequence: int
    energy: Wh
    matched: Wh
    cancelled_at: int | None
    cleared_at: int

    def least(self, at: int) -> int:
        """Return what it drew at an instant at the least."""
        if self.cancelled_at is not None and self.cancelled_at <= at:
            return self.matched  # at ticks, before the rest was taken back
        return self.matched if self.cleared_at <= at else self.energy


_Slot = tuple[Address, Side, int]


def check_forecasts(books: Sequence[Book], authority: Authority) -> Iterator[Finding]:
    """Yield forged and missing forecasts, and orders that were taken beyond what was forecast."""
    bound = [book for book in books if book.parameters.caps(book.key.product)]
    for book in books:
        if book.forecasts and not book.parameters.caps(book.key.product):
            yield _finding(book, book.forecasts[0].digest, "a forecast stands in the book where none is taken")
    known: dict[bytes, ForecastSet] = {}
    for book in bound:
        for event in book.forecasts:
            if known.setdefault(event.digest, event) != event:
                yield _finding(book, event.digest, "another book tells it in another way")
    drawn = _drawn(bound)
    by_asset: dict[Address, list[ForecastSet]] = {}
    for event in known.values():
        by_asset.setdefault(event.forecast.asset, []).append(event)
    checked: set[bytes] = set()
    for book in bound:
        yield from _check_missing(book, by_asset)
        for event in book.forecasts:
            if event.digest not in checked:
                checked.add(event.digest)
                yield from _check_signed(book, event, authority)
        for accepted in book.orders:
            yield from _check_order(book, accepted, drawn)


def _check_signed(book: Book, event: ForecastSet, authority: Authority) -> Iterator[Finding]:
    digest = event.forecast.digest(book.parameters.domain.separator())
    if digest != event.digest:
        yield _finding(book, event.digest, "it says something else than its name is the digest of")
    try:
        signer = recover(digest, event.signature)
    except BadSignature as refusal:
        yield _finding(book, event.digest, str(refusal))
        return
    if signer != event.signer or not authority.ever(event.forecast.asset, signer):
        yield _finding(book, event.digest, f"{to_text(signer)} signed it, who never could act for the asset")


def _check_missing(book: Book, by_asset: Mapping[Address, Sequence[ForecastSet]]) -> Iterator[Finding]:
    """Yield forecasts of other books that this one's orders were held to, and that it does not have."""
    last: dict[Address, int] = {}
    for accepted in book.orders:
        last[accepted.signed.order.asset] = accepted.receipt.sequence
    slots = slots_of(book.key, book.parameters.calendar, book.parameters.slot)
    there = {event.digest for event in book.forecasts}
    for asset, sequence in last.items():
        for event in by_asset.get(asset, ()):
            concerns = event.forecast.start < slots.stop and event.forecast.end > slots.start
            if concerns and event.sequence <= sequence and event.digest not in there:
                yield _finding(
                    book, event.digest, "another book has this forecast, and orders of this one came after it"
                )


def _check_order(book: Book, accepted: OrderAccepted, drawn: Mapping[_Slot, Sequence[_Drawn]]) -> Iterator[Finding]:
    order, number, at = accepted.signed.order, accepted.receipt.sequence, accepted.receipt.received_at
    slot = book.parameters.slot
    slots = slots_of(book.key, book.parameters.calendar, slot)
    for place, begin in enumerate(slots):
        energy = slice_of(order.energy, len(slots), place)
        if not energy:
            continue
        forecast = _in_force(book, order.asset, begin, number)
        if forecast is None:
            yield _finding(
                book, accepted.digest, f"it was taken without a forecast for the slot that begins at {begin}"
            )
            return
        most = forecast.forecast.energy(order.side, begin, slot)
        before = drawn.get((order.asset, order.side, begin), ())
        used = sum(each.least(at) for each in before if each.sequence < number)
        if used + energy > most:
            sentence = f"with it, {used + energy} Wh were on order or matched from {begin} on, and {most} Wh forecast"
            yield _finding(book, accepted.digest, sentence)
            return


def _in_force(book: Book, asset: Address, slot: int, number: int) -> ForecastSet | None:
    """Return the forecast that counted for a slot when the order with this number was taken."""
    found = [
        event
        for event in book.forecasts
        if event.forecast.asset == asset
        and event.sequence <= number
        and event.forecast.start <= slot < event.forecast.end
        and not (event.forecast.start - slot) % book.parameters.slot
    ]
    return max(found, key=lambda event: event.forecast.serial, default=None)


def _drawn(books: Sequence[Book]) -> dict[_Slot, list[_Drawn]]:
    """Return what every order of the books drew, by asset, side and slot."""
    drawn: dict[_Slot, list[_Drawn]] = {}
    for book in books:
        cancelled = {cancellation.digest: cancellation.at for cancellation in reversed(book.cancellations)}
        fills = fills_of(book.cleared.clearing)
        slots = slots_of(book.key, book.parameters.calendar, book.parameters.slot)
        for accepted in book.orders:
            order = accepted.signed.order
            matched = fills.get(accepted.digest, (Wh(0), Wh(0)))[1]
            for place, slot in enumerate(slots):
                drawn.setdefault((order.asset, order.side, slot), []).append(
                    _Drawn(
                        sequence=accepted.receipt.sequence,
                        energy=slice_of(order.energy, len(slots), place),
                        matched=slice_of(matched, len(slots), place),
                        cancelled_at=cancelled.get(accepted.digest),
                        cleared_at=book.cleared.at,
                    )
                )
    return drawn


def _finding(book: Book, subject: bytes, sentence: str) -> Finding:
    return Finding("forecast", book.key, hexed(subject), sentence)
