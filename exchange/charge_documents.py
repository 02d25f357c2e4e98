"""A storage's signed state of charge as plain values for JSON: as it is posted, and as the journal keeps it."""

from collections.abc import Mapping
from typing import Any

from exchange.charge import StateOfCharge
from exchange.errors import OrderMalformed
from exchange.events import ChargeStated
from exchange.fields import Fields
from exchange.units import Wh
from identity.address import Address

Document = dict[str, object]


def charge_to_document(charge: StateOfCharge, signature: bytes) -> Document:
    """Return a signed statement as plain values, as it is posted."""
    return {
        "asset": "0x" + charge.asset.hex(),
        "at": charge.at,
        "stored_wh": charge.stored,
        "least_wh": charge.least,
        "serial": charge.serial,
        "signature": "0x" + signature.hex(),
    }


def stated_to_document(event: ChargeStated) -> Document:
    """Return the event of a statement as plain values."""
    return {
        "event": "charge-stated",
        "digest": "0x" + event.digest.hex(),
        "charge": charge_to_document(event.charge, event.signature),
        "signer": "0x" + event.signer.hex(),
        "account": event.account,
        "stated_at": event.at,
    }


def charge_from_document(document: Mapping[str, Any]) -> tuple[StateOfCharge, bytes]:
    """Read a signed state of charge; raises `OrderMalformed` naming what is wrong with it."""
    fields = Fields(document)
    try:
        charge = StateOfCharge(
            asset=Address(fields.raw("asset", 20)),
            at=fields.whole("at"),
            stored=Wh(fields.whole("stored_wh")),
            least=Wh(fields.whole("least_wh")),
            serial=fields.whole("serial"),
        )
    except ValueError as error:
        raise OrderMalformed(str(error)) from error
    signature = fields.raw("signature", 64)
    fields.finish()
    return charge, signature
