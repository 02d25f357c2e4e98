"""Instants as credentials and sign-in messages write them: `2026-06-21T12:00:00Z`, in UTC and whole seconds.

One form only (RFC 3339 with `Z`, no fraction), so that a text and its instant stand for each other. Read and written by
looking up in tables, without a clock and without dividing. https://www.rfc-editor.org/rfc/rfc3339
"""

from bisect import bisect_right
from itertools import accumulate

from identity.errors import MalformedInstant

_FIRST_YEAR = 1970
_LAST_YEAR = 2399
_DAY = 86_400
_FORM = "dddd-dd-ddTdd:dd:ddZ"


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _month_starts(leap: bool) -> tuple[int, ...]:
    days = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return tuple(accumulate((length * _DAY for length in days), initial=0))


_YEARS = tuple(accumulate(((365 + _leap(year)) * _DAY for year in range(_FIRST_YEAR, _LAST_YEAR + 1)), initial=0))
_MONTHS = {leap: _month_starts(leap) for leap in (False, True)}
_DAYS = range(0, 31 * _DAY, _DAY)
_HOURS = range(0, _DAY, 3_600)
_MINUTES = range(0, 3_600, 60)


def to_instant(at: int) -> str:
    """Return the text of the instant `at` (unix seconds)."""
    if not 0 <= at < _YEARS[-1]:
        raise MalformedInstant(str(at))
    year = bisect_right(_YEARS, at) - 1
    rest = at - _YEARS[year]
    months = _MONTHS[_leap(_FIRST_YEAR + year)]
    month = bisect_right(months, rest) - 1
    rest -= months[month]
    day = bisect_right(_DAYS, rest) - 1
    rest -= _DAYS[day]
    hour = bisect_right(_HOURS, rest) - 1
    rest -= _HOURS[hour]
    minute = bisect_right(_MINUTES, rest) - 1
    second = rest - _MINUTES[minute]
    return f"{_FIRST_YEAR + year}-{month + 1:02}-{day + 1:02}T{hour:02}:{minute:02}:{second:02}Z"


def from_instant(text: str) -> int:
    """Return the instant (unix seconds) that `text` names; refuses every other form, and days that no calendar has."""
    fits = len(text) == len(_FORM) and all(
        letter in "0123456789" if form == "d" else letter == form for letter, form in zip(text, _FORM, strict=True)
    )
    if not fits:
        raise MalformedInstant(text)
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
    hour, minute, second = int(text[11:13]), int(text[14:16]), int(text[17:19])
    if not (_FIRST_YEAR <= year <= _LAST_YEAR and 1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
        raise MalformedInstant(text)
    months = _MONTHS[_leap(year)]
    into_month = (day - 1) * _DAY
    if not 0 <= into_month < months[month] - months[month - 1]:
        raise MalformedInstant(text)
    return _YEARS[year - _FIRST_YEAR] + months[month - 1] + into_month + hour * 3_600 + minute * 60 + second
