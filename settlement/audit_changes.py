"""Changes of the rules over all books: who signed them, and which sessions they hold for."""

from collections.abc import Iterator, Sequence

from exchange.book import Book
from exchange.documents import hexed
from exchange.events import NodeTermsSet
from identity.address import to_text
from identity.errors import AuthorityRefused, BadSignature
from identity.signature import recover
from settlement.authority import Authority
from settlement.findings import Finding


def check_changes(books: Sequence[Book], authority: Authority) -> Iterator[Finding]:
    """Yield where books disagree on the rules, or a change was not a grid operator's to make.

    A change holds for every session whose gate opens after it was taken, and for no other.
    """
    known: dict[bytes, NodeTermsSet] = {}
    newest = max(books, key=lambda book: (book.gate_opening, book.key), default=None)
    for book in books:
        if newest is not None and book.parameters != newest.parameters:
            yield Finding("parameters-changed", book.key, "", "the rules of the founding are not those of other books")
            continue
        for change in book.changes:
            if known.setdefault(change.digest, change) != change:
                yield _finding(book, change, "another book tells it in another way")
        every = () if newest is None else newest.changes
        due = tuple(change for change in every if change.at < book.gate_opening)
        if book.changes != due:
            sentence = f"{len(book.changes)} changes of the rules are said to hold, by the other books {len(due)} do"
            yield Finding("rules-changed", book.key, "", sentence)
    if newest is not None:
        yield from _check_signed(newest, authority)


def _check_signed(book: Book, authority: Authority) -> Iterator[Finding]:
    separator = book.parameters.domain.separator()
    serials: dict[int, int] = {}
    before = 0
    for change in book.changes:
        terms = change.terms
        if change.digest != terms.digest(separator):
            yield _finding(book, change, "it says something else than its name is the digest of")
        if terms.serial != serials.get(terms.node, 0) + 1 or change.at < before:
            yield _finding(book, change, f"it has the serial {terms.serial} of node {terms.node}, out of turn")
        serials[terms.node], before = terms.serial, change.at
        try:
            signer = recover(terms.digest(separator), change.signature)
            if signer != change.signer or signer != book.parameters.tree[terms.node].operator:
                yield _finding(book, change, f"{to_text(signer)} signed it, who does not operate node {terms.node}")
            authority.registry.must_operate(signer, terms.node, change.at)
        except (BadSignature, AuthorityRefused) as refusal:
            yield _finding(book, change, str(refusal))


def _finding(book: Book, change: NodeTermsSet, sentence: str) -> Finding:
    return Finding("terms-change", book.key, hexed(change.digest), sentence)
