"""What several rooms' tests share: how long they look for examples, and a PostgreSQL server of the run's own."""

import pytest
from hypothesis import settings

from tests.postgres_cluster import cluster

# on a loaded machine any single example may take its time; tests that say how many they want get as many
settings.register_profile("merit", max_examples=50, deadline=None)
settings.load_profile("merit")


@pytest.fixture(scope="session")
def postgres():
    with cluster() as server:
        yield server
