"""Pay-as-clear: every trade of a node has one rate, inside the competitive interval."""

from exchange.auction import Column
from exchange.pairs import Pairs


def pay_as_clear(pairs: Pairs) -> Column:
    """Return each trade's rate: that of the order filled in part, or else the middle of the interval."""
    return pairs.price
