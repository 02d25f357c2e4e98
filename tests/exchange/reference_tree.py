"""Bottom-up clearing of a tree said slowly: one node at a time, one order at a time. The columns must agree."""

from dataclasses import dataclass, field
from typing import NamedTuple

from exchange.delivery import Mechanism
from tests.exchange.reference_auction import Row


class Place(NamedTuple):
    """A node; limits are none where there is no bound."""

    parent: int | None
    fee: int = 0
    import_limit: int | None = None
    export_limit: int | None = None
    mechanism: Mechanism = Mechanism.PAY_AS_CLEAR


class TreeTrade(NamedTuple):
    """One trade: rows, Wh, what the seller gets (µ/kWh), and the node where the two met."""

    bid: int
    offer: int
    energy: int
    rate: int
    top: int


class NodeResult(NamedTuple):
    """What one node came to, in rates at the node; without trades there are none."""

    energy: int = 0
    low: int | None = None
    high: int | None = None
    price: int | None = None


@dataclass(slots=True)
class TreeResult:
    """All trades by top, all nodes, and (row, node, energy) that a limit held back, by node."""

    trades: list[TreeTrade] = field(default_factory=list)
    nodes: list[NodeResult] = field(default_factory=list)
    held_bids: list[tuple[int, int, int]] = field(default_factory=list)
    held_offers: list[tuple[int, int, int]] = field(default_factory=list)


def way_up(tree: list[Place], place: int) -> list[int]:
    """Return the nodes from a place to its root, both included."""
    way = [place]
    while (parent := tree[way[-1]].parent) is not None:
        way.append(parent)
    return way


def path(tree: list[Place], seller: int, buyer: int) -> list[int]:
    """Return the nodes between two places, both included, each once."""
    up, down = way_up(tree, seller), way_up(tree, buyer)
    return [*[node for node in up if node not in down], top(tree, seller, buyer), *[n for n in down if n not in up]]


def top(tree: list[Place], seller: int, buyer: int) -> int:
    """Return the deepest node above both places."""
    down = way_up(tree, buyer)
    return next(node for node in way_up(tree, seller) if node in down)


def fees_below(tree: list[Place], place: int, node: int) -> int:
    """Return what the nodes take on the way from a place to a node above it, that one excluded."""
    way = way_up(tree, place)
    return sum(tree[below].fee for below in way[: way.index(node)])


def bid_at(tree: list[Place], bid: Row, node: int) -> int:
    """Return a bid's rate at a node above it."""
    return bid.rate - fees_below(tree, bid.market, node) - tree[node].fee


def offer_at(tree: list[Place], offer: Row, node: int) -> int:
    """Return an offer's rate at a node above it."""
    return offer.rate + fees_below(tree, offer.market, node)


def reference_tree(bids: list[Row], offers: list[Row], tree: list[Place]) -> TreeResult:
    """Clear the nodes one after another, each after all those below it."""
    result = TreeResult(nodes=[NodeResult()] * len(tree))
    left_bids = {row: bid.energy for row, bid in enumerate(bids)}
    left_offers = {row: offer.energy for row, offer in enumerate(offers)}
    at_bids = [[row for row, bid in enumerate(bids) if bid.market == place] for place in range(len(tree))]
    at_offers = [[row for row, offer in enumerate(offers) if offer.market == place] for place in range(len(tree))]
    for place in sorted(range(len(tree)), key=lambda place: -len(way_up(tree, place))):
        node = tree[place]
        buying = sorted(at_bids[place], key=lambda row: (-bid_at(tree, bids[row], place), row))
        selling = sorted(at_offers[place], key=lambda row: (offer_at(tree, offers[row], place), row))
        _meet(bids, offers, tree, place, buying, selling, left_bids, left_offers, result)
        if node.parent is None:
            continue
        at_bids[node.parent] += _rise(place, buying, left_bids, node.import_limit, result.held_bids)
        at_offers[node.parent] += _rise(place, selling, left_offers, node.export_limit, result.held_offers)
    result.trades.sort(key=lambda trade: trade.top)
    result.held_bids.sort(key=lambda held: held[1])
    result.held_offers.sort(key=lambda held: held[1])
    return result


def _meet(
    bids: list[Row],
    offers: list[Row],
    tree: list[Place],
    place: int,
    buying: list[int],
    selling: list[int],
    left_bids: dict[int, int],
    left_offers: dict[int, int],
    result: TreeResult,
) -> None:
    bid_rates = {row: bid_at(tree, bids[row], place) for row in buying}
    offer_rates = {row: offer_at(tree, offers[row], place) for row in selling}
    pairs: list[tuple[int, int, int]] = []
    b = o = 0
    while b < len(buying) and o < len(selling) and bid_rates[buying[b]] >= offer_rates[selling[o]]:
        bid, offer = buying[b], selling[o]
        energy = min(left_bids[bid], left_offers[offer])
        left_bids[bid] -= energy
        left_offers[offer] -= energy
        pairs.append((bid, offer, energy))
        b += left_bids[bid] == 0
        o += left_offers[offer] == 0
    if not pairs:
        return
    mechanism = tree[place].mechanism
    price = None
    if mechanism is Mechanism.PAY_AS_CLEAR:
        low = max([offer_rates[offer] for _, offer, _ in pairs] + [bid_rates[row] for row in buying if left_bids[row]])
        high = min([bid_rates[bid] for bid, _, _ in pairs] + [offer_rates[row] for row in selling if left_offers[row]])
        price = (low + high) // 2
        rates = [price] * len(pairs)
    else:
        own = mechanism is Mechanism.PAY_AS_BID
        rates = [bid_rates[bid] if own else offer_rates[offer] for bid, offer, _ in pairs]
        low, high = min(rates), max(rates)
    result.nodes[place] = NodeResult(sum(energy for _, _, energy in pairs), low, high, price)
    for (bid, offer, energy), rate in zip(pairs, rates, strict=True):
        seller = rate - fees_below(tree, offers[offer].market, place)
        result.trades.append(TreeTrade(bid, offer, energy, seller, place))


def _rise(
    place: int, merit_order: list[int], left: dict[int, int], limit: int | None, held: list[tuple[int, int, int]]
) -> list[int]:
    """Return the rows of which something leaves the node; what cannot is held."""
    rising = []
    for row in merit_order:
        if not left[row]:
            continue
        crossing = left[row] if limit is None else min(left[row], limit)
        if limit is not None:
            limit -= crossing
        if crossing < left[row]:
            held.append((row, place, left[row] - crossing))
            left[row] = crossing
        if crossing:
            rising.append(row)
    return rising
