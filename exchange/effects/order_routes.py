"""HTTP for orders: hand in, look up, take back."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, Path, Request, Response
from pydantic import SkipValidation

from exchange.delivery import SessionKey
from exchange.documents import hexed
from exchange.effects.desk import Desk
from exchange.effects.intake import ProblemOf, Submit, take, take_all
from exchange.effects.readable import judge_order
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
from exchange.effects.views import Document, order_document, view_order
from identity.effects.reads import Reads
from identity.signature import compact

SettlementOf = Callable[[SessionKey], Document | None]
"""What is known of a session on the chain: batch, transaction, block; none before it was sealed."""

Digest = Annotated[str, Path(pattern=HASH_PATTERN, description="the order's digest, its name")]


def order_router(
    desk: Desk, *, settlement_of: SettlementOf, problem_of: ProblemOf, reads: Reads, submit: Submit | None = None
) -> APIRouter:
    """Return the routes for orders; `submit` is how they are handed in, if not straight to the desk."""
    hand_in = desk.submit_soon if submit is None else submit
    router = APIRouter(prefix="/v1/orders", tags=["orders"])

    @router.post(
        "",
        name="submit",
        status_code=201,
        response_model=OrderTaken,
        responses={200: {"model": OrderTaken, "description": "Held already: the first receipt"}},
    )
    async def submit_one(order: Annotated[SkipValidation[OrderIn], Body()], response: Response) -> Document:
        """Hand in a signed order. Handing it in again is harmless: it is answered as it was the first time."""
        response.status_code, document = await take(hand_in, read_order(order))
        return document

    @router.post("/batch", response_model=BatchResults, response_model_exclude_none=True)
    async def submit_batch(batch: OrdersIn) -> Document:
        """Hand in up to 1,000 signed orders. Each is decided on by itself, in the order given, with its own result."""
        return await take_all(hand_in, batch.orders, problem_of)

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
    def order(digest: Digest, request: Request) -> Document:
        """Return an order with everything that happened to it, and why it was matched or not.

        For its account, its signer, and who was granted the account; once it is cleared, for readers of the book.
        """
        name = raw(digest)
        judge_order(desk, reads, request, name)
        view = desk.look(lambda market, _: view_order(market, name))
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
