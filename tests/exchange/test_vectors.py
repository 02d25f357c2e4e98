"""Worked cases of the field's reference exchange (`tests/vectors/markets.json`), by id.

The file counts kWh and cents per kWh; both are converted exactly. Where `design_expected` stands, it is ours. Where
the case names an interval wider than a point, the `clearing_rate` beside it is the interval's upper end, which is the
reference's choice; ours is the midpoint, so there the interval and the volume are asserted and the rate only to lie
inside. pac-020 charges a percentage fee; its rate is the upper end, too, and ours with the fee lies inside.
"""

import json
from fractions import Fraction
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

from exchange.auction import Columns, auction
from exchange.clear import clear
from exchange.clearing import Clearing
from exchange.delivery import Mechanism
from exchange.order import Side
from exchange.trade import Trade
from exchange.tree import Fee, Tree
from exchange.units import share
from tests.exchange.trees import node, one_node
from tests.strategies import SESSION, one_fee, resting

BID, OFFER = Side.BID, Side.OFFER
_FILE = Path(__file__).parents[1] / "vectors" / "markets.json"
CASES = {case["id"]: case for case in json.loads(_FILE.read_text(), parse_float=Fraction)["vectors"]}

BOOKS = [name for name, case in CASES.items() if name.startswith("pac-") and "bids" in case["input"]]
ASSIGNMENTS = [name for name, case in CASES.items() if case["area"] == "match.pay_as_clear.assign"]


def whole(value: Fraction | int) -> int:
    number = Fraction(value)
    assert number.denominator == 1, "the case converts to whole units"
    return int(number)


def micro(cents: Fraction | int) -> int:
    """Return ct/kWh as µ/kWh."""
    return whole(cents * 10_000)


def wh(kwh: Fraction | int) -> int:
    return whole(kwh * 1_000)


def cleared(case: dict) -> tuple[Clearing, dict[bytes, str]]:
    """Clear the book of a case, every trader an account; return the names of the orders too."""
    book, names = [], {}
    for side, listed in ((BID, case["input"]["bids"]), (OFFER, case["input"]["offers"])):
        for order in listed:
            entry = resting(side, micro(order["rate"]), wh(order["energy_kwh"]), sequence=len(book) + 1)
            book.append(entry)
            names[entry.digest] = order["id"]
    return clear(book, session=SESSION, tree=one_node(0)), names


by_every_mechanism = pytest.mark.parametrize("mechanism", Mechanism, ids=attrgetter("title"))


def test_every_pay_as_clear_case_of_the_file_is_run():
    assert sorted([*BOOKS, *ASSIGNMENTS]) == sorted(name for name in CASES if name.startswith("pac-"))


def test_pac_020_with_a_percentage_fee_the_common_rate_is_kept():
    case = CASES["pac-020"]["input"]
    percent = node(SESSION.market, None, Fee(ppm=10_000 * int(case["grid_fee_percent"])))
    entries = [
        resting(side, micro(order["rate"]), wh(order["energy_kwh"]), sequence=number)
        for number, (side, order) in enumerate(
            [*((BID, bid) for bid in case["bids"]), *((OFFER, offer) for offer in case["offers"])], 1
        )
    ]
    trades = clear(entries, session=SESSION, tree=Tree((percent,))).trades
    assert len({(trade.rate, trade.fee_rate) for trade in trades}) == 1
    assert [trade.energy for trade in trades] == [1_000, 1_000]
    assert trades[0].fee_rate == share(trades[0].rate, percent.fee.ppm)
    assert micro(10) <= trades[0].rate
    assert trades[0].rate + trades[0].fee_rate <= micro(20)


@pytest.mark.parametrize("name", BOOKS)
def test_a_book_clears_as_the_case_says(name):
    case = CASES[name]
    clearing, names = cleared(case)
    expected = case.get("design_expected", case["expected"])
    low, high = expected.get("equilibrium_price_interval", (None, None))
    if "clearing_energy_kwh" in expected:
        assert clearing.energy == wh(expected["clearing_energy_kwh"])
    if low is not None:
        assert (clearing.low, clearing.high) == (micro(low), micro(high))
        assert micro(low) <= clearing.rate <= micro(high)
    if "midpoint_rate" in expected:
        assert clearing.rate == micro(expected["midpoint_rate"])
    if low == high and "clearing_rate" in expected:
        wanted = expected["clearing_rate"]
        assert clearing.rate == (None if wanted is None else micro(wanted))
    if "matches" in expected:
        assert sorted((names[t.bid], names[t.offer], t.energy, t.rate) for t in clearing.trades) == sorted(
            (match["bid"], match["offer"], wh(match["energy_kwh"]), micro(match["rate"]))
            for match in expected["matches"]
        )
    if "trades" in expected:
        assert sorted((names[trade.bid], trade.energy) for trade in clearing.trades) == sorted(
            (trade["buyer"], wh(trade["energy_kwh"])) for trade in expected["trades"]
        )
        assert {trade.rate for trade in clearing.trades} == {clearing.rate}


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_energy_is_assigned_in_merit_order_as_the_case_says(name):
    case = CASES[name]

    def side(energies: list[int]) -> Columns:
        count = len(energies)
        return Columns(
            np.zeros(count, dtype=np.int64),
            np.full(count, micro(case["input"]["clearing_rate"]), dtype=np.int64),
            np.array([wh(energy) for energy in energies], dtype=np.int64),
        )

    result = auction(side(case["input"]["bid_energies_kwh"]), side(case["input"]["offer_energies_kwh"]), 1)
    assigned = zip((result.bid + 1).tolist(), (result.offer + 1).tolist(), result.quantity.tolist(), strict=True)
    assert list(assigned) == [(bid, offer, wh(energy)) for bid, offer, energy in case["expected"]["assigned"]]
    assert result.energy[0] == wh(case["input"]["clearing_energy_kwh"])
    assert result.rate[0] == micro(case["input"]["clearing_rate"])


@by_every_mechanism
@pytest.mark.parametrize("number", range(4))
def test_two_002_no_trade_exceeds_either_order_or_leaves_the_limits(mechanism, number):
    pair = CASES["two-002"]["input"]["cases"][number]
    # two thirds of a cent are no whole µ: the seller's limit is rounded up, the buyer's down
    bid_rate = pair["bid_rate"] * 10_000 // 1
    offer_rate = -(-pair["offer_rate"] * 10_000 // 1)
    bid = resting(BID, bid_rate, wh(pair["bid_kwh"]), sequence=1)
    offer = resting(OFFER, offer_rate, wh(pair["offer_kwh"]), sequence=2)
    trades = clear([bid, offer], session=SESSION, tree=one_node(0), mechanism=mechanism).trades
    assert len(trades) == (bid_rate >= offer_rate)
    for trade in trades:
        assert trade.energy == min(bid.order.energy, offer.order.energy)
        assert offer_rate <= trade.rate <= bid_rate < micro(pair["trade_rate"])


@by_every_mechanism
@pytest.mark.parametrize("homes", [("", ""), ("house", "barn")])
def test_two_003_the_same_trader_on_both_sides_makes_no_trade(mechanism, homes):
    case = CASES["two-003"]["input"]
    bid, offer = (
        resting(side, micro(case[rate]), wh(case["energy_kwh"]), sequence=side + 1, account=1, home=homes[side])
        for side, rate in ((BID, "bid_rate"), (OFFER, "offer_rate"))
    )
    trades = clear([bid, offer], session=SESSION, tree=one_node(0), mechanism=mechanism).trades
    assert len(trades) == CASES["two-003"]["expected"]["trades"]


@by_every_mechanism
def test_two_003_two_traders_on_two_sides_make_a_trade(mechanism):
    case = CASES["two-003"]["input"]
    bid = resting(BID, micro(case["bid_rate"]), wh(case["energy_kwh"]), sequence=1)
    offer = resting(OFFER, micro(case["offer_rate"]), wh(case["energy_kwh"]), sequence=2)
    assert len(clear([bid, offer], session=SESSION, tree=one_node(0), mechanism=mechanism).trades) == 1


@pytest.mark.parametrize("energy", [e for e in CASES["two-006"]["input"]["accept_energies_kwh"] if e <= 0])
def test_two_006_an_order_for_no_energy_is_refused(energy):
    with pytest.raises(ValueError, match="positive amount"):
        resting(OFFER, 0, wh(energy), sequence=1)


@by_every_mechanism
@pytest.mark.parametrize("energy", [e for e in CASES["two-006"]["input"]["accept_energies_kwh"] if e > 0])
def test_two_006_more_energy_than_the_bid_is_for_is_never_taken(mechanism, energy):
    size = wh(CASES["two-006"]["input"]["bid"]["energy_kwh"])
    bid, offer = resting(BID, micro(1), size, sequence=1), resting(OFFER, 0, wh(energy), sequence=2)
    clearing = clear([bid, offer], session=SESSION, tree=one_node(0), mechanism=mechanism)
    assert wh(energy) > size == clearing.energy


@pytest.mark.parametrize("name", ["chain-001", "chain-002", "chain-004"])
def test_the_seller_gets_what_the_buyer_pays(name):
    case = CASES[name]
    rate, energy = case["input"]["offer"]["price_per_unit"], case["input"]["trade_energy"]
    trade = Trade(session=SESSION, bid=bytes(32), offer=bytes(32), energy=energy, rate=rate, fees=one_fee(1, 0))
    assert {"buyer": -trade.cost, "seller": trade.value} == case["expected"]["balance"]


def test_chain_002_what_is_left_of_an_offer_keeps_its_rate():
    case = CASES["chain-002"]
    rate, energy = case["input"]["offer"]["price_per_unit"], case["input"]["offer"]["energy"]
    offer = resting(OFFER, rate, energy, sequence=1)
    bid = resting(BID, rate + 5, case["input"]["trade_energy"], sequence=2)
    clearing = clear([offer, bid], session=SESSION, tree=one_node(0))
    assert energy - clearing.energy == case["expected"]["residual"]["energy"]
    assert clearing.rate == clearing.high == case["expected"]["residual"]["price_per_unit"]


def test_chain_006_the_rate_of_a_trade_lies_between_the_limits():
    case = CASES["chain-006"]["input"]
    bid = resting(BID, case["bid"]["rate"], case["bid"]["energy"], sequence=1)
    offer = resting(OFFER, case["offer"]["rate"], case["offer"]["energy"], sequence=2)
    (trade,) = clear([bid, offer], session=SESSION, tree=one_node(0)).trades
    assert trade.energy == case["match"]["energy"]
    assert offer.order.limit <= trade.rate <= bid.order.limit < case["match"]["rate"]
