"""What each asset has bought and sold in each delivery period, over all products: what it is to draw and to feed in.

Positions are kept by slot, the shortest delivery period. What an order of a longer product was filled with is spread
evenly over its slots: whole Wh, with the remainder in the first ones, so that the slots add up exactly. The more is
filled, the more falls into each slot, so no slot ever has more than the whole order would put there.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from exchange.clearing import Clearing
from exchange.delivery import BALANCING, Market, SessionKey
from exchange.events import OrderAccepted
from exchange.order import Side
from exchange.units import NO_ENERGY, Wh, slice_of
from identity.address import Address


class Position(NamedTuple):
    """Energy of one asset in one slot: traded, and own energy, taken of and given to assets of the same home."""

    bought: Wh = NO_ENERGY
    sold: Wh = NO_ENERGY
    own_taken: Wh = NO_ENERGY
    own_given: Wh = NO_ENERGY

    @property
    def into(self) -> Wh:
        """All that the asset is to draw."""
        return Wh(self.bought + self.own_taken)

    @property
    def out(self) -> Wh:
        """All that the asset is to feed in."""
        return Wh(self.sold + self.own_given)

    @property
    def net_sold(self) -> int:
        """What was sold less what was bought: over all assets it is zero, since every trade has two sides."""
        return self.sold - self.bought

    def of(self, side: Side) -> Wh:
        """What counts against the forecast of a side: bids draw, offers feed in."""
        return self.into if side is Side.BID else self.out

    def __bool__(self) -> bool:
        return any(self)

    def plus(self, other: "Position") -> "Position":
        """Return both together."""
        bought, sold, own_taken, own_given = other
        return Position(
            Wh(self.bought + bought),
            Wh(self.sold + sold),
            Wh(self.own_taken + own_taken),
            Wh(self.own_given + own_given),
        )


NO_POSITION = Position()


class Held(NamedTuple):
    """A position with whose it is: one asset's while it traded for one account."""

    slot: int
    account: int
    position: Position


class Positions:
    """Positions by slot, asset and account; `slot` is the seconds of one, `markets` are the products by number.

    An asset that was sold leaves to its former owner's account what that account has traded with it.
    """

    def __init__(self, markets: Mapping[int, Market], slot: int) -> None:
        self._markets = markets
        self._slot = slot
        self._held: dict[int, dict[Address, dict[int, Position]]] = {}
        self.kept_from = 0
        """The earliest slot of which positions are still held."""

    def note(self, key: SessionKey, orders: Mapping[bytes, OrderAccepted], clearing: Clearing) -> None:
        """Count what a session has matched. A promise to balance is no position: only what is called will be one."""
        if key.product in BALANCING:
            return
        slots = slots_of(key, self._markets, self._slot)
        for digest, (own, all_of_it) in fills_of(clearing).items():
            accepted = orders[digest]
            order = accepted.signed.order
            for place, slot in enumerate(slots):
                used = slice_of(own, len(slots), place)
                traded = Wh(slice_of(all_of_it, len(slots), place) - used)
                if traded or used:
                    more = Position(bought=traded, own_taken=used)
                    if order.side is Side.OFFER:
                        more = Position(sold=traded, own_given=used)
                    held = self._held.setdefault(slot, {}).setdefault(order.asset, {})
                    held[accepted.account] = held.get(accepted.account, NO_POSITION).plus(more)

    def of(self, asset: Address, slot: int) -> Position:
        """Return the position of an asset in one slot, over all accounts it has traded for."""
        whole = NO_POSITION
        for position in self._held.get(slot, {}).get(asset, {}).values():
            whole = whole.plus(position)
        return whole

    def between(self, asset: Address, begin: int, end: int) -> Iterator[Held]:
        """Yield the positions of an asset in the slots that begin from `begin` up to `end`, by slot and account."""
        for slot in sorted(slot for slot in self._held if begin <= slot < end):
            for account, position in sorted(self._held[slot].get(asset, {}).items()):
                yield Held(slot, account, position)

    def forget(self, before: int) -> None:
        """Let go of the slots that begin before an instant."""
        self.kept_from = max(self.kept_from, before)
        for slot in [slot for slot in self._held if slot < before]:
            del self._held[slot]


def slots_of(key: SessionKey, markets: Mapping[int, Market], slot: int) -> range:
    """Return the slots of a session's delivery."""
    return range(key.delivery_start, key.delivery_start + markets[key.market].period, slot)


def fills_of(clearing: Clearing) -> dict[bytes, tuple[Wh, Wh]]:
    """Return what each order was matched with: own energy, and all of it."""
    fills: dict[bytes, tuple[Wh, Wh]] = {}
    for use in clearing.own_uses:
        for digest in (use.bid, use.offer):
            own, whole = fills.get(digest, (NO_ENERGY, NO_ENERGY))
            fills[digest] = Wh(own + use.energy), Wh(whole + use.energy)
    for trade in clearing.trades:
        for digest in (trade.bid, trade.offer):
            own, whole = fills.get(digest, (NO_ENERGY, NO_ENERGY))
            fills[digest] = own, Wh(whole + trade.energy)
    return fills
