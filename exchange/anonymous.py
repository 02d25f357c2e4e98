"""The book of a closed session without names, for those who propose a clearing: rows, and the rules they meet under.

A row is named by the hash of a blind and of the order's digest. The blind is drawn when the gate closes and published
with the session's book: until then nobody can tell which order a row is, not even by guessing.
"""

from dataclasses import dataclass

from exchange.clear import ToTrade
from exchange.delivery import Mechanism, SessionKey
from exchange.order import Side
from exchange.resting import Resting
from exchange.tree import Tree
from exchange.units import MicroPerKwh, Wh
from identity.hashing import keccak

NO_BLIND = bytes(32)
"""What stands for the blind of a session whose book is shown to nobody before it is cleared."""


def row_id(blind: bytes, digest: bytes) -> bytes:
    """Return the name of an order's row."""
    return keccak(blind + digest)


def without_preferences(book: ToTrade) -> list[Resting]:
    """Return the orders that others may match: what somebody prefers is told to nobody, and so is for us alone."""
    return [entry for entry in (*book.bids, *book.offers) if entry.preferences is None]


@dataclass(frozen=True, slots=True)
class Row:
    """What is left of an order after own energy: no account, no asset, no name."""

    id: bytes
    side: Side
    node: int
    energy: Wh
    limit: MicroPerKwh


@dataclass(frozen=True, slots=True, kw_only=True)
class AnonymousBook:
    """All rows of a session in ascending order of their id, which says nothing of when an order came.

    `tree` has the fees, and as limits what may still cross. Proposals are taken before `until`.
    """

    session: SessionKey
    mechanism: Mechanism
    tree: Tree
    rows: tuple[Row, ...]
    until: int


def anonymous(
    book: ToTrade, *, blind: bytes, session: SessionKey, tree: Tree, mechanism: Mechanism, until: int
) -> AnonymousBook:
    """Return what is to be traded in a session without names."""
    rows = (
        Row(row_id(blind, entry.digest), entry.order.side, entry.node, book.left[entry.digest], entry.order.limit)
        for entry in without_preferences(book)
    )
    return AnonymousBook(
        session=session,
        mechanism=mechanism,
        tree=tree,
        rows=tuple(sorted(rows, key=lambda row: row.id)),
        until=until,
    )
