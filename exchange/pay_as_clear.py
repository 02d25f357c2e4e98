"""Pay-as-clear: every trade of a market has one rate, inside the competitive interval."""

from exchange.auction import Columns, auction
from exchange.matches import Matches


def pay_as_clear(bids: Columns, offers: Columns, markets: int) -> Matches:
    """Match in merit order, at the rate of the order filled in part, or else in the middle of the interval."""
    pairs = auction(bids, offers, markets)
    rate = pairs.rate[bids.market[pairs.bid]]
    return Matches(pairs.bid, pairs.offer, pairs.quantity, rate, pairs.energy, pairs.low, pairs.high, pairs.rate)
