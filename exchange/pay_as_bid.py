"""Pay-as-bid: the dearest bids meet the cheapest offers, and every buyer pays its own limit."""

from exchange.auction import Columns, auction
from exchange.matches import Matches, at_own_rates


def pay_as_bid(bids: Columns, offers: Columns, markets: int) -> Matches:
    """Match in merit order, each trade at its bid: the seller gets the limit less the fee."""
    pairs = auction(bids, offers, markets)
    return at_own_rates(pairs, bids.market[pairs.bid], bids.rate[pairs.bid])
