"""Agents of the balancing market: what loads, storages and power plants offer, and how a node's need is bid.

Each offers at the rate it is certified for: supply (up) or demand (down). An offer is of energy that the asset has
traded on spot or could still give or take, and comes after spot is cleared: no asset holds back any of its spot need,
and no award takes energy from it. Ratios are the community's (`exchange/balancing_settings.py`), in ppm; what is left
of a Wh is not offered. `room` is the asset's headroom (`exchange/headroom.py`), beyond which nothing is offered.
"""

from dataclasses import dataclass, replace

from exchange.balancing_admission import rate_for
from exchange.balancing_need import NOTHING_WANTED, Need, Policy, Seen, Wanted
from exchange.balancing_settings import BalancingSettings
from exchange.delivery import Market, Product
from exchange.headroom import StoredEnergy
from exchange.order import Order, Side
from exchange.parameters import Parameters
from exchange.units import MicroPerKwh, Wh, portion
from identity.address import Address
from identity.claim_data import BalancingRates


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancingMarkets:
    """Where an agent orders: the two balancing markets, the delivery period, and what tells its orders apart."""

    up: Market
    down: Market
    start: int
    salt: int

    @classmethod
    def of(cls, parameters: Parameters, start: int, salt: int) -> "BalancingMarkets":
        """Return the balancing markets of a community that has them."""
        by_product = {market.product: market for market in parameters.markets}
        return cls(up=by_product[Product.BALANCING_UP], down=by_product[Product.BALANCING_DOWN], start=start, salt=salt)

    def offers(self, asset: Address, energy: Need, rates: BalancingRates) -> list[Order]:
        """Return the offers of so much in each direction at the certified rates; none of nothing."""
        return [
            self._order(asset, Side.OFFER, wh, MicroPerKwh(rate_for(market.product, rates)), market)
            for market, wh in ((self.up, energy.up), (self.down, energy.down))
            if wh
        ]

    def bids(self, asset: Address, need: Need, most: MicroPerKwh) -> list[Order]:
        """Return a balancing agent's bids for its node's need: it pays at most `most`, fees included."""
        return [
            self._order(asset, Side.BID, wh, most, market)
            for market, wh in ((self.up, need.up), (self.down, need.down))
            if wh
        ]

    def _order(self, asset: Address, side: Side, energy: Wh, limit: MicroPerKwh, market: Market) -> Order:
        return Order(
            asset=asset,
            market=market.number,
            product=market.product,
            side=side,
            delivery_start=self.start,
            energy=energy,
            limit=limit,
            valid_until=market.gate_closure(self.start),
            salt=self.salt,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAgent:
    """The balancing agent of one node, from one delivery period to the next.

    It bids in the name of `asset`, pays at most `most` for a kWh, fees included, and carries what it could not get.
    """

    asset: Address
    policy: Policy
    most: MicroPerKwh
    carried: Wanted = NOTHING_WANTED

    def wanted(self, seen: Seen) -> Wanted:
        """Return what it wants for a delivery period, with what is carried."""
        return self.carried.plus(self.policy.wanted(seen))

    def bids(self, seen: Seen, markets: BalancingMarkets) -> list[Order]:
        """Return its bids, up and down, in whole Wh."""
        return markets.bids(self.asset, self.wanted(seen).need, self.most)

    def after(self, seen: Seen, got: Need) -> "NodeAgent":
        """Return the agent as the next period finds it, once so much of its bids was awarded."""
        return replace(self, carried=self.wanted(seen).less(got))


def load(need: Wh, bought: Wh, settings: BalancingSettings, room: Need) -> Need:
    """Return what a load offers: to take more by a ratio of its need, and to be shed by a ratio of what it bought.

    It offers to be shed only where the community supports flexible loads.
    """
    shed = portion(bought, settings.offer_supply_ratio) if settings.flexible_loads_support else Wh(0)
    return _within(shed, portion(need, settings.offer_demand_ratio), room)


def storage(stored: StoredEnergy, settings: BalancingSettings, room: Need) -> Need:
    """Return what a storage offers: ratios of what it holds (up), and of its free capacity (down)."""
    return _within(
        portion(stored.used, settings.offer_supply_ratio), portion(stored.buyable, settings.offer_demand_ratio), room
    )


def power_plant(room: Need) -> Need:
    """Return what a power plant offers: all of its spare capacity up, and nothing down."""
    return Need(up=room.up)


def _within(up: Wh, down: Wh, room: Need) -> Need:
    return Need(Wh(min(up, room.up)), Wh(min(down, room.down)))
