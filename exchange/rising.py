"""What is left of one side on its way up a tree, as columns, and how much of it may cross a node's boundary."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exchange.auction import MOST_SUM, Column, Columns, radix_order, total_energy
from exchange.levels import UNLIMITED

Held = tuple[Column, ...]
"""Rows of which a limit held something back, and beside each the place of the node and the energy (Wh)."""

_NONE = np.zeros(0, dtype=np.int64)
NOTHING_HELD: Held = (_NONE, _NONE, _NONE)


@dataclass(frozen=True, slots=True, eq=False)
class Rising:
    """Rows of one side with energy left, in order of priority: the row's number, the node it came to, its rate there
    (µ/kWh, fees so far included) and what is left of it (Wh).
    """

    row: Column
    node: Column
    rate: Column
    energy: Column

    def __len__(self) -> int:
        return len(self.row)

    @staticmethod
    def nobody() -> "Rising":
        """Return a side without rows."""
        return Rising(_NONE, _NONE, _NONE, _NONE)

    @staticmethod
    def own(side: Columns, rows: Column) -> "Rising":
        """Return some rows at the nodes on which they hang, each at its limit."""
        if len(rows) == len(side):
            return Rising(rows, side.market, side.rate, side.energy)
        return Rising(rows, side.market[rows], side.rate[rows], side.energy[rows])

    def joined(self, other: "Rising") -> "Rising":
        """Return the rows of both, in order of priority."""
        if not len(self) or not len(other):
            return self if len(self) else other
        row = np.concatenate((self.row, other.row))
        order = np.argsort(row, kind="stable")  # two ascending runs: merged in linear time
        return Rising(
            row[order],
            np.concatenate((self.node, other.node))[order],
            np.concatenate((self.rate, other.rate))[order],
            np.concatenate((self.energy, other.energy))[order],
        )

    def at(self, rate: Column, node: Column | None = None) -> "Rising":
        """Return the rows at other rates, and at other nodes where some are given."""
        return Rising(self.row, self.node if node is None else node, rate, self.energy)

    def some(self, places: Column) -> "Rising":
        """Return the rows at some places, ascending."""
        if len(places) == len(self):
            return self
        return Rising(self.row[places], self.node[places], self.rate[places], self.energy[places])

    def less(self, places: Column, fill: Column) -> "Rising":
        """Return the rows less what was filled at some places."""
        if len(places) == len(self):
            return self.with_left(self.energy - fill)
        energy = self.energy.copy()
        energy[places] -= fill
        return self.with_left(energy)

    def with_left(self, energy: Column) -> "Rising":
        """Return the rows with so much left of each; those without any are gone."""
        return Rising(self.row, self.node, self.rate, energy).some(np.flatnonzero(energy))


def bounded(side: Rising, value: Column, limit: Column) -> tuple[Rising, Held]:
    """Return what may leave each node, at most its limit, and what is held back there.

    Of each node's rows those of least `value` go first, and among equals the earlier; the last may go in part.
    """
    if not len(side) or limit.min() >= UNLIMITED:
        return side, NOTHING_HELD
    energy: NDArray[Any] = side.energy
    if total_energy(energy) >= MOST_SUM:
        energy = energy.astype(object)
    leaving = np.zeros(len(limit), dtype=energy.dtype)
    np.add.at(leaving, side.node, energy)
    used_up = (leaving > limit) & (limit < UNLIMITED)
    if not used_up.any():
        return side, NOTHING_HELD
    at = np.flatnonzero(used_up[side.node])
    at = at[radix_order(side.node[at], value[at], len(limit))]
    node, energy = side.node[at], energy[at]
    until = np.cumsum(energy)
    first = np.flatnonzero(np.diff(node, prepend=-1))
    count = np.diff(first, append=len(node))
    before = until - energy - np.repeat((until - energy)[first], count)
    crossing = np.clip(limit[node] - before, 0, energy).astype(np.int64)
    left = side.energy.copy()
    left[at] = crossing
    held = side.energy[at] - crossing
    some = np.flatnonzero(held)
    return side.with_left(left), (side.row[at[some]], node[some], held[some])
