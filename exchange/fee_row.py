"""What the nodes take of a trade, as the contract reads it: a row of words, one a node, from the seller to the buyer.

From the high bits: 174 zero bits, last 1, top 1, node 32, rate 48. `last` is set in the row's last word and nowhere
else, `top` in the word of the deepest node above both, and nowhere else. Nodes that take nothing are left out, but for
the top. The row's name is the hash of its words; it stands in the leaf of the trade.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from exchange.tree import FeeShare, total
from exchange.units import MicroPerKwh
from identity.hashing import keccak
from identity.typed_data import word

MOST_FEE = (1 << 48) - 1
"""The most that one node can take, in µ/kWh: fee and congestion rent together."""


@dataclass(frozen=True, slots=True)
class FeeRow:
    """The shares of a trade in the order of its path; `top` is the number of the node where it was made.

    Raises `ValueError` where the top has no share, a node has two, or a number or rate fits no field.
    """

    shares: tuple[FeeShare, ...]
    top: int
    name: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        numbers = [share.node for share in self.shares]
        if self.top not in numbers or len(set(numbers)) != len(numbers):
            raise ValueError("a node takes its share once, and the top of the way is among the nodes")
        for share in self.shares:
            if not 0 < share.node < 1 << 32 or not 0 <= share.rate <= MOST_FEE:
                raise ValueError("a share names a node by 32 bits and a rate by 48")
            if not share.rate and share.node != self.top:
                raise ValueError("a node that takes nothing is left out")
        object.__setattr__(self, "name", keccak(b"".join(map(word, self.words()))))

    @property
    def rate(self) -> MicroPerKwh:
        """What all nodes take together."""
        return total(self.shares)

    @property
    def before_top(self) -> MicroPerKwh:
        """What the nodes on the seller's side below the top take: with the seller's rate, it is the rate at the top."""
        at = next(place for place, share in enumerate(self.shares) if share.node == self.top)
        return total(self.shares[:at])

    def words(self) -> tuple[int, ...]:
        """Return the row as the contract reads it."""
        last = len(self.shares) - 1
        return tuple(
            (place == last) << 81 | (share.node == self.top) << 80 | share.node << 48 | share.rate
            for place, share in enumerate(self.shares)
        )

    @property
    def key(self) -> tuple[int, tuple[int, ...]]:
        """The order of rows in a batch: by top, then by their words."""
        return self.top, self.words()


def rows_of(rows: Iterable[FeeRow]) -> Mapping[FeeRow, int]:
    """Return distinct rows, each with its place in a batch."""
    return {row: place for place, row in enumerate(sorted(set(rows), key=lambda row: row.key))}
