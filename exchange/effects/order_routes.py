"""HTTP for orders: hand in, look up, take back."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, Path, Response
from pydantic import SkipValidation

from exchange.delivery import SessionKey
from exchange.documents import hexed, receipt_to_document
from exchange.effects.desk import Desk, Taken
from exchange.effects.schema import (
    HASH_PATTERN,
    BatchResults,
    CancellationIn,
    CancellationOut,
    OrderIn,
    OrderOut,
    OrdersIn,
    OrderTaken,
    UnsignedOrder,
    raw,
    read_order,
    read_unsigned_order,
)
from exchange.effects.typed_data import cancellation_typed_data, order_typed_data
from exchange.effects.views import Document, order_document, taken_document, view_order
from exchange.errors import ExchangeRefused
from exchange.order import SignedOrder
from identity.errors import IdentityRefused
from identity.signature import compact

SettlementOf = Callable[[SessionKey], Document | None]
"""What is known of a session on the chain: batch, transaction, block; none before it was sealed."""

ProblemOf = Callable[[Exception], Document]
"""A refusal as a problem document (RFC 9457), with its HTTP status under `status`."""

Digest = Annotated[str, Path(pattern=HASH_PATTERN, description="the order's digest, its name")]


def order_router(desk: Desk, *, settlement_of: SettlementOf, problem_of: ProblemOf) -> APIRouter:
    """Return the routes for orders."""
    router = APIRouter(prefix="/v1/orders", tags=["orders"])

    @router.post(
        "",
        status_code=201,
        response_model=OrderTaken,
        responses={200: {"model": OrderTaken, "description": "Held already: the first receipt"}},
    )
    async def submit(order: Annotated[SkipValidation[OrderIn], Body()], response: Response) -> Document:
        """Hand in a signed order. Handing it in again is harmless: it is answered as it was the first time."""
        (result,) = await desk.submit_soon([read_order(order)])
        if not isinstance(result, Taken):
            raise result
        response.status_code = 201 if result.new else 200
        return taken_document(result.accepted, result.state.value)

    @router.post("/batch", response_model=BatchResults, response_model_exclude_none=True)
    def submit_batch(batch: OrdersIn) -> Document:
        """Hand in up to 1,000 signed orders. Each is decided on by itself, in the order given, with its own result."""
        results: dict[int, Document] = {}
        orders: dict[int, SignedOrder] = {}
        for position, document in enumerate(batch.orders):
            try:
                orders[position] = read_order(document)
            except (ExchangeRefused, IdentityRefused) as refusal:
                results[position] = _problem_result(problem_of(refusal))
        for position, result in zip(orders, desk.submit(list(orders.values())), strict=True):
            results[position] = (
                _taken_result(result) if isinstance(result, Taken) else _problem_result(problem_of(result))
            )
        return {"results": [results[position] for position in range(len(batch.orders))]}

    @router.post("/typed-data")
    async def typed_data(order: Annotated[SkipValidation[UnsignedOrder], Body()]) -> Document:
        """Return the order as a wallet signs it (eth_signTypedData_v4), and its digest. Nothing is handed in."""
        unsigned = read_unsigned_order(order)
        domain = await desk.look_soon(lambda market, _: market.parameters.domain)
        return {
            "digest": hexed(unsigned.digest(domain.separator())),
            "typed_data": order_typed_data(unsigned, domain),
        }

    @router.get("/{digest}", response_model=OrderOut)
    def order(digest: Digest) -> Document:
        """Return an order with everything that happened to it, and why it was matched or not."""
        name = raw(digest)
        view = desk.look(lambda market, trades: view_order(market, trades, name))
        return order_document(view, settlement_of(view.session.key))

    @router.get("/{digest}/cancellation/typed-data")
    async def cancellation(digest: Digest) -> Document:
        """Return the cancellation of an order as a wallet signs it (eth_signTypedData_v4)."""
        domain = await desk.look_soon(lambda market, _: market.parameters.domain)
        return {"typed_data": cancellation_typed_data(raw(digest), domain)}

    async def cancel(digest: Digest, cancellation: CancellationIn) -> Document:
        """Take an order back before its gate closes. Taking it back again is harmless."""
        taken_back = await desk.cancel_soon(raw(digest), compact(raw(cancellation.signature)))
        return {"digest": hexed(taken_back.digest), "session": taken_back.session.number, "cancelled_at": taken_back.at}

    router.delete("/{digest}", response_model=CancellationOut)(cancel)
    # For clients and proxies that drop the body of a DELETE.
    router.post("/{digest}/cancellation", response_model=CancellationOut, name="cancel_by_post")(cancel)
    return router


def _taken_result(taken: Taken) -> Document:
    session = taken.accepted.signed.order.session
    return {
        "status": 201 if taken.new else 200,
        "digest": hexed(taken.accepted.digest),
        "session": session.number,
        "session_name": str(session),
        "receipt": receipt_to_document(taken.accepted.receipt),
    }


def _problem_result(problem: Document) -> Document:
    return {"status": problem["status"], "problem": problem}
