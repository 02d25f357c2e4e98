"""HTTP for balancing: offers with the seed's sign of the energy, and how full storages are.

An offer is a signed order of the product balancing_up or balancing_down, and may be handed in as such, too. Needs are
bids of the same products, and are handed in as orders.
"""

import asyncio

from fastapi import APIRouter, Response

from exchange.delivery import BALANCING
from exchange.documents import hexed
from exchange.effects.balancing_schema import (
    BalancingOut,
    ChargeIn,
    ChargeOut,
    OfferIn,
    SignedOfferIn,
    UnsignedChargeIn,
)
from exchange.effects.desk import Desk
from exchange.effects.intake import Submit, take
from exchange.effects.schema import OrderTaken
from exchange.effects.typed_data import charge_typed_data, order_typed_data
from exchange.effects.views import Document
from exchange.events import ChargeStated
from exchange.parameters import Parameters
from identity.address import to_text


def balancing_router(desk: Desk, *, submit: Submit | None = None) -> APIRouter:
    """Return the routes for balancing; `submit` is how orders are handed in, if not straight to the desk."""
    hand_in = desk.submit_soon if submit is None else submit
    router = APIRouter(prefix="/v1/balancing", tags=["balancing"])

    async def rules() -> Parameters:
        return await desk.look_soon(lambda market, _: market.parameters)

    @router.get("", response_model=BalancingOut)
    async def balancing() -> Document:
        """Return the settings of the balancing market, and the deliveries that take offers now, by direction."""
        parameters, now = await rules(), desk.clock()
        return {
            "settings": parameters.balancing.to_document(),
            "markets": [
                {
                    "market": market.number,
                    "product": market.product.name.lower(),
                    "open_deliveries": list(market.open_deliveries(now)),
                }
                for market in parameters.markets
                if market.product in BALANCING
            ],
        }

    @router.post(
        "/offers",
        status_code=201,
        response_model=OrderTaken,
        responses={200: {"model": OrderTaken, "description": "Held already: the first receipt"}},
    )
    async def offer(posted: SignedOfferIn, response: Response) -> Document:
        """Hand in a signed balancing offer: energy above zero is supply (up), below zero demand (down)."""
        response.status_code, document = await take(hand_in, posted.to_signed_order(await rules()))
        return document

    @router.post("/offers/typed-data")
    async def offer_to_sign(posted: OfferIn) -> Document:
        """Return the order that an offer stands for as a wallet signs it (eth_signTypedData_v4), and its digest."""
        parameters = await rules()
        order, domain = posted.to_order(parameters), parameters.domain
        return {"digest": hexed(order.digest(domain.separator())), "typed_data": order_typed_data(order, domain)}

    @router.post(
        "/charges",
        status_code=201,
        response_model=ChargeOut,
        responses={200: {"model": ChargeOut, "description": "Held already: as it was answered the first time"}},
    )
    async def charge(posted: ChargeIn, response: Response) -> Document:
        """State how full a storage is. The statement with the highest serial is what its offers are held against."""
        stated, new = await asyncio.to_thread(desk.notices.state_charge, posted.to_charge(), posted.compact())
        response.status_code = 201 if new else 200
        return _charge_document(stated)

    @router.post("/charges/typed-data")
    async def charge_to_sign(posted: UnsignedChargeIn) -> Document:
        """Return how full a storage is as a wallet signs it (eth_signTypedData_v4), and its digest."""
        charge, domain = posted.to_charge(), (await rules()).domain
        return {"digest": hexed(charge.digest(domain.separator())), "typed_data": charge_typed_data(charge, domain)}

    return router


def _charge_document(stated: ChargeStated) -> Document:
    charge = stated.charge
    return {
        "digest": hexed(stated.digest),
        "asset": to_text(charge.asset),
        "at": charge.at,
        "stored_wh": charge.stored,
        "least_wh": charge.least,
        "serial": charge.serial,
        "stated_at": stated.at,
    }
