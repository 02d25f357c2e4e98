"""A town on a machine: the contracts deployed, roles given, a market opened, and members who have money and assets."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from eth_abi import decode, encode

from contracts.artifacts import Artifact, load
from tests.contracts.machine import CHAIN_ID, GENESIS, Machine, Outcome, Refused
from tests.contracts.orders import BID, OFFER, Batch, Order, Trade, address_of, domain, in_order, keccak

PERIOD, LEAD, WINDOW = 900, 300, 3_600
FEE_CAP = 50_000
DELAY = 1_800
START = GENESIS - GENESIS % PERIOD + 4 * PERIOD
GATE_CLOSURE = START - LEAD
OPERATOR, REGISTRAR, GRID_OPERATOR, GUARDIAN = 1, 2, 4, 8
EURO = 10**6  # token units
NANO = 10**9


@contextmanager
def refused(reason: str) -> Iterator[None]:
    """The block's call reverts with exactly this sentence."""
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.reason == reason


class Contract:
    """A deployed contract, called by the names of its functions."""

    def __init__(self, machine: Machine, artifact: Artifact, sender: str, *arguments: Any) -> None:
        self.machine = machine
        self._functions = {entry["name"]: entry for entry in artifact.abi if entry["type"] == "function"}
        self._events = {_selector(entry): entry for entry in artifact.abi if entry["type"] == "event"}
        constructor = next((entry for entry in artifact.abi if entry["type"] == "constructor"), {"inputs": []})
        self.address = machine.create(sender, artifact.bytecode + encode(_kinds(constructor["inputs"]), arguments))

    def send(self, sender: str, name: str, *arguments: Any) -> Outcome:
        return self.machine.send(sender, self.address, self.calldata(name, *arguments))

    def read(self, name: str, *arguments: Any) -> Any:
        kinds = _kinds(self._functions[name]["outputs"])
        values = decode(kinds, self.machine.read(self.address, self.calldata(name, *arguments)))
        return values[0] if len(values) == 1 else values

    def calldata(self, name: str, *arguments: Any) -> bytes:
        function = self._functions[name]
        return _selector(function)[:4] + encode(_kinds(function["inputs"]), arguments)

    def events(self, outcome: Outcome) -> list[tuple[str, dict[str, Any]]]:
        """The events of this contract, by name and fields."""
        found = []
        for topics, data in outcome.logs:
            event = self._events.get(topics[0])
            if event is None:
                continue
            indexed = [field for field in event["inputs"] if field["indexed"]]
            plain = [field for field in event["inputs"] if not field["indexed"]]
            fields: dict[str, Any] = {
                field["name"]: decode([field["type"]], word)[0] for field, word in zip(indexed, topics[1:], strict=True)
            }
            fields |= zip([field["name"] for field in plain], decode(_kinds(plain), data), strict=True)
            found.append((event["name"], fields))
        return found


def _kinds(inputs: Sequence[dict[str, Any]]) -> list[str]:
    return [field["type"] for field in inputs]


def _selector(entry: dict[str, Any]) -> bytes:
    return keccak(f"{entry['name']}({','.join(_kinds(entry['inputs']))})".encode())


class Town:
    """Everything a test needs to settle a session. Members are actors by name; each has an account and an asset."""

    def __init__(self, machine: Machine, euro: Contract | None = None) -> None:
        self.machine = machine
        self.euro = euro or Contract(machine, load("TestEuro"), "the admin")
        self.settlement = Contract(
            machine, load("Settlement"), "the deployer", self.euro.address, address_of("the admin"), DELAY
        )
        for role, member in enumerate(("the operator", "the registrar", "the grid operator", "the guardian")):
            self.send("the admin", "grant", 1 << role, address_of(member))
        self.accounts: dict[str, int] = {}
        self.assets: dict[str, int] = {}
        self.open("the fee collector", 0)
        self.open_market(1)

    def open_market(self, number: int, *, fee_cap: int = FEE_CAP, uniform: bool = False) -> None:
        terms = number, self.accounts["the fee collector"], fee_cap, PERIOD, LEAD, WINDOW, uniform
        self.send("the grid operator", "open_market", *terms)

    def send(self, sender: str, name: str, *arguments: Any) -> Outcome:
        return self.settlement.send(sender, name, *arguments)

    def read(self, name: str, *arguments: Any) -> Any:
        return self.settlement.read(name, *arguments)

    def open(self, member: str, euros: int = 100) -> int:
        """Open an account for `member`, put money in, and enrol one asset."""
        self.send(member, "open_account", address_of(member))
        number = self.read("account_count")
        self.accounts[member] = number
        if euros:
            self.pay_in(member, euros * EURO)
            self.enrol(member)
        return number

    def pay_in(self, member: str, units: int) -> None:
        self.euro.send("the admin", "mint", address_of(member), units)
        self.euro.send(member, "approve", self.settlement.address, units)
        self.send(member, "deposit", self.accounts[member], units)

    def enrol(self, member: str, asset: str | None = None, until: int = 2**40 - 1) -> int:
        name = asset or member
        self.send("the registrar", "enrol", address_of(f"asset of {name}"), self.accounts[member], until)
        self.assets[name] = self.read("asset_count")
        return self.assets[name]

    def move_to(self, timestamp: int) -> None:
        self.machine.move_to(timestamp)

    def close_gate(self) -> None:
        """Go on to when the session may be settled."""
        self.machine.move_to(GATE_CLOSURE)

    def credit(self, member: str) -> int:
        return int(self.read("credit_of", self.accounts[member]))

    def order(self, asset: str, side: int, energy: int, limit: int, **changes: Any) -> Order:
        """An order for the asset of that name, signed by the actor of that name unless `signer` says otherwise."""
        fields = {
            "identity": address_of(f"asset of {asset}"),
            "asset": self.assets[asset],
            "signer": asset,
            "side": side,
            "energy": energy,
            "limit": limit,
            "start": START,
            "valid_until": START,
            "domain": domain(CHAIN_ID, self.settlement.address),
        }
        return Order(**(fields | changes))

    def bid(self, asset: str, energy: int = 1_000, limit: int = 300_000, **changes: Any) -> Order:
        return self.order(asset, BID, energy, limit, **changes)

    def offer(self, asset: str, energy: int = 1_000, limit: int = 80_000, **changes: Any) -> Order:
        return self.order(asset, OFFER, energy, limit, **changes)

    def batch(self, orders: Sequence[Order], trades: Sequence[Trade], **changes: Any) -> Batch:
        """Orders in the contract's order, trades following."""
        sorted_orders, moved = in_order(orders, trades)
        return Batch(**({"orders": sorted_orders, "trades": moved, "start": START} | changes))

    def settle(self, batch: Batch, sender: str = "the operator") -> Outcome:
        return self.machine.send(sender, self.settlement.address, self.settle_calldata(batch))

    def settle_calldata(self, batch: Batch) -> bytes:
        return _selector(self.settlement._functions["settle"])[:4] + batch.arguments()
