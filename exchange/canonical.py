"""The canonical JSON of an event: sorted keys, no spaces, ASCII. What a journal's hashes are made of.

An accepted order is written and read here as text of one fixed form, since a journal holds little else: that is
quicker than going through a document. The form is the one that `documents.py` gives, to the byte; whatever is
not of it is read there.
"""

import json
from typing import Any

from exchange.delivery import Product
from exchange.documents import event_from_document, event_to_document
from exchange.errors import OrderMalformed
from exchange.events import Event, OrderAccepted
from exchange.order import Order, Side, SignedOrder
from exchange.preferences import Preferences, from_document
from exchange.receipt import Receipt
from identity.address import Address
from identity.claim_data import EnergyType

_PRODUCTS = {product: product.name.lower() for product in Product}
_PRODUCT_NAMES = {name: product for product, name in _PRODUCTS.items()}
_ENERGY_TYPES = {energy_type: energy_type.name.lower() for energy_type in EnergyType}
_ENERGY_TYPE_NAMES = {name: energy_type for energy_type, name in _ENERGY_TYPES.items()}
_SIDES = {side: side.name.lower() for side in Side}
_SIDE_NAMES = {name: side for side, name in _SIDES.items()}


def canonical(event: Event) -> str:
    """Return the canonical JSON of an event."""
    if not isinstance(event, OrderAccepted):
        return json.dumps(event_to_document(event), sort_keys=True, separators=(",", ":"))
    order, receipt = event.signed.order, event.receipt
    return (
        f'{{"account":{event.account},"asset_number":{event.asset},"digest":"0x{event.digest.hex()}",'
        f'"energy_type":"{_ENERGY_TYPES[event.energy_type]}","event":"order-accepted","free_nano":{event.free},'
        f'"holder":"0x{event.holder.hex()}",'
        f'"order":{{"alternatives":{_alternatives(event.signed.preferences)},"asset":"0x{order.asset.hex()}","delivery_start":{order.delivery_start},'
        f'"energy_wh":{order.energy},"limit_micro_per_kwh":{order.limit},"market":{order.market},'
        f'"preferences":"0x{order.preferences.hex()}","product":"{_PRODUCTS[order.product]}","salt":{order.salt},'
        f'"side":"{_SIDES[order.side]}","signature":"0x{event.signed.signature.hex()}",'
        f'"valid_until":{order.valid_until}}},'
        f'"receipt":{{"blind":"0x{receipt.blind.hex()}","order":"0x{receipt.order.hex()}",'
        f'"path":"0x{receipt.path.hex()}","received_at":{receipt.received_at},'
        f'"sequence":{receipt.sequence},"signature":"0x{receipt.signature.hex()}"}},'
        f'"signer":"0x{event.signer.hex()}"}}'
    )


def _alternatives(preferences: Preferences | None) -> str:
    if preferences is None:
        return "null"
    return json.dumps(preferences.to_document()["alternatives"], sort_keys=True, separators=(",", ":"))


def event_of(body: bytes) -> Event:
    """Read an event; raises `OrderMalformed` naming what is wrong, and `ValueError` where the body is no JSON.

    An accepted order in the fixed form is believed because it gives the very same bytes again.
    """
    try:
        event = _accepted(_QUICK.decode(body.decode()))
    except (KeyError, TypeError, ValueError, OrderMalformed):
        event = None
    if event is not None and canonical(event).encode() == body:
        return event
    return event_from_document(json.loads(body))  # which says what is wrong, if anything is


def _no_fraction(text: str) -> int:
    raise ValueError(f"{text} is not a whole number")


_QUICK = json.JSONDecoder(parse_float=_no_fraction)


def _accepted(document: dict[str, Any]) -> OrderAccepted | None:
    """Return the accepted order a document may be; whether it is one shows when it is written again."""
    if document["event"] != "order-accepted":
        return None
    order, receipt = document["order"], document["receipt"]
    return OrderAccepted(
        digest=_sized(document["digest"], 32),
        signed=SignedOrder(
            Order(
                asset=Address(_sized(order["asset"], 20)),
                market=order["market"],
                product=_PRODUCT_NAMES[order["product"]],
                side=_SIDE_NAMES[order["side"]],
                delivery_start=order["delivery_start"],
                energy=order["energy_wh"],
                limit=order["limit_micro_per_kwh"],
                preferences=_sized(order["preferences"], 32),
                valid_until=order["valid_until"],
                salt=order["salt"],
            ),
            _sized(order["signature"], 64),
            None if order["alternatives"] is None else from_document({"alternatives": order["alternatives"]}),
        ),
        receipt=Receipt(
            order=_sized(receipt["order"], 32),
            sequence=receipt["sequence"],
            received_at=receipt["received_at"],
            blind=_sized(receipt["blind"], 32),
            path=_sized(receipt["path"], len(receipt["path"]) >> 6 << 5),
            signature=_sized(receipt["signature"], 64),
        ),
        signer=_sized(document["signer"], 20),
        account=document["account"],
        asset=document["asset_number"],
        free=document["free_nano"],
        holder=_sized(document["holder"], 20) if document["holder"] != "0x" else b"",
        energy_type=_ENERGY_TYPE_NAMES[document["energy_type"]],
    )


def _sized(text: str, size: int) -> bytes:
    raw = bytes.fromhex(text[2:])
    if len(raw) != size:
        raise ValueError("of another size")
    return raw
