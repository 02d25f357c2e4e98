"""Pay-as-offer, one-sided: buyers, dearest bid first, take the cheapest offer there is, and pay what it asks.

A bid only says up to which rate its buyer may take offers; it sets no rate. That the dearest bid chooses first makes
the result independent of who came to the market first: docs/adr/0020 has the reasons.
"""

from exchange.auction import Column
from exchange.pairs import Pairs


def pay_as_offer(pairs: Pairs) -> Column:
    """Return each trade's rate: its offer's. The buyer pays that, and the fees."""
    return pairs.offer
