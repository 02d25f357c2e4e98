"""What a session's clearing decided: one rate, the fill of every order, the trades, and own energy.

`Clearing` is the published language between the market and everything after it.
"""

from dataclasses import dataclass

from exchange.trade import Trade
from exchange.units import MicroPerKwh, Wh


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnUse:
    """Energy that one account's bid took from its own offer at the same home: no money, no fee."""

    bid: bytes
    offer: bytes
    energy: Wh


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearing:
    """The result of one session.

    `rate` is what every seller gets (none where nothing was traded); `low` and `high` are the ends of the interval
    of rates at which supply and demand agree (without trades: best bid less the fee, and best offer, each none where
    that side is empty). Trades stand in ascending order of their leaf, own uses in ascending order of (bid, offer).
    `lapsed` names, in ascending order, the orders left out because an earlier order of the same account crossed them.
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


NOTHING_CLEARED = Clearing(rate=None, low=None, high=None, trades=(), own_uses=())
