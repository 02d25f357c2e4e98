"""The audit: published books against the chain, everything computed again, every finding reported.

It needs the books, a view of the chain and nothing else, and it changes nothing. A book that cannot be read is the
caller's finding (`book-malformed`).
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from exchange.book import Book
from exchange.delivery import SessionKey
from exchange.documents import hexed
from settlement.audit_chain import Replay, check_settled
from settlement.audit_changes import check_changes
from settlement.audit_clearing import check_clearing, entries_of
from settlement.audit_forecasts import check_forecasts
from settlement.audit_orders import check_collateral, check_orders, signers_of
from settlement.audit_proposals import check_proposals
from settlement.audit_ticks import check_ticks
from settlement.authority import Authority
from settlement.batch import seal
from settlement.boundaries import boundaries_of
from settlement.calldata import settle_calldata
from settlement.chain_view import ChainView
from settlement.errors import BookUnsound
from settlement.findings import Finding
from settlement.kept_batch import KeptBatch


def audit(
    books: Sequence[Book],
    chain: ChainView,
    *,
    whole: bool = True,
    elsewhere: Collection[int] = (),
    now: int | None = None,
) -> list[Finding]:
    """Return every finding about these books, in the order of their sessions, and then about the chain.

    `whole` says that the books are all there are, from the first order on: then a missing sequence number, and a
    session on the chain without a book, are findings; `elsewhere` are the numbers of orders in sessions that are not
    cleared yet. `now` excuses sessions that may still be settled (unix seconds); without it every session has to be
    on the chain.
    """
    return list(_audit(sorted(books, key=lambda book: book.key), chain, whole=whole, elsewhere=elsewhere, now=now))


def _audit(
    books: Sequence[Book], chain: ChainView, *, whole: bool, elsewhere: Collection[int], now: int | None
) -> Iterator[Finding]:
    signers = [signers_of(book) for book in books]
    authority = Authority(books, signers, chain)
    replay = Replay(chain)
    settled, markets = chain.settled(), chain.markets()
    boundaries = boundaries_of(books)
    yield from check_changes(books, authority)
    yield from check_forecasts(books, authority)
    for index, book in enumerate(books):
        if index and book.key == books[index - 1].key:
            yield Finding("book-twice", book.key, "", "there is another book of this session")
        yield from check_orders(book, signers[index], authority, index)
        yield from check_collateral(book, replay.peaks)
        yield from check_ticks(book, entries_of(book), boundaries[book.key], authority, index)
        yield from check_proposals(book)
        yield from check_clearing(book, boundaries[book.key])
        yield from check_settled(book, chain, settled.get(book.key.number, []), markets, now)
    yield from _check_sequence(books, elsewhere, whole=whole)
    yield from _check_orders_once(books)
    if whole:
        for number in sorted(settled.keys() - {book.key.number for book in books}):
            sentence = "the chain holds a session of which there is no book"
            yield Finding("unknown-on-chain", _key(number), str(number), sentence)
    for witnessed in authority.unsound:
        sentence = f"the log tells of an account or asset that was never there: {witnessed.fact}"
        yield Finding("chain-log", None, hexed(witnessed.tx_hash), sentence)
    yield from replay.findings


def _key(number: int) -> SessionKey | None:
    try:
        return SessionKey.of(number)
    except ValueError:
        return None


def _check_sequence(books: Sequence[Book], elsewhere: Collection[int], *, whole: bool) -> Iterator[Finding]:
    """Yield where sequence numbers are missing, doubled or out of order."""
    given: Counter[int] = Counter()
    for book in books:
        numbers = [accepted.receipt.sequence for accepted in book.orders]
        given.update(numbers)
        if numbers != sorted(numbers):
            yield Finding("sequence-order", book.key, "", "the orders do not stand in the order they came")
    for number, times in sorted(given.items()):
        if times > 1:
            yield Finding("sequence-order", None, str(number), f"number {number} was given to {times} orders")
    turns = Counter(book.cleared.turn for book in books)
    turns.update(tick.turn for book in books for tick in book.ticks)
    for turn, times in sorted(turns.items()):
        if times > 1:  # in their turn, limits of nodes were used up
            yield Finding("sequence-order", None, str(turn), f"{times} clearings are said to have been number {turn}")
    if whole:
        expected = 1
        for number in sorted({*given, *elsewhere}):
            if number > expected:
                sentence = f"the numbers {expected} to {number - 1} were given to no order of the books"
                yield Finding("sequence-gap", None, str(expected), sentence)
            expected = max(expected, number + 1)
        if given and min(given) < 1:
            yield Finding("sequence-gap", None, str(min(given)), "numbers begin with 1")


def _check_orders_once(books: Sequence[Book]) -> Iterator[Finding]:
    sessions: dict[bytes, SessionKey] = {}
    for book in books:
        for digest in sorted({accepted.digest for accepted in book.orders}):
            if sessions.setdefault(digest, book.key) != book.key:
                yield Finding("order-twice", book.key, hexed(digest), f"it also stands in session {sessions[digest]}")


def audit_batches(stored: Sequence[KeptBatch], books: Sequence[Book]) -> list[Finding]:
    """Return where stored batches are not those that the books make: their roots, their counts, their bytes."""
    by_session = {book.key.number: book for book in books}
    return [
        finding
        for kept in sorted(stored, key=lambda kept: (kept.session, kept.part))
        for finding in _check_stored(kept, by_session.get(kept.session))
    ]


def _check_stored(kept: KeptBatch, book: Book | None) -> Iterator[Finding]:
    if book is None:
        yield Finding(
            "stored-batch", _key(kept.session), str(kept.session), "a batch is stored of which there is no book"
        )
        return
    try:
        batches = seal(book)
        if not 0 <= kept.part < len(batches):
            sentence = f"part {kept.part} is stored, the book makes {len(batches)}"
            yield Finding("stored-batch", book.key, str(kept.part), sentence)
            return
        batch = batches[kept.part]
        calldata = settle_calldata(batch)
    except BookUnsound as error:
        yield Finding("stored-batch", book.key, str(kept.part), f"the book makes no batch: {error}")
        return
    for name, stored_root, root in (
        ("order", kept.order_root, batch.order_root),
        ("trade", kept.trade_root, batch.trade_root),
    ):
        if stored_root != root:
            sentence = f"the stored {name} root of part {kept.part} is {hexed(stored_root)}"
            yield Finding("stored-root", book.key, hexed(root), sentence)
    if (kept.parts, kept.parameters, kept.calldata) != (batch.parts, batch.parameters, calldata):
        sentence = f"the stored part {kept.part} has other parts, parameters or bytes than the book gives"
        yield Finding("stored-batch", book.key, str(kept.part), sentence)
