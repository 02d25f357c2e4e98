"""HTTP for sessions: how far they have come, their book without names, and the published book once they are cleared."""

from bisect import bisect_right
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from exchange.effects.cursor import read_session_cursor, session_cursor
from exchange.effects.desk import Desk
from exchange.effects.order_routes import SettlementOf
from exchange.effects.readable import book_item, curves_item
from exchange.effects.schema import SessionOut, SessionPage
from exchange.effects.trade_index import TradeIndex
from exchange.effects.views import Document, read_session_name, session_document, summary_document
from exchange.held_session import Session
from exchange.market import Market
from exchange.parameters import Parameters
from exchange.session import SessionState
from identity.effects.paging import Limit, link_next
from identity.effects.reads import Reads

SessionName = Annotated[
    str,
    Path(
        description="the session's number, or its name: market, product, delivery start",
        examples=["1-spot-1782000000"],
        max_length=64,
    ),
]


def session_router(desk: Desk, *, settlement_of: SettlementOf, reads: Reads) -> APIRouter:
    """Return the routes for sessions: totals, prices and roots are for everybody, the book for who may read it."""
    router = APIRouter(prefix="/v1/sessions", tags=["sessions"])

    @router.get("", response_model=SessionPage)
    def sessions(
        request: Request,
        response: Response,
        state: SessionState | None = None,
        cursor: Annotated[str | None, Query(max_length=100)] = None,
        limit: Limit = 100,
    ) -> Document:
        """List the sessions that anybody has ordered in, by market, product and delivery start: newest last."""
        after = None if cursor is None else read_session_cursor(cursor)

        def page(market: Market, _: TradeIndex) -> list[Document]:
            keys = market.in_order
            position = 0 if after is None else bisect_right(keys, after, key=lambda key: key.number)
            found: list[Document] = []
            while position < len(keys) and len(found) <= limit:
                session = market.summary(keys[position])
                if state is None or session.state is state:
                    found.append(summary_document(session, market.parameters.market_of(session.key.market)))
                position += 1
            return found

        found = desk.look(page)
        following = session_cursor(found[limit - 1]["session"]) if len(found) > limit else None
        link_next(request, response, following)
        return {"sessions": found[:limit], "next": following}

    @router.get("/{session}", response_model=SessionOut)
    def session(session: SessionName, request: Request) -> Document:
        """Return a session, and its clearing once it is cleared.

        Its orders without names (`book`), and the names of those left out, only for who may read the aggregate of its
        node or its book.
        """
        key = read_session_name(session)

        def copy(market: Market, _: TradeIndex) -> tuple[Session, Parameters]:
            return replace(market.session(key)), market.rulebook.rules(key)

        copied, parameters = desk.look(copy)
        wanted = copied.cleared is not None and reads.may(request, curves_item(key))
        return session_document(copied, parameters, settlement_of(key), curves=wanted)

    @router.get("/{session}/book")
    def book(session: SessionName, request: Request) -> Document:
        """Return the published book: all that was ordered, taken back and cleared, as an audit needs it.

        For who was granted it, or the audit trail. The book of a session that is not cleared is nobody's business:
        409 session-not-cleared.
        """
        key = read_session_name(session)
        reads.judge(request, book_item(key))
        return desk.book(key).to_document()

    return router
