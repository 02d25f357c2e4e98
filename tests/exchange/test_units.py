"""Whole numbers with a unit: what is exact, and how the few divisions round."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.units import MAX_ENERGY, MAX_RATE, amount, in_cents, midpoint, per_kwh, to_decimal
from tests.strategies import energies, rates

nanos = st.integers(-(10**30), 10**30)


@given(energies, rates)
def test_an_amount_is_energy_times_rate_to_the_last_nano(energy, rate):
    assert Fraction(amount(energy, rate), 10**9) == Fraction(energy, 1000) * Fraction(rate, 10**6)


@given(rates, rates)
def test_a_midpoint_is_rounded_down(low, high):
    assert midpoint(low, high) == floor(Fraction(low + high, 2))


@pytest.mark.parametrize(("low", "high", "middle"), [(1, 2, 1), (-2, -1, -2), (-1, 0, -1), (-1, 1, 0), (4, 4, 4)])
def test_midpoints_about_zero(low, high, middle):
    assert midpoint(low, high) == middle


@given(nanos, st.integers(0, 20))
def test_decimal_text_is_exact(value, places):
    text = to_decimal(value, places)
    assert Fraction(text) == Fraction(value, 10**places)
    assert len(text.partition(".")[2]) == places


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [(0, 2, "0.00"), (-5, 3, "-0.005"), (123456, 6, "0.123456"), (7, 0, "7"), (-7, 0, "-7")],
)
def test_decimal_text_of_small_numbers(value, places, text):
    assert to_decimal(value, places) == text


@pytest.mark.parametrize(
    ("nano", "cents"),
    [(0, 0), (4_999_999, 0), (5_000_000, 1), (-4_999_999, 0), (-5_000_000, -1), (15_000_000, 2), (-15_000_000, -2)],
)
def test_cents_are_rounded_half_away_from_zero(nano, cents):
    assert in_cents(nano) == cents


@given(nanos)
def test_cents_mirror_about_zero(nano):
    assert in_cents(-nano) == -in_cents(nano)


@given(energies, rates)
def test_the_average_rate_of_one_trade_is_its_rate(energy, rate):
    assert per_kwh(amount(energy, rate), energy) == rate


@given(nanos, energies)
def test_an_average_rate_is_rounded_down(total, energy):
    assert per_kwh(total, energy) == floor(Fraction(total, energy))


def test_no_energy_has_no_average_rate():
    assert per_kwh(0, 0) is None


def test_the_bounds_are_those_of_the_fields_on_the_chain():
    assert (MAX_ENERGY, MAX_RATE) == (2**48 - 1, 2**47 - 1)
