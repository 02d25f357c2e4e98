"""What the contract costs is committed, and nothing makes it dearer by accident."""

import json

import pytest

from tests.contracts.gas_snapshot import ALL, FORKS, PATH, QUICK, sizes_of_code, take

SNAPSHOT = json.loads(PATH.read_text(encoding="utf-8"))
PER_TRADE = {10: 26_400, 100: 16_500, 500: 15_700}
IN_A_NEIGHBOURHOOD = {10: 29_600, 100: 16_900, 500: 15_800}
LARGEST_TRANSACTION = 2**24  # EIP-7825


@pytest.mark.parametrize("fork", [FORKS[0], *(pytest.param(fork, marks=pytest.mark.slow) for fork in FORKS[1:])])
def test_gas_is_what_was_committed(fork):
    measured = take(fork, QUICK)
    assert measured == {name: SNAPSHOT[fork][name] for name in measured}


@pytest.mark.slow
@pytest.mark.parametrize("fork", FORKS)
def test_gas_is_what_was_committed_for_large_batches_too(fork):
    assert take(fork, ALL) == SNAPSHOT[fork]


@pytest.mark.parametrize("fork", FORKS)
@pytest.mark.parametrize(("trades", "most"), PER_TRADE.items())
def test_a_trade_costs_what_was_promised(fork, trades, most):
    assert SNAPSHOT[fork][f"settle, {trades} trades"] <= trades * most


@pytest.mark.parametrize("fork", FORKS)
@pytest.mark.parametrize(("trades", "most"), IN_A_NEIGHBOURHOOD.items())
def test_several_nodes_cost_what_was_promised(fork, trades, most):
    assert SNAPSHOT[fork][f"settle, {trades} trades of a neighbourhood"] <= trades * most


@pytest.mark.parametrize("fork", FORKS)
def test_every_batch_fits_in_a_transaction(fork):
    assert max(SNAPSHOT[fork].values()) < LARGEST_TRANSACTION
    # and the largest there may be, by the cost of one trade more
    per_trade = (SNAPSHOT[fork]["settle, 500 trades"] - SNAPSHOT[fork]["settle, 100 trades"]) / 400
    assert SNAPSHOT[fork]["settle, 500 trades"] + 12 * per_trade < LARGEST_TRANSACTION


def test_the_code_is_as_large_as_committed():
    assert sizes_of_code() == SNAPSHOT["code bytes"]
