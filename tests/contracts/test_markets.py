"""A market's terms are given once, by a grid operator whose claim is for that market, or for any."""

import pytest

from tests.contracts.orders import address_of
from tests.contracts.registries import GRID_OPERATOR
from tests.contracts.town import FEE_CAP, LEAD, PERIOD, WINDOW, refused


def terms(town, **changes):
    fields = {
        "market": 7,
        "tree": 7,
        "fee_account": town.accounts["the fee collector"],
        "fee_cap": FEE_CAP,
        "period_seconds": PERIOD,
        "lead_seconds": LEAD,
        "window_seconds": WINDOW,
        "uniform": True,
    }
    return fields | ({"tree": changes["market"]} if "market" in changes else {}) | changes


def test_a_market_opens_with_its_terms(town):
    chosen = terms(town)
    outcome = town.send("the grid operator", "open_market", *chosen.values())
    assert town.read("market", 7) == tuple(chosen.values())[1:]
    assert town.settlement.events(outcome) == [("MarketOpened", chosen)]


def test_the_largest_terms_are_kept_whole(town):
    largest = 2**32 - 1
    town.send("the grid operator", "open_market", *terms(town, market=largest).values())
    chosen = terms(
        town, tree=largest, fee_cap=2**48 - 1, period_seconds=largest, lead_seconds=largest, window_seconds=largest
    )
    town.send("the grid operator", "open_market", *chosen.values())
    assert town.read("market", 7) == tuple(chosen.values())[1:]


def test_a_market_is_opened_once(town):
    town.send("the grid operator", "open_market", *terms(town).values())
    with refused("markets: open already"):
        town.send("the grid operator", "open_market", *terms(town, uniform=False).values())


def test_a_node_belongs_to_a_tree_that_is_open(town):
    for tree in (0, 6, 2**32 - 1):
        with refused("markets: no such tree"):
            town.send("the grid operator", "open_market", *terms(town, tree=tree).values())
    town.send("the grid operator", "open_market", *terms(town, market=6).values())
    town.send("the grid operator", "open_market", *terms(town, tree=6).values())
    assert town.read("market", 7)[0] == 6


def test_a_node_is_no_tree(town):
    town.send("the grid operator", "open_market", *terms(town, tree=1).values())
    with refused("markets: no such tree"):
        town.send("the grid operator", "open_market", *terms(town, market=8, tree=7).values())
    town.send("the grid operator", "open_market", *terms(town, market=8, tree=1).values())


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


# who opens it


def certify(town, name, **terms):
    town.registries.certify(address_of(name), GRID_OPERATOR, holder=name, **terms)


def test_who_holds_no_claim_is_refused(town):
    for sender in ("the admin", "the operator", "the root's owner", "the community operator"):
        with refused("markets: not a grid operator"):
            town.send(sender, "open_market", *terms(town).values())
    certify(town, "the operator")
    town.send("the operator", "open_market", *terms(town).values())


def test_a_claim_that_names_a_market_opens_that_one_only(town):
    certify(town, "the feeder's operator", data=(7).to_bytes(32))
    for other in (6, 8):
        with refused("markets: claim is for another"):
            town.send("the feeder's operator", "open_market", *terms(town, market=other).values())
    town.send("the feeder's operator", "open_market", *terms(town).values())


@pytest.mark.parametrize("data", [2**32 + 7, 7 << 224])
def test_a_claim_that_names_no_market_there_can_be_opens_none(town, data):
    certify(town, "the feeder's operator", data=data.to_bytes(32))
    with refused("markets: claim is for another"):
        town.send("the feeder's operator", "open_market", *terms(town).values())


def test_a_claim_opens_markets_to_the_second_before_its_expiry(town):
    for name, lasts in (("the late one", 60), ("the punctual one", 61)):
        certify(town, name, expiry=town.machine.now + lasts)
    town.move_to(town.machine.now + 60)
    with refused("markets: not a grid operator"):
        town.send("the late one", "open_market", *terms(town).values())
    town.send("the punctual one", "open_market", *terms(town).values())


def test_a_grid_operator_whose_claim_was_revoked_is_refused_at_once(town):
    town.registries.revoke(address_of("the grid operator"), GRID_OPERATOR)
    with refused("markets: not a grid operator"):
        town.send("the grid operator", "open_market", *terms(town).values())


def test_a_market_that_is_open_stays_so_when_its_operator_loses_the_claim(town):
    town.send("the grid operator", "open_market", *terms(town).values())
    town.registries.revoke(address_of("the grid operator"), GRID_OPERATOR)
    assert town.read("market", 7) == tuple(terms(town).values())[1:]
