"""The audit of forecasts: silent about honest books, and with a finding for each lie about a forecast."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.order import Side
from exchange.units import Wh
from settlement.audit_forecasts import check_forecasts
from settlement.authority import Authority
from settlement.chain_view import ChainView
from settlement.facts import Witnessed
from tests.actors import STRANGER
from tests.exchange import neighbourhood, street
from tests.exchange.days import wishes
from tests.exchange.neighbourhood import DAY_AHEAD, SPOT
from tests.exchange.street import KITCHEN, START
from tests.exchange.test_forecasts import ENERGIES, ForecastDay, forecast, signature
from tests.registries import ROLES, asset_facts


def authority() -> Authority:
    """Who could ever act on the street, as a chain without sessions tells it."""
    facts = [fact for number, (asset, owner) in enumerate(street.ASSETS.items(), 1)
             for fact in list(asset_facts(number, asset, owner.address, 1))[:1]]  # fmt: skip
    witnessed = [Witnessed(fact, 1, bytes(32), bytes(32), index) for index, fact in enumerate(facts)]
    view = ChainView(chain_id=1, contract=street.DOMAIN.contract, roles=ROLES, facts=witnessed, calldata={}, credits={})
    return Authority([], [], view)


def sentences(books):
    findings = list(check_forecasts(books, authority()))
    assert {finding.code for finding in findings} <= {"forecast"}
    return [finding.sentence for finding in findings]


@pytest.fixture
def books():
    """An hour ahead and a quarter on the spot, both of the kitchen, with a new forecast in between."""
    day = ForecastDay()
    day.foresee(forecast(consumption=400))
    day.foresee(forecast(street.PLANT, production=10_000))
    assert day.bid(200, DAY_AHEAD) is None
    assert day.bid(200, DAY_AHEAD, asset=street.PLANT, side=Side.OFFER) is None
    day.clear(DAY_AHEAD.gate_closure(START))
    day.foresee(forecast(serial=2, consumption=800), START - 1_000)
    assert day.bid(150, before=3) is None
    day.clear(SPOT.gate_closure(START))
    assert [len(book.forecasts) for book in day.books] == [2, 2]
    return day.books


def with_orders(book, **changes):
    """The book in which the first order is another."""
    first, *rest = book.orders
    signed = replace(first.signed, order=replace(first.signed.order, **changes))
    return replace(book, orders=(replace(first, signed=signed), *rest))


def with_forecasts(book, *forecasts):
    return replace(book, cleared=replace(book.cleared, forecasts=forecasts))


def test_honest_books_have_no_finding(books):
    assert sentences(books) == []


@given(wishes(most=14), st.lists(st.tuples(st.sampled_from(sorted(street.ASSETS)), ENERGIES), max_size=12))
@settings(max_examples=20)
def test_whatever_the_exchange_takes_is_within_the_forecasts_to_the_audit(wanted, foreseen):
    day = ForecastDay()
    for serial, (asset, (consumption, production)) in enumerate(foreseen):
        day.foresee(forecast(asset, serial=serial, consumption=consumption, production=production))
    assert sentences(day.live(wanted).books) == []


@pytest.mark.parametrize(("energy", "found"), [(150, 0), (151, 1)])
def test_an_order_beyond_the_forecast_is_found_and_what_was_matched_before_counts(books, energy, found):
    ahead, spot = books
    altered = with_orders(spot, energy=Wh(energy))
    assert len(sentences([ahead, altered])) == found
    assert sentences([altered]) == []  # without the book of the hour nobody knows what it has matched


def test_an_order_without_a_forecast_is_found(books):
    ahead, spot = books
    assert any("without a forecast" in sentence for sentence in sentences([with_forecasts(ahead), spot]))


def test_a_forecast_that_one_book_leaves_out_is_found_by_the_other(books):
    ahead, spot = books
    assert any("another book has this" in each for each in sentences([ahead, with_forecasts(spot, spot.forecasts[1])]))


def test_a_forecast_that_came_after_the_order_counts_for_nothing(books):
    ahead, spot = books
    late = [replace(event, sequence=9) if event.forecast.serial == 2 else event for event in spot.forecasts]
    assert sentences([ahead, with_forecasts(spot, *late)]) != []


@pytest.mark.parametrize("lie", ["another energy", "by a stranger", "no signature", "another signer", "told twice"])
def test_a_forged_forecast_is_found(books, lie):
    ahead, spot = books
    first, *rest = spot.forecasts
    more = replace(first.forecast, consumption=Wh(500))
    forged = {
        "another energy": replace(first, forecast=more),
        "by a stranger": replace(first, signature=signature(first.forecast, STRANGER), signer=STRANGER.address),
        "no signature": replace(first, signature=bytes(64)),
        "another signer": replace(first, signer=STRANGER.address),
        "told twice": replace(first, at=first.at + 1),
    }[lie]
    assert sentences([ahead, with_forecasts(spot, forged, *rest)]) != []


def test_a_forecast_where_none_is_taken_is_found(books):
    free = [replace(book, parameters=neighbourhood.PARAMETERS) for book in books]
    assert any("where none is taken" in sentence for sentence in sentences(free))
    assert sentences([with_forecasts(book) for book in free]) == []


def test_an_order_that_was_taken_back_draws_on_no_forecast():
    day = ForecastDay()
    day.foresee(forecast(consumption=400))
    signed = neighbourhood.order(KITCHEN, Side.BID, energy=100)
    now = SPOT.gate_closure(START) - 9
    assert day.order(signed, now) is None
    event = day.market.cancel(street.digest_of(signed), street.cancellation(signed), registry=day.registry, now=now)
    day.happen(event)
    assert day.bid(100, salt=2) is None
    day.clear(SPOT.gate_closure(START))
    assert sentences(day.books) == []
    (book,) = day.books
    assert sentences([replace(book, cancellations=())]) != []
