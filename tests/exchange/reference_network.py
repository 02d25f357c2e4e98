"""Network clearing said slowly: node by node, step by step, in plain Python. The kernel must agree."""

from dataclasses import dataclass
from typing import NamedTuple

from tests.exchange.reference_auction import Row


class Place(NamedTuple):
    """A node: place of its parent (none above the root; parents come first), fee, and limits (none without)."""

    parent: int | None
    fee: int
    import_limit: int | None = None
    export_limit: int | None = None


class Step(NamedTuple):
    """A step of a curve: what it is worth, its priority, its energy, whether it is wanted, and whence it comes."""

    value: int
    rank: int
    energy: int
    wanted: bool
    child: int | None


@dataclass(frozen=True, slots=True)
class Network:
    """Fills by row, price and flow by node, and the trades (bid row, offer row, energy, top)."""

    bid_fill: list[int]
    offer_fill: list[int]
    prices: list[int]
    flows: list[int]
    trades: list[tuple[int, int, int, int]]


def reference_network(bids: list[Row], offers: list[Row], tree: list[Place]) -> Network:
    """Clear the tree: curves from the last place up to the root, then flows and prices down again."""
    orders = len(bids) + len(offers)
    curves: list[list[Step]] = [[] for _ in tree]
    for row, offer in enumerate(offers):
        curves[offer.market].append(Step(offer.rate, row, offer.energy, False, None))
    for row, bid in enumerate(bids):
        value = bid.rate - tree[bid.market].fee
        curves[bid.market].append(Step(value, orders - 1 - row, bid.energy, True, None))
    for place in reversed(range(len(tree))):
        curves[place].sort(key=lambda step: step[:2])  # parts of one order that are worth the same stay as they are
        if (parent := tree[place].parent) is not None:
            curves[parent] += cut_and_shifted(curves[place], place, tree)
    prices, flows = [0] * len(tree), [0] * len(tree)
    bid_fill, offer_fill = [0] * len(bids), [0] * len(offers)
    for place, curve in enumerate(curves):
        at = -sum(step.energy for step in curve if step.wanted)
        low = high = None
        for step in curve:
            accepted = min(max(flows[place] - at, 0), step.energy)
            at += step.energy
            if accepted:
                low = step.value
            if accepted < step.energy and high is None:
                high = step.value
            if step.child is not None:
                flows[step.child] += accepted - step.energy * step.wanted
            elif step.wanted:
                bid_fill[orders - 1 - step.rank] = step.energy - accepted
            else:
                offer_fill[step.rank] = accepted
        prices[place] = price_of(place, tree, flows[place], low, high, prices)
    trades = paired(bids, offers, bid_fill, offer_fill, tree)
    return Network(bid_fill, offer_fill, prices, flows, trades)


def cut_and_shifted(curve: list[Step], place: int, tree: list[Place]) -> list[Step]:
    """Return what a node's limits leave of its curve, as its parent sees it."""
    node = tree[place]
    assert node.parent is not None
    steps = []
    at = -sum(step.energy for step in curve if step.wanted)
    for step in curve:
        before, at = at, at + step.energy
        lowest = before if node.import_limit is None else max(before, -node.import_limit)
        highest = at if node.export_limit is None else min(at, node.export_limit)
        if min(at, 0) > lowest:
            value, energy = step.value - tree[node.parent].fee, min(at, 0) - lowest
            steps.append(Step(value, step.rank, energy, True, place))
        if highest > max(before, 0):
            value, energy = step.value + node.fee, highest - max(before, 0)
            steps.append(Step(value, step.rank, energy, False, place))
    return steps


def price_of(place: int, tree: list[Place], flow: int, low: int | None, high: int | None, prices: list[int]) -> int:
    """Return a node's price between the last step that is accepted and the first that is not."""
    node = tree[place]
    if node.parent is None:
        return middle(low, high, 0)
    above = prices[node.parent]
    if_sending, if_taking = above - node.fee, above + tree[node.parent].fee
    if flow:
        coupled = if_sending if flow > 0 else if_taking
        if (low is None or low <= coupled) and (high is None or coupled <= high):
            return coupled
    else:
        if node.export_limit != 0:
            low = if_sending if low is None else max(low, if_sending)
        if node.import_limit != 0:
            high = if_taking if high is None else min(high, if_taking)
    return middle(low, high, above)


def middle(low: int | None, high: int | None, otherwise: int) -> int:
    """Return the midpoint, or the bound there is, or `otherwise`."""
    if low is None:
        return otherwise if high is None else high
    return low if high is None else (low + high) // 2


def paired(
    bids: list[Row], offers: list[Row], bid_fill: list[int], offer_fill: list[int], tree: list[Place]
) -> list[tuple[int, int, int, int]]:
    """Return the trades by top, then in merit order: what meets below stays below."""
    buying: list[list[list[int]]] = [[] for _ in tree]
    selling: list[list[list[int]]] = [[] for _ in tree]
    for row, energy in enumerate(bid_fill):
        if energy:
            buying[bids[row].market].append([tree[bids[row].market].fee - bids[row].rate, row, energy])
    for row, energy in enumerate(offer_fill):
        if energy:
            selling[offers[row].market].append([offers[row].rate, row, energy])
    trades = []
    for place in reversed(range(len(tree))):
        demand, supply = sorted(buying[place]), sorted(selling[place])
        b = o = 0
        here = []
        while b < len(demand) and o < len(supply):
            energy = min(demand[b][2], supply[o][2])
            here.append((demand[b][1], supply[o][1], energy, place))
            demand[b][2] -= energy
            supply[o][2] -= energy
            b += not demand[b][2]
            o += not supply[o][2]
        trades.append(here)
        if (parent := tree[place].parent) is not None:
            buying[parent] += [[value + tree[parent].fee, row, energy] for value, row, energy in demand[b:]]
            selling[parent] += [[value + tree[place].fee, row, energy] for value, row, energy in supply[o:]]
        else:
            assert (b, o) == (len(demand), len(supply)), "every filled order meets others"
    return [trade for here in reversed(trades) for trade in here]
