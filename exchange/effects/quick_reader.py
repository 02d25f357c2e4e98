"""The quick way in: reads a posted order that is just as it should be, and leaves everything else to `schema.py`.

What is read here is what the models there take, and a test holds the two against each other. There is no refusal
here: whoever gets `None` asks the models, which say what is wrong with every field.
"""

import json
from typing import Any

from exchange.delivery import Product
from exchange.effects.schema import MOST_ORDERS_AT_ONCE
from exchange.errors import OrderMalformed
from exchange.order import NO_PREFERENCES, Order, Side, SignedOrder
from exchange.preferences import from_document
from exchange.units import MicroPerKwh, Wh
from identity.address import Address, parse_address
from identity.errors import IdentityRefused
from identity.signature import compact

_PRODUCTS = {product.name.lower(): product for product in Product}
_SIDES = {side.name.lower(): side for side in Side}
_FIELDS = {
    "asset",
    "market",
    "product",
    "side",
    "delivery_start",
    "energy_wh",
    "limit_micro_per_kwh",
    "preferences",
    "valid_until",
    "salt",
    "signature",
    "alternatives",
}
_NO_PREFERENCES = "0x" + NO_PREFERENCES.hex()


def quick_json(content_type: bytes, body: bytes) -> Any:
    """Return the JSON of a body that is declared as such; none where it is not, or cannot be read."""
    if content_type != b"application/json":
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def quick_order(document: Any) -> SignedOrder | None:
    """Return the posted order, or none where anything about it is unusual."""
    if type(document) is not dict or not document.keys() <= _FIELDS:
        return None
    try:
        asset, text = document["asset"], document["signature"]
        order = Order(
            asset=Address(_raw(asset, 20)) if asset.islower() else parse_address(asset),
            market=_whole(document["market"]),
            product=_PRODUCTS[document.get("product", "spot")],
            side=_SIDES[document["side"]],
            delivery_start=_whole(document["delivery_start"]),
            energy=Wh(_whole(document["energy_wh"])),
            limit=MicroPerKwh(_whole(document["limit_micro_per_kwh"])),
            preferences=_raw(document.get("preferences", _NO_PREFERENCES), 32),
            valid_until=_whole(document["valid_until"]),
            salt=_whole(document["salt"]),
        )
        alternatives = document.get("alternatives")
        preferences = None if alternatives is None else from_document({"alternatives": alternatives})
        return SignedOrder(order, compact(_raw(text, 65 if len(text) == 132 else 64)), preferences)
    except (KeyError, TypeError, ValueError, AttributeError, IdentityRefused, OrderMalformed):
        return None


def quick_orders(document: Any) -> list[Any] | None:
    """Return the posted orders of a batch, or none where it is no batch or not of the right length."""
    if type(document) is not dict or document.keys() != {"orders"}:
        return None
    orders = document["orders"]
    return orders if type(orders) is list and 0 < len(orders) <= MOST_ORDERS_AT_ONCE else None


def _whole(value: Any) -> int:
    if type(value) is not int:  # true and 1.0 are none
        raise TypeError("not a whole number")
    return value


def _raw(text: str, size: int) -> bytes:
    """Return `0x` and lower-case hex as bytes; raises `ValueError` for anything else, capitals and blanks included."""
    raw = bytes.fromhex(text[2:])
    if len(raw) != size or text != "0x" + raw.hex():
        raise ValueError("not the usual text")
    return raw
