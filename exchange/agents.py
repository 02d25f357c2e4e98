"""Trading agents that ask for nothing but a better price than outside the market.

An agent knows what its asset will draw or feed in and what the alternative costs: a load bids its need up to what the
utility would charge, a generator offers its output from what the utility would pay, and the utility stands on both
sides at its own rates. Nobody can be worse off than without the market, whatever the mechanism: one that pays as bid
leaves a buyer where it was, one that pays as offered a seller.
"""

from dataclasses import dataclass, replace

from exchange.delivery import Market
from exchange.order import Order, Side
from exchange.tree import Tree
from exchange.units import NOTHING, MicroPerKwh, Nano, Wh, amount
from identity.address import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """What energy costs (`sell`) and earns (`buy`) outside the market, as seen from one place in the tree.

    `fee` is what the nodes between there and the outside take of each kWh, on top of what the seller gets.
    """

    sell: MicroPerKwh
    buy: MicroPerKwh
    fee: MicroPerKwh = NOTHING

    def bill(self, drawn: Wh, fed_in: Wh) -> Nano:
        """Return the bill without a market: what is drawn at the selling rate and fee, less what is fed in."""
        return Nano(amount(drawn, MicroPerKwh(self.sell + self.fee)) - amount(fed_in, self.buy))

    def seen_from(self, node: int, outside: int, tree: Tree) -> "Alternative":
        """Return the alternative of who hangs on `node`, where the outside is sold and bought at the node `outside`."""
        return replace(self, fee=tree.fee(outside, node, self.sell))

    def seen_from_outside(self, outside: int, tree: Tree) -> "Alternative":
        """Return the alternative of who stands for the outside: its fee is that of the dearest way from a seller."""
        return replace(self, fee=max(tree.fee(node.number, outside, self.buy) for node in tree.nodes))


def need(asset: Address, energy: Wh, market: Market, start: int, alternative: Alternative, salt: int) -> Order:
    """Return a load's bid: as dear as the alternative, fees included."""
    return _order(asset, Side.BID, energy, MicroPerKwh(alternative.sell + alternative.fee), market, start, salt)


def output(asset: Address, energy: Wh, market: Market, start: int, alternative: Alternative, salt: int) -> Order:
    """Return a generator's offer: as cheap as the alternative."""
    return _order(asset, Side.OFFER, energy, alternative.buy, market, start, salt)


def supply(asset: Address, energy: Wh, market: Market, start: int, alternative: Alternative, salt: int) -> Order:
    """Return the utility's offer of what is missing."""
    return _order(asset, Side.OFFER, energy, alternative.sell, market, start, salt)


def take_up(asset: Address, energy: Wh, market: Market, start: int, alternative: Alternative, salt: int) -> Order:
    """Return the utility's bid for what is left over; its limit covers the fees of any way."""
    return _order(asset, Side.BID, energy, MicroPerKwh(alternative.buy + alternative.fee), market, start, salt)


def _order(asset: Address, side: Side, energy: Wh, limit: MicroPerKwh, market: Market, start: int, salt: int) -> Order:
    return Order(
        asset=asset,
        market=market.number,
        product=market.product,
        side=side,
        delivery_start=start,
        energy=energy,
        limit=limit,
        valid_until=market.gate_closure(start),
        salt=salt,
    )
