"""The gas of every call, and the size of the code; `python -m tests.contracts.gas_snapshot` rewrites `gas.json`.

Gas is that of the whole transaction: its base, its calldata, and what it does. A batch of N trades has N + 1 orders of
N + 1 assets and accounts, all of them used before; its roots are included. One market takes one fee of every trade. In
the neighbourhood, trades are within one of two communities or across, under a feeder; on the walk, nodes take shares
of what the seller gets, so that every trade has rates and a row of its own, as far as there is place for rows.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from contracts.artifacts import DEPLOYABLE, load
from tests.contracts.machine import Machine, PyEvm
from tests.contracts.orders import Batch, Row, Trade, address_of
from tests.contracts.permits import permit
from tests.contracts.registries import ASSET
from tests.contracts.town import DELAY, EURO, FEE_CAP, GUARDIAN, LEAD, PERIOD, START, WINDOW, Town

PATH = Path(__file__).with_name("gas.json")
FORKS = ("London", "Prague")
QUICK, ALL = (1, 10), (1, 10, 100, 500)  # what is dearer by order or trade shows in ten of them
UNIFORM, FEEDER, WEST, EAST = 2, 3, 4, 5
MOST_ROWS = 128
WAYS = (
    Row(((WEST, 4_000),), WEST),
    Row(((EAST, 3_000),), EAST),
    Row(((EAST, 3_000), (FEEDER, 10_000), (WEST, 4_000)), FEEDER),
    Row(((WEST, 4_000), (FEEDER, 10_000), (EAST, 3_000)), FEEDER),
)
"""What trades of the neighbourhood come to, in turn."""


def populate(town: Town, members: int) -> None:
    """Members with money and an asset each, paid in by one sponsor."""
    town.euro.send("the admin", "mint", address_of("the sponsor"), 10**6 * EURO)
    town.euro.send("the sponsor", "approve", town.settlement.address, 2**256 - 1)
    for i in range(members):
        name = f"member {i}"
        number = town.open_account(name)
        town.send("the sponsor", "deposit", number, 100 * EURO)
        town.enrol(name)


def chain_of_trades(town: Town, trades: int, *, start: int, market: int = 1, signer: str | None = None) -> Batch:
    """Every order but the first and last trades with its two neighbours, as a greedy match of unequal orders does."""
    orders, moved = [], []
    for i in range(trades + 1):
        name = f"member {i}"
        make = town.bid if i % 2 else town.offer
        energy = 1_150 if i in {0, trades} else 2_300
        fields = {"start": start, "valid_until": start, "market": market, "signer": signer or name}
        orders.append(make(name, energy=energy, salt=2**31 + i, **fields))
    for i in range(trades):
        bid, offer = (i, i + 1) if i % 2 else (i + 1, i)
        moved.append(Trade(bid=bid, offer=offer, energy=1_150, rate=212_345, fee=12_345))
    return town.batch(orders, moved, start=start, market=market)


def through_a_neighbourhood(batch: Batch) -> Batch:
    """The batch, its trades within and across communities in turn."""
    trades = [replace(trade, row=WAYS[i % len(WAYS)]) for i, trade in enumerate(batch.trades)]
    return batch.but(trades=trades)


def on_a_walk(batch: Batch) -> Batch:
    """The batch, its trades across communities, each with shares of a rate of its own, up to the most rows."""
    trades = []
    for i, trade in enumerate(batch.trades):
        step = i % MOST_ROWS
        row = Row(((EAST, 3_000 + step), (FEEDER, 10_000 + step), (WEST, 4_000 + step)), FEEDER)
        trades.append(replace(trade, rate=200_000 + step, row=row))
    return batch.but(trades=trades)


def gas_of_batches(machine: Machine, sizes: Sequence[int]) -> dict[str, int]:
    """Gas of settling a session of so many trades."""
    town = Town(machine)
    populate(town, max(10, *sizes) + 1)
    town.open_market(UNIFORM, uniform=True)
    for node in (FEEDER, WEST, EAST):
        town.open_account(f"the operator of {node}")
        town.open_market(node, tree=FEEDER, collector=f"the operator of {node}")
    start = START
    found = {}

    def settle(trades: int, fees: Callable[[Batch], Batch] = lambda batch: batch, **changes: Any) -> int:
        nonlocal start
        start += PERIOD
        machine.move_to(max(machine.now, start))
        return town.settle(fees(chain_of_trades(town, trades, start=start, **changes))).gas

    settle(1)  # from now on the fee account is used, too
    found["settle, 10 trades, one rate"] = settle(10, market=UNIFORM)
    for i in range(11):
        town.registries.delegate(town.identities[f"member {i}"], f"member {i}", "the agent", 2**32)
    found["settle, 10 trades, signed by a delegate"] = settle(10, signer="the agent")
    settle(4, through_a_neighbourhood, market=FEEDER)  # and the accounts of its nodes
    for size in sizes:
        found[f"settle, {size} trades"] = settle(size)
        if size > 1:
            found[f"settle, {size} trades of a neighbourhood"] = settle(size, through_a_neighbourhood, market=FEEDER)
            found[f"settle, {size} trades on a walk"] = settle(size, on_a_walk, market=EAST)
    return found


def gas_of_calls(machine: Machine) -> dict[str, int]:
    """Gas of everything else a member, an operator or an admin calls."""
    town = Town(machine)
    member, helper = "the consumer", address_of("the helper")
    found = {}

    def measure(title: str, sender: str, name: str, *arguments: object) -> None:
        found[title] = town.send(sender, name, *arguments).gas

    town.open("the first", 1)
    town.euro.send("the admin", "mint", address_of(member), 100 * EURO)
    town.euro.send(member, "approve", town.settlement.address, 10 * EURO)
    measure("open_account", member, "open_account", address_of(member))
    number = town.read("account_count")
    measure("deposit", member, "deposit", number, EURO)
    signed = permit(
        town.euro.address, owner=member, spender=town.settlement.address, units=EURO, nonce=0, deadline=2**40
    )
    measure("deposit_with_permit", member, "deposit_with_permit", number, EURO, *signed)
    measure("request_withdrawal", member, "request_withdrawal", number, EURO)
    measure("cancel_withdrawal", member, "cancel_withdrawal", number)
    town.send(member, "request_withdrawal", number, EURO)
    machine.move_to(machine.now + DELAY)
    measure("withdraw", member, "withdraw", number)
    measure("void_orders", member, "void_orders", number)
    town.accounts[member] = number
    enrolled = town.enrol(member, "a barn")
    roof = town.registries.create(member)
    town.registries.certify(roof, ASSET, holder=member)
    measure("enrol", "a passer-by", "enrol", roof, number)
    measure("refresh, 1 asset", "a passer-by", "refresh", [enrolled])
    measure("refresh, 2 assets", "a passer-by", "refresh", [enrolled, enrolled + 1])
    measure("open_market", "the grid operator", "open_market", 9, 9, 1, FEE_CAP, PERIOD, LEAD, WINDOW, True)
    measure("grant", "the admin", "grant", GUARDIAN, helper)
    measure("revoke", "the admin", "revoke", GUARDIAN, helper)
    measure("pause", "the guardian", "pause")
    measure("unpause", "the admin", "unpause")
    measure("propose_admin", "the admin", "propose_admin", address_of("the heir"))
    measure("accept_admin", "the heir", "accept_admin")
    return found


def take(fork: str, sizes: Sequence[int]) -> dict[str, int]:
    """All gas on the rules of that fork."""
    return gas_of_batches(PyEvm(fork), sizes) | gas_of_calls(PyEvm(fork))


def sizes_of_code() -> dict[str, int]:
    """Bytes of runtime code, immutables not counted."""
    return {name: load(name).runtime_size for name in DEPLOYABLE}


def main() -> None:
    snapshot = {"code bytes": sizes_of_code()} | {fork: take(fork, ALL) for fork in FORKS}
    PATH.write_text(json.dumps(snapshot, indent=1) + "\n", encoding="utf-8")
    print(PATH.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
