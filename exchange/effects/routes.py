"""The exchange over HTTP: everything under /v1 that this room answers for."""

from fastapi import APIRouter

from exchange.documents import hexed
from exchange.effects.asset_routes import asset_router
from exchange.effects.balancing_routes import balancing_router
from exchange.effects.desk import Desk
from exchange.effects.forecast_routes import forecast_router
from exchange.effects.intake import ProblemOf, Submit
from exchange.effects.matching_routes import matching_router
from exchange.effects.node_routes import node_router
from exchange.effects.order_routes import SettlementOf, order_router
from exchange.effects.schema import MOST_ORDERS_AT_ONCE
from exchange.effects.session_routes import session_router
from exchange.effects.trade_routes import trade_router
from exchange.effects.typed_data import domain_document, type_strings
from exchange.effects.views import Document
from exchange.parameters import Parameters
from identity.address import to_text
from identity.effects.reads import Reads

__all__ = ["ProblemOf", "SettlementOf", "exchange_router", "meta_router"]


def exchange_router(
    desk: Desk,
    *,
    name: str,
    version: str,
    settlement_of: SettlementOf,
    problem_of: ProblemOf,
    reads: Reads,
    submit: Submit | None = None,
) -> APIRouter:
    """Return every route of this room; `name` and `version` are the product's.

    `reads` judges what is not public. `submit` is how orders are handed in, if not straight to the desk.
    """
    router = APIRouter()
    router.include_router(
        order_router(desk, settlement_of=settlement_of, problem_of=problem_of, reads=reads, submit=submit)
    )
    router.include_router(balancing_router(desk, submit=submit))
    router.include_router(session_router(desk, settlement_of=settlement_of, reads=reads))
    router.include_router(matching_router(desk, reads=reads))
    router.include_router(trade_router(desk, reads=reads))
    router.include_router(node_router(desk))
    router.include_router(asset_router(desk, reads=reads))
    router.include_router(forecast_router(desk, problem_of=problem_of, reads=reads))
    router.include_router(meta_router(desk, name=name, version=version))
    return router


def meta_router(desk: Desk, *, name: str, version: str) -> APIRouter:
    """Return the route that tells a client everything it needs to sign an order."""
    router = APIRouter(prefix="/v1/meta", tags=["meta"])

    @router.get("")
    async def meta() -> Document:
        """Return the rules, what is signed and under which domain, and the deliveries that take orders now."""
        parameters: Parameters = await desk.look_soon(lambda market, _: market.parameters)
        now = desk.clock()
        return {
            "name": name,
            "version": version,
            "now": now,
            "chain_id": parameters.domain.chain_id,
            "contract": to_text(parameters.domain.contract),
            "domain": domain_document(parameters.domain),
            "domain_separator": hexed(parameters.domain.separator()),
            "types": type_strings(),
            "parameters": parameters.to_document(),
            "parameters_hash": hexed(parameters.hash()),
            "receipts": to_text(parameters.receipts),
            "most_orders_at_once": MOST_ORDERS_AT_ONCE,
            "open_deliveries": list(parameters.spot.open_deliveries(now)),
            "open_deliveries_by_market": {
                str(market.number): list(market.open_deliveries(now)) for market in parameters.markets
            },
        }

    return router
