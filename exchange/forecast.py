"""A forecast: how much an asset will draw and feed in, as its owner or a delegate signed it.

Typed data (EIP-712) under the domain of the settlement contract. The upper half of the serial is the epoch of the
account, as in an order's salt; of two forecasts for one slot the one with the higher serial counts.
"""

from dataclasses import dataclass

from exchange.order import Side
from exchange.units import MAX_ENERGY, Wh, slice_of
from identity.address import Address
from identity.hashing import keccak
from identity.typed_data import address_word, digest, word

FORECAST_TYPE = (
    "Forecast(address asset,uint40 start,uint32 seconds,uint48 consumptionWh,uint48 productionWh,uint64 serial)"
)

_FORECAST_TYPE_HASH = keccak(FORECAST_TYPE.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What an asset will draw and feed in from `start` on for so many seconds, spread evenly over the slots in it.

    Raises `ValueError` for values that no field can hold.
    """

    asset: Address
    start: int
    seconds: int
    consumption: Wh
    production: Wh
    serial: int

    def __post_init__(self) -> None:
        if len(self.asset) != 20:
            raise ValueError("an asset is named by twenty bytes")
        if not 0 <= self.start < 1 << 40 or not 0 < self.seconds < 1 << 32:
            raise ValueError("a forecast begins at a second of 40 bits and lasts a positive number of 32 bits")
        if not 0 <= self.consumption <= MAX_ENERGY or not 0 <= self.production <= MAX_ENERGY:
            raise ValueError("forecast energy is not negative, and below 2^48 Wh")
        if not 0 <= self.serial < 1 << 64:
            raise ValueError("a serial has 64 bits")

    @property
    def end(self) -> int:
        """The first second it says nothing about."""
        return self.start + self.seconds

    @property
    def epoch(self) -> int:
        """The epoch of the account in which this forecast was signed."""
        return self.serial >> 32

    def slots(self, slot: int) -> range:
        """Return the slots it is for, given the seconds of one."""
        return range(self.start, self.end, slot)

    def energy(self, side: Side, at: int, slot: int) -> Wh:
        """Return what it says for the slot that begins at `at`: bids draw, offers feed in."""
        slots = self.slots(slot)
        return slice_of(self.consumption if side is Side.BID else self.production, len(slots), slots.index(at))

    def digest(self, separator: bytes) -> bytes:
        """Return the forecast's name: what is signed under the domain with this separator."""
        fields = (self.start, self.seconds, self.consumption, self.production, self.serial)
        return digest(separator, keccak(_FORECAST_TYPE_HASH + address_word(self.asset) + b"".join(map(word, fields))))
