"""How full a storage is at an instant, as its asset says and signs.

Typed data (EIP-712) under the domain of the settlement contract, signed by the asset's owner or a delegate. The upper
half of the serial is the epoch of the account, as in an order's salt; the highest serial of an asset's counts.
"""

from dataclasses import dataclass

from exchange.units import MAX_ENERGY, Wh
from identity.address import Address
from identity.hashing import keccak
from identity.typed_data import digest, word

CHARGE_TYPE = "StateOfCharge(address asset,uint40 at,uint48 storedWh,uint48 leastWh,uint64 serial)"

_CHARGE_TYPE_HASH = keccak(CHARGE_TYPE.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class StateOfCharge:
    """What a storage holds when the slot that begins at `at` begins, and what must stay in it (Wh)."""

    asset: Address
    at: int
    stored: Wh
    least: Wh
    serial: int

    def __post_init__(self) -> None:
        if not 0 <= self.at < 1 << 40 or not 0 <= self.serial < 1 << 64:
            raise ValueError("an instant has 40 bits, a serial 64, and neither is below zero")
        if not 0 <= self.least <= self.stored <= MAX_ENERGY:
            raise ValueError("a storage holds no less than must stay in it, and below 2^48 Wh")

    @property
    def epoch(self) -> int:
        """The epoch of the account in which this was signed."""
        return self.serial >> 32

    def digest(self, separator: bytes) -> bytes:
        """Return what is signed under the domain with this separator."""
        numbers = b"".join(map(word, (self.at, self.stored, self.least, self.serial)))
        return digest(separator, keccak(_CHARGE_TYPE_HASH + bytes(12) + self.asset + numbers))
