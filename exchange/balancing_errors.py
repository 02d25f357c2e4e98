"""What this room refuses of balancing, besides what it refuses of every order.

    ExchangeRefused
    ├── OrderRejected
    │   ├── NoBalancingHere       no-balancing-here
    │   ├── RateNotExact          rate-not-exact
    │   └── BeyondHeadroom        beyond-headroom
    │       └── NoStateOfCharge   no-state-of-charge
    ├── ChargeOutOfBounds         charge-out-of-bounds
    └── ChargeOvertaken           charge-overtaken

Who is no provider, asks too much or does not procure for a node is refused by the identity room.
"""

from exchange.errors import ExchangeRefused, OrderRejected


class NoBalancingHere(OrderRejected):
    """The community has not enabled a balancing market."""

    code = "no-balancing-here"

    def __init__(self) -> None:
        super().__init__("this community has no balancing market: ENABLE_BALANCING_MARKET is false")


class RateNotExact(OrderRejected):
    """The price of a balancing offer gives no whole rate: name the limit instead."""

    code = "rate-not-exact"

    def __init__(self, price: int, energy: int) -> None:
        super().__init__(f"{price} nano for {energy} Wh are no whole number of µ/kWh")
        self.price = price
        self.energy = energy


class BeyondHeadroom(OrderRejected):
    """The asset cannot do what is offered beside what it has traded and promised; `bound` names the figure that binds.

    `headroom` is what it can still promise in that direction (Wh), `slot` the delivery in which it would run short.
    """

    code = "beyond-headroom"

    def __init__(self, asset: str, *, energy: int, headroom: int, bound: str, figure: int, slot: int) -> None:
        super().__init__(
            f"asset {asset} offers {energy} Wh and can promise {headroom} Wh more: "
            f"{bound} is {figure} Wh in the slot that begins at {slot}"
        )
        self.asset = asset
        self.energy = energy
        self.headroom = headroom
        self.bound = bound
        self.figure = figure
        self.slot = slot


class NoStateOfCharge(BeyondHeadroom):
    """The asset stores energy, and nobody who may sign for it has stated how much, as of the slot or before."""

    code = "no-state-of-charge"

    def __init__(self, asset: str, *, energy: int, slot: int) -> None:
        super().__init__(asset, energy=energy, headroom=0, bound="stored energy that was stated", figure=0, slot=slot)


class ChargeOutOfBounds(ExchangeRefused):
    """The state of charge is none that the asset can have, or is for no instant at which a delivery period begins."""

    code = "charge-out-of-bounds"


class ChargeOvertaken(ExchangeRefused):
    """A state of charge of this asset with the same or a higher serial is held."""

    code = "charge-overtaken"

    def __init__(self, serial: int, held: int) -> None:
        super().__init__(f"the statement has the serial {serial}, and {held} is held")
        self.serial = serial
        self.held = held
