"""Instants as text, RFC 3339, read into unix seconds. https://www.rfc-editor.org/rfc/rfc3339#section-5.6"""

from itertools import accumulate

_DIGITS = frozenset("0123456789")
_FIRST_YEAR, _YEARS = 1970, 8030
_DAY = 86_400
_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


_DAYS_BEFORE = tuple(
    accumulate((366 if _is_leap(year) else 365 for year in range(_FIRST_YEAR, _FIRST_YEAR + _YEARS)), initial=0)
)


def read_instant(text: str) -> int:
    """Return the unix seconds of an RFC 3339 date-time; a fraction of a second is cut off.

    Raises `ValueError` for anything else, and for years before 1970, which nobody signs in in.
    """
    date, time, zone = text[:10], text[11:19], text[19:]
    if len(text) < 20 or text[10] not in "Tt" or date[4] + date[7] + time[2] + time[5] != "--::":
        raise ValueError("not a date and a time")
    year, month, day = _number(date[:4]), _number(date[5:7]), _number(date[8:])
    hour, minute, second = _number(time[:2]), _number(time[3:5]), _number(time[6:])
    if zone[0] == ".":
        fraction = len(zone[1:]) - len(zone[1:].lstrip("0123456789"))
        if not fraction:
            raise ValueError("a fraction without digits")
        zone = zone[1 + fraction :]
    if year < _FIRST_YEAR or not 1 <= month <= 12 or not 1 <= day <= _length(year, month):
        raise ValueError("no such day")
    if hour > 23 or minute > 59 or second > (60 if minute == 59 else 59):  # a leap second ends an hour
        raise ValueError("no such time")
    days = _DAYS_BEFORE[year - _FIRST_YEAR] + sum(_length(year, before) for before in range(1, month)) + day - 1
    return days * _DAY + hour * 3600 + minute * 60 + second - _offset(zone)


def _offset(zone: str) -> int:
    """Return by how many seconds a zone is ahead of UTC."""
    if zone in ("Z", "z"):
        return 0
    if len(zone) != 6 or zone[0] not in "+-" or zone[3] != ":":
        raise ValueError("no offset from UTC")
    hours, minutes = _number(zone[1:3]), _number(zone[4:])
    if hours > 23 or minutes > 59:
        raise ValueError("no such offset")
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)


def _length(year: int, month: int) -> int:
    return 29 if month == 2 and _is_leap(year) else _MONTHS[month - 1]


def _number(text: str) -> int:
    if not text or not _DIGITS.issuperset(text):
        raise ValueError("digits are missing")
    return int(text)
