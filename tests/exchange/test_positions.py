"""Positions: what was bought and sold over all products of a delivery adds up, to the watt-hour."""

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.documents import event_from_document, event_to_document
from exchange.events import ParametersSet
from exchange.market import Market
from exchange.order import Side
from exchange.positions import Positions
from exchange.units import Wh, slice_of
from tests.exchange import neighbourhood, street
from tests.exchange.days import Day, wishes
from tests.exchange.neighbourhood import DAY_AHEAD, INTRADAY, PARAMETERS, SPOT
from tests.exchange.street import FLAT, HOUSE, KITCHEN, PLANT, ROOF, START
from tests.exchange.test_vectors import CASES

ASSETS = sorted(neighbourhood.PLACES)
HOUR = range(START, START + 3_600, 900)


@given(st.integers(0, 10_000), st.integers(1, 100))
def test_slices_add_up_and_the_first_get_the_remainder(energy, parts):
    slices = [slice_of(Wh(energy), parts, place) for place in range(parts)]
    assert sum(slices) == energy
    assert slices == sorted(slices, reverse=True)
    assert slices[0] - slices[-1] <= 1
    assert all(slice_of(Wh(energy + 1), parts, place) >= slices[place] for place in range(parts))


@given(wishes())
@settings(max_examples=40)
def test_positions_are_what_all_trades_and_own_uses_add_up_to(wanted):
    day = Day(neighbourhood.founded(), street.registry()).live(wanted)
    matched: Counter[tuple[bytes, str]] = Counter()
    for book in day.books:
        asset = {accepted.digest: accepted.signed.order.asset for accepted in book.orders}
        for trade in book.cleared.clearing.trades:
            matched[asset[trade.bid], "bought"] += trade.energy
            matched[asset[trade.offer], "sold"] += trade.energy
        for use in book.cleared.clearing.own_uses:
            matched[asset[use.bid], "own_taken"] += use.energy
            matched[asset[use.offer], "own_given"] += use.energy
    positions = [(asset, day.market.positions.of(asset, slot)) for asset in ASSETS for slot in HOUR]
    found: Counter[tuple[bytes, str]] = Counter()
    for asset, position in positions:
        for name, energy in position._asdict().items():
            found[asset, name] += energy
    assert +found == +matched
    assert sum(position.net_sold for _, position in positions) == 0
    assert sum(position.own_taken - position.own_given for _, position in positions) == 0


@given(wishes())
@settings(max_examples=25)
def test_a_replay_and_the_books_give_the_same_positions(wanted):
    day = Day(neighbourhood.founded(), street.registry()).live(wanted)
    again = Market()
    again.apply(ParametersSet(parameters=PARAMETERS, at=0))
    for event in day.events:
        again.apply(event_from_document(json.loads(json.dumps(event_to_document(event)))))
    of_books = Positions(PARAMETERS.calendar, PARAMETERS.slot)
    for book in reversed(day.books):
        of_books.note(book.key, {accepted.digest: accepted for accepted in book.orders}, book.cleared.clearing)
    for asset in ASSETS:
        held = list(day.market.positions.between(asset, 0, START + 7_200))
        assert list(again.positions.between(asset, 0, START + 7_200)) == held
        assert list(of_books.between(asset, 0, START + 7_200)) == held


@pytest.mark.parametrize("third", [40, 20, 30])
def test_one_006_what_is_sold_less_what_is_bought_is_zero_over_all(third):
    given, expected = CASES["one-006"]["input"]["trades"], CASES["one-006"]["expected"]["net_sold_kwh"]
    kwh = [int(trade["energy_kwh"]) for trade in given[:2]] + [third]
    traders = {"A": HOUSE, "B": KITCHEN, "C": FLAT, "D": ROOF}
    day = Day(neighbourhood.founded(), street.registry())
    for place, (trade, energy) in enumerate(zip(given, kwh, strict=True)):
        start = START + 900 * place  # each trade has a session to itself, so that nobody else is met
        for side, who, limit in ((Side.BID, trade["buyer"], 200_000), (Side.OFFER, trade["seller"], 100_000)):
            signed = neighbourhood.order(traders[who], side, SPOT, start, energy=1_000 * energy, limit=limit)
            assert day.order(signed, SPOT.gate_closure(start) - 1) is None
        day.clear(SPOT.gate_closure(start))
    net = {name: sum(day.market.positions.of(asset, slot).net_sold for slot in HOUR) for name, asset in traders.items()}
    change = (40 - third) * 1_000
    assert net == {name: 1_000 * int(kwh) + {"A": change, "D": -change}.get(name, 0) for name, kwh in expected.items()}
    assert sum(net.values()) == CASES["one-006"]["expected"]["sum"]


def test_an_hour_is_spread_over_its_quarters_and_stands_beside_what_they_trade():
    day = Day(neighbourhood.founded(), street.registry())
    for terms, energy in ((DAY_AHEAD, 1_003), (INTRADAY, 50), (SPOT, 7)):
        now = terms.gate_closure(START) - 1
        day.order(neighbourhood.order(FLAT, Side.BID, terms, energy=energy, limit=200_000), now)
        day.order(neighbourhood.order(PLANT, Side.OFFER, terms, energy=energy), now)
        day.clear(now + 1)
    positions = day.market.positions
    assert [positions.of(FLAT, slot).bought for slot in HOUR] == [251 + 57, 251, 251, 250]
    assert [positions.of(PLANT, slot).sold for slot in HOUR] == [251 + 57, 251, 251, 250]


def test_positions_of_long_ago_are_forgotten_and_it_is_said_from_when_they_are_kept():
    day, later = Day(neighbourhood.founded(), street.registry()), START + 900 * 960
    for start, cleared in ((START, START), (later, START + 33 * 86_400)):
        for asset, side in ((KITCHEN, Side.BID), (PLANT, Side.OFFER)):
            assert day.order(neighbourhood.order(asset, side, SPOT, start), SPOT.gate_closure(start) - 1) is None
        before = [held.slot for held in day.market.positions.between(KITCHEN, 0, later + 1)]
        day.clear(cleared)
    assert before == [START]
    assert [held.slot for held in day.market.positions.between(KITCHEN, 0, later + 1)] == [later]
    assert day.market.positions.kept_from == START + 86_400
