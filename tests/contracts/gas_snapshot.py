"""The gas of every call and the size of the code, on London's and Prague's rules; `python -m tests.contracts.gas_snapshot` rewrites it."""

import json
from pathlib import Path
from typing import Any

from contracts.artifacts import DEPLOYABLE, load
from tests.contracts.machine import Machine, PyEvm
from tests.contracts.orders import Batch, Trade
from tests.contracts.town import GATE_CLOSURE, START, Town

PATH = Path(__file__).with_name("gas.json")
SIZES = (1, 10, 100, 500)


def chain_of_trades(town: Town, trades: int, *, salt: int = 1, start: int = START) -> Batch:
    """`trades` trades over one order more, each of its own account: a greedy match of bids and offers of unequal sizes."""
    members = [f"member {i}" for i in range(trades + 1)]
    orders = []
    for i, member in enumerate(members):
        # each trade moves 100 Wh; an order in the middle meets its neighbour on either side
        energy = 100 if i in {0, trades} else 200
        terms = {"energy": energy, "salt": salt, "start": start, "valid_until": start}
        orders.append(town.bid(member, **terms) if i % 2 else town.offer(member, **terms))
    moved = []
    for i in range(trades):
        bid, offer = (i, i + 1) if i % 2 else (i + 1, i)
        moved.append(Trade(bid=bid, offer=offer, energy=100, rate=200_000 + i, fee=10_000))
    return town.batch(orders, moved, start=start)


def settle_gas(machine: Machine, sizes: tuple[int, ...]) -> dict[str, int]:
    town = Town(machine)
    for i in range(max(sizes) + 1):
        town.open(f"member {i}")
    town.pay_in_fee = None
    found = {}
    for round_, size in enumerate(sizes):
        start = START + 900 * round_
        machine.move_to(max(machine.now, start))
        if round_ == 0:
            town.settle(chain_of_trades(town, 1, salt=9, start=start - 900))  # the fee account is used, too
        found[f"settle {size}"] = town.settle(chain_of_trades(town, size, start=start)).gas
    return found
