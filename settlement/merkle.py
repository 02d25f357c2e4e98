"""Merkle trees of the shape of OpenZeppelin's StandardMerkleTree, so that others' tools verify our proofs.

Leaves are sorted, then paired first in, first out: two leave the queue, the hash of the two, sorted, joins its end.
Laid out as an array with the root first and the first leaf last, node i has the children 2i+1 and 2i+2.
Leaves are double hashes of encoded values (the caller's affair), so no inner node can pose as one.
https://github.com/OpenZeppelin/merkle-tree
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from identity.hashing import keccak
from settlement.errors import NotInTree

EMPTY_ROOT = keccak(b"")
"""The root of no leaves, as the settlement contract has it."""


def root_in_order(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaves as they stand: what the contract computes for the trades of a batch."""
    return _nodes(leaves)[0] if leaves else EMPTY_ROOT


def verify(leaf: bytes, proof: Iterable[bytes], root: bytes) -> bool:
    """Whether `proof`, the siblings from the bottom up, leads from `leaf` to `root`."""
    node = leaf
    for sibling in proof:
        if len(sibling) != 32:
            return False
        node = _parent(node, sibling)
    return len(leaf) == 32 and node == root


class Tree:
    """The tree over `leaves`, 32 bytes each, in whatever order they come."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        self.leaves = tuple(sorted(leaves))
        self._nodes = _nodes(self.leaves)

    @property
    def root(self) -> bytes:
        """The root; that of no leaves is `EMPTY_ROOT`."""
        return self._nodes[0] if self._nodes else EMPTY_ROOT

    def __contains__(self, leaf: bytes) -> bool:
        return self._place(leaf) is not None

    def proof(self, leaf: bytes) -> tuple[bytes, ...]:
        """Return the siblings of `leaf` from the bottom up; raises `NotInTree`."""
        place = self._place(leaf)
        if place is None:
            raise NotInTree(leaf)
        siblings = []
        while place:
            # a left child has an odd place, and its sibling the next
            siblings.append(self._nodes[place + 1 if place & 1 else place - 1])
            place = place - 1 >> 1
        return tuple(siblings)

    def _place(self, leaf: bytes) -> int | None:
        index = bisect_left(self.leaves, leaf)
        return len(self._nodes) - 1 - index if self.leaves[index : index + 1] == (leaf,) else None


def _nodes(leaves: Sequence[bytes]) -> list[bytes]:
    inner = max(len(leaves) - 1, 0)
    nodes = [b""] * inner + list(reversed(leaves))
    for place in range(inner - 1, -1, -1):
        one, other = nodes[2 * place + 1], nodes[2 * place + 2]
        nodes[place] = keccak(one + other if one < other else other + one)  # `_parent`, without the call
    return nodes


def _parent(one: bytes, other: bytes) -> bytes:
    return keccak(one + other if one < other else other + one)
