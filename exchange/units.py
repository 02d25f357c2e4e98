"""Whole numbers with a unit. The only pure module that divides, and it says how it rounds.

energy: watt-hours. rate: millionths of the currency per kWh, may be negative. amount: billionths of the currency.
1 Wh at 1 µ/kWh costs exactly 1 nano, so no trade is ever rounded.
"""

from typing import NewType

Wh = NewType("Wh", int)
MicroPerKwh = NewType("MicroPerKwh", int)
Nano = NewType("Nano", int)

MAX_ENERGY = Wh((1 << 48) - 1)
"""The most energy an order can name: its field on the chain is 48 bits wide."""

LEAST_ENERGY = Wh(1)
"""The least energy an order can name."""

NO_ENERGY = Wh(0)
"""Nothing drawn, nothing fed in."""

MAX_RATE = MicroPerKwh((1 << 47) - 1)
"""The highest rate an order can name: 48 bits, two's complement."""

MIN_RATE = MicroPerKwh(-(1 << 47))
"""The lowest rate an order can name."""

NOTHING = MicroPerKwh(0)
"""The rate of what costs nothing."""

MILLION = 1_000_000

NANO_PER_CENT = 10_000_000
NANO_PER_MICRO = 1_000


def amount(energy: Wh, rate: MicroPerKwh) -> Nano:
    """Return what `energy` costs at `rate`: exact, since 1 Wh at 1 µ/kWh is 1 nano."""
    return Nano(energy * rate)


def midpoint(low: MicroPerKwh, high: MicroPerKwh) -> MicroPerKwh:
    """Return the rate halfway between two rates, rounded down (towards minus infinity) to a whole µ/kWh."""
    return MicroPerKwh((low + high) // 2)


def share(rate: int, ppm: int) -> MicroPerKwh:
    """Return `ppm` millionths of a rate that is not negative, rounded half-up to a whole µ/kWh."""
    return MicroPerKwh((rate * ppm + 500_000) // 1_000_000)


def spread(energy: Wh, parts: int) -> Wh:
    """Return what falls into each of `parts` equal parts of a time at most, if energy is spread evenly: rounded up."""
    return Wh(-(-energy // parts))


def energy_at(power_w: int, seconds: int) -> Wh:
    """Return the energy that a power gives in some seconds, rounded down."""
    return Wh(power_w * seconds // 3_600)


def whole_wh(millionths: int) -> tuple[Wh, int]:
    """Return millionths of a Wh as whole Wh, rounded down, and the millionths left over: nothing is lost."""
    whole, rest = divmod(millionths, MILLION)
    return Wh(whole), rest


def rank(ppm: int, count: int) -> int:
    """Return the place, from 0, of the least of `count` ascending values that `ppm` millionths do not exceed."""
    return max(-(-count * ppm // MILLION) - 1, 0)


def rate_of(total: Nano, energy: Wh) -> MicroPerKwh | None:
    """Return the rate at which `energy` costs exactly `total`; none where no whole µ/kWh does."""
    rate, rest = divmod(total, energy)
    return None if rest else MicroPerKwh(rate)


def portion(energy: Wh, ppm: int) -> Wh:
    """Return `ppm` millionths of energy that is not negative, rounded down to a whole Wh."""
    return Wh(energy * ppm // 1_000_000)


def to_decimal(value: int, places: int) -> str:
    """Return a whole number of 10^-`places` units as exact decimal text: nothing is rounded."""
    whole, rest = divmod(abs(value), 10**places)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{rest:0{places}d}" if places else f"{sign}{whole}"


def in_cents(value: Nano) -> int:
    """Return an amount in whole cents for display, rounded half away from zero."""
    cents, rest = divmod(abs(value), NANO_PER_CENT)
    cents += rest * 2 >= NANO_PER_CENT
    return -cents if value < 0 else cents


def per_kwh(total: Nano, energy: Wh) -> MicroPerKwh | None:
    """Return the average rate of `energy` that cost `total`, rounded down; none for no energy. For display."""
    return MicroPerKwh(total // energy) if energy else None


def slice_of(energy: Wh, parts: int, place: int) -> Wh:
    """Return what falls into the part at `place` (from 0) of energy spread evenly: whole Wh, the first get more.

    All parts together are the energy, and no part shrinks as the energy grows.
    """
    return Wh((energy + parts - 1 - place) // parts)
