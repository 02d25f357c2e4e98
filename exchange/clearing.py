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
class Clearing:
    """The result of one session.

    Under pay-as-clear, `rate` is what every seller gets, and `low` and `high` are the ends of the interval of rates at
    which supply and demand agree. Where each trade has a rate of its own, `rate` is none, and `low` and `high` are the
    lowest and the highest rate traded. Without trades `rate` is none in any case, and `low` and `high` are the best bid
    less the fee and the best offer, each none where that side is empty. All are what sellers get.

    Trades stand in ascending order of their leaf, own uses in ascending order of (bid, offer). `lapsed` names, in
    ascending order, the orders left out because an earlier order of the same account crossed them.
    """

    rate: MicroPerKwh | None
    low: MicroPerKwh | None
    high: MicroPerKwh | None
    trades: tuple[Trade, ...]
    own_uses: tuple[OwnUse, ...]
    lapsed: tuple[bytes, ...] = ()

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
