"""HTTP for trades: by session, by account, by name."""

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from exchange.effects.cursor import read_trade_cursor, trade_cursor
from exchange.effects.desk import Desk
from identity.effects.paging import Limit, link_next
from exchange.effects.schema import HASH_PATTERN, TradeOut, TradePage, raw
from exchange.effects.views import Document, read_session_name, trade_document


def trade_router(desk: Desk) -> APIRouter:
    """Return the routes for trades."""
    router = APIRouter(prefix="/v1/trades", tags=["trades"])

    @router.get("", response_model=TradePage)
    def trades(
        request: Request,
        response: Response,
        session: Annotated[str | None, Query(max_length=64, description="a session's number or name")] = None,
        account: Annotated[int | None, Query(ge=0, description="buyer or seller")] = None,
        cursor: Annotated[str | None, Query(max_length=100)] = None,
        limit: Limit = 100,
    ) -> Document:
        """List trades by session, then leaf. A session with this name but no trades gives none."""
        key = None if session is None else read_session_name(session)
        after = None if cursor is None else read_trade_cursor(cursor)
        found = desk.look(
            lambda _, index: list(islice(index.listed(account=account, session=key, after=after), limit + 1))
        )
        following = trade_cursor(found[limit - 1].place) if len(found) > limit else None
        link_next(request, response, following)
        return {"trades": [trade_document(record) for record in found[:limit]], "next": following}

    @router.get("/{leaf}", response_model=TradeOut)
    async def trade(
        leaf: Annotated[str, Path(pattern=HASH_PATTERN, description="the trade's leaf, its name")],
    ) -> Document:
        """Return one trade."""
        name = raw(leaf)
        return trade_document(await desk.look_soon(lambda _, index: index.find(name)))

    return router
