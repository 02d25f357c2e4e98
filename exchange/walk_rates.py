"""Pay-as-clear at one node of a walk: one rate for plain trades, and the nearest to it where preferences have a say.

All rates are those at the node. A plain trade is one between orders without preferences. Plain bids take plain offers
cheapest first and dearest bid first, so they have one rate that suits all: that of the order that was filled in part,
else the middle of the interval. Orders with preferences do not set it, since they are not free to choose.
"""

from exchange.units import MicroPerKwh, midpoint
from exchange.walk_meet import Buyers, Deals, Stall


def one_rate(
    ranked: list[int], rate: list[int], buyers: Buyers, stall: Stall, is_plain: list[bool], deals: Deals
) -> int | None:
    """Return the one rate of plain trades, or none where there are none; `rate` is by row, `is_plain` by offer.

    low: the dearest plain offer that trades so, and the dearest plain bid that has something left. high: the cheapest
    plain bid that trades so, and the cheapest plain offer that has something left. What is filled in part is both, so
    it pins the interval. Only where orders of one account cross, which no book takes, low can come to lie above high;
    then what is left over has no say.
    """
    alternative, bid_of, left = buyers.rows.alternative, buyers.rows.bid, buyers.left
    offer_rate, place_of = stall.rate, stall.offer
    plain = [
        (offer_rate[rank], rate[row])
        for row, rank in zip(deals.row, deals.rank, strict=True)
        if alternative[row] is None and is_plain[place_of[rank]]
    ]
    if not plain:
        return None
    sold, bought = max(asked for asked, _ in plain), min(offered for _, offered in plain)
    left_bid = next((rate[row] for row in ranked if left[bid_of[row]] and alternative[row] is None), sold)
    left_offer = next(
        (offer_rate[rank] for rank, place in enumerate(place_of) if stall.left[rank] and is_plain[place]), bought
    )
    low, high = max(sold, left_bid), min(bought, left_offer)
    return _middle(low, high) if low <= high else _middle(sold, bought)


def rates_at_one_rate(price: int | None, asked: list[int], offered: list[int]) -> list[int]:
    """Return the rate of each deal, of what is asked and offered: `price`, or the nearest that both sides allow;
    without a price, the middle.
    """
    if price is None:
        return list(map(_middle, asked, offered))
    return [min(max(price, low), high) for low, high in zip(asked, offered, strict=True)]


def _middle(low: int, high: int) -> int:
    return midpoint(MicroPerKwh(low), MicroPerKwh(high))
