"""Twenty bytes, and their one textual form: ERC-55 mixed-case checksum."""

from functools import lru_cache
from typing import NewType

from identity.errors import MalformedAddress
from identity.hashing import keccak

Address = NewType("Address", bytes)

_HEX = "0123456789abcdef"


def to_address(raw: bytes) -> Address:
    """Return `raw` as an address; refuses anything but twenty bytes."""
    if len(raw) != 20:
        raise MalformedAddress(raw.hex())
    return Address(raw)


@lru_cache(maxsize=1 << 14)  # a refusal names who asked for what, and there are more questions than people
def to_text(address: Address) -> str:
    """Return the checksummed text of `address` (ERC-55)."""
    plain = address.hex()
    check = keccak(plain.encode()).hex()
    return "0x" + "".join(
        letter.upper() if _HEX.index(nibble) >= 8 else letter for letter, nibble in zip(plain, check, strict=False)
    )


def parse_address(text: str) -> Address:
    """Read an address: `0x` and forty hex digits, all of one case or with a right checksum."""
    digits = text[2:]
    if text[:2] != "0x" or len(digits) != 40 or any(d not in _HEX for d in digits.lower()):
        raise MalformedAddress(text)
    address = Address(bytes.fromhex(digits))
    if digits not in (digits.lower(), digits.upper()) and to_text(address) != text:
        raise MalformedAddress(text)
    return address
