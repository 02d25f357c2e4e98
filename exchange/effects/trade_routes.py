"""HTTP for trades: by session, by account, by name."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from exchange.effects.cursor import read_trade_cursor, trade_cursor
from exchange.effects.desk import Desk
from exchange.effects.past_trades import find_trade, list_trades
from exchange.effects.readable import book_item, judge_trade
from exchange.effects.schema import HASH_PATTERN, TradeOut, TradePage, raw
from exchange.effects.views import Document, read_session_name, trade_document
from identity.access import TRAIL, Item, account_scope
from identity.effects.paging import Limit, link_next
from identity.effects.reads import Reads


def trade_router(desk: Desk, *, reads: Reads) -> APIRouter:
    """Return the routes for trades."""
    router = APIRouter(prefix="/v1/trades", tags=["trades"])

    @router.get("", response_model=TradePage)
    def trades(
        request: Request,
        response: Response,
        session: Annotated[str | None, Query(max_length=64, description="a session's number or name")] = None,
        account: Annotated[int | None, Query(ge=0, lt=1 << 32, description="buyer or seller")] = None,
        cursor: Annotated[str | None, Query(max_length=100)] = None,
        limit: Limit = 100,
    ) -> Document:
        """List trades by session, then leaf. A session with this name but no trades gives none.

        Those of an account for whose it is, those of a session for who may read its book, all for who may read the
        audit trail.
        """
        key = None if session is None else read_session_name(session)
        scopes = [] if account is None else [account_scope(account)]
        scopes += [] if key is None else book_item(key).scopes
        reads.judge(request, Item(tuple(scopes) or (TRAIL,)))
        after = None if cursor is None else read_trade_cursor(cursor)
        found = list_trades(desk, account=account, session=key, after=after, limit=limit + 1)
        following = trade_cursor(found[limit - 1].place) if len(found) > limit else None
        link_next(request, response, following)
        return {"trades": [trade_document(record) for record in found[:limit]], "next": following}

    @router.get("/{leaf}", response_model=TradeOut)
    def trade(
        request: Request,
        leaf: Annotated[str, Path(pattern=HASH_PATTERN, description="the trade's leaf, its name")],
    ) -> Document:
        """Return one trade, for its parties and for who may read the book."""
        name = raw(leaf)
        judge_trade(desk, reads, request, name)
        return trade_document(find_trade(desk, name))

    return router
