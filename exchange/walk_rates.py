"""Pay-as-clear on a walk: one rate a node for plain trades, and the nearest to it where preferences have a say.

All rates are those at the node. A plain trade is one between orders without preferences. Plain bids take plain offers
cheapest first and dearest bid first, so they have one rate that suits all: that of the order that was filled in part,
else the middle of the interval. Orders with preferences do not set it, since they are not free to choose.
"""

from dataclasses import dataclass

import numpy as np

from exchange.auction import Column
from exchange.walk_stall import OUT_OF_REACH, Present


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """The one rate of plain trades by place of the node, at those nodes in `places`, which have such trades."""

    rate: Column
    places: Column


def one_rates(asked: Present, offered: Present, unsold: Present, unserved: Present, nodes: int) -> Prices:
    """Return the one rate of each node that has plain trades.

    `asked` and `offered` are the two sides of plain trades, `unsold` and `unserved` plain offers and bids that have
    something left. low: the dearest that is asked, and the dearest bid that is not served. high: the cheapest that is
    offered, and the cheapest offer that is not sold. What is filled in part is both, so it pins the interval. Only
    where orders of one account cross, which no book takes, low can come to lie above high; then what is left over has
    no say.
    """
    sold, bought = np.full(nodes, -OUT_OF_REACH), np.full(nodes, OUT_OF_REACH)
    np.maximum.at(sold, asked.node, asked.rate)
    np.minimum.at(bought, offered.node, offered.rate)
    low, high = sold.copy(), bought.copy()
    np.maximum.at(low, unserved.node, unserved.rate)
    np.minimum.at(high, unsold.node, unsold.rate)
    crossed = low > high
    rate = middle(np.where(crossed, sold, low), np.where(crossed, bought, high))
    return Prices(rate, np.unique(asked.node))


def rates_at_one_rate(prices: Prices, node: Column, asked: Column, offered: Column) -> Column:
    """Return the rate of each deal, of what is asked and offered: the node's one rate, or the nearest that both sides
    allow; at nodes without one, the middle.
    """
    has_rate = np.zeros(len(prices.rate), dtype=np.bool_)
    has_rate[prices.places] = True
    nearest = np.minimum(np.maximum(prices.rate[node], asked), offered)
    return np.where(has_rate[node], nearest, middle(asked, offered))


def middle(low: Column, high: Column) -> Column:
    """Return `units.midpoint` of columns: an arithmetic shift rounds down, as it does."""
    return (low + high) >> 1
