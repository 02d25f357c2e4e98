"""How fast the auction clears a million orders, against plain C and plain Python in the same run.

    python -m bench.clearing

Process CPU time, median of several repeats, engines timed in turn. The results are compared before they are timed:
all engines give the same rates, fills and trades. Without a C compiler the C column is left out. Plain Python clears
a twentieth of the orders and is compared per order.
"""

import ctypes
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from exchange.auction import Auction, Columns, auction
from tests.exchange.reference_auction import Row, reference_auction

_REPEATS = 7
_PYTHON_SHARE = 20
_LEVELS = 2_400
_MOST_WH = 5_000
_SHAPES = ((1_000_000, 1), (1_000_000, 10_000))

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


def python_milliseconds(orders: int, markets: int) -> float:
    """Return what plain Python would take, market by market, from the time it takes for fewer of them or smaller."""
    bids, offers, fewer = book(orders // _PYTHON_SHARE, max(1, markets // _PYTHON_SHARE))
    apart: list[tuple[list[Row], list[Row]]] = [([], []) for _ in range(fewer)]
    for number, side in enumerate((bids, offers)):
        for row in rows(side):
            apart[row.market][number].append(row._replace(market=0))
    started = time.process_time_ns()
    traded = [reference_auction(*both, 1).markets[0].energy for both in apart]
    spent = (time.process_time_ns() - started) / 1e6
    assert traded == auction(bids, offers, fewer).energy.tolist(), "plain Python and the kernel disagree"
    return spent * _PYTHON_SHARE


def main() -> None:
    """Print one line for each shape of the book."""
    with tempfile.TemporaryDirectory() as folder:
        base = compiled(Path(folder))
        for orders, markets in _SHAPES:
            bids, offers, _ = book(orders, markets)
            engines: dict[str, Engine] = {"kernel": lambda b=bids, o=offers, m=markets: auction(b, o, m)}
            if base is not None:
                ours, theirs = results(auction(bids, offers, markets)), in_c(base, bids, offers, markets)
                assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True)), "C and kernel disagree"
                engines["c"] = lambda b=bids, o=offers, m=markets: in_c(base, b, o, m)
            spent = milliseconds(engines)
            spent["python"] = python_milliseconds(orders, markets)
            kernel = spent["kernel"]
            print(f"{orders:,} orders in {markets:,} markets: {kernel:.0f} ms, {orders / kernel / 1e3:.1f} M orders/s")
            for name, label in (("c", "plain C"), ("python", f"plain Python (from 1/{_PYTHON_SHARE} of the orders)")):
                if name in spent:
                    print(f"    {label}: {spent[name]:.0f} ms, ratio {kernel / spent[name]:.3g}")


if __name__ == "__main__":
    main()
