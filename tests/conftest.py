"""What several rooms' tests share: a PostgreSQL server of the run's own."""

import pytest

from tests.postgres_cluster import cluster


@pytest.fixture(scope="session")
def postgres():
    with cluster() as server:
        yield server
