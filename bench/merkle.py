"""How fast trades become leaves and a root, beside the bare hashing that this takes.

    python -m bench.merkle [--trades N [N ...]]

A trade's leaf is two hashes and its share of the tree one more; the base is those three on ready-made bytes. A trade
remembers its leaf; here it is worked out every time.
"""

import argparse

from bench.measure import in_turns, load_line
from exchange.delivery import Product, SessionKey
from exchange.fee_row import FeeRow
from exchange.trade import Trade
from exchange.tree import FeeShare
from exchange.units import MicroPerKwh, Wh
from identity.hashing import keccak
from settlement.merkle import Tree


def trades(count: int) -> list[Trade]:
    """Return trades between made-up orders."""
    session = SessionKey(1, Product.SPOT, 1_800_000_000)
    fees = FeeRow((FeeShare(session.market, MicroPerKwh(5_000)),), top=session.market)
    return [
        Trade(
            session=session,
            bid=keccak(b"bid %d" % number),
            offer=keccak(b"offer %d" % number),
            energy=Wh(1 + number % 5_000),
            rate=MicroPerKwh(150_000),
            fees=fees,
        )
        for number in range(count)
    ]


def bare(count: int) -> None:
    """Hash as often, and as much, as so many trades take."""
    words, pair, single = bytes(192), bytes(64), bytes(32)
    for _ in range(count):
        keccak(words)
        keccak(single)
        keccak(pair)


def main() -> None:
    """Print one line for each size."""
    options = argparse.ArgumentParser(description="Trades to a root.")
    options.add_argument("--trades", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    for size in options.parse_args().trades:
        some = trades(size)
        engines = {
            "ours": lambda given=some: Tree(map(Trade._hashed, given)).root,
            "base": lambda count=size: bare(count),
        }
        spent = in_turns(engines, 3 if size > 100_000 else 5)
        print(
            f"{size:,} trades to a root: {size / spent['ours']:,.0f} leaves a core-second, "
            f"bare hashing {size / spent['base']:,.0f}: ratio {spent['ours'] / spent['base']:.2f}; {load_line()}"
        )


if __name__ == "__main__":
    main()
