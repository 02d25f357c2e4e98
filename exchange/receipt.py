"""The exchange's signed word that it holds an order. Orders that are taken together share one signature.

A signature costs more than half of what recovering an order's signer does. So the exchange signs the root of a small
Merkle tree over the receipts of one moment, and each receipt carries the siblings that lead there: anybody can check it
by itself, with nothing but the exchange's address. A leaf is the EIP-712 hash of `RECEIPT_TYPE`, a node the hash of its
two children in ascending order; a leaf hashes 160 bytes and a node 64, so neither can pose as the other.

Siblings are hashes of other members' receipts in a book that is nobody's business yet. Each receipt therefore hashes a
`blind` that only the exchange can make: a neighbour cannot find out an order, not even by guessing.

A receipt whose order is missing from the committed set of its session is evidence against the exchange.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct, error

from identity.hashing import keccak
from identity.signature import Signer
from identity.typed_data import digest, word

RECEIPT_TYPE = "Receipt(bytes32 order,uint64 sequence,uint40 receivedAt,bytes32 blind)"
RECEIPTS_TYPE = "Receipts(bytes32 root)"
_RECEIPT_TYPE_HASH = keccak(RECEIPT_TYPE.encode())
_RECEIPTS_TYPE_HASH = keccak(RECEIPTS_TYPE.encode())
_words = Struct(">32s 32s 24xQ 24xQ 32s").pack

MOST_TOGETHER = 64
"""So many receipts share a signature at most, which keeps each short: six siblings."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """That the order with this digest was taken as number `sequence` at `received_at` (unix seconds).

    `path` holds the siblings from the leaf to the root, 32 bytes each; `signature` is the exchange's over the root.
    """

    order: bytes
    sequence: int
    received_at: int
    blind: bytes = bytes(32)
    path: bytes = b""
    signature: bytes = b""

    def leaf(self) -> bytes:
        """Return the EIP-712 struct hash of what is acknowledged."""
        return _leaf(self.order, self.sequence, self.received_at, self.blind)

    def digest(self, separator: bytes) -> bytes:
        """Return what the exchange has signed, under the domain with this separator, if the receipt is good."""
        node = self.leaf()
        for place in range(0, len(self.path), 32):
            node = _parent(node, self.path[place : place + 32])
        return digest(separator, keccak(_RECEIPTS_TYPE_HASH + node))


def sign_receipts(orders: Sequence[tuple[bytes, int, int]], signer: Signer, separator: bytes) -> list[Receipt]:
    """Return a receipt for each order, given as digest, sequence and time; see `MOST_TOGETHER`."""
    receipts: list[Receipt] = []
    for first in range(0, len(orders), MOST_TOGETHER):
        receipts += _sign_together(orders[first : first + MOST_TOGETHER], signer, separator)
    return receipts


def _sign_together(orders: Sequence[tuple[bytes, int, int]], signer: Signer, separator: bytes) -> list[Receipt]:
    blinds = [signer.blind(order) for order, _, _ in orders]
    level = [_leaf(*order, blind) for order, blind in zip(orders, blinds, strict=True)]
    levels = []
    while len(level) > 1:
        levels.append(level)
        alone = level[-1:] if len(level) & 1 else []  # a last one without a sibling goes up as it is
        level = [_parent(one, other) for one, other in zip(level[::2], level[1::2], strict=False)] + alone
    signature = signer.sign(digest(separator, keccak(_RECEIPTS_TYPE_HASH + level[0])))
    return [
        Receipt(*order, blind, _path(levels, place), signature)
        for place, (order, blind) in enumerate(zip(orders, blinds, strict=True))
    ]


def _path(levels: Sequence[Sequence[bytes]], place: int) -> bytes:
    siblings = []
    for level in levels:
        if place ^ 1 < len(level):
            siblings.append(level[place ^ 1])
        place >>= 1
    return b"".join(siblings)


def _leaf(order: bytes, sequence: int, received_at: int, blind: bytes) -> bytes:
    try:
        words = _words(_RECEIPT_TYPE_HASH, order, sequence, received_at, blind)
    except error:  # a number that no receipt has, in a document that somebody made up: it has a leaf, too
        words = _RECEIPT_TYPE_HASH + order + word(sequence) + word(received_at) + blind
    return keccak(words)


def _parent(one: bytes, other: bytes) -> bytes:
    return keccak(one + other if one < other else other + one)
