"""What has crossed each node's boundary in each delivery period so far, over all products: so limits hold for the sum.

Limits are for one delivery period of the shortest product, a slot. A product that delivers over several slots counts
evenly in each, rounded up; and what it may still trade is bounded by the tightest of its slots.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from exchange.clearing import Clearing
from exchange.delivery import Market, SessionKey
from exchange.tree import Node, Tree
from exchange.units import Wh, spread


class Crossings:
    """Energy in and out of every node by slot; `slot` is the seconds of one, `markets` are the products by number."""

    def __init__(self, markets: Mapping[int, Market], slot: int) -> None:
        self._markets = markets
        self._slot = slot
        self._crossed: dict[int, dict[int, tuple[int, int]]] = {}

    def note(self, key: SessionKey, clearing: Clearing) -> None:
        """Count what a session has traded over boundaries."""
        slots = list(self._slots(key))
        for result in clearing.nodes:
            if result.imported or result.exported:
                more_in, more_out = spread(result.imported, len(slots)), spread(result.exported, len(slots))
                for slot in slots:
                    crossed = self._crossed.setdefault(slot, {})
                    imported, exported = crossed.get(result.node, (0, 0))
                    crossed[result.node] = imported + more_in, exported + more_out

    def left(self, tree: Tree, key: SessionKey) -> Tree:
        """Return the tree with what may still cross its boundaries in a session of `key`, over all its slots."""
        slots = list(self._slots(key))
        crossed = [self._crossed.get(slot, {}) for slot in slots]
        if len(slots) == 1 and not crossed[0]:
            return tree
        return Tree(tuple(self._left(node, crossed) for node in tree.nodes))

    def forget(self, before: int) -> None:
        """Let go of the slots that begin before an instant."""
        for slot in [slot for slot in self._crossed if slot < before]:
            del self._crossed[slot]

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


def _rest(limit: Wh | None, used: int, slots: int) -> Wh | None:
    return None if limit is None else Wh(max(limit - used, 0) * slots)
