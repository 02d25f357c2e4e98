"""Orders that were taken, with their receipts signed together."""

from collections.abc import Sequence

from exchange.events import OrderAccepted
from exchange.receipt import sign_receipts
from identity.signature import Signer


def acknowledged(taken: Sequence[OrderAccepted], signer: Signer, separator: bytes) -> dict[bytes, OrderAccepted]:
    """Return orders that were taken with a bare receipt each with a signed one, by digest."""
    wanted = [(each.digest, each.receipt.sequence, each.receipt.received_at) for each in taken]
    return {
        each.digest: OrderAccepted(
            digest=each.digest,
            signed=each.signed,
            receipt=receipt,
            signer=each.signer,
            account=each.account,
            asset=each.asset,
            free=each.free,
        )
        for each, receipt in zip(taken, sign_receipts(wanted, signer, separator), strict=True)
    }
