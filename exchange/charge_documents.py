"""A storage's signed state of charge as plain values for JSON: as it is posted, and as the journal keeps it."""

from exchange.charge import StateOfCharge
from exchange.events import ChargeStated

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
