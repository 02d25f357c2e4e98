import pytest

from tests.contracts.machine import Revm
from tests.contracts.town import Town


@pytest.fixture
def town() -> Town:
    """A town with two members who have money and an asset each, before gate closure."""
    town = Town(Revm())
    town.open("the producer")
    town.open("the consumer")
    return town
