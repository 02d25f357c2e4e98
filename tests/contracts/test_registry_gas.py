"""What the registries cost is committed, and nothing makes them dearer by accident."""

import json

import pytest

from tests.contracts.registry_gas import FORKS, PATH, take

SNAPSHOT = json.loads(PATH.read_text(encoding="utf-8"))
DID_WRITES = ("addDelegate", "revokeDelegate", "setAttribute", "revokeAttribute", "changeOwner")
MOST_OF_A_DID_WRITE = 123_456


@pytest.mark.parametrize("fork", FORKS)
def test_gas_is_what_was_committed(fork):
    assert take(fork) == SNAPSHOT[fork]


@pytest.mark.parametrize("fork", FORKS)
def test_every_write_of_a_did_costs_less_than_was_promised(fork):
    writes = {name: gas for name, gas in SNAPSHOT[fork].items() if name.startswith(DID_WRITES)}
    forms = {name.split(",")[0] for name in writes}
    assert forms == {name + form for name in DID_WRITES for form in ("", "Signed")}
    assert max(writes.values()) < MOST_OF_A_DID_WRITE
