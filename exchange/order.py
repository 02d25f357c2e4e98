"""An order as its signer signed it, and the digest that is its name.

Typed data (EIP-712) under the domain of the settlement contract. The upper half of the salt is the epoch of the
account, so that its holder can void everything signed before; the lower half tells equal orders apart.
"""

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

from exchange.delivery import Product, SessionKey
from exchange.preferences import Preferences
from exchange.units import MAX_ENERGY, MAX_RATE, MIN_RATE, MicroPerKwh, Nano, Wh, amount
from identity.address import Address
from identity.hashing import keccak
from identity.typed_data import digest

ORDER_TYPE = (
    "Order(address asset,uint32 market,uint8 product,uint8 side,uint40 deliveryStart,uint48 energyWh,"
    "int48 limitMicroPerKwh,bytes32 preferences,uint40 validUntil,uint64 salt)"
)
CANCELLATION_TYPE = "Cancellation(bytes32 order)"

_ORDER_TYPE_HASH = keccak(ORDER_TYPE.encode())
_CANCELLATION_TYPE_HASH = keccak(CANCELLATION_TYPE.encode())

_words = Struct(">32s 12x20s 28xI 31xB 31xB 24xQ 24xQ 24sq 32s 24xQ 24xQ").pack
"""An order's words at one go, since each incoming order is hashed: padded to 32 bytes, the limit in two parts."""

_NEGATIVE = bytes((255,)) * 24
"""What stands before a negative limit, so that the word is its two's complement."""

NO_PREFERENCES = bytes(32)


class Side(IntEnum):
    """Which way the energy goes; the number stands in the signed order."""

    BID = 0
    OFFER = 1

    __hash__ = int.__hash__  # an enumeration's own is slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A limit order of one asset for one delivery period.

    A bid's limit covers what the seller gets and every fee. Raises `ValueError` for values that no field can hold.
    """

    asset: Address
    market: int
    product: Product
    side: Side
    delivery_start: int
    energy: Wh
    limit: MicroPerKwh
    valid_until: int
    salt: int
    preferences: bytes = NO_PREFERENCES

    def __post_init__(self) -> None:
        if len(self.asset) != 20:
            raise ValueError("an asset is named by twenty bytes")
        if not 0 <= self.market < 1 << 32:
            raise ValueError("a market's number has 32 bits")
        if not 0 < self.energy <= MAX_ENERGY:
            raise ValueError("an order is for a positive amount of energy, below 2^48 Wh")
        if not MIN_RATE <= self.limit <= MAX_RATE:
            raise ValueError("a limit has 48 bits")
        if not 0 <= self.delivery_start < 1 << 40 or not 0 <= self.valid_until < 1 << 40:
            raise ValueError("an instant is a non-negative number of seconds with 40 bits")
        if not 0 <= self.salt < 1 << 64:
            raise ValueError("a salt has 64 bits")
        if len(self.preferences) != 32:
            raise ValueError("preferences are named by a 32-byte hash")

    @property
    def session(self) -> SessionKey:
        """The session this order is for."""
        return SessionKey(self.market, self.product, self.delivery_start)

    @property
    def epoch(self) -> int:
        """The epoch of the account in which this order was signed."""
        return self.salt >> 32

    @property
    def most_it_can_cost(self) -> Nano:
        """What the order can cost its account at worst: a bid its limit, an offer only below zero."""
        return self.can_cost(self.energy)

    def can_cost(self, energy: Wh) -> Nano:
        """Return what so much of the order can cost its account at worst."""
        worst = self.limit if self.side is Side.BID else -self.limit
        return amount(energy, MicroPerKwh(max(worst, 0)))

    def struct_hash(self) -> bytes:
        """Return the EIP-712 struct hash."""
        return keccak(
            _words(
                _ORDER_TYPE_HASH,
                self.asset,
                self.market,
                self.product,
                self.side,
                self.delivery_start,
                self.energy,
                _NEGATIVE if self.limit < 0 else b"",
                self.limit,
                self.preferences,
                self.valid_until,
                self.salt,
            )
        )

    def digest(self, separator: bytes) -> bytes:
        """Return the order's name: what is signed under the domain with this separator."""
        return digest(separator, self.struct_hash())


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order with the compact signature (EIP-2098) of its digest, and what the hash of its preferences stands for."""

    order: Order
    signature: bytes
    preferences: Preferences | None = None


def cancellation_digest(order: bytes, separator: bytes) -> bytes:
    """Return what is signed to cancel the order with the digest `order`."""
    return digest(separator, keccak(_CANCELLATION_TYPE_HASH + order))
