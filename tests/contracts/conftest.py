from collections.abc import Iterator

import pytest

from tests.contracts.machine import Revm
from tests.contracts.town import Town


def two_members() -> Town:
    town = Town(Revm())
    town.open("the producer")
    town.open("the consumer")
    return town


@pytest.fixture(scope="session")
def first_town() -> Town:
    return two_members()


@pytest.fixture
def town(first_town: Town) -> Iterator[Town]:
    """A town with two members who have money and an asset each, before gate closure; undone after the test."""
    with first_town.as_before():
        yield first_town


@pytest.fixture
def own_town() -> Town:
    """The same, for tests that write into storage past the contract, which cannot be undone."""
    return two_members()
