"""What third parties may do between gate closure and clearing: read the book without names, and propose a clearing."""

from dataclasses import dataclass

from exchange.anonymous import AnonymousBook
from exchange.delivery import Mechanism, SessionKey
from exchange.events import ProposalTaken
from exchange.held_session import Session
from exchange.market import Market
from exchange.notice_errors import NoMatchingHere, NotAMatcher, ProposalTooEarly, ProposalTooLate, TooManyProposals
from exchange.proposals import Checked, Proposal
from exchange.session import SessionState, Step, follows
from exchange.session_clearing import check_proposal, without_names
from identity.address import to_text
from identity.registry import Registry
from identity.signature import recover

MOST_PROPOSALS = 100
"""The most proposals that are taken for one session."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposal that was looked at. `event` is to be written down: none where nothing is valid, or it is known.

    `taken` is the event of the proposal, now or before.
    """

    checked: Checked
    event: ProposalTaken | None
    taken: ProposalTaken | None


def book_without_names(market: Market, key: SessionKey, *, registry: Registry, now: int) -> AnonymousBook:
    """Return what anybody may read of a session while proposals are taken for it."""
    session = must_match(market, key, now)
    return without_names(session, market.rulebook.rules(key), registry, market.crossings)


def propose(market: Market, proposal: Proposal, signature: bytes, *, registry: Registry, now: int) -> Proposed:
    """Decide on a signed proposal: which of its records are valid, and, where any is, that it is taken."""
    key, digest = proposal.session, proposal.digest(market.separator)
    matcher = recover(digest, signature)
    if matcher not in market.parameters.matchers:
        raise NotAMatcher(to_text(matcher))
    session = must_match(market, key, now)
    known = next((taken for taken in session.proposals if taken.digest == digest), None)
    if known is None and len(session.proposals) >= MOST_PROPOSALS:
        raise TooManyProposals(MOST_PROPOSALS)
    checked = check_proposal(session, proposal, market.rulebook.rules(key), registry, market.crossings)
    if known is not None or not checked.trades:
        return Proposed(checked, None, known)
    event = ProposalTaken(
        digest=digest,
        session=key,
        proposal=proposal,
        signature=signature,
        matcher=matcher,
        refused=tuple((place, code) for place, code in enumerate(checked.verdicts) if code is not None),
        welfare=checked.welfare,
        at=now,
    )
    return Proposed(checked, event, event)


def must_match(market: Market, key: SessionKey, now: int) -> Session:
    """Return a session for which proposals are taken, or refuse."""
    session, terms = market.session(key), market.parameters.market_of(key.market)
    if not terms.matching or terms.mechanism is Mechanism.NETWORK:
        raise NoMatchingHere(terms.title)
    if session.state is SessionState.OPEN:
        raise ProposalTooEarly(terms.gate_closure(key.delivery_start))
    if not follows(session.state, Step.PROPOSE) or now >= terms.clears_at(key.delivery_start):
        raise ProposalTooLate(terms.clears_at(key.delivery_start))
    return session
