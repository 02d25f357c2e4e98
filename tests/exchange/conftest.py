"""The street's people and things, fresh for every test."""

import pytest

from exchange.events import ParametersSet
from exchange.market import Market
from identity.registry import Registry
from tests.exchange import street


@pytest.fixture
def clock() -> street.Clock:
    return street.Clock()


@pytest.fixture
def purse() -> street.Purse:
    return street.Purse()


@pytest.fixture
def registry() -> Registry:
    return street.registry()


@pytest.fixture
def market() -> Market:
    fresh = Market()
    fresh.apply(ParametersSet(parameters=street.PARAMETERS, at=0))
    return fresh
