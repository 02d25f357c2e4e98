"""Pay-as-offer, one-sided: buyers, dearest bid first, take the cheapest offer there is, and pay what it asks.

A bid only says up to which rate its buyer may take offers; it sets no rate. That the dearest bid chooses first makes
the result independent of who came to the market first: docs/adr/0020 has the reasons.
"""

from exchange.auction import Columns, auction
from exchange.matches import Matches, at_own_rates


def pay_as_offer(bids: Columns, offers: Columns, markets: int) -> Matches:
    """Match in merit order, each trade at its offer: the buyer pays the offer's limit and the fee."""
    pairs = auction(bids, offers, markets)
    return at_own_rates(pairs, bids.market[pairs.bid], offers.rate[pairs.offer])
