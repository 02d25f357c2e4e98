"""The proposals in one book: signed by matchers of the community, in time, and as they were written down."""

from collections.abc import Iterator

from exchange.anonymous import NO_BLIND
from exchange.book import Book
from exchange.delivery import Mechanism
from exchange.documents import hexed
from exchange.events import ProposalTaken
from identity.address import to_text
from identity.errors import BadSignature
from identity.signature import recover
from settlement.findings import Finding


def check_proposals(book: Book) -> Iterator[Finding]:
    """Yield proposals that should not have been taken. Whether the best was chosen shows when clearing again."""
    seen: set[bytes] = set()
    before = 0
    for taken in book.proposals:
        why = _why_not(book, taken)
        if why is not None:
            yield _finding(book, taken, "proposal-signature", why)
        if not _in_time(book, taken) or taken.at < before:
            until = book.market.clears_at(book.key.delivery_start)
            sentence = f"taken at {taken.at}, proposals were taken from {book.gate_closure} until {until}, in order"
            yield _finding(book, taken, "proposal-time", sentence)
        if taken.digest in seen:
            yield _finding(book, taken, "proposal-time", "the proposal stands in the book twice")
        seen.add(taken.digest)
        before = taken.at
        if not all(0 <= place < len(taken.proposal.records) for place, _ in taken.refused):
            yield _finding(book, taken, "proposal-signature", "it is said to be refused where it has no record")
    if (book.blind != NO_BLIND) is not bool(book.market.matching):
        sentence = "a blind names the rows of a session where proposals are taken, and nothing where none are"
        yield Finding("proposal-time", book.key, "", sentence)
    if book.gate_closure <= book.cleared.at < book.market.clears_at(book.key.delivery_start):
        sentence = f"cleared at {book.cleared.at}, while proposals were still to be taken"
        yield Finding("cleared-early", book.key, "", sentence)


def counted(book: Book) -> list[ProposalTaken]:
    """Return the proposals that can have been chosen, in the order they were taken."""
    return [taken for taken in book.proposals if _why_not(book, taken) is None and _in_time(book, taken)]


def _in_time(book: Book, taken: ProposalTaken) -> bool:
    return book.gate_closure <= taken.at < book.market.clears_at(book.key.delivery_start)


def _why_not(book: Book, taken: ProposalTaken) -> str | None:
    """Say why a proposal is nobody's whom the rules name."""
    digest = taken.proposal.digest(book.parameters.domain.separator())
    if digest != taken.digest:
        return "it says something else than its name is the digest of"
    if book.market.mechanism is Mechanism.NETWORK:
        return "a market that is cleared as a whole network takes no proposals"
    try:
        signer = recover(digest, taken.signature)
    except BadSignature as refusal:
        return str(refusal)
    if signer != taken.matcher or signer not in book.parameters.matchers:
        return f"{to_text(signer)} signed it, who is not the matcher named, or none of the rules"
    return None


def _finding(book: Book, taken: ProposalTaken, code: str, sentence: str) -> Finding:
    return Finding(code, book.key, hexed(taken.digest), sentence)
