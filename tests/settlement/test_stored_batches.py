"""Batches as an outbox keeps them, held against the books they were made from."""

from dataclasses import replace

import pytest

from identity.hashing import keccak
from settlement.audit import audit_batches
from settlement.batch import seal
from tests.settlement.generated import large_book, with_clearing
from tests.settlement.test_reconciliation import keep
from tests.settlement.world import honest_world

BOOKS = (*honest_world().books[1:], large_book(300))
STORED = [keep(batch) for book in BOOKS for batch in seal(book)]


def codes(stored, books=BOOKS):
    return [finding.code for finding in audit_batches(stored, books)]


def test_what_was_sealed_from_the_books_has_no_findings():
    assert len(STORED) > len(BOOKS)
    assert codes(STORED) == codes(STORED[::-1]) == []


@pytest.mark.parametrize("place", range(len(STORED)))
@pytest.mark.parametrize("root", ["order_root", "trade_root"])
def test_a_root_with_one_byte_changed_is_found(place, root):
    changed = bytearray(getattr(STORED[place], root))
    changed[7] ^= 1
    stored = [*STORED[:place], replace(STORED[place], **{root: bytes(changed)}), *STORED[place + 1 :]]
    assert codes(stored) == ["stored-root"]


@pytest.mark.parametrize(
    "changes",
    [
        {"parts": 9},
        {"parameters": keccak(b"other rules")},
        {"calldata": b""},
        {"session": 1},
        {"part": 7},
        {"part": -1},
    ],
    ids=str,
)
def test_a_batch_that_is_another_is_found(changes):
    assert codes([replace(STORED[0], **changes)]) == ["stored-batch"]


def test_a_byte_of_the_calldata_changed_is_found():
    for at in (3, 40, 200, len(STORED[1].calldata) - 1):
        changed = bytearray(STORED[1].calldata)
        changed[at] ^= 1
        assert codes([replace(STORED[1], calldata=bytes(changed))]) == ["stored-batch"]


def test_a_batch_of_a_book_that_makes_none_is_found():
    book = BOOKS[1]
    (trade,) = book.cleared.clearing.trades
    unsound = with_clearing(book, trades=(replace(trade, bid=bytes(32)),))
    assert codes([STORED[1]], [unsound]) == ["stored-batch"]
