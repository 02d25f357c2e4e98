"""Base58, the letters of Bitcoin: bytes as digits that nobody confuses by eye."""

_DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58(data: bytes) -> str:
    """Return `data` in Base58; each leading zero byte is a digit of its own."""
    number = int.from_bytes(data, "big")
    digits = []
    while number:
        number, digit = divmod(number, 58)  # digits of a spelling: no quantity is rounded
        digits.append(_DIGITS[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return _DIGITS[0] * zeros + "".join(reversed(digits))
