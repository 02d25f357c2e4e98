"""The databases that every journal and every store is tried on."""

import pytest

KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
