"""HTTP for matchers: the book of a closed session without names, and the clearings that they propose."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request

from exchange.documents import hexed
from exchange.effects.desk import Desk
from exchange.effects.readable import rows_item
from exchange.effects.schema import ProposalAnswer, ProposalIn, raw
from exchange.effects.session_routes import SessionName
from exchange.effects.views import Document, read_session_name
from exchange.errors import OrderMalformed
from exchange.matching import Proposed
from exchange.proposal_documents import anonymous_to_document, proposal_from_document
from exchange.proposals import REASONS
from identity.effects.reads import Reads
from identity.signature import compact


def matching_router(desk: Desk, *, reads: Reads) -> APIRouter:
    """Return the routes for those whom the rules name as matchers."""
    router = APIRouter(prefix="/v1/sessions", tags=["matching"])

    @router.get("/{session}/anonymous-book")
    def anonymous_book(session: SessionName, request: Request) -> Document:
        """Return what is left to trade in a session whose gate has closed: rows without names, and the tree.

        For the matchers, and who may read both sides without names. A node may be one home, so this is not for all.
        """
        key = read_session_name(session)
        matchers = desk.look(lambda market, _: market.parameters.matchers)
        reads.judge(request, rows_item(key, matchers))
        return anonymous_to_document(desk.clearings.book_without_names(key, desk.clock()))

    @router.post("/{session}/proposals", response_model=ProposalAnswer)
    def propose(session: SessionName, proposal: Annotated[ProposalIn, Body()]) -> Document:
        """Propose a clearing, signed by a matcher. Each record is checked by itself; the answer lists every one.

        What is valid is taken. When the time for proposals is over, the valid proposal with the most welfare is the
        session's clearing, if it has more than the exchange's own. Proposing it again is harmless.
        """
        key = read_session_name(session)
        signed: dict[str, Any] = proposal.model_dump()
        read, signature = proposal_from_document(signed | {"signature": hexed(compact(raw(proposal.signature)))})
        if read.session != key:
            raise OrderMalformed("the proposal is for another session")
        return _answer(desk.clearings.propose(read, signature, desk.clock))

    return router


def _answer(proposed: Proposed) -> Document:
    checked, taken = proposed.checked, proposed.taken
    return {
        "digest": None if taken is None else hexed(taken.digest),
        "taken": taken is not None,
        "welfare_nano": checked.welfare,
        "records": [
            {"valid": code is None, "code": code, "reason": None if code is None else REASONS[code]}
            for code in checked.verdicts
        ],
    }
