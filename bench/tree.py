"""How fast a whole tree is cleared from the bottom up, beside a plain loop in the same run and what others reach.

    python -m bench.tree [--orders N]

A grid over feeders over communities, a hundred orders a community and a hundred communities a feeder; every node takes
a fee. Process CPU time, median of several repeats. The plain loop goes node by node and order by order in Python; it
clears a twentieth of the orders, gives the same trades, and is compared per order. What others reach was measured
elsewhere, on two shared cores, with as many bids as offers in one market and without a tree: it is printed to show how
far away they are, and is no ratio of this run.
"""

import argparse
from collections.abc import Callable

import numpy as np

from bench.measure import in_turns, load_line
from exchange.auction import Columns
from exchange.delivery import Mechanism
from exchange.levels import ROOT, UNLIMITED, Levels, TreeMatches
from exchange.tree_auction import clear_levels

Clearing = Callable[[Columns, Columns, Levels], TreeMatches]
Trade = tuple[int, int, int, int, int]
Entry = tuple[int, int, int]

ENGINES: dict[str, tuple[Mechanism, Clearing, int]] = {
    "pay-as-clear": (Mechanism.PAY_AS_CLEAR, clear_levels, 300),
    "pay-as-bid": (Mechanism.PAY_AS_BID, clear_levels, 300),
    "pay-as-offer": (Mechanism.PAY_AS_OFFER, clear_levels, 300),
}
"""What is measured: the mechanism of every node, the kernel, and the most milliseconds for a million orders."""

_PEERS = {
    "lemlab's clearing with pandas, 20,000 / 200,000 orders": "109,000 / 101,000",
    "akhil4n-orderbook, continuous, 20,000 / 200,000 orders": "143,000 / 102,000",
}
_PYTHON_SHARE = 20
_A_COMMUNITY = 100
_A_FEEDER = 100
_FEES = (5_000, 3_000, 2_000)
_LIMITS = (UNLIMITED, 2_000_000, 20_000)
_LEVELS = 2_400
_APART = 10_000
_MOST_WH = 5_000
_GROWTH = (1_000, 10_000, 100_000, 1_000_000)


def tree(communities: int, mechanism: Mechanism, *, limited: bool = False) -> Levels:
    """Return a grid over feeders over communities, all with fees; limits are such that they bind at many nodes."""
    feeders = -(-communities // _A_FEEDER)
    depth = np.repeat([0, 1, 2], [1, feeders, communities])
    above = (np.array([ROOT]), np.zeros(feeders, dtype=np.int64), 1 + np.arange(communities) % feeders)
    limit = np.array(_LIMITS)[depth] if limited else np.full(len(depth), UNLIMITED)
    return Levels(
        parent=np.concatenate(above),
        depth=depth,
        fee=np.array(_FEES)[depth],
        import_limit=limit,
        export_limit=limit,
        mechanism=np.full(len(depth), int(mechanism)),
    )


def book(orders: int, seed: int = 1) -> tuple[Columns, Columns, int]:
    """Return as many bids as offers, all on communities, and how many communities there are; about half trade.

    Some communities value energy higher than others, so that there is something to trade between them, too.
    """
    draw = np.random.default_rng(seed)
    communities = max(1, orders // _A_COMMUNITY)
    feeders = -(-communities // _A_FEEDER)
    worth = draw.integers(0, 5, communities) * _APART

    def side() -> Columns:
        count = orders // 2
        community = draw.permutation(np.arange(count) % communities)
        return Columns(
            1 + feeders + community,
            draw.integers(0, _LEVELS, count) * 100 + worth[community],
            draw.integers(1, _MOST_WH + 1, count),
        )

    return side(), side(), communities


def plain(bids: Columns, offers: Columns, levels: Levels) -> list[Trade]:
    """Clear in plain Python, the deepest nodes first; returns bid, offer, Wh, what the seller gets, and the node."""
    parent, fee = levels.parent.tolist(), levels.fee.tolist()
    most_in, most_out = levels.import_limit.tolist(), levels.export_limit.tolist()
    limit = offers.rate.tolist()
    # a bid is (rate at the node, negated; row; Wh), an offer (rate at the node, row, Wh)
    buying: list[list[Entry]] = [[] for _ in parent]
    selling: list[list[Entry]] = [[] for _ in parent]
    for row, (node, rate, energy) in enumerate(zip(bids.market.tolist(), bids.rate.tolist(), bids.energy.tolist())):  # noqa: B905
        buying[node].append((fee[node] - rate, row, energy))
    for row, (node, rate, energy) in enumerate(zip(offers.market.tolist(), limit, offers.energy.tolist())):  # noqa: B905
        selling[node].append((rate, row, energy))
    trades: list[Trade] = []
    for node in sorted(range(len(parent)), key=levels.depth.tolist().__getitem__, reverse=True):
        buying[node].sort()
        selling[node].sort()
        trades += meet(node, buying[node], selling[node], Mechanism(int(levels.mechanism[node])), limit)
        above = parent[node]
        if above != ROOT:
            buying[above] += crossing(buying[node], most_in[node], fee[above])
            selling[above] += crossing(selling[node], most_out[node], fee[node])
    return trades


def meet(node: int, buying: list[Entry], selling: list[Entry], mechanism: Mechanism, limit: list[int]) -> list[Trade]:
    """Clear one node, both sides in merit order; what is traded is taken out of both."""
    b = o = 0
    pairs: list[tuple[int, int, int, int, int]] = []
    while b < len(buying) and o < len(selling) and buying[b][0] + selling[o][0] <= 0:
        bid, buyer, wanted = buying[b]
        offer, seller, offered = selling[o]
        energy = min(wanted, offered)
        pairs.append((buyer, seller, energy, -bid, offer))
        buying[b], selling[o] = (bid, buyer, wanted - energy), (offer, seller, offered - energy)
        b += energy == wanted
        o += energy == offered
    if not pairs:
        return []
    _, _, _, bid, offer = pairs[-1]
    del buying[:b], selling[:o]
    low, high = max([offer, *(-rate for rate, _, _ in buying[:1])]), min([bid, *(rate for rate, _, _ in selling[:1])])
    price = low + high >> 1
    at_node = {Mechanism.PAY_AS_CLEAR: (0, 0, price), Mechanism.PAY_AS_BID: (1, 0, 0)}.get(mechanism, (0, 1, 0))
    by_bid, by_offer, fixed = at_node
    return [
        (buyer, seller, energy, by_bid * bid + by_offer * offer + fixed - (offer - limit[seller]), node)
        for buyer, seller, energy, bid, offer in pairs
    ]


def crossing(entries: list[Entry], most: int, fee: int) -> list[Entry]:
    """Return what leaves a node, at most so many Wh, with the fee on top."""
    if most >= UNLIMITED:
        return [(rate + fee, row, energy) for rate, row, energy in entries]
    leaving = []
    for rate, row, energy in entries:
        part = min(energy, most)
        most -= part
        if part:
            leaving.append((rate + fee, row, part))
    return leaving


def plain_seconds(orders: int, engine: str, *, limited: bool) -> float:
    """Return what the plain loop takes for an order, once it has given the kernel's trades."""
    mechanism, clearing, _ = ENGINES[engine]
    bids, offers, communities = book(max(orders // _PYTHON_SHARE, 1_000))
    levels = tree(communities, mechanism, limited=limited)
    found = plain(bids, offers, levels)
    spent = in_turns({"plain": lambda: plain(bids, offers, levels)}, 3)["plain"]
    matches = clearing(bids, offers, levels)
    columns = (matches.bid, matches.offer, matches.quantity, matches.rate, matches.top)
    kernel = list(zip(*(column.tolist() for column in columns), strict=True))
    assert sorted(found) == sorted(kernel), "the plain loop and the kernel disagree"
    return spent / (len(bids) + len(offers))


def main() -> None:
    """Print some lines for each mechanism, what others reach, and what an order costs as the tree grows."""
    options = argparse.ArgumentParser(description="A tree cleared from the bottom up.")
    options.add_argument("--orders", type=int, default=1_000_000)
    orders = options.parse_args().orders
    bids, offers, communities = book(orders)
    for limited in (False, True):
        levels = {name: tree(communities, mechanism, limited=limited) for name, (mechanism, _, _) in ENGINES.items()}
        spent = in_turns(
            {
                name: lambda clearing=clearing, given=levels[name]: clearing(bids, offers, given)
                for name, (_, clearing, _) in ENGINES.items()
            }
        )
        print(
            f"{orders:,} orders, {communities:,} communities, three levels, fees at every node"
            f"{', limits that bind' if limited else ''} ({load_line()})"
        )
        for name, (_, clearing, target) in ENGINES.items():
            an_order, python = spent[name] / orders, plain_seconds(orders, name, limited=limited)
            matches = clearing(bids, offers, levels[name])
            shares = np.bincount(levels[name].depth[matches.top], minlength=3)
            print(
                f"    {name}: {spent[name] * 1e3:.0f} ms ({target} ms for a million), "
                f"{1 / an_order / 1e6:.1f} M orders/s; "
                f"trades at grid, feeders, communities: {', '.join(f'{share:,}' for share in shares)}"
            )
            print(f"        plain Python: {1 / python / 1e3:,.0f} k orders/s, ratio {an_order / python:.3g}")
    print("measured elsewhere, orders/s in one market:")
    for name, figure in _PEERS.items():
        print(f"    {name}: {figure}")
    grow(orders)


def grow(most: int) -> None:
    """Print what an order costs from a thousand of them on."""
    print(f"growth, ns an order ({load_line()})")
    for name, (mechanism, clearing, _) in ENGINES.items():
        spent = []
        for orders in (size for size in _GROWTH if size <= most):
            bids, offers, communities = book(orders)
            levels = tree(communities, mechanism)
            engines = {"one": lambda b=bids, o=offers, t=levels, clearing=clearing: clearing(b, o, t)}
            spent.append(f"{orders:,}: {in_turns(engines)['one'] * 1e9 / orders:.0f}")
        print(f"    {name}: {', '.join(spent)}")


if __name__ == "__main__":
    main()
