"""What a mechanism decided for any number of markets: who trades with whom, how much, and at which rate."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exchange.auction import Auction, Column


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The trades of all markets, and what each market came to.

    By trade, in merit order within ascending markets: `bid` and `offer` rows, `quantity` (Wh), and `rate` (µ/kWh),
    what the seller gets. By market: the `energy` traded (Wh) and, where that is above zero, `low` and `high` (µ/kWh;
    zero elsewhere). With one rate a market, `uniform` is that rate and `low` and `high` are the ends of the
    competitive interval. Where each trade has a rate of its own, `uniform` is none and `low` and `high` are the lowest
    and the highest rate traded.
    """

    bid: Column
    offer: Column
    quantity: Column
    rate: Column
    energy: NDArray[Any]
    low: Column
    high: Column
    uniform: Column | None


def at_own_rates(pairs: Auction, market: Column, rate: Column) -> Matches:
    """Return the pairs of an auction, each at its own rate; `market` and `rate` are columns by trade."""
    count = np.bincount(market, minlength=len(pairs.energy))
    live = np.flatnonzero(count)
    first = (np.cumsum(count) - count)[live]
    low, high = np.zeros_like(pairs.low), np.zeros_like(pairs.high)
    low[live] = np.minimum.reduceat(rate, first)
    high[live] = np.maximum.reduceat(rate, first)
    return Matches(pairs.bid, pairs.offer, pairs.quantity, rate, pairs.energy, low, high, uniform=None)
