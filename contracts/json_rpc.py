"""How JSON-RPC writes numbers and bytes: `0x` and hex. Read strictly, for both ends of the wire."""

_HEX = frozenset("0123456789abcdefABCDEF")


class MalformedValue(ValueError):
    """The JSON value is not a quantity, or not bytes of that length."""


def to_quantity(number: int) -> str:
    """Write a number: no leading zeros."""
    return hex(number)


def to_data(data: bytes) -> str:
    """Write bytes: two digits each."""
    return "0x" + data.hex()


def read_quantity(value: object) -> int:
    """Read a number of up to 256 bits."""
    digits = _digits(value)
    if not 0 < len(digits) <= 64:
        raise MalformedValue("expected a number as 0x and hex digits")
    return int(digits, 16)


def read_data(value: object, length: int | None = None) -> bytes:
    """Read bytes, exactly `length` of them if that is given."""
    digits = _digits(value)
    if len(digits) & 1 or (length is not None and len(digits) != 2 * length):
        raise MalformedValue(f"expected {'bytes' if length is None else f'{length} bytes'} as 0x and hex digits")
    return bytes.fromhex(digits)


def _digits(value: object) -> str:
    if not isinstance(value, str) or value[:2] not in {"0x", "0X"} or not _HEX.issuperset(value[2:]):
        raise MalformedValue("expected 0x and hex digits")
    return value[2:]
