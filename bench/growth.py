"""What one more order costs when so many are open: time to decide on it and to make it so, and memory.

    python -m bench.growth [--orders N [N ...]]

Signatures are left out, since they cost the same however many orders there are; so is the journal. Twice: orders of a
hundred members, and all orders of one member, who may own the whole book. The base is the smallest size.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import replace
from itertools import count

from app.collector import spare_the_book
from bench.measure import load_line, resident_bytes
from bench.town import CREDIT, FIRST_START, Clock, Town
from exchange.events import ParametersSet
from exchange.market import Market
from exchange.order import SignedOrder
from exchange.receipt import Receipt
from exchange.recovered import Recovered

LAST = 1_000
SHARED = bytes(64)
"""A signature of receipts, which many share."""


def one_size(orders: int, members: int) -> None:
    """Print what the last thousand of so many orders cost each (us), the bytes each order holds, the longest (ms)."""
    town, clock, market = Town(members), Clock(), Market()
    homes = tuple(sorted((asset, f"home {number}") for number, asset in enumerate(town.assets)))
    market.apply(ParametersSet(parameters=replace(town.parameters, homes=homes), at=0))
    spare_the_book()
    before, spent, longest = resident_bytes(), 0.0, 0.0
    for number in count():
        if number == orders:
            break
        order = town.order(number, FIRST_START)
        digest = order.digest(town.separator)
        signed = SignedOrder(order, digest + digest)
        known = Recovered(digest, town.signers[number % members].address)
        began, thread = time.perf_counter(), time.process_time()
        market.apply(
            market.take(
                signed,
                registry=town.registry,
                credit=lambda _: CREDIT,
                receipt=lambda name, sequence, at: Receipt(name, sequence, at, name[::-1], bytes(192), SHARED),
                sequence=market.next_sequence,
                now=clock(),
                known=known,
            )
        )
        longest = max(longest, time.perf_counter() - began)
        if number >= orders - LAST:
            spent += time.process_time() - thread
    print(spent / min(LAST, orders) * 1e6, (resident_bytes() - before) / orders, longest * 1e3)


def main() -> None:
    """Measure each size in a process of its own, so that memory is told apart."""
    options = argparse.ArgumentParser(description="How the market grows.")
    options.add_argument("--orders", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    options.add_argument("--one", type=int, nargs=2, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.one:
        one_size(*asked.one)
        return
    for members, label in ((100, "a hundred members"), (1, "one member")):
        base = None
        for orders in asked.orders:
            command = [sys.executable, "-m", "bench.growth", "--one", str(orders), str(members)]
            answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            each, held, longest = map(float, answer)
            base = base or each
            print(
                f"{orders:,} open orders of {label}: one more costs {each:.1f} us CPU ({each / base:.2f} of the first "
                f"line), longest {longest:.0f} ms; {held:,.0f} B an order; {load_line()}"
            )


if __name__ == "__main__":
    main()
