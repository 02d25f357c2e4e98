"""What several rooms' tests share: how long they look for examples, a village's day played once in each process of the
run, and a PostgreSQL server of the run's own.
"""

import gc
from contextlib import contextmanager

import pytest
from hypothesis import settings

from tests.postgres_cluster import cluster

# on a loaded machine any single example may take its time; tests that say how many they want get as many
settings.register_profile("merit", max_examples=30, deadline=None)
settings.load_profile("merit")

# py-evm and hypothesis make heaps of small objects that live shortly: looking through them at every 700th is a sixth of
# the run. A test that asks what is held collects by itself.
gc.set_threshold(20_000, 20, 50)


def pytest_collection_finish():
    """What was imported and collected stays: the collector need not look at it again."""
    gc.collect()
    gc.freeze()


@contextmanager
def nothing_executed_twice():
    from contracts import local_evm  # the whole house, which few rooms' tests need
    from contracts.local_chain import Machine
    from tests.simulators.remembering_evm import RememberingMachine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_evm, "Machine", lambda **settings: RememberingMachine.before(Machine(**settings)))
        yield


@pytest.fixture(scope="session")
def postgres():
    with cluster() as server:
        yield server


@pytest.fixture(scope="session")
def played(tmp_path_factory):
    """The village's day; whoever changes something takes a `copy`."""
    from tests.e2e.day import play

    with nothing_executed_twice():
        return play(tmp_path_factory.mktemp("played") / "village")


@pytest.fixture
def copy(played, tmp_path):
    """A copy of the day, to do something to."""
    return played.copy(tmp_path / "copy")


@pytest.fixture
def remembering():
    """Whatever opens a chain in this test, a verb too, executes no block that was executed in this process before."""
    with nothing_executed_twice():
        yield


@pytest.fixture(scope="session", autouse=True)
def nobody_to_trust(tmp_path_factory):
    """No test speaks TLS, and to read the machine's certificates takes every HTTP client 30 ms of a processor."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("SSL_CERT_FILE", raising=False)
        environment.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("certificates")))
        yield
