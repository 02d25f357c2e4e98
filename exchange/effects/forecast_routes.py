"""HTTP for forecasts: what assets will draw and feed in, where the community holds them to it."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from exchange.documents import forecast_to_document, hexed
from exchange.effects.desk import Desk
from exchange.effects.forecast_schema import (
    ForecastIn,
    ForecastResults,
    ForecastsIn,
    ForecastTaken,
    SlotForecastsOut,
    UnsignedForecastIn,
)
from exchange.effects.intake import ProblemOf
from exchange.effects.readable import judge_asset
from exchange.effects.typed_data import forecast_typed_data
from exchange.effects.views import Document
from exchange.events import ForecastSet
from exchange.forecast import Forecast
from exchange.order import Side
from identity.address import parse_address, to_text
from identity.effects.reads import Reads
from identity.errors import BadSignature


def forecast_router(desk: Desk, *, problem_of: ProblemOf, reads: Reads) -> APIRouter:
    """Return the routes for forecasts; `problem_of` makes the problem of a refusal, `reads` judges who may read one."""
    router = APIRouter(prefix="/v1", tags=["forecasts"])

    @router.post(
        "/forecasts",
        status_code=201,
        response_model=ForecastTaken,
        responses={200: {"model": ForecastTaken, "description": "Held already: as it was answered the first time"}},
    )
    async def forecast(posted: ForecastIn, response: Response) -> Document:
        """Say what an asset will draw and feed in, as its owner or delegate; it bounds the orders that come after.

        The newest counts. Handing it in again is harmless.
        """
        (result,) = await asyncio.to_thread(desk.notices.set_forecasts, [(posted.to_forecast(), posted.compact())])
        if isinstance(result, Exception):
            raise result
        held, new = result
        response.status_code = 201 if new else 200
        return _taken_document(held)

    @router.post("/forecasts/batch", response_model=ForecastResults, response_model_exclude_none=True)
    async def batch(posted: ForecastsIn) -> Document:
        """Hand in up to 200 signed forecasts. Each is decided on by itself, in the order given, with its own result."""
        results: dict[int, Document] = {}
        signed: dict[int, tuple[Forecast, bytes]] = {}
        for place, each in enumerate(posted.forecasts):
            try:
                signed[place] = each.to_forecast(), each.compact()
            except BadSignature as refusal:
                results[place] = _refused(problem_of(refusal))
        answers = await asyncio.to_thread(desk.notices.set_forecasts, list(signed.values())) if signed else []
        for place, answer in zip(signed, answers, strict=True):
            if isinstance(answer, Exception):
                results[place] = _refused(problem_of(answer))
            else:
                held, new = answer
                results[place] = {"status": 201 if new else 200, "forecast": _taken_document(held)}
        return {"results": [results[place] for place in range(len(posted.forecasts))]}

    @router.post("/forecasts/typed-data")
    async def typed_data(posted: UnsignedForecastIn) -> Document:
        """Return a forecast as a wallet signs it (eth_signTypedData_v4), and its digest. Nothing is handed in."""
        unsigned = posted.to_forecast()
        domain = await desk.look_soon(lambda market, _: market.parameters.domain)
        return {
            "digest": hexed(unsigned.digest(domain.separator())),
            "typed_data": forecast_typed_data(unsigned, domain),
        }

    @router.get("/assets/{asset}/forecasts", response_model=SlotForecastsOut)
    def forecasts(
        request: Request,
        asset: Annotated[str, Path(max_length=100, description="the asset's address")],
        begin: Annotated[int, Query(alias="from", ge=0, lt=1 << 40, description="unix seconds")] = 0,
        end: Annotated[int, Query(alias="to", ge=0, lt=1 << 40, description="unix seconds, not included")] = (1 << 40)
        - 1,
    ) -> Document:
        """Return the forecasts that count for an asset in the slots from `from` up to `to`.

        For who may read the account that it traded for when they were taken.
        """
        identity = parse_address(asset)
        found, slot = desk.look(
            lambda market, _: (market.forecasts.in_force(identity, begin, end), market.parameters.slot)
        )
        shown = judge_asset(desk, reads, request, identity, {event.account for _, event in found})
        return {
            "asset": to_text(identity),
            "slot_seconds": slot,
            "forecasts": [_slot_document(at, event, slot) for at, event in found if event.account in shown],
        }

    return router


def _taken_document(event: ForecastSet) -> Document:
    document = forecast_to_document(event.forecast, event.signature)
    del document["signature"]
    taken = {"digest": hexed(event.digest), "account": event.account, "sequence": event.sequence, "at": event.at}
    return document | taken


def _slot_document(at: int, event: ForecastSet, slot: int) -> Document:
    return {
        "slot": at,
        "consumption_wh": event.forecast.energy(Side.BID, at, slot),
        "production_wh": event.forecast.energy(Side.OFFER, at, slot),
        "account": event.account,
        "serial": event.forecast.serial,
        "digest": hexed(event.digest),
        "at": event.at,
    }


def _refused(problem: Document) -> Document:
    return {"status": problem["status"], "problem": problem}
