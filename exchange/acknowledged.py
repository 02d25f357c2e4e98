"""Orders that were taken, with their receipts signed together."""

from collections.abc import Sequence
from dataclasses import replace

from exchange.events import OrderAccepted
from exchange.receipt import sign_receipts
from identity.signature import Signer


def acknowledged(taken: Sequence[OrderAccepted], signer: Signer, separator: bytes) -> dict[bytes, OrderAccepted]:
    """Return orders that were taken with a bare receipt each with a signed one, by digest."""
    wanted = [(each.digest, each.receipt.sequence, each.receipt.received_at) for each in taken]
    return {
        each.digest: replace(each, receipt=receipt)
        for each, receipt in zip(taken, sign_receipts(wanted, signer, separator), strict=True)
    }
