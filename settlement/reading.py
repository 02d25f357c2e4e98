"""What a meter reads of one asset in one slot, as its key signs it, and the digest that is the reading's name.

Typed data (EIP-712) under the domain of the settlement contract. **Net is what is fed in minus what is drawn**: a load
is negative, a roof positive. Version 1 is the first word about a slot, a higher one corrects it.
"""

from dataclasses import dataclass
from struct import Struct

from exchange.units import Wh
from identity.address import Address, to_text
from identity.hashing import keccak
from identity.typed_data import digest

READING_TYPE = "Reading(address asset,uint40 start,uint32 seconds,int64 netWh,uint64 version)"

_TYPE_HASH = keccak(READING_TYPE.encode())
_words = Struct(">32s 12x20s 24xQ 28xI 24sq 24xQ").pack
_NEGATIVE = bytes((255,)) * 24
"""What stands before a negative net, so that the word is its two's complement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the meter of an asset says of the slot of `seconds` that begins at `start` (unix seconds).

    Raises `ValueError` for values that no field can hold.
    """

    asset: Address
    start: int
    seconds: int
    net: Wh
    version: int = 1

    def __post_init__(self) -> None:
        if len(self.asset) != 20:
            raise ValueError("an asset is named by twenty bytes")
        if not 0 <= self.start < 1 << 40:
            raise ValueError("an instant is a non-negative number of seconds with 40 bits")
        if not 0 < self.seconds < 1 << 32:
            raise ValueError("a slot lasts some seconds, of 32 bits")
        if not -(1 << 63) <= self.net < 1 << 63:
            raise ValueError("a net has 64 bits")
        if not 0 < self.version < 1 << 63:
            raise ValueError("versions begin at 1, and have 63 bits")

    @property
    def end(self) -> int:
        """The first second after the slot."""
        return self.start + self.seconds

    def struct_hash(self) -> bytes:
        """Return the EIP-712 struct hash."""
        sign = _NEGATIVE if self.net < 0 else b""
        return keccak(_words(_TYPE_HASH, self.asset, self.start, self.seconds, sign, self.net, self.version))

    def digest(self, separator: bytes) -> bytes:
        """Return the reading's name: what is signed under the domain with this separator."""
        return digest(separator, self.struct_hash())


@dataclass(frozen=True, slots=True)
class SignedReading:
    """A reading with the compact signature of its digest.

    `estimated` is what the sender says beside it: that the value was not read but spread over a gap of the register.
    """

    reading: Reading
    signature: bytes
    estimated: bool = False

    def to_document(self) -> dict[str, object]:
        """Return the reading as it is handed in: plain values for JSON."""
        reading = self.reading
        return {
            "asset": to_text(reading.asset),
            "start": reading.start,
            "seconds": reading.seconds,
            "net_wh": reading.net,
            "version": reading.version,
            "estimated": self.estimated,
            "signature": "0x" + self.signature.hex(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedReading:
    """A reading that was taken: under which digest, by which meter key, when (unix seconds)."""

    signed: SignedReading
    digest: bytes
    signer: Address
    at: int

    @property
    def reading(self) -> Reading:
        """What was signed."""
        return self.signed.reading
