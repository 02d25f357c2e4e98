"""The tree of a community as data: nodes with fees and limits, and what a way through the tree costs.

Assets hang on nodes. Between a seller's node and a buyer's node every node on the way, both ends included, takes its
fee once; so at a trade's top, the deepest node above both, the fee counts once, too. All of it is on top of what the
seller gets: the buyer pays the seller's rate and the fees. Limits bound what crosses a node's boundary in one delivery
period, each way counted by itself: what goes in is never set off against what goes out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile

from exchange.delivery import Mechanism
from exchange.units import MAX_RATE, NOTHING, MicroPerKwh, Wh, share
from identity.address import Address

MOST_PPM = 1_000_000
"""A fee is at most as much as the seller gets."""

MOST_LIMIT = Wh((1 << 62) - 1)
"""The most energy that a bound can name; beyond, there is none."""

MOST_DEPTH = 16
"""The most nodes there are from an asset's node to the root, both included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """What a node takes for each kWh: so many µ, or so many millionths of what the seller gets (none below zero)."""

    constant: MicroPerKwh = NOTHING
    ppm: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.constant <= MAX_RATE or not 0 <= self.ppm <= MOST_PPM:
            raise ValueError("a fee is between nothing and the highest rate, or all that the seller gets")
        if self.constant and self.ppm:
            raise ValueError("a fee is constant or a share, not both")

    def at(self, rate: MicroPerKwh) -> MicroPerKwh:
        """Return the fee where the seller gets `rate`; a share is rounded half-up to whole µ/kWh."""
        return MicroPerKwh(self.constant + share(max(rate, 0), self.ppm))


NO_FEE = Fee()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A place in the tree. `number` names it on the chain, `parent` is that of the node above (the root has none).

    `fee_account` gets its fees and congestion rent, together at most `fee_cap` (µ/kWh), which is kept on the chain.
    `operator` may change its fee and limits, while the role registry says that it is the node's grid operator. Limits
    are Wh per delivery period, none where there is no bound;
    `mechanism` is how orders meet here, none for that of the market.
    """

    number: int
    name: str
    parent: int | None
    fee: Fee = NO_FEE
    fee_account: int
    fee_cap: MicroPerKwh = MAX_RATE
    operator: Address
    import_limit: Wh | None = None
    export_limit: Wh | None = None
    mechanism: Mechanism | None = None

    def __post_init__(self) -> None:
        if not 0 < self.number < 1 << 32:
            raise ValueError("a node's number is a positive 32-bit number")
        for limit in (self.import_limit, self.export_limit):
            if limit is not None and not 0 <= limit <= MOST_LIMIT:
                raise ValueError("a node's limit is not negative, and has at most 62 bits")
        if not 0 <= self.fee_cap <= MAX_RATE or self.fee.constant > self.fee_cap:
            raise ValueError("a node's fee is at most its cap")


@dataclass(frozen=True, slots=True)
class FeeShare:
    """What one node takes of a trade: its number and a rate in µ/kWh, its fee and any congestion rent together."""

    node: int
    rate: MicroPerKwh


@dataclass(frozen=True, slots=True)
class Tree:
    """Nodes by number. Raises `ValueError` where they make no tree: exactly one root, and every parent is a node."""

    nodes: tuple[Node, ...]
    _by_number: Mapping[int, Node] = field(init=False, repr=False, compare=False)
    _ways: dict[int, tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_number = {node.number: node for node in self.nodes}
        if len(by_number) != len(self.nodes) or len({node.name for node in self.nodes}) != len(self.nodes):
            raise ValueError("two nodes have one number or one name")
        if [node.number for node in self.nodes] != sorted(by_number):
            raise ValueError("nodes are listed by number, in ascending order")
        if sum(node.parent is None for node in self.nodes) != 1:
            raise ValueError("a tree has one root")
        if any(node.parent is not None and node.parent not in by_number for node in self.nodes):
            raise ValueError("a node hangs on one that is not there")
        object.__setattr__(self, "_by_number", by_number)
        object.__setattr__(self, "_ways", {number: self._way_up(number, by_number) for number in by_number})

    @classmethod
    def of_one(
        cls, number: int, *, name: str = "street", fee: int = 0, fee_account: int = 1, operator: Address | None = None
    ) -> "Tree":
        """Return the tree of a community of one node with a constant fee (µ/kWh), which is its cap, too."""
        node = Node(
            number=number,
            name=name,
            parent=None,
            fee=Fee(constant=MicroPerKwh(fee)),
            fee_account=fee_account,
            fee_cap=MicroPerKwh(fee),
            operator=Address(bytes(20)) if operator is None else operator,
        )
        return cls((node,))

    @staticmethod
    def _way_up(number: int, by_number: Mapping[int, Node]) -> tuple[int, ...]:
        way = [number]
        while (parent := by_number[way[-1]].parent) is not None:
            way.append(parent)
            if len(way) > MOST_DEPTH:
                raise ValueError(f"node {number} hangs on itself, or lies deeper than {MOST_DEPTH}")
        return tuple(way)

    @property
    def root(self) -> Node:
        """The node above all others."""
        return next(node for node in self.nodes if node.parent is None)

    def __getitem__(self, number: int) -> Node:
        return self._by_number[number]

    def __contains__(self, number: object) -> bool:
        return number in self._by_number

    def way_up(self, number: int) -> tuple[int, ...]:
        """Return the nodes from `number` to the root, both included."""
        return self._ways[number]

    def below(self, number: int, top: int) -> tuple[int, ...]:
        """Return the nodes from `number` up to `top`, without it: a trade made there crosses their boundaries."""
        return tuple(takewhile(lambda node: node != top, self._ways[number]))

    def top(self, seller: int, buyer: int) -> int:
        """Return the deepest node that is above both, or one of them."""
        over = set(self._ways[buyer])
        return next(number for number in self._ways[seller] if number in over)

    def path(self, seller: int, buyer: int) -> tuple[int, ...]:
        """Return the nodes from the seller's to the buyer's, both included, each once."""
        top = self.top(seller, buyer)
        return (*self.below(seller, top), top, *reversed(self.below(buyer, top)))

    def shares(self, seller: int, buyer: int, rate: MicroPerKwh) -> tuple[FeeShare, ...]:
        """Return what each node takes between two nodes where the seller gets `rate`, in the order of the path.

        Nodes that take nothing are left out, but for the top of the path, which always stands there.
        """
        top = self.top(seller, buyer)
        shares = (FeeShare(number, self[number].fee.at(rate)) for number in self.path(seller, buyer))
        return tuple(share for share in shares if share.rate or share.node == top)

    def fee(self, seller: int, buyer: int, rate: MicroPerKwh) -> MicroPerKwh:
        """Return what all nodes between two nodes take together where the seller gets `rate`."""
        return total(self.shares(seller, buyer, rate))

    def agree(self, bid: MicroPerKwh, offer: MicroPerKwh, seller: int, buyer: int) -> bool:
        """Whether a buyer that pays at most `bid` can take an offer that asks `offer`, with all fees between them."""
        return bid >= offer and offer + self.fee(seller, buyer, offer) <= bid

    def most_for_seller(self, limit: MicroPerKwh, seller: int, buyer: int) -> MicroPerKwh:
        """Return the highest rate that the seller can get of a buyer that pays at most `limit`, fees included.

        Fees never fall as the rate rises, so there is one; it is found by bisection where a fee is a share.
        """
        path = [self[number].fee for number in self.path(seller, buyer)]
        constant = sum(fee.constant for fee in path)
        high = limit - constant
        if not any(fee.ppm for fee in path) or high <= 0:
            return MicroPerKwh(high)
        low = 0
        while low < high:  # `low` fits, whatever lies beyond `high` does not
            middle = low + high + 1 >> 1
            if middle + sum(fee.at(MicroPerKwh(middle)) for fee in path) <= limit:
                low = middle
            else:
                high = middle - 1
        return MicroPerKwh(low)

    @property
    def is_constant(self) -> bool:
        """Whether no node takes a share of what the seller gets."""
        return not any(node.fee.ppm for node in self.nodes)


def total(shares: Iterable[FeeShare]) -> MicroPerKwh:
    """Return what all nodes of a path take together."""
    return MicroPerKwh(sum(share.rate for share in shares))
