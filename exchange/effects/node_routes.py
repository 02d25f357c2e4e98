"""HTTP for the tree: what its nodes take and let through, and the signed changes of it by their grid operators."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Response

from exchange.documents import hexed
from exchange.effects.desk import Desk
from exchange.effects.node_schema import NodesOut, NodeTermsOut, TermsChangeOut, TermsIn, UnsignedTermsIn
from exchange.effects.node_views import change_document, node_terms_document, nodes_document
from exchange.effects.typed_data import terms_typed_data
from exchange.effects.views import Document

Number = Annotated[int, Path(ge=1, lt=1 << 32, description="the node's number")]


def node_router(desk: Desk) -> APIRouter:
    """Return the routes for nodes; all of it is public."""
    router = APIRouter(prefix="/v1/nodes", tags=["nodes"])

    @router.get("", response_model=NodesOut)
    async def nodes() -> Document:
        """List the nodes of the tree: fees and limits in force and to come, operators and fee accounts."""
        return await desk.look_soon(lambda market, _: nodes_document(market.rulebook, desk.clock()))

    @router.get("/{number}/terms", response_model=NodeTermsOut)
    async def terms(number: Number) -> Document:
        """Return the terms of a node from the founding on, with the signature of every change."""
        return await desk.look_soon(lambda market, _: node_terms_document(market.rulebook, number))

    @router.post("/{number}/terms/typed-data")
    async def typed_data(number: Number, posted: UnsignedTermsIn) -> Document:
        """Return a change of a node's terms as a wallet signs it (eth_signTypedData_v4). Nothing is handed in."""
        unsigned = posted.to_terms(number)
        domain = await desk.look_soon(lambda market, _: market.parameters.domain)
        return {
            "digest": hexed(unsigned.digest(domain.separator())),
            "typed_data": terms_typed_data(unsigned, domain),
        }

    @router.post(
        "/{number}/terms",
        status_code=201,
        response_model=TermsChangeOut,
        responses={200: {"model": TermsChangeOut, "description": "Taken already: as it was answered the first time"}},
    )
    async def set_terms(number: Number, posted: TermsIn, response: Response) -> Document:
        """Change what a node takes and lets through, as its grid operator; it holds from the next gate opening on.

        Handing it in again is harmless.
        """
        change, new = await asyncio.to_thread(desk.notices.set_terms, posted.to_terms(number), posted.compact())
        response.status_code = 201 if new else 200
        founding = await desk.look_soon(lambda market, _: market.parameters)
        return change_document(change, founding)

    return router
