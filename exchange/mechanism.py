"""The mechanisms a market node can have: one interface, one small file each, one table.

Own energy and self-trade are settled before (`exchange/clear.py`); a mechanism sees limits, energies and priority.
"""

from collections.abc import Mapping
from typing import Protocol

from exchange.auction import Columns
from exchange.delivery import Mechanism
from exchange.matches import Matches
from exchange.pay_as_bid import pay_as_bid
from exchange.pay_as_clear import pay_as_clear
from exchange.pay_as_offer import pay_as_offer


class Rule(Protocol):
    """Decides which bids trade with which offers, how much, and at which rates, for any number of markets at once."""

    def __call__(self, bids: Columns, offers: Columns, markets: int) -> Matches:
        """Clear the markets 0 to `markets` - 1.

        A bid's rate is its limit less the fee, so every rate is what a seller gets. No trade is beyond either limit,
        no row is filled beyond its energy, and the volume is the most that the limits allow in merit order. Raises
        `ValueError` for columns that are no books (`exchange/auction.py`).
        """
        ...


RULES: Mapping[Mechanism, Rule] = {
    Mechanism.PAY_AS_OFFER: pay_as_offer,
    Mechanism.PAY_AS_BID: pay_as_bid,
    Mechanism.PAY_AS_CLEAR: pay_as_clear,
}
"""What each mechanism does."""
