"""A market's terms are given once."""

import pytest

from tests.contracts.town import FEE_CAP, LEAD, PERIOD, WINDOW, refused


def terms(town, **changes):
    fields = {
        "market": 7,
        "fee_account": town.accounts["the fee collector"],
        "fee_cap": FEE_CAP,
        "period_seconds": PERIOD,
        "lead_seconds": LEAD,
        "window_seconds": WINDOW,
        "uniform": True,
    }
    return fields | changes


def test_a_market_opens_with_its_terms(town):
    chosen = terms(town)
    outcome = town.send("the grid operator", "open_market", *chosen.values())
    assert town.read("market", 7) == tuple(chosen.values())[1:]
    assert town.settlement.events(outcome) == [("MarketOpened", chosen)]


def test_the_largest_terms_are_kept_whole(town):
    chosen = terms(town, fee_cap=2**48 - 1, period_seconds=2**32 - 1, lead_seconds=2**32 - 1, window_seconds=2**32 - 1)
    town.send("the grid operator", "open_market", *chosen.values())
    assert town.read("market", 7) == tuple(chosen.values())[1:]


def test_a_market_is_opened_once(town):
    town.send("the grid operator", "open_market", *terms(town).values())
    with refused("markets: open already"):
        town.send("the grid operator", "open_market", *terms(town, uniform=False).values())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"market": 0}, "markets: number is zero"),
        ({"fee_account": 0}, "markets: no such fee account"),
        ({"fee_account": 99}, "markets: no such fee account"),
        ({"period_seconds": 0}, "markets: period is zero"),
    ],
)
def test_terms_that_make_no_sense_are_refused(town, change, reason):
    with refused(reason):
        town.send("the grid operator", "open_market", *terms(town, **change).values())
    town.send("the grid operator", "open_market", *terms(town).values())
