"""What an imbalance costs: one or two published prices, and a band within which nothing is charged.

Per asset and slot, never per trade: whoever sold to three buyers and delivered less is short once. An amount is signed
from the account's side. Who is short pays the short price; who is long gets the long price, or pays, where that is
negative. With one price for both, deviations that cancel out cost nobody anything. The other side of every charge is
the community's counterpart account, so the sum of all is zero.
"""

from dataclasses import dataclass

from exchange.units import MAX_RATE, MIN_RATE, NO_ENERGY, NOTHING, MicroPerKwh, Nano, Wh, amount, portion


@dataclass(frozen=True, slots=True)
class Prices:
    """What a kWh short costs, and what a kWh long earns, in one slot (µ/kWh)."""

    short: MicroPerKwh
    long: MicroPerKwh

    def __post_init__(self) -> None:
        if not MIN_RATE <= self.short <= MAX_RATE or not MIN_RATE <= self.long <= MAX_RATE:
            raise ValueError("a price has 48 bits")

    def of(self, energy: Wh) -> MicroPerKwh:
        """Return the price of an imbalance: by its sign."""
        return self.short if energy < 0 else self.long


NO_CHARGE = Prices(NOTHING, NOTHING)


@dataclass(frozen=True, slots=True)
class Band:
    """How far an asset may be off without a charge: so many Wh, or a part of what it promised, whichever is more."""

    energy: Wh = NO_ENERGY
    ppm: int = 0

    def __post_init__(self) -> None:
        if self.energy < 0 or not 0 <= self.ppm <= 1_000_000:
            raise ValueError("a tolerance band is not negative, and a part of what was promised")

    def around(self, promised: Wh) -> Wh:
        """Return the width of the band on either side; parts of a Wh are cut off."""
        return max(self.energy, portion(Wh(abs(promised)), self.ppm))


NO_BAND = Band()


def charged(unsettled: Wh, band: Wh) -> Wh:
    """Return what of a deviation is charged: only what lies beyond the band, with its sign."""
    beyond = max(abs(unsettled) - band, 0)
    return Wh(-beyond if unsettled < 0 else beyond)


def charge(energy: Wh, prices: Prices) -> Nano:
    """Return what an account gets for a charged imbalance (negative: what it pays): exact, as every amount."""
    return amount(energy, prices.of(energy))
