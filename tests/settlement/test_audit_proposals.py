"""The audit of proposals: silent about what was, and with the right finding where one thing is altered."""

from dataclasses import replace

import pytest

from exchange.book import book_from_document
from exchange.proposals import Proposal, Record
from tests.actors import STRANGER
from tests.exchange import street
from tests.exchange.street import CLOSURE
from tests.exchange.test_proposals import BETTER, LOCAL, MATCHING, SUN, WORSE, cleared, closed, handed_in
from tests.settlement.test_audit_ticks import found


@pytest.fixture(scope="module")
def book():
    trading = closed()
    handed_in(trading, WORSE)
    handed_in(trading, BETTER)
    return cleared(trading)


def with_proposal(book, place, **changes):
    proposals = list(book.proposals)
    proposals[place] = replace(proposals[place], **changes)
    return replace(book, proposals=tuple(proposals))


def with_cleared(book, **changes):
    return replace(book, cleared=replace(book.cleared, **changes))


def test_a_session_with_proposals_as_it_was_gives_no_finding(book):
    assert found(book) == set()
    assert book_from_document(book.to_document()) == book


def test_a_better_proposal_that_was_passed_over_is_found(book):
    ours = cleared(closed()).cleared
    assert {"proposer", "clearing-trades"} <= found(with_cleared(book, proposer=b"", clearing=ours.clearing))


def test_a_worse_clearing_in_the_name_of_a_matcher_is_found():
    trading = closed()
    handed_in(trading, WORSE)
    book = cleared(trading)
    assert found(book) == set()
    assert "proposer" in found(with_cleared(book, proposer=book.proposals[0].matcher))


def test_an_altered_proposal_is_found(book):
    more = Proposal(BETTER.session, (*BETTER.records, Record(LOCAL, SUN, 1, 150_000)))
    assert "proposal-signature" in found(with_proposal(book, 1, proposal=more))
    other = more.digest(street.SEPARATOR)
    assert "proposal-signature" in found(with_proposal(book, 1, proposal=more, digest=other))


def test_a_proposal_of_somebody_else_is_found(book):
    signature = STRANGER.sign(BETTER.digest(street.SEPARATOR))
    assert "proposal-signature" in found(with_proposal(book, 1, signature=signature))
    forged = with_proposal(book, 1, signature=signature, matcher=STRANGER.address)
    assert {"proposal-signature", "proposer"} <= found(with_cleared(forged, proposer=STRANGER.address))


def test_a_proposal_out_of_time_is_found(book):
    assert "proposal-time" in found(with_proposal(book, 0, at=CLOSURE - 1))
    assert "proposal-time" in found(with_proposal(book, 1, at=CLOSURE + MATCHING))
    assert "proposal-time" in found(replace(book, proposals=(*book.proposals, book.proposals[1])))


def test_another_blind_is_found(book):
    assert "proposal-time" in found(replace(book, blind=bytes(32)))
    assert {"proposer", "clearing-trades"} <= found(replace(book, blind=b"c" * 32))


def test_a_clearing_before_the_time_for_proposals_is_over_is_found(book):
    assert "cleared-early" in found(with_cleared(book, at=CLOSURE + MATCHING - 1))
