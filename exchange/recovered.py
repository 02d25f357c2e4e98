"""An order with its name and its signer: what can be worked out of it before the market is asked.

Recovering a signer is most of the work of taking an order, needs nothing of the market's state, and may therefore be
done elsewhere, before, and for many orders at once.
"""

from dataclasses import dataclass

from exchange.order import SignedOrder
from identity.address import Address
from identity.errors import BadSignature
from identity.signature import recover


@dataclass(frozen=True, slots=True)
class Recovered:
    """The digest of an order, and who signed it: an address, or why the signature is none."""

    digest: bytes
    signer: Address | BadSignature

    def must_be_signed(self) -> Address:
        """Return the signer; raises `BadSignature`."""
        if isinstance(self.signer, BadSignature):
            raise self.signer
        return self.signer


def recovered(signed: SignedOrder, digest: bytes) -> Recovered:
    """Return what is to be known of an order with this digest."""
    try:
        return Recovered(digest, recover(digest, signed.signature))
    except BadSignature as refusal:
        return Recovered(digest, refusal)
