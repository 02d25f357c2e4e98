"""Own energy first: what an account's assets at one home use of each other's, before anything is traded."""

from collections.abc import Iterable

from exchange.clearing import OwnUse
from exchange.order import Side
from exchange.resting import Resting
from exchange.units import Wh


def own_use(orders: Iterable[Resting]) -> tuple[list[OwnUse], dict[bytes, Wh]]:
    """Allocate the orders of each account and home to each other, best limits first, whatever the limits are.

    Returns the allocations in ascending order of (bid, offer), and for every order by digest the energy that is left
    to trade. Afterwards an account has energy left on one side only at each of its homes.
    """
    left = {}
    bids: dict[tuple[int, int, str], list[Resting]] = {}
    offers: dict[tuple[int, int, str], list[Resting]] = {}
    for resting in sorted(orders, key=lambda resting: resting.merit):
        left[resting.digest] = resting.energy
        side = bids if resting.order.side is Side.BID else offers
        side.setdefault((resting.account, resting.node, resting.home), []).append(resting)
    uses = []
    for place, own_bids in bids.items():
        own_offers = iter(offers.get(place, ()))
        offer = next(own_offers, None)
        for bid in own_bids:
            while offer is not None and left[bid.digest]:
                energy = Wh(min(left[bid.digest], left[offer.digest]))
                uses.append(OwnUse(bid=bid.digest, offer=offer.digest, energy=energy))
                left[bid.digest] = Wh(left[bid.digest] - energy)
                left[offer.digest] = Wh(left[offer.digest] - energy)
                if not left[offer.digest]:
                    offer = next(own_offers, None)
    return sorted(uses, key=lambda use: (use.bid, use.offer)), left


def untouched(orders: Iterable[Resting]) -> tuple[list[OwnUse], dict[bytes, Wh]]:
    """As `own_use`, where own energy is not for own use: nothing is allocated, and all energy is left."""
    return [], {resting.digest: resting.energy for resting in orders}
