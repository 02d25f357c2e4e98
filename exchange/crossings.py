"""What has crossed each node's boundary in each delivery period so far, over all products: so limits hold for the sum.

Limits are for one delivery period of the shortest product, a slot. A product that delivers over several slots counts
evenly in each, rounded up; and what it may still trade is bounded by the tightest of its slots.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from exchange.clearing import Clearing
from exchange.delivery import Market, SessionKey
from exchange.tree import MOST_LIMIT, Node, Tree
from exchange.units import Wh, spread

Crossed = Mapping[int, tuple[int, int]]
"""What went in and out of nodes (Wh), by number."""


def crossed_by(*clearings: Clearing) -> Crossed:
    """Return what some clearings let cross boundaries, together."""
    total: dict[int, tuple[int, int]] = {}
    for result in (result for clearing in clearings for result in clearing.nodes):
        if result.imported or result.exported:
            total[result.node] = _sum(total.get(result.node), (result.imported, result.exported))
    return total


def _sum(*both_ways: tuple[int, int] | None) -> tuple[int, int]:
    known = [energies for energies in both_ways if energies is not None]
    return sum(imported for imported, _ in known), sum(exported for _, exported in known)


class Crossings:
    """Energy in and out of every node by slot; `slot` is the seconds of one, `markets` are the products by number."""

    def __init__(self, markets: Mapping[int, Market], slot: int) -> None:
        self._markets = markets
        self._slot = slot
        self._crossed: dict[int, dict[int, tuple[int, int]]] = {}
        self._ticked: dict[SessionKey, Crossed] = {}

    def note(self, key: SessionKey, clearing: Clearing) -> None:
        """Count what a session has traded over boundaries; what its ticks had is part of it."""
        self._count(key, self._ticked.pop(key, {}), -1)
        self._count(key, crossed_by(clearing), 1)

    def tick(self, key: SessionKey, clearing: Clearing) -> None:
        """Count what one more tick of a session has traded over boundaries."""
        before, more = self._ticked.get(key, {}), crossed_by(clearing)
        if more:
            self._count(key, before, -1)  # all ticks together are rounded once
            self._ticked[key] = {node: _sum(before.get(node), more.get(node)) for node in {**before, **more}}
            self._count(key, self._ticked[key], 1)

    def left(self, tree: Tree, key: SessionKey, own: Crossed | None = None) -> Tree:
        """Return the tree with what may still cross its boundaries in a session of `key`, over all its slots.

        `own` is what of the session itself counts, if not all that its ticks have traded.
        """
        slots = list(self._slots(key))
        crossed = [dict(self._crossed.get(slot, {})) for slot in slots]
        if own is not None:
            for at_slot in crossed:
                _add(at_slot, self._ticked.get(key, {}), len(slots), -1)
                _add(at_slot, own, len(slots), 1)
        if len(slots) == 1 and not crossed[0]:
            return tree
        return Tree(tuple(self._left(node, crossed) for node in tree.nodes))

    def forget(self, before: int) -> None:
        """Let go of the slots that begin before an instant."""
        for slot in [slot for slot in self._crossed if slot < before]:
            del self._crossed[slot]

    def _count(self, key: SessionKey, energies: Crossed, sign: int) -> None:
        if energies:
            slots = list(self._slots(key))
            for slot in slots:
                _add(self._crossed.setdefault(slot, {}), energies, len(slots), sign)

    def _left(self, node: Node, crossed: list[dict[int, tuple[int, int]]]) -> Node:
        if node.import_limit is None and node.export_limit is None:
            return node
        imported = max(slot.get(node.number, (0, 0))[0] for slot in crossed)
        exported = max(slot.get(node.number, (0, 0))[1] for slot in crossed)
        return replace(
            node,
            import_limit=_rest(node.import_limit, imported, len(crossed)),
            export_limit=_rest(node.export_limit, exported, len(crossed)),
        )

    def _slots(self, key: SessionKey) -> Iterator[int]:
        start = key.delivery_start
        yield from range(start, start + self._markets[key.market].period, self._slot)


def _add(crossed: dict[int, tuple[int, int]], energies: Crossed, slots: int, sign: int) -> None:
    """Add to what crossed in one slot its part of what crossed in several, or take it away again."""
    for node, (imported, exported) in energies.items():
        before_in, before_out = crossed.get(node, (0, 0))
        crossed[node] = (
            before_in + sign * spread(Wh(imported), slots),
            before_out + sign * spread(Wh(exported), slots),
        )


def _rest(limit: Wh | None, used: int, slots: int) -> Wh | None:
    return None if limit is None else Wh(min(max(limit - max(used, 0), 0) * slots, MOST_LIMIT))
