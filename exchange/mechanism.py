"""The mechanisms a node can have that is cleared by itself: one interface, one small file each, one table.

Own energy and self-trade are settled before (`exchange/clear.py`), and who meets whom is the same for all of them:
the dearest bids meet the cheapest offers (`exchange/tree_auction.py`). A mechanism says at which rate.
"""

from collections.abc import Mapping
from typing import Protocol

from exchange.auction import Column
from exchange.delivery import Mechanism
from exchange.pairs import Pairs
from exchange.pay_as_bid import pay_as_bid
from exchange.pay_as_clear import pay_as_clear
from exchange.pay_as_offer import pay_as_offer


class Rule(Protocol):
    """Decides at which rates the trades of nodes are made, for any number of nodes at once."""

    def __call__(self, pairs: Pairs) -> Column:
        """Return the rate of each trade, as it is at the node (µ/kWh): between the limits of its two orders."""
        ...


RULES: Mapping[Mechanism, Rule] = {
    Mechanism.PAY_AS_OFFER: pay_as_offer,
    Mechanism.PAY_AS_BID: pay_as_bid,
    Mechanism.PAY_AS_CLEAR: pay_as_clear,
}
"""What each mechanism does."""
