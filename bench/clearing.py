"""How fast a million orders are cleared by each mechanism, against plain C and plain Python in the same run.

    python -m bench.clearing

Process CPU time, median of several repeats, engines timed in turn. The results are compared before they are timed:
all engines give the same rates, fills and trades. Without a C compiler the C line is left out; it pairs in merit order
and sets one rate a market, as the kernel does, and stands beside every mechanism, since all of them pair alike. Plain
Python clears a twentieth of the orders and is compared per order.
"""

import ctypes
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from bench.measure import load_line
from exchange.auction import Auction, Columns, auction
from exchange.delivery import Mechanism
from exchange.levels import single_nodes
from exchange.mechanism import RULES
from exchange.tree_auction import clear_levels
from tests.exchange.reference_auction import Row, reference_auction

_REPEATS = 7
_PYTHON_SHARE = 20
_LEVELS = 2_400
_MOST_WH = 5_000
_SHAPES = ((1_000_000, 1), (1_000_000, 10_000))
_MOST_MILLISECONDS = 300
_GROWTH = (1_000, 10_000, 100_000, 1_000_000)
_ORDERS_A_MARKET = 100

Book = tuple[Columns, Columns, int]
Engine = Callable[[], object]


def book(orders: int, markets: int, seed: int = 1) -> Book:
    """Return as many bids as offers, spread evenly over the markets; about half of them trade."""
    draw = np.random.default_rng(seed)

    def side() -> Columns:
        count = orders // 2
        return Columns(
            draw.permutation(np.arange(count) % markets),
            draw.integers(0, _LEVELS, count) * 100,
            draw.integers(1, _MOST_WH + 1, count),
        )

    return side(), side(), markets


def compiled(folder: Path) -> ctypes.CDLL | None:
    """Return the base in C, or none without a compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "clearing_base.so"
    source = Path(__file__).with_name("clearing_base.c")
    subprocess.run([compiler, "-O3", "-shared", "-fPIC", "-o", library, source], check=True)
    base = ctypes.CDLL(str(library))
    base.clear_all.restype = ctypes.c_int64
    return base


def in_c(base: ctypes.CDLL, bids: Columns, offers: Columns, markets: int) -> tuple[np.ndarray, ...]:
    """Clear with the base; returns energy and rate by market, fills of both sides, and the trades' columns."""
    inputs = [column for side in (bids, offers) for column in (side.market, side.rate, side.energy)]
    assert all(column.dtype == np.int64 and column.flags.c_contiguous for column in inputs)
    most = len(bids) + len(offers)
    sizes = (markets, markets, len(bids), len(offers), most, most, most)
    rate, energy, bid_fill, offer_fill, *trade = (np.empty(size, dtype=np.int64) for size in sizes)
    pointers = [ctypes.c_void_p(column.ctypes.data) for column in inputs]
    outputs = [ctypes.c_void_p(column.ctypes.data) for column in (rate, energy, bid_fill, offer_fill, *trade)]
    counts = [ctypes.c_int64(number) for number in (len(bids), len(offers), markets)]
    trades = base.clear_all(*pointers[:3], counts[0], *pointers[3:], counts[1], counts[2], *outputs)
    assert trades >= 0, "out of memory"
    return energy, rate, bid_fill, offer_fill, *(column[:trades] for column in trade)


def results(cleared: Auction) -> tuple[np.ndarray, ...]:
    """Return the kernel's results in the order of `in_c`."""
    return (
        cleared.energy, cleared.rate, cleared.bid_fill, cleared.offer_fill, cleared.bid, cleared.offer, cleared.quantity
    )  # fmt: skip


def rows(side: Columns) -> list[Row]:
    """Return one side as the plain Python reference takes it."""
    return [Row(*row) for row in zip(side.market.tolist(), side.rate.tolist(), side.energy.tolist(), strict=True)]


def milliseconds(engines: dict[str, Engine]) -> dict[str, float]:
    """Return the median CPU time of each engine, timed in turn."""
    spent: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(_REPEATS):
        for name, engine in engines.items():
            started = time.process_time_ns()
            engine()
            spent[name].append((time.process_time_ns() - started) / 1e6)
    return {name: statistics.median(times) for name, times in spent.items()}


def python_milliseconds(orders: int, markets: int, mechanism: Mechanism) -> float:
    """Return what plain Python would take, market by market, from the time it takes for fewer of them or smaller."""
    bids, offers, fewer = book(orders // _PYTHON_SHARE, max(1, markets // _PYTHON_SHARE))
    apart: list[tuple[list[Row], list[Row]]] = [([], []) for _ in range(fewer)]
    for number, side in enumerate((bids, offers)):
        for row in rows(side):
            apart[row.market][number].append(row._replace(market=0))
    started = time.process_time_ns()
    values = [in_python(*both, mechanism) for both in apart]
    spent = (time.process_time_ns() - started) / 1e6
    matches = clear_levels(bids, offers, single_nodes(fewer, mechanism))
    worth = np.bincount(bids.market[matches.bid], matches.quantity * matches.rate, minlength=fewer)  # exact below 2^53
    assert values == worth.astype(np.int64).tolist(), "plain Python and the kernel disagree"
    return spent * _PYTHON_SHARE


def in_python(bids: list[Row], offers: list[Row], mechanism: Mechanism) -> int:
    """Clear one market in plain Python; return what its sellers get."""
    result = reference_auction(bids, offers, 1)
    if mechanism is Mechanism.PAY_AS_BID:
        return sum(energy * bids[bid].rate for bid, _, energy in result.trades)
    if mechanism is Mechanism.PAY_AS_OFFER:
        return sum(energy * offers[offer].rate for _, offer, energy in result.trades)
    return sum(energy for _, _, energy in result.trades) * (result.markets[0].rate or 0)


def main() -> None:
    """Print some lines for each shape of the book."""
    with tempfile.TemporaryDirectory() as folder:
        base = compiled(Path(folder))
        for orders, markets in _SHAPES:
            bids, offers, _ = book(orders, markets)
            engines: dict[str, Engine] = {
                mechanism.title: partial(clear_levels, bids, offers, single_nodes(markets, mechanism))
                for mechanism in RULES
            }
            if base is not None:
                said, theirs = results(auction(bids, offers, markets)), in_c(base, bids, offers, markets)
                assert all(np.array_equal(a, b) for a, b in zip(said, theirs, strict=True)), "C and kernel disagree"
                engines["plain C"] = lambda b=bids, o=offers, m=markets: in_c(base, b, o, m)
            spent = milliseconds(engines)
            print(f"{orders:,} orders in {markets:,} markets (target {_MOST_MILLISECONDS} ms; {load_line()})")
            for mechanism in RULES:
                ours = spent[mechanism.title]
                python = python_milliseconds(orders, markets, mechanism)
                print(f"    {mechanism.title}: {ours:.0f} ms, {orders / ours / 1e3:.1f} M orders/s")
                if "plain C" in spent:
                    print(f"        plain C: {spent['plain C']:.0f} ms, ratio {ours / spent['plain C']:.3g}")
                print(f"        plain Python (from 1/{_PYTHON_SHARE}): {python:.0f} ms, ratio {ours / python:.3g}")
    grow()


def grow() -> None:
    """Print what an order costs from a thousand to a million of them, by mechanism."""
    print(f"growth at {_ORDERS_A_MARKET} orders a market, ns an order ({load_line()})")
    for mechanism in RULES:
        spent = []
        for orders in _GROWTH:
            bids, offers, markets = book(orders, orders // _ORDERS_A_MARKET)
            engines: dict[str, Engine] = {"one": partial(clear_levels, bids, offers, single_nodes(markets, mechanism))}
            spent.append(f"{orders:,}: {milliseconds(engines)['one'] * 1e6 / orders:.0f}")
        print(f"    {mechanism.title}: {', '.join(spent)}")


if __name__ == "__main__":
    main()
