"""Where a page of a list ended, as opaque text for the next request: a keyset, so that nothing is skipped or repeated.

A session is named by its number, a trade by its session's number and its leaf.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode

from exchange.effects.trade_index import Place
from exchange.errors import CursorMalformed

_NUMBER_SIZE = 10
_LEAF_SIZE = 32


def session_cursor(number: int) -> str:
    """Return the cursor of a page that ended with this session."""
    return _encode(number.to_bytes(_NUMBER_SIZE, "big"))


def read_session_cursor(cursor: str) -> int:
    """Return the number of the session that a page ended with, or refuse the cursor."""
    return int.from_bytes(_decode(cursor, _NUMBER_SIZE), "big")


def trade_cursor(place: Place) -> str:
    """Return the cursor of a page that ended with the trade at this place."""
    number, leaf = place
    return _encode(number.to_bytes(_NUMBER_SIZE, "big") + leaf)


def read_trade_cursor(cursor: str) -> Place:
    """Return the place of the trade that a page ended with, or refuse the cursor."""
    raw = _decode(cursor, _NUMBER_SIZE + _LEAF_SIZE)
    return int.from_bytes(raw[:_NUMBER_SIZE], "big"), raw[_NUMBER_SIZE:]


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(cursor: str, size: int) -> bytes:
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (binascii.Error, ValueError) as error:
        raise CursorMalformed(cursor) from error
    if len(raw) != size or _encode(raw) != cursor:
        raise CursorMalformed(cursor)
    return raw
