"""The uniform-price call auction, for any number of markets in one pass over columns.

Every bid that is worth more than its offer costs is matched, dearest bids and cheapest offers first, and each market
gets one rate inside its competitive interval. No loop runs over orders, markets or trades:

1. Rows are put in merit order by a stable radix sort, so that earlier rows come first among equal rates.
2. How many rows of each side trade is found by bisection, all markets in step.
3. Both sides of a market trade the same energy, so one running sum lays all markets end to end on one line of
   watt-hours. The points where an order of either side ends cut that line into the trades.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exchange.units import MAX_ENERGY

Column = NDArray[np.int64]

MOST_RATE = 1 << 60
"""A rate is no further from zero."""

MOST_SUM = 1 << 62
"""Sums of energy that could reach this are kept as Python's own whole numbers."""

_DIGIT = 16  # bits of a radix pass: NumPy sorts 16-bit keys by counting


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """One side of the books, a row an order: number of its market, rate (µ/kWh), energy (Wh).

    A bid's rate is what it leaves for the seller: its limit less the fee. Among rows of one market and rate the
    earlier row has priority.
    """

    market: Column
    rate: Column
    energy: Column

    def __len__(self) -> int:
        return len(self.market)


@dataclass(frozen=True, slots=True, eq=False)
class Auction:
    """What the auction decided.

    By market: the energy traded (Wh) and, where that is above zero, the rate and the ends `low` and `high` of the
    competitive interval (µ/kWh; zero elsewhere). By row: `bid_fill` and `offer_fill` (Wh). By trade, in merit order
    within ascending markets: `bid` and `offer` rows and `quantity` (Wh).
    """

    energy: NDArray[Any]
    rate: Column
    low: Column
    high: Column
    bid_fill: Column
    offer_fill: Column
    bid: Column
    offer: Column
    quantity: Column


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One side in merit order: markets ascending, and within a market `value` ascending.

    `value` is the rate of an offer and the negated rate of a bid, so a bid and an offer agree where their values add
    up to zero or less. Market m has the places `start[m]` to `start[m] + count[m]`; the energy of all places before
    place i is `edge[i]`.
    """

    row: Column
    value: Column
    edge: NDArray[Any]
    start: Column
    count: Column

    @property
    def origin(self) -> NDArray[Any]:
        """The energy of all markets before each market."""
        return self.edge[self.start]


def auction(bids: Columns, offers: Columns, markets: int) -> Auction:
    """Clear the markets 0 to `markets` - 1, each at one rate.

    Raises `ValueError` for columns of different length, market numbers out of range, energies that are not positive
    or beyond `MAX_ENERGY`, and rates beyond 2^60 either way. Sums are exact whatever they come to: where one could
    leave 62 bits, they are kept as Python's own whole numbers, which is slower; `energy` then holds such numbers.
    """
    check_side(bids, markets)
    check_side(offers, markets)
    wide = max(total_energy(bids.energy), total_energy(offers.energy)) >= MOST_SUM
    demand = _in_merit_order(bids, -bids.rate, markets, wide)
    supply = _in_merit_order(offers, offers.rate, markets, wide)
    buying = _count_trading(demand, supply)
    selling = _count_trading(supply, demand)
    bought, sold = _energy_of_first(demand, buying), _energy_of_first(supply, selling)
    energy = np.minimum(bought, sold)
    rate, low, high = _rates(demand, supply, buying, selling, bought > energy, sold > energy)

    finish = np.cumsum(energy)
    bid_place, bid_end = _ends(demand, buying, energy, finish)
    offer_place, offer_end = _ends(supply, selling, energy, finish)
    bid_at, offer_at, quantity = _cut(bid_end, offer_end)
    bid_row, offer_row = demand.row[bid_place], supply.row[offer_place]
    return Auction(
        energy=energy,
        rate=rate,
        low=low,
        high=high,
        bid_fill=_fills(bid_row, bid_end, len(bids)),
        offer_fill=_fills(offer_row, offer_end, len(offers)),
        bid=bid_row[bid_at],
        offer=offer_row[offer_at],
        quantity=quantity,
    )


def check_side(side: Columns, markets: int) -> None:
    """Raise `ValueError` for columns that are no side of these markets' books."""
    if not len(side.market) == len(side.rate) == len(side.energy):
        raise ValueError("the columns of one side are of one length")
    if not len(side):
        return
    if side.market.min() < 0 or side.market.max() >= markets:
        raise ValueError(f"a market has a number from 0 to {markets - 1}")
    if side.energy.min() <= 0 or side.energy.max() > MAX_ENERGY:
        raise ValueError("an order is for a positive amount of energy, below 2^48 Wh")
    if side.rate.min() < -MOST_RATE or side.rate.max() > MOST_RATE:
        raise ValueError("a rate lies within 2^60 of zero")


def total_energy(energy: Column) -> int:
    """Return the exact sum in Wh: halves of 24 bits cannot overflow in any column that fits in memory."""
    return (int((energy >> 24).sum()) << 24) + int((energy & (1 << 24) - 1).sum())


def _in_merit_order(side: Columns, value: Column, markets: int, wide: bool) -> _Side:
    row = radix_order(side.market, value, markets)
    energy: NDArray[Any] = side.energy[row]
    if wide:
        energy = energy.astype(object)
    edge = np.zeros(len(row) + 1, dtype=energy.dtype)
    np.cumsum(energy, out=edge[1:])
    count = np.bincount(side.market, minlength=markets)
    return _Side(row, value[row], edge, np.cumsum(count) - count, count)


def radix_order(market: Column, value: Column, markets: int) -> Column:
    """Return the rows by market, then value, then position: least digit first, every pass stable."""
    if not len(value):
        return np.zeros(0, dtype=np.int64)
    above = value - value.min()
    every = int(np.bitwise_or.reduce(above))
    above >>= (
        (every & -every).bit_length() - 1 if every else 0
    )  # rates are often round: low bits that all lack say nothing
    value_bits = int(above.max()).bit_length()
    market_bits = (markets - 1).bit_length()
    if value_bits + market_bits < 64:
        keys = [(market << value_bits | above, value_bits + market_bits)]
    else:
        keys = [(above, value_bits), (market, market_bits)]
    order = None
    for key, bits in keys:
        for shift in range(0, bits, _DIGIT):
            digit = (key >> shift).astype(np.uint16)  # keeps the low sixteen bits
            if order is None:
                order = np.argsort(digit, kind="stable")
            else:
                order = order[np.argsort(digit[order], kind="stable")]
    return np.arange(len(value)) if order is None else order


def _count_trading(own: _Side, other: _Side) -> Column:
    """Return how many places of `own` trade in each market, at least in part.

    A place trades if it agrees with the order that faces its first watt-hour. Down the merit order values only rise
    on both sides, so the trading places come first, and bisection finds their number.
    """
    low, high = np.zeros_like(own.count), own.count
    origin, end = other.origin - own.origin, other.start + other.count
    for _ in range(int(own.count.max(initial=0)).bit_length()):
        middle = (low + high) >> 1
        place = own.start + middle
        facing = np.searchsorted(other.edge, own.edge[place] + origin, side="right") - 1
        trades = (low < high) & (facing < end)
        trades[trades] = own.value[place[trades]] + other.value[facing[trades]] <= 0
        low, high = np.where(trades, middle + 1, low), np.where(trades, high, middle)
    return low


def _energy_of_first(side: _Side, places: Column) -> NDArray[Any]:
    """Return the energy of the first so many places of each market."""
    energy: NDArray[Any] = side.edge[side.start + places] - side.origin
    return energy


def _rates(
    demand: _Side,
    supply: _Side,
    buying: Column,
    selling: Column,
    bid_is_cut: NDArray[np.bool_],
    offer_is_cut: NDArray[np.bool_],
) -> tuple[Column, Column, Column]:
    """Return rate, low and high of each market.

    The rate is high enough for every filled offer and too high for every bid left over, and the other way round. An
    order that is filled in part counts as both, which pins the interval to its rate.
    """
    live = np.flatnonzero(buying)
    last_bid, left_bid = _margin(demand, buying, bid_is_cut, live)
    last_offer, left_offer = _margin(supply, selling, offer_is_cut, live)
    low, high, rate = np.zeros_like(buying), np.zeros_like(buying), np.zeros_like(buying)
    low[live] = np.maximum(last_offer, -left_bid)
    high[live] = np.minimum(-last_bid, left_offer)
    rate[live] = (low[live] + high[live]) >> 1  # `units.midpoint`: an arithmetic shift rounds down, as it does
    return rate, low, high


def _margin(side: _Side, trading: Column, is_cut: NDArray[np.bool_], live: Column) -> tuple[Column, Column]:
    """Return, for each live market, the value of the last place that trades and of the first with energy left."""
    trading = trading[live]
    last = side.start[live] + trading - 1
    left = np.where(is_cut[live], last, last + 1)
    exists = left < side.start[live] + side.count[live]
    left_value = np.full_like(last, 2 * MOST_RATE)  # nothing is left: no bound, worse than any value
    left_value[exists] = side.value[left[exists]]
    return side.value[last], left_value


def _ends(side: _Side, trading: Column, energy: NDArray[Any], finish: NDArray[Any]) -> tuple[Column, NDArray[Any]]:
    """Return the places that trade, and where on the common line of traded energy each one's fill ends."""
    until = np.cumsum(trading)
    place = np.arange(int(trading.sum())) + np.repeat(side.start - (until - trading), trading)
    end = side.edge[place + 1] + np.repeat(finish - energy - side.origin, trading)
    live = np.flatnonzero(trading)
    end[until[live] - 1] = finish[live]  # the last place of a market may be filled in part
    return place, end


def _cut(bid_end: NDArray[Any], offer_end: NDArray[Any]) -> tuple[Column, Column, Column]:
    """Cut the common line wherever an order ends; return for each piece its bid, its offer and its energy.

    Both columns ascend, so the stable sort merges two runs in linear time. The low bit tells the sides apart.
    """
    cuts = np.concatenate((bid_end << 1, offer_end << 1 | 1))
    cuts.sort(kind="stable")
    is_offer = (cuts & 1).astype(np.int64)
    end = cuts >> 1
    first = np.ones(len(end), dtype=np.bool_)
    first[1:] = end[1:] != end[:-1]
    piece = np.flatnonzero(first)
    offer = (np.cumsum(is_offer) - is_offer)[piece]
    return piece - offer, offer, _lengths(end[piece])


def _fills(row: Column, end: NDArray[Any], rows: int) -> Column:
    fill = np.zeros(rows, dtype=np.int64)
    fill[row] = _lengths(end)
    return fill


def _lengths(end: NDArray[Any]) -> Column:
    """Return the lengths of adjoining pieces of the line, from its beginning; each is at most one order's energy."""
    return np.diff(end, prepend=0).astype(np.int64)
