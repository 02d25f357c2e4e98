"""The exchange's signed word that it holds an order.

A receipt whose order is missing from the committed set of its session is evidence against the exchange.
"""

from dataclasses import dataclass

from identity.hashing import keccak
from identity.typed_data import digest, word

RECEIPT_TYPE = "Receipt(bytes32 order,uint64 sequence,uint40 receivedAt)"
_RECEIPT_TYPE_HASH = keccak(RECEIPT_TYPE.encode())


@dataclass(frozen=True, slots=True)
class Receipt:
    """That the order with this digest was taken as number `sequence` at `received_at` (unix seconds)."""

    order: bytes
    sequence: int
    received_at: int
    signature: bytes


def receipt_digest(order: bytes, sequence: int, received_at: int, separator: bytes) -> bytes:
    """Return what the exchange signs to acknowledge an order."""
    return digest(separator, keccak(_RECEIPT_TYPE_HASH + order + word(sequence) + word(received_at)))
