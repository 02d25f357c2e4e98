"""What a contract says when it reverts, from the bytes it returns."""

_ERROR = bytes.fromhex("08c379a0")
"""Selector of `Error(string)`."""
_PANIC = bytes.fromhex("4e487b71")
"""Selector of `Panic(uint256)`."""


def reason_of(data: bytes) -> str:
    """Return the reason in revert data: the text of `Error(string)`, `panic 0x..`, another error's selector, or ""."""
    if data[:4] == _ERROR:
        return _string(data[4:])
    if data[:4] == _PANIC and len(data) == 36:
        return f"panic {int.from_bytes(data[4:]):#04x}"
    return "0x" + data[:4].hex() if len(data) >= 4 else ""


def _string(body: bytes) -> str:
    """Read one ABI string; what a hostile contract returns may be cut short or lie about its length."""
    start = int.from_bytes(body[:32])
    length = int.from_bytes(body[start : start + 32])
    return body[start + 32 : start + 32 + length].decode(errors="replace")
