"""Status lists: one bit a credential, packed so that asking for one does not tell which (StatusList2021, W3C).

Bit 0 is the most significant bit of the first byte. A list has at least 131,072 bits, is packed with gzip and written
in base64. A list is read up to a bound, whatever it claims to unpack to.
https://www.w3.org/TR/2023/WD-vc-status-list-20230427/
"""

import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass

from identity.errors import MalformedStatusList

LEAST_BITS = 131_072
MOST_BITS = 1 << 23

_LEAST_BYTES = LEAST_BITS >> 3
_MOST_BYTES = MOST_BITS >> 3
_GZIP = 31


@dataclass(frozen=True, slots=True)
class StatusList:
    """A bit for each credential of an issuer: set means that what the list is for, revocation, has happened."""

    bits: bytes = bytes(_LEAST_BYTES)

    def __post_init__(self) -> None:
        if len(self.bits) < _LEAST_BYTES:
            raise MalformedStatusList(f"{len(self.bits) << 3} bits, fewer than {LEAST_BITS}")
        if len(self.bits) > _MOST_BYTES:
            raise MalformedStatusList(f"more than {MOST_BITS} bits")

    @property
    def size(self) -> int:
        """The number of bits."""
        return len(self.bits) << 3

    def is_set(self, index: int) -> bool:
        """Return the bit at `index`; refuses an index outside the list."""
        self._in_range(index)
        return bool(self.bits[index >> 3] & 0x80 >> (index & 7))

    def with_set(self, index: int) -> "StatusList":
        """Return the list with the bit at `index` set."""
        self._in_range(index)
        byte = self.bits[index >> 3] | 0x80 >> (index & 7)
        return StatusList(self.bits[: index >> 3] + bytes((byte,)) + self.bits[(index >> 3) + 1 :])

    def encode(self) -> str:
        """Return the list as credentials carry it."""
        packer = zlib.compressobj(level=9, wbits=_GZIP)
        return b64encode(packer.compress(self.bits) + packer.flush()).decode()

    def _in_range(self, index: int) -> None:
        if not 0 <= index < self.size:
            raise MalformedStatusList(f"no index {index} in a list of {self.size} bits")


def read_status_list(encoded: str) -> StatusList:
    """Read a list as credentials carry it: base64 or base64url of gzip, with or without padding."""
    text = encoded.rstrip("=").replace("-", "+").replace("_", "/")
    unpacker = zlib.decompressobj(wbits=_GZIP)
    try:
        packed = b64decode(text + "=" * (-len(text) % 4), validate=True)
        bits = unpacker.decompress(packed, _MOST_BYTES + 1)
    except (ValueError, zlib.error) as error:
        raise MalformedStatusList("not base64 of gzip") from error
    if len(bits) > _MOST_BYTES:
        raise MalformedStatusList(f"more than {MOST_BITS} bits")
    if not unpacker.eof or unpacker.unused_data:
        raise MalformedStatusList("the gzip ends early, or something follows it")
    return StatusList(bits)
