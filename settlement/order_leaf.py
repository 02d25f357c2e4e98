"""The leaf of an admitted order, and the tree of a session's orders: all of them, matched or not, cancelled or not.

Whoever holds a receipt can ask for the proof that the order is in the committed set; a receipt without one is evidence
against the exchange. The leaf is keccak(keccak(abi.encode(session, order, sequence, receivedAt, cancelled))).
"""

from exchange.book import Book
from exchange.delivery import SessionKey
from identity.hashing import keccak
from identity.typed_data import word
from settlement.merkle import Tree

ORDER_LEAF_TYPES = ("uint256", "bytes32", "uint256", "uint256", "bool")
"""The ABI types of a leaf's values: session, order digest, sequence, received at, cancelled."""


def order_leaf(session: SessionKey, digest: bytes, sequence: int, received_at: int, *, cancelled: bool) -> bytes:
    """Return the leaf of one admitted order."""
    return keccak(keccak(word(session.number) + digest + word(sequence) + word(received_at) + word(cancelled)))


def order_tree(book: Book) -> Tree:
    """Return the tree over every order that was admitted to the session."""
    cancelled = {cancellation.digest for cancellation in book.cancellations}
    return Tree(
        order_leaf(
            book.key,
            accepted.digest,
            accepted.receipt.sequence,
            accepted.receipt.received_at,
            cancelled=accepted.digest in cancelled,
        )
        for accepted in book.orders
    )
