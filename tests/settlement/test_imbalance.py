"""Deviations and what they cost: the field's worked cases by id, and the laws of prices and bands."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.order import Side
from exchange.positions import Positions
from exchange.units import MAX_RATE, MIN_RATE, MicroPerKwh, Wh
from settlement.contracted import Obligation, accounts_in, contracted, obligations
from settlement.deviation import Deviation
from settlement.imbalance import Band, Prices, charge, charged
from tests.settlement.metered_street import FLAT, ROOF, START
from tests.settlement.world import honest_world

CASES = {
    case["id"]: case
    for case in json.loads((Path(__file__).parents[1] / "vectors" / "markets.json").read_text(), parse_float=Fraction)[
        "vectors"
    ]
}
WORLD = honest_world()
ORDERS = {"offer": Side.OFFER, "bid": Side.BID, "none": None}
PENALTY_SCALE = 10_000


def wh(kwh) -> Wh:
    energy = Fraction(kwh) * 1_000
    assert energy.denominator == 1, "the case converts to whole units"
    return Wh(int(energy))


def of(metered, agreed=0, after=0, activated=0) -> Deviation:
    obligation = Obligation(contracted=Wh(agreed), activated=Wh(activated), after_delivery=Wh(after))
    return Deviation(Wh(metered), obligation)


def test_set_001_what_a_roof_deviates_by():
    case = CASES["set-001"]
    found = [of(wh(one["measured_kwh"]), wh(one["sold_kwh"])) for one in case["input"]["cases"]]
    # the reference counts shortfall up; here what is fed in counts up
    assert [-deviation.energy for deviation in found] == [wh(kwh) for kwh in case["expected"]["deviation_kwh"]]
    assert [abs(one.unsettled) for one in found] == [wh(kwh) for kwh in case["expected"]["unsettled_kwh"]]
    assert [one.side for one in found] == [ORDERS[name] for name in case["expected"]["order"]]


def test_set_002_what_a_load_deviates_by():
    case = CASES["set-002"]
    found = [of(-wh(one["measured_kwh"]), -wh(one["bought_kwh"])) for one in case["input"]["cases"]]
    assert [-deviation.energy for deviation in found] == [wh(kwh) for kwh in case["expected"]["deviation_kwh"]]
    assert [abs(one.unsettled) for one in found] == [wh(kwh) for kwh in case["expected"]["unsettled_kwh"]]
    assert [one.side for one in found] == [ORDERS[name] for name in case["expected"]["order"]]


@pytest.mark.parametrize("sign", [1, -1], ids=["surplus sold", "shortfall bought"])
def test_set_004_trades_after_delivery_reduce_what_is_unsettled(sign):
    case = CASES["set-004"]
    traded = wh(case["input"]["traded_kwh"])
    left = [abs(of(sign * wh(kwh), after=sign * traded).unsettled) for kwh in case["input"]["unsettled_kwh"]]
    assert left == [wh(kwh) for kwh in case["expected"]["left_kwh"]]


def penalty(case, metered, agreed) -> Fraction:
    """What the reference would have written down: rate times energy in kWh times its scale."""
    prices = Prices(short=MicroPerKwh(int(case["input"]["penalty_rate"] * 1_000_000)), long=MicroPerKwh(0))
    energy = charged(of(metered, agreed).unsettled, Wh(0))
    return Fraction(-charge(energy, prices) * PENALTY_SCALE, 1_000_000_000)


def test_chain_008_only_drawing_more_and_feeding_in_less_are_charged():
    case = CASES["chain-008"]
    sign = {"buyer": -1, "seller": 1}
    found = [
        penalty(case, sign[one["side"]] * wh(one["measured_kwh"]), sign[one["side"]] * wh(one["traded_kwh"]))
        for one in case["input"]["cases"]
    ]
    assert found == case["expected"]["penalty_scaled"]


def test_chain_009_who_delivered_in_full_pays_nothing_for_who_drew_less():
    case = CASES["chain-009"]
    agreed = {"L": -wh(case["input"]["trade"]["energy_kwh"]), "P": wh(case["input"]["trade"]["energy_kwh"])}
    # the reference counts what is drawn up
    found = {who: penalty(case, -wh(kwh), agreed[who]) for who, kwh in case["input"]["measured_kwh"].items()}
    assert case["design_expected"] == {"penalised": None, "penalty_scaled": sum(found.values())}
    assert found == {"L": 0, "P": 0}


def test_an_activation_is_promised_and_what_was_called_is_no_deviation():
    assert of(1_500, agreed=1_000, activated=500).energy == 0
    assert of(1_000, agreed=1_000, activated=500).energy == -500


energies = st.integers(-(1 << 50), 1 << 50).map(Wh)
prices = st.builds(Prices, *(st.integers(MIN_RATE, MAX_RATE).map(MicroPerKwh),) * 2)


@given(energies, st.integers(0, 1 << 50))
def test_only_what_lies_beyond_the_band_is_charged(unsettled, band):
    energy = charged(unsettled, Wh(band))
    assert abs(unsettled - energy) <= band
    assert energy == 0 or abs(unsettled) - abs(energy) == band
    assert energy * unsettled >= 0


@given(energies, prices)
def test_a_charge_is_the_price_of_its_direction_exactly(energy, price):
    expected = energy * (price.short if energy < 0 else price.long)
    assert charge(energy, price) == expected
    assert abs(charge(energy, price)) <= abs(energy) * max(abs(price.short), abs(price.long))


@given(st.lists(energies, min_size=1), st.integers(MIN_RATE, MAX_RATE))
def test_with_one_price_deviations_that_cancel_out_cost_all_of_them_together_nothing(some, rate):
    one = Prices(MicroPerKwh(rate), MicroPerKwh(rate))
    balanced = [*some, Wh(-sum(some))]
    assert sum(charge(energy, one) for energy in balanced) == 0


def test_a_band_is_so_many_wh_or_a_part_of_what_was_promised_whichever_is_more():
    band = Band(Wh(10), 50_000)
    assert [band.around(Wh(promised)) for promised in (0, 199, 200, 219, 220, -1_000)] == [10, 10, 10, 10, 11, 50]
    assert charged(Wh(-11), band.around(Wh(0))) == -1
    assert charged(Wh(10), band.around(Wh(0))) == 0


@pytest.mark.parametrize("change", [{"energy": -1}, {"ppm": -1}, {"ppm": 1_000_001}])
def test_a_band_that_makes_no_sense_is_none(change):
    with pytest.raises(ValueError):
        replace(Band(), **change)


def test_a_price_that_no_field_holds_is_none():
    assert Prices(MAX_RATE, MIN_RATE).of(Wh(-1)) == MAX_RATE
    with pytest.raises(ValueError):
        Prices(MicroPerKwh(MAX_RATE + 1), MicroPerKwh(0))


def test_what_books_agreed_sums_to_zero_and_is_what_was_traded():
    net = contracted(WORLD.books)
    assert sum(net.values()) == 0
    book = WORLD.books[0]
    sold = sum(energy for (_, start), energy in net.items() if start == book.key.delivery_start and energy > 0)
    clearing = book.cleared.clearing
    assert clearing.own_uses
    assert 0 < sold <= clearing.energy + sum(use.energy for use in clearing.own_uses)
    orders = {order.digest: order for order in book.orders}
    trade = clearing.trades[0]
    seller = orders[trade.offer].signed.order.asset
    alone = sum(one.energy for one in clearing.trades if orders[one.offer].signed.order.asset == seller)
    assert net[seller, book.key.delivery_start] >= alone - sum(use.energy for use in clearing.own_uses)


def test_a_long_delivery_period_is_spread_over_its_slots():
    book = WORLD.books[0]
    short = replace(book.market, number=9, title="short", period=300)
    parameters = replace(book.parameters, markets=(book.market, short))
    spread = contracted([replace(book, parameters=parameters)])
    positions = Positions(parameters.calendar, 300)
    positions.note(book.key, {order.digest: order for order in book.orders}, book.cleared.clearing)
    for (asset, at), energy in spread.items():
        held = positions.of(asset, at)
        assert energy == held.out - held.into, "members are shown the same"
    whole = contracted([book])
    start = book.key.delivery_start
    for (asset, _), energy in whole.items():
        parts = [spread[asset, start + turn * 300] for turn in range(3)]
        assert sum(parts) == energy
    assert set(accounts_in([replace(book, parameters=parameters)])) >= set(spread)


def test_positions_hold_contracts_calls_and_trades_after_delivery_side_by_side():
    place, other = (FLAT, START), (ROOF, START)
    found = obligations({place: Wh(-100)}, {other: Wh(30)}, {place: Wh(-5)})
    assert found == {
        place: Obligation(contracted=Wh(-100), after_delivery=Wh(-5)),
        other: Obligation(activated=Wh(30)),
    }
    assert found[place].promised == -100
    assert of(0).obligation == Obligation()
