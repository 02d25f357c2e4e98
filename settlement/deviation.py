"""How far what an asset did is from what it promised: per asset and slot, never per trade.

**Net is what is fed in minus what is drawn.** So a deviation above zero is surplus, long, and below zero is shortfall,
short, of producers and consumers alike. What is traded after delivery takes from it; the rest is imbalance.
"""

from dataclasses import dataclass

from exchange.order import Side
from exchange.units import Wh
from settlement.contracted import Obligation


@dataclass(frozen=True, slots=True)
class Deviation:
    """One asset in one slot: what was metered, and what it is held against."""

    metered: Wh
    obligation: Obligation

    @property
    def energy(self) -> Wh:
        """Metered less contracted and activated: positive is surplus, negative is shortfall."""
        return Wh(self.metered - self.obligation.promised)

    @property
    def unsettled(self) -> Wh:
        """What is left of the deviation after trades after delivery: what was sold then was surplus."""
        return Wh(self.energy - self.obligation.after_delivery)

    @property
    def side(self) -> Side | None:
        """How what is left may be traded after delivery: surplus is offered, shortfall is bid for."""
        if self.unsettled == 0:
            return None
        return Side.OFFER if self.unsettled > 0 else Side.BID
