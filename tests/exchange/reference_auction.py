"""The auction said slowly: one market at a time, one step at a time, in plain Python. The kernel must agree."""

from dataclasses import dataclass
from typing import NamedTuple


class Row(NamedTuple):
    """One order of one side; rows of one market and rate stand in order of priority."""

    market: int
    rate: int
    energy: int


@dataclass(frozen=True, slots=True)
class MarketResult:
    """What one market cleared at; without trades there is no rate."""

    energy: int
    rate: int | None
    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class Result:
    """All markets, the fill of every row, and the trades (bid row, offer row, energy)."""

    markets: list[MarketResult]
    bid_fill: list[int]
    offer_fill: list[int]
    trades: list[tuple[int, int, int]]


def reference_auction(bids: list[Row], offers: list[Row], markets: int) -> Result:
    """Clear the markets one after another."""
    bid_fill, offer_fill = [0] * len(bids), [0] * len(offers)
    trades: list[tuple[int, int, int]] = []
    results = []
    for market in range(markets):
        buying = sorted((i for i, bid in enumerate(bids) if bid.market == market), key=lambda i: (-bids[i].rate, i))
        selling = sorted((i for i, o in enumerate(offers) if o.market == market), key=lambda i: (offers[i].rate, i))
        b = o = traded = 0
        while b < len(buying) and o < len(selling) and bids[buying[b]].rate >= offers[selling[o]].rate:
            bid, offer = buying[b], selling[o]
            energy = min(bids[bid].energy - bid_fill[bid], offers[offer].energy - offer_fill[offer])
            bid_fill[bid] += energy
            offer_fill[offer] += energy
            traded += energy
            trades.append((bid, offer, energy))
            b += bid_fill[bid] == bids[bid].energy
            o += offer_fill[offer] == offers[offer].energy
        if not traded:
            results.append(MarketResult(0, None, None, None))
            continue
        floor = [offers[i].rate for i in selling if offer_fill[i]]
        floor += [bids[i].rate for i in buying if bid_fill[i] < bids[i].energy]
        ceiling = [bids[i].rate for i in buying if bid_fill[i]]
        ceiling += [offers[i].rate for i in selling if offer_fill[i] < offers[i].energy]
        low, high = max(floor), min(ceiling)
        results.append(MarketResult(traded, (low + high) // 2, low, high))
    return Result(results, bid_fill, offer_fill, trades)


def most_energy(bids: list[Row], offers: list[Row]) -> int:
    """Return the most energy one market can trade, found over every rate instead of by matching.

    At a common rate no more than the lesser of demand and supply can be traded, and the best rate reaches the most.
    """
    rates = {row.rate for row in [*bids, *offers]}
    return max(
        (
            min(
                sum(bid.energy for bid in bids if bid.rate >= rate),
                sum(offer.energy for offer in offers if offer.rate <= rate),
            )
            for rate in rates
        ),
        default=0,
    )
