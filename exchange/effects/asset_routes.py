"""HTTP for what belongs to one asset: its positions over all products."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from exchange.effects.asset_schema import PositionsOut
from exchange.effects.desk import Desk
from exchange.effects.readable import judge_asset
from exchange.effects.views import Document
from exchange.market import Market
from exchange.positions import NO_POSITION, Held, Position
from identity.address import parse_address, to_text
from identity.effects.reads import Reads

AssetText = Annotated[str, Path(max_length=100, description="the asset's address")]
Begin = Annotated[int, Query(alias="from", ge=0, lt=1 << 40, description="unix seconds")]
End = Annotated[int, Query(alias="to", ge=0, lt=1 << 40, description="unix seconds, not included")]

LATEST = (1 << 40) - 1


def asset_router(desk: Desk, *, reads: Reads) -> APIRouter:
    """Return the routes for what the exchange knows of an asset; all of it is for its account."""
    router = APIRouter(prefix="/v1/assets", tags=["assets"])

    @router.get("/{asset}/positions", response_model=PositionsOut)
    def positions(request: Request, asset: AssetText, begin: Begin = 0, end: End = LATEST) -> Document:
        """Return what an asset has bought and sold in each slot from `from` up to `to`, over all products.

        For who may read the account it was traded for; of an asset that was sold, each owner its own part.
        """
        identity = parse_address(asset)

        def look(market: Market) -> tuple[list[Held], int, int]:
            held = list(market.positions.between(identity, begin, end))
            return held, market.positions.kept_from, market.parameters.slot

        found, kept_from, slot = desk.look(lambda market, _: look(market))
        shown = judge_asset(desk, reads, request, identity, {held.account for held in found})
        found = [held for held in found if held.account in shown]
        whole = NO_POSITION
        for held in found:
            whole = whole.plus(held.position)
        return {
            "asset": to_text(identity),
            "slot_seconds": slot,
            "kept_from": kept_from,
            "positions": [
                {"slot": held.slot, "account": held.account, **_position_document(held.position)} for held in found
            ],
            **_position_document(whole),
        }

    return router


def _position_document(position: Position) -> Document:
    return {
        "bought_wh": position.bought,
        "sold_wh": position.sold,
        "own_taken_wh": position.own_taken,
        "own_given_wh": position.own_given,
    }
