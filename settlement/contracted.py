"""What assets agreed to deliver and to take: net Wh by asset and slot, from published books.

**Net is what is fed in minus what is drawn**, so what is sold counts up and what is bought counts down. A delivery
period of several slots is spread evenly over them, trade by trade: so buyer and seller agree on every slot, and each
slot's contracts sum to zero. Own energy counts like a trade.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exchange.book import Book
from exchange.delivery import Product
from exchange.units import NO_ENERGY, Wh, evenly
from identity.address import Address

_DELIVERED = frozenset({Product.SPOT, Product.FORWARD})
"""The products that are delivered as traded; of a reserve only what is activated is."""

Place = tuple[Address, int]
"""An asset, and the start of a slot (unix seconds)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What an asset is held against in one slot, each as a net: contracts, activations, and trades after delivery."""

    contracted: Wh = NO_ENERGY
    activated: Wh = NO_ENERGY
    after_delivery: Wh = NO_ENERGY

    @property
    def promised(self) -> Wh:
        """What the asset was to deliver, by contract and by call."""
        return Wh(self.contracted + self.activated)


NOTHING_AGREED = Position()


def contracted(books: Iterable[Book]) -> dict[Place, Wh]:
    """Return the contracted net of every asset that traded or used its own energy, by slot."""
    net: dict[Place, int] = {}
    for book in books:
        if book.key.product not in _DELIVERED:
            continue
        start, slot = book.key.delivery_start, book.rules.slot
        parts = len(range(0, book.market.period, slot))
        asset_of = {order.digest: order.signed.order.asset for order in book.orders}
        clearing = book.cleared.clearing
        moved = [(trade.offer, trade.bid, trade.energy) for trade in clearing.trades]
        moved += [(use.offer, use.bid, use.energy) for use in clearing.own_uses]
        for offer, bid, whole in moved:
            seller, buyer = asset_of[offer], asset_of[bid]
            for turn, energy in enumerate(evenly(whole, parts)):
                at = start + turn * slot
                net[seller, at] = net.get((seller, at), 0) + energy
                net[buyer, at] = net.get((buyer, at), 0) - energy
    return {place: Wh(energy) for place, energy in net.items()}


def accounts_in(books: Iterable[Book]) -> dict[Place, int]:
    """Return under which account each asset ordered, by slot; of several sessions the last one that began counts."""
    accounts: dict[Place, int] = {}
    for book in sorted(books, key=lambda book: (book.gate_opening, book.key.number)):
        slots = range(book.key.delivery_start, book.key.delivery_start + book.market.period, book.rules.slot)
        for order in book.orders:
            accounts.update(((order.signed.order.asset, start), order.account) for start in slots)
    return accounts


def positions(
    agreed: Mapping[Place, Wh],
    activated: Mapping[Place, Wh] | None = None,
    after_delivery: Mapping[Place, Wh] | None = None,
) -> dict[Place, Position]:
    """Return what each asset is held against: contracts, activations of reserves and trades after delivery, as nets."""
    activated, after = activated or {}, after_delivery or {}
    return {
        place: Position(
            contracted=agreed.get(place, NO_ENERGY),
            activated=activated.get(place, NO_ENERGY),
            after_delivery=after.get(place, NO_ENERGY),
        )
        for place in {**agreed, **activated, **after}
    }
