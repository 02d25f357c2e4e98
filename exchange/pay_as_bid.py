"""Pay-as-bid: the dearest bids meet the cheapest offers, and every buyer pays its own limit."""

from exchange.auction import Column
from exchange.pairs import Pairs


def pay_as_bid(pairs: Pairs) -> Column:
    """Return each trade's rate: its bid's. The seller gets the limit less the fees."""
    return pairs.bid
