"""How fast a whole tree is cleared at once for the most welfare, against plain Python in the same run.

    python -m bench.network [--orders N]

Process CPU time, median of several repeats. The tree has three levels: a hundred orders a community, a hundred
communities a feeder, one grid; fees everywhere. Once without limits, so that every order counts at every level, and
once with limits that part of the communities and feeders use up. Plain Python says the same thing node by node and step
by step; it clears fewer orders, is compared per order, and has to give the same prices and the same trades.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from bench.measure import cpu_seconds, load_line
from exchange.auction import Columns
from exchange.delivery import Mechanism
from exchange.levels import ROOT, UNLIMITED, Levels, TreeMatches
from exchange.network import clear_network
from tests.exchange.reference_auction import Row
from tests.exchange.reference_network import Network, Place, reference_network

_REPEATS = 7
_ORDERS = 1_000_000
_PYTHON_ORDERS = 50_000
_MOST_SECONDS = 1
_GROWTH = (1_000, 10_000, 100_000, 1_000_000)
_ORDERS_A_COMMUNITY = 100
_COMMUNITIES_A_FEEDER = 100
_LEVELS = 2_400
_MOST_WH = 5_000
_FEES = (1_000, 500, 700)
_SHAPES = {"without limits": (UNLIMITED,) * 3, "with limits": (UNLIMITED, 400_000, 15_000)}
_PEERS = "measured elsewhere, one market without fees: pandas 100,000 orders/s, order books 100,000 to 200,000"

Scene = tuple[Columns, Columns, Levels]


def scene(orders: int, limits: tuple[int, ...], seed: int = 1) -> Scene:
    """Return as many bids as offers, spread evenly over the communities, and their tree with limits by depth."""
    communities = max(1, orders // _ORDERS_A_COMMUNITY)
    feeders = max(1, communities // _COMMUNITIES_A_FEEDER)
    depth = np.repeat(np.arange(3), (1, feeders, communities))
    parent = np.concatenate(([ROOT], np.zeros(feeders, dtype=np.int64), 1 + np.arange(communities) % feeders))
    fee, limit = np.array(_FEES)[depth], np.array(limits)[depth]
    tree = Levels(parent, depth, fee, limit, limit, np.full(len(depth), int(Mechanism.PAY_AS_CLEAR)))
    draw = np.random.default_rng(seed)

    def side() -> Columns:
        count = orders // 2
        return Columns(
            1 + feeders + draw.permutation(np.arange(count) % communities),
            draw.integers(0, _LEVELS, count) * 100,
            draw.integers(1, _MOST_WH + 1, count),
        )

    return side(), side(), tree


def in_python(bids: Columns, offers: Columns, tree: Levels) -> Callable[[], Network]:
    """Return what clears the scene in plain Python; its rows are made ready before."""
    both = [
        [Row(*row) for row in zip(side.market.tolist(), side.rate.tolist(), side.energy.tolist(), strict=True)]
        for side in (bids, offers)
    ]
    places = [
        Place(None if parent == ROOT else parent, fee, *(None if limit == UNLIMITED else limit for limit in limits))
        for parent, fee, *limits in zip(
            *(column.tolist() for column in (tree.parent, tree.fee, tree.import_limit, tree.export_limit)), strict=True
        )
    ]
    return lambda: reference_network(*both, places)


def seconds(work: Callable[[], object], repeats: int = _REPEATS) -> float:
    """Return the median CPU time, after one run that nobody times."""
    work()
    return statistics.median(cpu_seconds(work) for _ in range(repeats))


def held_back(result: TreeMatches) -> int:
    """Return at how many nodes somebody was held back by a limit."""
    return len(np.union1d(result.held_bid[1], result.held_offer[1]))


def main() -> None:
    """Print the figure, plain Python's, their ratio, and how the time grows."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--orders", type=int, default=_ORDERS)
    orders = arguments.parse_args().orders
    for name, limits in _SHAPES.items():
        bids, offers, tree = scene(orders, limits)
        result = clear_network(bids, offers, tree)
        ours = seconds(lambda book=(bids, offers, tree): clear_network(*book))
        print(
            f"{orders:,} orders on {len(tree):,} nodes {name} (target {_MOST_SECONDS} s for {_ORDERS:,}; {load_line()})"
        )
        print(f"    network clearing: {ours * 1e3:.0f} ms CPU, {orders / ours / 1e6:.2g} M orders/s")
        print(f"    {len(result.bid):,} trades, {held_back(result):,} nodes whose limits hold somebody back")
        fewer = min(orders, _PYTHON_ORDERS)
        python, same = python_seconds(fewer, limits), per_order(fewer, limits)
        print(f"    {fewer:,} orders: plain Python {python * 1e6:.3g} µs an order, {python / same:.3g} times ours")
        grown = (f"{size:,}: {per_order(size, limits) * 1e9:.0f}" for size in _GROWTH if size <= orders)
        print(f"    growth, ns an order: {', '.join(grown)}")
    print(_PEERS)


def python_seconds(orders: int, limits: tuple[int, ...]) -> float:
    """Return what an order costs plain Python; it and the kernel have to agree on everything."""
    small = scene(orders, limits)
    python = in_python(*small)
    started = time.process_time_ns()
    said = python()
    spent = (time.process_time_ns() - started) / 1e9 / orders
    result = clear_network(*small)
    trades = zip(result.bid.tolist(), result.offer.tolist(), result.quantity.tolist(), result.top.tolist(), strict=True)
    assert result.price.tolist() == said.prices, "plain Python and the kernel disagree"
    assert list(trades) == said.trades, "plain Python and the kernel disagree"
    return spent


def per_order(orders: int, limits: tuple[int, ...]) -> float:
    """Return the CPU seconds that an order costs."""
    book = scene(orders, limits)
    return seconds(lambda: clear_network(*book), max(3, min(101, 1_000_000 // orders))) / orders


if __name__ == "__main__":
    main()
