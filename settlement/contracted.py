"""What assets agreed to deliver and to take: net Wh by asset and slot, from published books.

**Net is what is fed in minus what is drawn**, so what is sold counts up and what is bought counts down. Own energy
counts like a trade. What an order of a longer product was filled with is spread over its slots as positions have it
(`exchange/positions.py`): evenly, whole Wh, with the remainder in the first slots.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exchange.book import Book
from exchange.delivery import Product
from exchange.order import Side
from exchange.positions import fills_of, slots_of
from exchange.units import NO_ENERGY, Wh, slice_of
from identity.address import Address

_DELIVERED = frozenset({Product.SPOT, Product.FORWARD})
"""The products that are delivered as traded; of a reserve only what is activated is."""

Place = tuple[Address, int]
"""An asset, and the start of a slot (unix seconds)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """What an asset is held against in one slot, each as a net: contracts, activations, and trades after delivery."""

    contracted: Wh = NO_ENERGY
    activated: Wh = NO_ENERGY
    after_delivery: Wh = NO_ENERGY

    @property
    def promised(self) -> Wh:
        """What the asset was to deliver, by contract and by call."""
        return Wh(self.contracted + self.activated)


NOTHING_AGREED = Obligation()


def contracted(books: Iterable[Book]) -> dict[Place, Wh]:
    """Return the contracted net of every asset that traded or used its own energy, by slot."""
    net: dict[Place, int] = {}
    for book in books:
        if book.key.product not in _DELIVERED:
            continue
        slots = slots_of(book.key, book.rules.calendar, book.rules.slot)
        orders = {order.digest: order.signed.order for order in book.orders}
        for digest, (_, filled) in fills_of(book.cleared.clearing).items():
            order = orders[digest]
            sign = 1 if order.side is Side.OFFER else -1
            for turn, start in enumerate(slots):
                place = order.asset, start
                net[place] = net.get(place, 0) + sign * slice_of(filled, len(slots), turn)
    return {place: Wh(energy) for place, energy in net.items()}


def accounts_in(books: Iterable[Book]) -> dict[Place, int]:
    """Return under which account each asset ordered, by slot; of several sessions the last one that began counts."""
    accounts: dict[Place, int] = {}
    for book in sorted(books, key=lambda book: (book.gate_opening, book.key.number)):
        slots = slots_of(book.key, book.rules.calendar, book.rules.slot)
        for order in book.orders:
            accounts.update(((order.signed.order.asset, start), order.account) for start in slots)
    return accounts


def obligations(
    agreed: Mapping[Place, Wh],
    activated: Mapping[Place, Wh] | None = None,
    after_delivery: Mapping[Place, Wh] | None = None,
) -> dict[Place, Obligation]:
    """Return what each asset is held against: contracts, activations of reserves and trades after delivery, as nets."""
    activated, after = activated or {}, after_delivery or {}
    return {
        place: Obligation(
            contracted=agreed.get(place, NO_ENERGY),
            activated=activated.get(place, NO_ENERGY),
            after_delivery=after.get(place, NO_ENERGY),
        )
        for place in {**agreed, **activated, **after}
    }
