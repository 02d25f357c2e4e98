"""The registry of balancing rates as communities keep it: `{"H1 General Load": [33, 35], …}`, in cents per kWh.

For each asset by name, first what it is paid for taking a kWh (demand), then for giving one (supply). Rates may have
decimals, which are read exactly: a cent is 10,000 millionths of the currency, so four decimals are whole.
"""

from typing import Any

from identity.claim_data import BalancingRates
from identity.errors import DuplicateAsset, MalformedClaimData, NegativeRate, RateNotWhole, RatesRefused
from identity.strict_json import NamedTwice, NotStrict, parse

_PLACES = 4
_MOST_DIGITS = 20


class _Fraction(str):
    """A number with a point or an exponent, as its text."""

    __slots__ = ()


def read_balancing_registry(text: str) -> dict[str, BalancingRates]:
    """Return the rates for each asset by name, in the order of the text.

    Refuses, besides what is no such dictionary: a name that stands twice, a rate below zero, and a rate that is no
    whole number of µ/kWh.
    """
    try:
        registry = parse(text, read_fraction=_Fraction)
    except NamedTwice as error:
        raise DuplicateAsset(error.name) from error
    except NotStrict as error:
        raise RatesRefused("", str(error)) from error
    if not isinstance(registry, dict):
        raise RatesRefused("", "not an object with an asset's name for each pair of rates")
    return {name: _rates(name, pair) for name, pair in registry.items()}


def _rates(name: str, pair: Any) -> BalancingRates:
    if not name.strip() or name != name.strip():
        raise RatesRefused(name, "an asset's name is not empty, and has no blanks around it")
    if not isinstance(pair, list) or len(pair) != 2:
        raise RatesRefused(name, "not a pair of rates: demand, supply")
    demand, supply = (_micro_per_kwh(name, rate) for rate in pair)
    try:
        return BalancingRates(demand, supply)
    except MalformedClaimData as error:
        raise RatesRefused(name, error.why) from error


def _micro_per_kwh(name: str, cents: Any) -> int:
    """Return a rate in cents as a whole number of µ/kWh; nothing is rounded."""
    if isinstance(cents, bool) or not isinstance(cents, int | _Fraction):
        raise RatesRefused(name, f"{cents!r} is not a number")
    text = str(cents)
    if text.startswith("-") and set(text) & set("123456789"):
        raise NegativeRate(name, f"a rate of {text} cents per kWh is below zero")
    whole, _, decimals = text.removeprefix("-").partition(".")
    decimals = decimals.rstrip("0")
    if len(text) > _MOST_DIGITS or not whole.isdigit() or not (decimals.isdigit() or not decimals):
        raise RatesRefused(name, f"{text[:40]} is not a rate in plain decimals")
    if len(decimals) > _PLACES:
        raise RateNotWhole(name, f"{text} cents per kWh is no whole number of millionths: at most {_PLACES} decimals")
    return int(whole + decimals.ljust(_PLACES, "0"))
