"""What an asset can still promise to balance: power, energy and state of charge, beside what it has traded.

Spot and reserve together never ask more of an asset than its certified power gives in a slot, nor more than it has
stored or can still store. A reserve may be called wholly or not at all, so each is counted at its worst: up as if no
down were called, and down as if no up were. All pure; the caller brings what was traded, promised and stated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from exchange.delivery import Product
from exchange.units import NO_ENERGY, Wh, energy_at
from identity.claim_data import AssetKind, AssetProperties, EnergyType

_DRAWS = frozenset(
    {
        AssetKind.LOAD,
        AssetKind.HEAT_PUMP,
        AssetKind.EV_CHARGER,
        AssetKind.STORAGE,
        AssetKind.METER,
        AssetKind.MARKET_MAKER,
    }
)
"""What can take energy of others."""

POWER = "power in a slot"
SHED = "energy it draws"
CURTAILED = "energy it feeds in"
STORED = "stored energy"
FREE = "free capacity"


@dataclass(frozen=True, slots=True)
class StoredEnergy:
    """How full a storage is when a slot begins: what is in it, what must stay in it, what it holds (Wh)."""

    used: Wh
    least: Wh
    capacity: Wh

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.used <= self.capacity:
            raise ValueError("a storage holds no less than must stay in it, and no more than its capacity")

    @property
    def sellable(self) -> Wh:
        """What can be taken out."""
        return Wh(self.used - self.least)

    @property
    def buyable(self) -> Wh:
        """What can be put in."""
        return Wh(self.capacity - self.used)


@dataclass(frozen=True, slots=True)
class Use:
    """What an asset has agreed on for one slot: net energy it feeds in (below zero: draws), reserves up and down (Wh).

    `start` is the slot's first second.
    """

    start: int
    net: int = 0
    up: Wh = NO_ENERGY
    down: Wh = NO_ENERGY


class Headroom(NamedTuple):
    """What can still be promised (Wh), what it is bound by, that figure itself (Wh), and the slot where it binds."""

    energy: Wh
    bound: str
    figure: int
    slot: int


def headroom(
    product: Product,
    asset: AssetProperties,
    slot_seconds: int,
    uses: Sequence[Use],
    slot: int,
    stored: StoredEnergy | None = None,
) -> Headroom:
    """Return what `asset` can still promise of a balancing product in the slot that begins at `slot`.

    `uses` are, in their order, that slot and whatever else the asset has agreed on from the moment of `stored` on,
    which is what it holds then; none for an asset that stores nothing.
    """
    (now,) = (use for use in uses if use.start == slot)
    most = energy_at(asset.power_w, slot_seconds)
    if product is Product.BALANCING_UP:
        bounds = [_up(now, most, asset)]
        if stored is not None:
            bounds += _levels(STORED, stored.sellable, [(use.start, use.net + use.up) for use in uses], slot)
    else:
        bounds = [_down(now, most, asset)]
        if stored is not None:
            bounds += _levels(FREE, stored.buyable, [(use.start, use.down - use.net) for use in uses], slot)
    return min(bounds, key=lambda bound: bound.energy)


def _up(now: Use, most: Wh, asset: AssetProperties) -> Headroom:
    """Return how much more the asset can feed in, or draw less: what feeds nothing in can only be shed."""
    if asset.energy_type is EnergyType.NONE:
        return _bound(-now.net - now.up, SHED, max(-now.net, 0), now.start)
    return _bound(most - now.net - now.up, POWER, most, now.start)


def _down(now: Use, most: Wh, asset: AssetProperties) -> Headroom:
    """Return how much more the asset can draw, or feed in less: what draws nothing can only be curtailed."""
    if asset.kind not in _DRAWS:
        return _bound(now.net - now.down, CURTAILED, max(now.net, 0), now.start)
    return _bound(most + now.net - now.down, POWER, most, now.start)


def _levels(bound: str, begin: Wh, taken: Sequence[tuple[int, int]], slot: int) -> list[Headroom]:
    """Return what is left of `begin` after each slot from `slot` on, in which a promise made there is missing."""
    bounds, level = [], int(begin)
    for start, energy in taken:
        level -= energy
        if start >= slot:
            bounds.append(_bound(level, bound, begin, start))
    return bounds


def _bound(energy: int, bound: str, figure: int, slot: int) -> Headroom:
    return Headroom(Wh(max(energy, 0)), bound, figure, slot)


def allocated(whole: Wh, per_slot: Wh, slots: int) -> list[Wh]:
    """Return how much of `whole` fits into each of `slots`, the earliest first, at most `per_slot` in each."""
    shares = []
    for _ in range(slots):
        share = Wh(min(whole, per_slot))
        shares.append(share)
        whole = Wh(whole - share)
    return shares
