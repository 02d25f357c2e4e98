"""What claims, disputes and imbalance cost is committed, and below what was promised."""

import json

import pytest

from tests.contracts.imbalance_gas import ALL, DEPTH, FORKS, PATH, QUICK, take

SNAPSHOT = json.loads(PATH.read_text(encoding="utf-8"))
PROMISED = {"claim": 90_000, f"dispute, {DEPTH} levels": 80_000, "settle_imbalance, 100 accounts": 100 * 12_000}
LARGEST_TRANSACTION = 2**24  # EIP-7825


def test_gas_is_what_was_committed():
    assert take(FORKS[0], QUICK) == {
        name: gas for name, gas in SNAPSHOT[FORKS[0]].items() if not name.endswith(("100 accounts", "500 accounts"))
    }


@pytest.mark.slow
@pytest.mark.parametrize("fork", FORKS)
def test_gas_is_what_was_committed_for_many_accounts_too(fork):
    assert take(fork, ALL) == SNAPSHOT[fork]


@pytest.mark.parametrize("fork", FORKS)
@pytest.mark.parametrize(("call", "most"), PROMISED.items())
def test_each_costs_less_than_was_promised(fork, call, most):
    assert SNAPSHOT[fork][call] < most


@pytest.mark.parametrize("fork", FORKS)
def test_the_largest_settlement_fits_in_a_transaction(fork):
    most = SNAPSHOT[fork]["settle_imbalance, 500 accounts"]
    per_account = (most - SNAPSHOT[fork]["settle_imbalance, 100 accounts"]) / 400
    # twelve charges more, and as many leaves again that are not charged, which cost less each
    assert most + (12 + 512) * per_account < LARGEST_TRANSACTION
