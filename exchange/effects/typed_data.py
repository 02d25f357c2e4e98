"""The typed data of this exchange as wallets take it: the payload of eth_signTypedData_v4.

https://eips.ethereum.org/EIPS/eip-712
"""

from typing import Any

from exchange.charge import CHARGE_TYPE, StateOfCharge
from exchange.documents import hexed
from exchange.forecast import FORECAST_TYPE, Forecast
from exchange.order import CANCELLATION_TYPE, ORDER_TYPE, Order
from exchange.proposals import PROPOSAL_TYPE
from exchange.receipt import RECEIPT_TYPE, RECEIPTS_TYPE
from exchange.terms import NO_LIMIT, TERMS_TYPE, NodeTerms
from identity.address import to_text
from identity.typed_data import Domain

Document = dict[str, Any]

_DOMAIN_FIELDS = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]


def type_strings() -> dict[str, str]:
    """Return the EIP-712 type string of everything that is signed here."""
    return {
        "Order": ORDER_TYPE,
        "Cancellation": CANCELLATION_TYPE,
        "StateOfCharge": CHARGE_TYPE,
        "Receipt": RECEIPT_TYPE,
        "Receipts": RECEIPTS_TYPE,
        "NodeTerms": TERMS_TYPE,
        "Forecast": FORECAST_TYPE,
        "Proposal": PROPOSAL_TYPE,
    }


def domain_document(domain: Domain) -> Document:
    """Return the domain as wallets take it."""
    return {
        "name": domain.name,
        "version": domain.version,
        "chainId": domain.chain_id,
        "verifyingContract": to_text(domain.contract),
    }


def order_typed_data(order: Order, domain: Domain) -> Document:
    """Return what a wallet is asked to sign for `order`."""
    message = {
        "asset": to_text(order.asset),
        "market": order.market,
        "product": int(order.product),
        "side": int(order.side),
        "deliveryStart": order.delivery_start,
        "energyWh": order.energy,
        "limitMicroPerKwh": order.limit,
        "preferences": hexed(order.preferences),
        "validUntil": order.valid_until,
        "salt": str(order.salt),  # as text: JavaScript counts exactly to 2^53 only
    }
    return _payload("Order", ORDER_TYPE, message, domain)


def cancellation_typed_data(digest: bytes, domain: Domain) -> Document:
    """Return what a wallet is asked to sign to take the order with this digest back."""
    return _payload("Cancellation", CANCELLATION_TYPE, {"order": hexed(digest)}, domain)


def terms_typed_data(terms: NodeTerms, domain: Domain) -> Document:
    """Return what a wallet is asked to sign to change a node's terms; whole numbers of 64 bits stand as text."""
    message = {
        "node": terms.node,
        "feeMicroPerKwh": terms.fee.constant,
        "feePpm": terms.fee.ppm,
        "importLimitWh": str(NO_LIMIT if terms.import_limit is None else terms.import_limit),
        "exportLimitWh": str(NO_LIMIT if terms.export_limit is None else terms.export_limit),
        "serial": str(terms.serial),
    }
    return _payload("NodeTerms", TERMS_TYPE, message, domain)


def charge_typed_data(charge: StateOfCharge, domain: Domain) -> Document:
    """Return what a wallet is asked to sign to say how full a storage is."""
    message = {
        "asset": to_text(charge.asset),
        "at": charge.at,
        "storedWh": charge.stored,
        "leastWh": charge.least,
        "serial": str(charge.serial),
    }
    return _payload("StateOfCharge", CHARGE_TYPE, message, domain)


def forecast_typed_data(forecast: Forecast, domain: Domain) -> Document:
    """Return what a wallet is asked to sign for a forecast."""
    message = {
        "asset": to_text(forecast.asset),
        "start": forecast.start,
        "seconds": forecast.seconds,
        "consumptionWh": forecast.consumption,
        "productionWh": forecast.production,
        "serial": str(forecast.serial),
    }
    return _payload("Forecast", FORECAST_TYPE, message, domain)


def _payload(name: str, type_string: str, message: Document, domain: Domain) -> Document:
    return {
        "types": {"EIP712Domain": _DOMAIN_FIELDS, name: _fields(type_string)},
        "primaryType": name,
        "domain": domain_document(domain),
        "message": message,
    }


def _fields(type_string: str) -> list[dict[str, str]]:
    inside = type_string[type_string.index("(") + 1 : -1]
    pairs = (field.split(" ") for field in inside.split(","))
    return [{"name": name, "type": kind} for kind, name in pairs]
