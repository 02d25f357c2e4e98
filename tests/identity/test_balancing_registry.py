"""The dictionary of balancing rates: read exactly, or refused by what is wrong."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.balancing_registry import read_balancing_registry
from identity.claim_data import BalancingRates
from identity.errors import DuplicateAsset, NegativeRate, RateNotWhole, RatesRefused


def test_the_registry_as_communities_write_it_is_read():
    text = (
        '{"H1 General Load": [33, 35], "H2 General Load": [33, 35], "H1 Storage1": [33, 35], "H1 Storage2": [33, 35]}'
    )
    registry = read_balancing_registry(text)
    assert list(registry) == ["H1 General Load", "H2 General Load", "H1 Storage1", "H1 Storage2"]
    assert set(registry.values()) == {BalancingRates(330_000, 350_000)}


def test_the_first_rate_is_for_demand():
    assert read_balancing_registry('{"a": [1, 2]}') == {"a": BalancingRates(10_000, 20_000)}


@given(st.from_regex(r"(0|[1-9][0-9]{0,5})(\.[0-9]{1,4}0{0,3})?", fullmatch=True))
def test_decimals_are_exact(cents):
    rates = read_balancing_registry(f'{{"a": [{cents}, 0]}}')["a"]
    assert rates.demand_micro_per_kwh == Fraction(cents) * 10_000


@pytest.mark.parametrize("nothing", ["0", "0.0000", "-0", "-0.0"])
def test_a_rate_of_nothing_is_a_rate(nothing):
    assert read_balancing_registry(f'{{"a": [{nothing}, 1]}}')["a"].demand_micro_per_kwh == 0


@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        (DuplicateAsset, '{"a": [1, 2], "b": [1, 2], "a": [1, 2]}'),
        (NegativeRate, '{"a": [-1, 2]}'),
        (NegativeRate, '{"a": [1, -0.0001]}'),
        (RateNotWhole, '{"a": [1, 0.00001]}'),
        (RateNotWhole, '{"a": [33.33333, 2]}'),
        (RatesRefused, '{"a": [1e2, 2]}'),
        (RatesRefused, '{"a": [NaN, 2]}'),
        (RatesRefused, '{"a": ["1", 2]}'),
        (RatesRefused, '{"a": [true, 2]}'),
        (RatesRefused, '{"a": [null, 2]}'),
        (RatesRefused, '{"a": [1]}'),
        (RatesRefused, '{"a": [1, 2, 3]}'),
        (RatesRefused, '{"a": 1}'),
        (RatesRefused, '{"": [1, 2]}'),
        (RatesRefused, '{" a": [1, 2]}'),
        (RatesRefused, '{"a": [99999999999999, 2]}'),
        (RatesRefused, '{"a": [' + "9" * 5_000 + ", 2]}"),
        (RatesRefused, "[" * 100_000),
        (RatesRefused, "[]"),
        (RatesRefused, ""),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else value.code,
)
def test_a_registry_that_is_wrong_is_refused_by_what_is_wrong(refusal, text):
    with pytest.raises(RatesRefused) as refused:
        read_balancing_registry(text)
    assert type(refused.value) is refusal
    if refusal is not RatesRefused:
        assert refused.value.asset == "a"
