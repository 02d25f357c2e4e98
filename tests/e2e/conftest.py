"""The village's day, played once a test run."""

import pytest

from tests.app.command_line import merit
from tests.e2e.day import Played, play

__all__ = ["merit"]


@pytest.fixture(scope="session")
def played(tmp_path_factory) -> Played:
    return play(tmp_path_factory.mktemp("played") / "village")


@pytest.fixture
def copy(played, tmp_path):
    """A copy of the day, to do something to."""
    return played.copy(tmp_path / "copy")
