"""A town on a machine: the contracts deployed, roles given, a market opened, and members who have money and assets."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any, Self

from contracts.artifacts import load
from tests.contracts.caller import Contract, refused
from tests.contracts.machine import CHAIN_ID, GENESIS, Machine, Outcome
from tests.contracts.orders import BID, OFFER, Batch, Order, Trade, address_of, domain, in_order
from tests.contracts.registries import ASSET, GRID_OPERATOR, NODES, Registries

__all__ = ["Contract", "Town", "refused"]

PERIOD, LEAD, WINDOW = 900, 300, 3_600
FEE_CAP = 50_000
DELAY = 1_800
CACHE = 86_400
START = GENESIS - GENESIS % PERIOD + 4 * PERIOD
GATE_CLOSURE = START - LEAD
OPERATOR, GUARDIAN = 1, 2
EURO = 10**6  # token units
NANO = 10**9


class Town:
    """Everything a test needs to settle a session. Members are actors by name; each has an account and an asset."""

    def __init__(self, machine: Machine, euro: Contract | None = None) -> None:
        self.machine = machine
        self.euro = euro or Contract(machine, load("TestEuro"), "the admin")
        self.registries = Registries(machine)
        self.registries.certify(address_of("the grid operator"), GRID_OPERATOR, holder="the grid operator")
        self.identities: dict[str, bytes] = {}
        self._found()

    def _found(self, **changes: Any) -> None:
        self.settlement = Contract(self.machine, load("Settlement"), "the deployer", *self.arguments(**changes))
        self.send("the admin", "grant", OPERATOR, address_of("the operator"))
        self.send("the admin", "grant", GUARDIAN, address_of("the guardian"))
        self.accounts: dict[str, int] = {}
        self.assets: dict[str, int] = {}
        self.open("the fee collector", 0)
        self.open_market(1)

    def another(self, **changes: Any) -> Self:
        """A second settlement among the same people and assets, deployed with `changes`, without accounts so far."""
        other = copy(self)
        other.identities = dict(self.identities)
        other._found(**changes)
        return other

    def arguments(self, **changes: Any) -> tuple[Any, ...]:
        """What Settlement's constructor is given here, but for `changes`."""
        given = {
            "token": self.euro.address,
            "admin": address_of("the admin"),
            "withdrawal_delay": DELAY,
            "did_registry": self.registries.dids.address,
            "asset_registry": self.registries.assets.address,
            "role_registry": self.registries.roles.address,
            "asset_role": NODES[0],
            "balancing_role": NODES[1],
            "grid_operator_role": NODES[2],
            "cache_seconds": CACHE,
        }
        return tuple((given | changes).values())

    @contextmanager
    def as_before(self) -> Iterator[Self]:
        """What happens in the block is undone behind it; only revm can."""
        mark, now = self.machine.snapshot(), self.machine.now
        kept = [dict(names) for names in (self.accounts, self.assets, self.identities)]
        try:
            yield self
        finally:
            self.machine.revert(mark)
            self.machine.move_to(now)
            self.accounts, self.assets, self.identities = kept

    def open_market(
        self,
        number: int,
        *,
        tree: int | None = None,
        collector: str = "the fee collector",
        fee_cap: int = FEE_CAP,
        uniform: bool = False,
    ) -> None:
        """Open a tree's root, or a node of `tree`."""
        terms = self.accounts[collector], fee_cap, PERIOD, LEAD, WINDOW, uniform
        self.send("the grid operator", "open_market", number, number if tree is None else tree, *terms)

    def send(self, sender: str, name: str, *arguments: Any) -> Outcome:
        return self.settlement.send(sender, name, *arguments)

    def read(self, name: str, *arguments: Any) -> Any:
        return self.settlement.read(name, *arguments)

    def open(self, member: str, euros: int = 100) -> int:
        """Open an account for `member`, put money in, and enrol one asset."""
        number = self.open_account(member, euros)
        if euros:
            self.enrol(member)
        return number

    def open_account(self, member: str, euros: int = 0) -> int:
        self.send(member, "open_account", address_of(member))
        self.accounts[member] = self.read("account_count")
        if euros:
            self.pay_in(member, euros * EURO)
        return self.accounts[member]

    def pay_in(self, member: str, units: int) -> None:
        self.euro.send("the admin", "mint", address_of(member), units)
        self.euro.send(member, "approve", self.settlement.address, units)
        self.send(member, "deposit", self.accounts[member], units)

    def enrol(self, member: str, asset: str | None = None, *, expiry: int | None = None) -> int:
        """Make an asset of `member`, certify it until before `expiry` (None: for good), have a passer-by enrol it."""
        name = asset or member
        self.identities[name] = self.registries.create(member)
        self.registries.certify(self.identities[name], ASSET, holder=member, expiry=expiry)
        return self.enrol_again(member, name)

    def enrol_again(self, member: str, asset: str, sender: str = "a passer-by") -> int:
        """Enrol an asset that is there already, under the member's account."""
        self.send(sender, "enrol", self.identities[asset], self.accounts[member])
        self.assets[asset] = self.read("asset_count")
        return self.assets[asset]

    def refresh(self, *numbers: int, sender: str = "a passer-by") -> Outcome:
        return self.send(sender, "refresh", numbers)

    def until(self, number: int) -> tuple[int, int]:
        """Until when the asset is current, and until when a balancing provider."""
        _, _, until, balancing_until = self.read("asset", number)
        return until, balancing_until

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
            "identity": self.identities[asset],
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
        return self.settlement.selector("settle") + batch.arguments()
