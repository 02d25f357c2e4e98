"""Instants as text: equal to the calendar, and one form only."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.errors import MalformedInstant
from identity.instants import from_instant, to_instant

LAST = int(datetime(2399, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


@given(st.integers(0, LAST))
def test_an_instant_is_written_as_the_calendar_writes_it_and_read_back(at):
    text = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert to_instant(at) == text
    assert from_instant(text) == at


@pytest.mark.parametrize("text", ["2000-02-29T00:00:00Z", "2024-02-29T23:59:59Z", "2399-12-31T23:59:59Z"])
def test_a_day_of_the_calendar_is_read(text):
    assert to_instant(from_instant(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "2100-02-29T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T23:59:60Z",
        "1969-12-31T23:59:59Z",
        "2400-01-01T00:00:00Z",
        "2026-01-01T00:00:00.000Z",
        "2026-01-01T00:00:00+00:00",
        "2026-01-01t00:00:00z",
        "2026-01-01 00:00:00Z",
        "٢٠٢٦-01-01T00:00:00Z",
        "",
    ],
)
def test_every_other_form_and_every_other_day_is_refused(text):
    with pytest.raises(MalformedInstant):
        from_instant(text)


@pytest.mark.parametrize("at", [-1, LAST + 1])
def test_an_instant_outside_the_calendar_is_refused(at):
    with pytest.raises(MalformedInstant):
        to_instant(at)
