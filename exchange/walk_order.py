"""Orders as the walk through a tree takes them, and what it decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exchange.auction import Column
from exchange.order import Side
from exchange.preferences import Preferences
from exchange.units import MicroPerKwh, Wh
from identity.address import Address

WalkTrade = tuple[int, int, Wh, MicroPerKwh, int, int | None]
"""A trade: place of its bid, place of its offer, energy, what the seller gets per kWh, number of the deepest node above
both, and the alternative under which the bid buys (none where the bid has no preferences)."""

Held = tuple[Side, int, int, Wh]
"""What could not leave a node since its limit was used up: side and place of the order, number of the node, energy."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WalkSide:
    """One side of a book as columns, a row an order; its place there is its priority among equal rates.

    `node` is the number of the node that it hangs on, `rate` its limit (µ/kWh, a bid's covers all fees), `energy` what
    it is for (Wh). `holder` holds the account, `energy_type` is what the claim of the asset says: what the preferences
    of others are held against. `preferences` are by place, of those that have some.
    """

    node: Column
    rate: Column
    energy: Column
    account: Column
    energy_type: Column
    holder: Sequence[Address]
    asset: Sequence[Address]
    preferences: Mapping[int, Preferences]

    def __len__(self) -> int:
        return len(self.node)


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk decided.

    `trades` by number of their node, and there in the order in which they were made. `prices` by number of node: the
    one rate, as it is at the node, of all trades there between orders without preferences, where a node is cleared
    pay-as-clear and has such trades. `held` in the order in which the nodes were left, deepest first.
    """

    trades: list[WalkTrade]
    prices: dict[int, MicroPerKwh]
    held: list[Held]
