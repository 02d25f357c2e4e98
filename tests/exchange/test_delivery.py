"""Delivery periods, gates and sessions."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.delivery import Market, Mechanism, Product, SessionKey

MARKET = Market(number=7, period=900, opening=86_400, lead=300, window=86_400)
START = 1_800_000_000

keys = st.builds(
    SessionKey,
    market=st.integers(1, (1 << 32) - 1),
    product=st.sampled_from(Product),
    delivery_start=st.integers(0, (1 << 40) - 1),
)


@given(keys)
def test_a_session_is_read_back_from_its_number(key):
    assert SessionKey.of(key.number) == key


@given(keys, keys)
def test_no_two_sessions_share_a_number_and_numbers_sort_as_sessions_do(one, other):
    assert (one.number < other.number) == (one < other)
    assert (one.number == other.number) == (one == other)


def test_a_number_with_a_product_that_is_not_traded_is_no_session():
    with pytest.raises(ValueError, match="9"):
        SessionKey.of(7 << 48 | 9 << 40 | START)


def test_a_session_is_written_in_words():
    assert str(MARKET.session(START)) == "7-spot-1800000000"


def test_the_gate_opens_and_closes_ahead_of_delivery():
    assert (MARKET.gate_opening(START), MARKET.gate_closure(START)) == (START - 86_400, START - 300)


def test_a_delivery_period_begins_at_a_quarter_of_an_hour():
    assert MARKET.is_delivery_start(START)


@pytest.mark.parametrize("instant", [START + 1, START - 1, -900, 1 << 40])
def test_no_delivery_period_begins_elsewhere(instant):
    assert not MARKET.is_delivery_start(instant)


@given(st.integers(1_000_000_000, 3_000_000_000))
def test_the_open_deliveries_are_all_those_whose_gate_is_open(now):
    starts = list(MARKET.open_deliveries(now))
    around = range(now - now % 900 - 900, now + MARKET.opening + 1800, 900)
    assert starts == [start for start in around if MARKET.gate_opening(start) <= now < MARKET.gate_closure(start)]
    assert all(MARKET.is_delivery_start(start) for start in starts)


@pytest.mark.parametrize("number", [1, (1 << 32) - 1])
def test_a_market_number_with_32_bits_is_taken(number):
    assert replace(MARKET, number=number).number == number


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"number": 0}, "32-bit"),
        ({"number": 1 << 32}, "32-bit"),
        ({"period": 0}, "lasts some seconds"),
        ({"lead": -1}, "opens before"),
        ({"lead": 86_400}, "opens before"),
        ({"tick": -1}, "a tick is shorter"),
        ({"tick": 86_100}, "a tick is shorter"),
        ({"tick": 900, "mechanism": Mechanism.PAY_AS_CLEAR}, "cleared once"),
        ({"tick": 900, "mechanism": Mechanism.NETWORK}, "cleared once"),
        ({"matching": -1}, "may still be settled"),
        ({"matching": 86_400}, "may still be settled"),
    ],
)
def test_terms_that_cannot_hold_are_refused(change, why):
    with pytest.raises(ValueError, match=why):
        replace(MARKET, **change)


def test_a_market_may_close_at_delivery():
    assert replace(MARKET, lead=0).gate_closure(START) == START
