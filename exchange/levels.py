"""A tree and its results as columns, for the kernels: nodes are places 0 to n - 1, ascending by number."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exchange.auction import Column
from exchange.delivery import Mechanism
from exchange.tree import Tree

UNLIMITED = 1 << 62
"""A node's limit where there is none, in Wh: from here on, nothing is bound."""

ROOT = -1
"""The place above the root."""


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """A tree, a row a node: `parent` (place, `ROOT` above the root), `depth` (the root's is 0), constant `fee` (µ/kWh),
    what may still come in and go out (Wh, `UNLIMITED` where there is no bound), and the mechanism's number.
    """

    parent: Column
    depth: Column
    fee: Column
    import_limit: Column
    export_limit: Column
    mechanism: Column

    def __len__(self) -> int:
        return len(self.parent)


@dataclass(frozen=True, slots=True, eq=False)
class TreeMatches:
    """The trades of a whole tree, and what each node came to.

    By trade, in ascending order of the place of its top, in merit order there: `bid` and `offer` rows, `quantity` (Wh),
    `rate` (µ/kWh, what the seller gets) and `top` (place of the deepest node above both).
    By node: `energy` traded there as top (Wh), and, where that is above zero, `low` and `high` of its rates as they are
    at the node: what a seller gets and the fees on the seller's side below the node. `price` is the one rate at the
    node where it has one (by pay-as-clear: where something was traded; by network clearing: everywhere), and
    `has_price` says where. By network clearing `price` is what a seller at that very node gets.
    By row that could not leave a node because its limit was used up, in ascending order of the node's place and in
    merit order there: `held_bid` and `held_offer` are three columns each, the row, the place of the node, and the
    energy (Wh) held back there. A row can be held in part at several nodes on its way. Sums of energy that could leave
    62 bits are kept as Python's own whole numbers, and `energy` then holds such.
    """

    bid: Column
    offer: Column
    quantity: Column
    rate: Column
    top: Column
    energy: NDArray[Any]
    low: Column
    high: Column
    price: Column
    has_price: NDArray[np.bool_]
    held_bid: tuple[Column, ...]
    held_offer: tuple[Column, ...]


def single_nodes(count: int, mechanism: Mechanism) -> Levels:
    """Return so many nodes without fees or limits, none of which hangs on another: markets by themselves."""
    none, unlimited = np.zeros(count, dtype=np.int64), np.full(count, UNLIMITED)
    return Levels(
        parent=np.full(count, ROOT),
        depth=none,
        fee=none,
        import_limit=unlimited,
        export_limit=unlimited,
        mechanism=np.full(count, mechanism),
    )


def levels_of(tree: Tree, mechanism: Mechanism) -> Levels:
    """Return a tree with constant fees as columns; `mechanism` is that of nodes without one of their own."""
    place = {node.number: index for index, node in enumerate(tree.nodes)}

    def column(values: list[int]) -> Column:
        return np.array(values, dtype=np.int64)

    return Levels(
        parent=column([ROOT if node.parent is None else place[node.parent] for node in tree.nodes]),
        depth=column([len(tree.way_up(node.number)) - 1 for node in tree.nodes]),
        fee=column([node.fee.constant for node in tree.nodes]),
        import_limit=column([UNLIMITED if node.import_limit is None else node.import_limit for node in tree.nodes]),
        export_limit=column([UNLIMITED if node.export_limit is None else node.export_limit for node in tree.nodes]),
        mechanism=column([mechanism if node.mechanism is None else node.mechanism for node in tree.nodes]),
    )
