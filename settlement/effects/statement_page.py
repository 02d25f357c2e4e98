"""A statement page by page. A page ends at a line's place: its instant, its session, and its turn among lines of both.

Lines of one session are added at once and stay, so a place is the same however the statement has grown since.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from itertools import groupby

from exchange.errors import CursorMalformed
from settlement.statement import Line

_SIZES = (5, 11, 4)
"""Bytes of a cursor: the instant, the session's number and one (none is 0), the turn."""

_Place = tuple[int, int, int]


def page_of(lines: Sequence[Line], cursor: str | None, limit: int) -> tuple[list[Line], str | None]:
    """Return up to `limit` lines after the place that `cursor` names, and the cursor of the page that follows, if any.

    `lines` are in the order of a statement. Raises `CursorMalformed`.
    """
    after = None if cursor is None else _read(cursor)
    placed = [(place, line) for place, line in _places(lines) if after is None or place > after]
    page = placed[:limit]
    return [line for _, line in page], _text(page[-1][0]) if len(placed) > limit else None


def _places(lines: Sequence[Line]) -> list[tuple[_Place, Line]]:
    groups = groupby(lines, key=lambda line: (line.at, 0 if line.session is None else line.session + 1))
    return [((*key, turn), line) for key, group in groups for turn, line in enumerate(group)]


def _text(place: _Place) -> str:
    raw = b"".join(value.to_bytes(size, "big") for value, size in zip(place, _SIZES, strict=True))
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _read(cursor: str) -> _Place:
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (binascii.Error, ValueError) as error:
        raise CursorMalformed(cursor) from error
    if len(raw) != sum(_SIZES):
        raise CursorMalformed(cursor)
    at, session, turn = (int.from_bytes(part, "big") for part in (raw[:5], raw[5:16], raw[16:]))
    if _text((at, session, turn)) != cursor:
        raise CursorMalformed(cursor)
    return at, session, turn
