"""The forecasts of all assets, by slot, and how much of them is still to be ordered.

What an asset has on order on one side, and what it has matched on that side, over all products, is never more in any
slot than its forecast for the slot was when the last of it was ordered. What has no forecast orders nothing: an asset
that is to stand still is forecast with nothing, one that nobody knows anything about is not taken at its word.
"""

from collections.abc import Iterable, Mapping

from exchange.delivery import BALANCING, Market
from exchange.errors import BeyondForecast, NoForecast
from exchange.events import ForecastSet, OrderAccepted
from exchange.forecast import Forecast
from exchange.notice_errors import ForecastOutOfBounds, ForecastOvertaken, ForecastsNotTaken
from exchange.order import Order, Side
from exchange.positions import Positions, slots_of
from exchange.units import Wh, slice_of
from identity.address import Address, to_text
from identity.registry import Registry
from identity.signature import recover

MOST_SLOTS = 1_000
"""So many slots may one forecast be for: more than ten days of quarter-hours."""

_DAY_SECONDS = 86_400


class Forecasts:
    """Forecasts by asset and slot, of which the newest counts, and the open orders that draw on them.

    `slot` is the seconds of a slot, `markets` are the products by number. Unless forecasts `bind` in the community,
    none is taken, and no order is counted or refused.
    """

    def __init__(self, markets: Mapping[int, Market], slot: int, *, bind: bool) -> None:
        self._bind = bind
        self._markets = markets
        self._slot = slot
        self._by_digest: dict[bytes, ForecastSet] = {}
        self._by_asset: dict[Address, list[ForecastSet]] = {}
        self._in_force: dict[Address, dict[int, ForecastSet]] = {}
        self._open: dict[tuple[Address, Side], dict[int, int]] = {}
        self._forgotten = 0

    # Forecasts

    def decide(
        self, forecast: Forecast, signature: bytes, *, separator: bytes, registry: Registry, sequence: int, now: int
    ) -> ForecastSet | None:
        """Decide on a signed forecast; nothing is to be done for one that was taken before.

        It counts for orders from the one with the number `sequence` on. Refuses one that nobody signed who may trade
        for the asset now, and what `must_follow` refuses.
        """
        if not self._bind:
            raise ForecastsNotTaken
        digest = forecast.digest(separator)
        signer = recover(digest, signature)
        if digest in self._by_digest:
            return None
        standing = registry.judge(forecast.asset, signer, forecast.epoch, now)
        self.must_follow(forecast, now)
        return ForecastSet(
            digest=digest,
            forecast=forecast,
            signature=signature,
            signer=signer,
            account=standing.account.number,
            sequence=sequence,
            at=now,
        )

    def must_follow(self, forecast: Forecast, now: int) -> None:
        """Refuse a forecast that is for no slots of the near future, or is older than what is held for one of them."""
        slot = self._slot
        if forecast.start % slot or forecast.seconds % slot or len(forecast.slots(slot)) > MOST_SLOTS:
            raise ForecastOutOfBounds(
                f"it is for one to {MOST_SLOTS} slots of {slot} s, from the first second of one on"
            )
        if forecast.end <= now:
            raise ForecastOutOfBounds(f"its time was over at {forecast.end}")
        last = now + max(market.opening + market.period for market in self._markets.values())
        if forecast.end > last:
            raise ForecastOutOfBounds(f"nothing beyond {last} is traded yet")
        in_force = self._in_force.get(forecast.asset, {})
        for at in forecast.slots(slot):
            if at in in_force and in_force[at].forecast.serial >= forecast.serial:
                raise ForecastOvertaken(forecast.serial, in_force[at].forecast.serial, at)

    def held(self, digest: bytes) -> ForecastSet | None:
        """Return the forecast with this name, if it was taken and is not forgotten."""
        return self._by_digest.get(digest)

    def set(self, event: ForecastSet) -> None:
        """Have a forecast count from here on."""
        forecast = event.forecast
        self._by_digest[event.digest] = event
        self._by_asset.setdefault(forecast.asset, []).append(event)
        in_force = self._in_force.setdefault(forecast.asset, {})
        for at in forecast.slots(self._slot):
            in_force[at] = event

    def in_force(self, asset: Address, begin: int, end: int) -> list[tuple[int, ForecastSet]]:
        """Return the forecasts that count for an asset, with their slots from `begin` up to `end`."""
        return [(at, event) for at, event in sorted(self._in_force.get(asset, {}).items()) if begin <= at < end]

    def behind(self, orders: Iterable[OrderAccepted]) -> tuple[ForecastSet, ...]:
        """Return the forecasts that the orders of one session were held to, in the order they were taken."""
        last = {accepted.signed.order.asset: accepted for accepted in orders if self._binds(accepted.signed.order)}
        found = []
        for asset, accepted in last.items():
            slots = slots_of(accepted.signed.order.session, self._markets, self._slot)
            for event in self._by_asset.get(asset, ()):
                meets = event.forecast.start < slots.stop and event.forecast.end > slots.start
                if meets and event.sequence <= accepted.receipt.sequence:
                    found.append(event)
        return tuple(sorted(found, key=lambda event: (event.sequence, event.forecast.asset)))

    # Orders

    def check(self, order: Order, positions: Positions) -> None:
        """Refuse an order that would have its asset draw or feed in more than was forecast, in any of its slots."""
        if not self._binds(order):
            return
        slots = slots_of(order.session, self._markets, self._slot)
        in_force = self._in_force.get(order.asset, {})
        on_order = self._open.get((order.asset, order.side), {})
        for place, at in enumerate(slots):
            energy = slice_of(order.energy, len(slots), place)
            if not energy:
                continue
            if at not in in_force:
                raise NoForecast(to_text(order.asset), at)
            most = in_force[at].forecast.energy(order.side, at, self._slot)
            used = on_order.get(at, 0) + positions.of(order.asset, at).of(order.side)
            if used + energy > most:
                raise BeyondForecast(slot=at, forecast=most, used=used, energy=energy)

    def add(self, order: Order) -> None:
        """Count an order that was taken."""
        self._count(order, order.energy, 1)

    def reduce(self, order: Order, *, to: Wh) -> None:
        """Count of an order that was taken back only what had been matched of it."""
        self._count(order, order.energy, -1)
        self._count(order, to, 1)

    def remove(self, order: Order, energy: Wh) -> None:
        """Count what stood of an order no longer: its session is cleared, what it was matched with is in positions."""
        self._count(order, energy, -1)

    def forget(self, before: int) -> None:
        """Let go of forecasts whose time was over before an instant; once a day is often enough."""
        if not self._bind or before < self._forgotten + _DAY_SECONDS:
            return
        self._forgotten = before
        for asset, events in list(self._by_asset.items()):
            kept = [event for event in events if event.forecast.end > before]
            if len(kept) == len(events):
                continue
            for event in events:
                if event.forecast.end <= before:
                    del self._by_digest[event.digest]
            in_force = {at: event for at, event in self._in_force[asset].items() if event.forecast.end > before}
            if kept:
                self._by_asset[asset], self._in_force[asset] = kept, in_force
            else:
                del self._by_asset[asset], self._in_force[asset]

    def _binds(self, order: Order) -> bool:
        """Whether an order is held to forecasts: who balances is to do other than was forecast."""
        return self._bind and order.product not in BALANCING

    def _count(self, order: Order, energy: Wh, sign: int) -> None:
        if not self._binds(order):
            return
        slots = slots_of(order.session, self._markets, self._slot)
        on_order = self._open.setdefault((order.asset, order.side), {})
        for place, at in enumerate(slots):
            left = on_order.get(at, 0) + sign * slice_of(energy, len(slots), place)
            assert left >= 0, "no more is taken off than was put on"
            if left:
                on_order[at] = Wh(left)
            else:
                on_order.pop(at, None)
        if not on_order:
            del self._open[order.asset, order.side]
