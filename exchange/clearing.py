"""What a session's clearing decided: the trades with their rates, and own energy.

`Clearing` is the published language between the market and everything after it.
"""

from dataclasses import dataclass

from exchange.trade import Trade
from exchange.units import MicroPerKwh, Nano, Wh, per_kwh


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnUse:
    """Energy that one account's bid took from its own offer at the same home: no money, no fee."""

    bid: bytes
    offer: bytes
    energy: Wh


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResult:
    """What a session came to at one node: the energy traded there, and what of all trades crossed its boundary (Wh).

    `price` is the node's one rate, if it has one: of what is sold there. By pay-as-clear a seller below the node gets
    it less the fees on its way; by network clearing it is what a seller at this very node gets. `low` and `high` are
    the ends of the competitive interval, or the lowest and highest rate traded where there is no one rate; none
    where nothing was traded. All in µ/kWh, as rates at the node.
    """

    node: int
    energy: Wh
    imported: Wh
    exported: Wh
    price: MicroPerKwh | None
    low: MicroPerKwh | None
    high: MicroPerKwh | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Energy of an order that could not cross the boundary of a node, because the node's limit was used up."""

    order: bytes
    node: int
    energy: Wh


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearing:
    """The result of one session.

    Where all trades of a session of one rate (pay-as-clear, network clearing) do have one, `rate` is what every seller
    gets. `low` and `high` are the ends of the competitive interval where everything was traded at one node, and else
    the lowest and the highest rate traded. Without trades `rate` is none in any case, and `low` and `high` are the best
    bid less the fees of its own node and the best offer, each none where that side is empty. All are what sellers get.

    Trades stand in ascending order of their leaf, own uses in ascending order of (bid, offer), `nodes` by number: those
    where something was traded or crossed the boundary, and, by network clearing, all. `held` stands by order and node.
    `lapsed` names, in ascending order, the orders left out because an earlier order of the same account crossed them.
    """

    rate: MicroPerKwh | None
    low: MicroPerKwh | None
    high: MicroPerKwh | None
    trades: tuple[Trade, ...]
    own_uses: tuple[OwnUse, ...]
    lapsed: tuple[bytes, ...] = ()
    nodes: tuple[NodeResult, ...] = ()
    held: tuple[Held, ...] = ()

    @property
    def energy(self) -> Wh:
        """How much energy was traded."""
        return Wh(sum(trade.energy for trade in self.trades))

    @property
    def value(self) -> Nano:
        """What all sellers get together."""
        return Nano(sum(trade.value for trade in self.trades))

    @property
    def average(self) -> MicroPerKwh | None:
        """What sellers get for a kWh on average, rounded down; none where nothing was traded. For display."""
        return per_kwh(self.value, self.energy)


NOTHING_CLEARED = Clearing(rate=None, low=None, high=None, trades=(), own_uses=())
