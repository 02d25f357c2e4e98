"""How many sessions a second are closed, cleared, written down and sealed, with a hundred orders each and no chain.

    python -m bench.sessions [--sessions N] [--orders N]

The journal is on a disk, and each session is durable before the next: the figure is wall time, a session at a time.
The base is clearing alone: the same orders, cleared without a gate, a journal or a seal.
"""

import argparse
import tempfile
import time
from pathlib import Path

from bench.measure import cpu_seconds, load_line
from bench.town import FIRST_START, PERIOD, Clock, Town
from exchange.clear import clear
from exchange.effects.journal import SqliteJournal
from exchange.session_clearing import resting_order
from settlement.batch import seal
from settlement.calldata import settle_calldata


def main() -> None:
    """Print the figure beside the base."""
    options = argparse.ArgumentParser(description="Sessions settled, without a chain.")
    options.add_argument("--sessions", type=int, default=200)
    options.add_argument("--orders", type=int, default=100, help="in each session")
    asked = options.parse_args()
    town, clock = Town(asked.orders), Clock()
    with tempfile.TemporaryDirectory() as folder:
        journal = SqliteJournal(Path(folder) / "journal.db")
        desk = town.desk(journal, clock)
        for session in range(asked.sessions):
            start = FIRST_START + session * PERIOD
            desk.submit([town.signed(number, start) for number in range(asked.orders)])
        trades = 0
        before, started = time.process_time(), time.perf_counter()
        for session in range(asked.sessions):
            now = town.terms.gate_closure(FIRST_START + session * PERIOD)
            for cleared in desk.close_and_clear(now):
                for batch in seal(desk.book(cleared.session)):
                    settle_calldata(batch)
                    trades += len(batch.trades)
        wall, used = time.perf_counter() - started, time.process_time() - before
        keys = [town.terms.session(FIRST_START + session * PERIOD) for session in range(asked.sessions)]
        resting = [[resting_order(order, town.parameters) for order in desk.book(key).orders] for key in keys]
        base = cpu_seconds(
            lambda: [clear(orders, session=key, tree=town.tree) for key, orders in zip(keys, resting, strict=True)]
        )
        journal.close()
    print(
        f"{asked.sessions} sessions of {asked.orders} orders: {asked.sessions / wall:,.0f} a second wall, "
        f"{asked.sessions / used:,.0f} a core-second, {trades / used:,.0f} trades a core-second; "
        f"clearing alone is {base / used:.2f} of it; {load_line()}"
    )


if __name__ == "__main__":
    main()
