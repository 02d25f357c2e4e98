"""Forecasts bound what assets order and match in a slot, over all products."""

import json
from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.canonical import canonical, event_of
from exchange.clearing import NOTHING_CLEARED
from exchange.delivery import Mechanism
from exchange.documents import event_from_document, event_to_document
from exchange.effects.typed_data import forecast_typed_data
from exchange.errors import BeyondForecast, NoForecast, OrderMalformed
from exchange.events import ParametersSet, SessionCleared
from exchange.forecast import Forecast
from exchange.forecasts import MOST_SLOTS
from exchange.market import Market
from exchange.notice_errors import ForecastOutOfBounds, ForecastOvertaken, ForecastsNotTaken
from exchange.order import Side
from exchange.units import Wh
from identity.errors import BadSignature, NotAuthorised, OrdersVoided
from identity.facts import EpochBegun
from tests.actors import CONSUMER, STRANGER
from tests.exchange import neighbourhood, street
from tests.exchange.days import Day, wishes
from tests.exchange.neighbourhood import DAY_AHEAD, INTRADAY, PARAMETERS, SPOT
from tests.exchange.street import ACCOUNTS, FLAT, KITCHEN, PLANT, ROOF, SEPARATOR, START

BOUND = replace(PARAMETERS, forecast_caps=True)
HOUR = range(START, START + 3_600, 900)
EARLY = DAY_AHEAD.gate_opening(START)


def forecast(asset=KITCHEN, *, serial=1, start=START, seconds=3_600, consumption=0, production=0):
    return Forecast(
        asset=asset,
        start=start,
        seconds=seconds,
        consumption=Wh(consumption),
        production=Wh(production),
        serial=serial,
    )


def signature(given, by=None):
    return (by or street.ASSETS.get(given.asset, STRANGER)).sign(given.digest(SEPARATOR))


class ForecastDay(Day):
    """A day on which forecasts bind."""

    def __init__(self, parameters=BOUND):
        super().__init__(Market(), street.registry())
        self.happen(ParametersSet(parameters=parameters, at=0))

    def foresee(self, given, now=EARLY, by=None):
        """Hand a forecast in; return its event, or none where it is held."""
        event = self.decide(given, signature(given, by), now)
        if event is not None:
            self.happen(event)
        return event

    def decide(self, given, signed, now=EARLY):
        market = self.market
        return market.forecasts.decide(
            given,
            signed,
            separator=SEPARATOR,
            registry=self.registry,
            sequence=market.next_sequence,
            now=now,
        )

    def bid(self, energy, terms=SPOT, start=START, salt=1, asset=KITCHEN, side=Side.BID, before=1):
        """Have an order come shortly before its gate closes; return why it was refused."""
        signed = neighbourhood.order(
            asset, side, terms, start, energy=energy, salt=salt, limit=200_000 if side is Side.BID else 0
        )
        return self.order(signed, terms.gate_closure(start) - before)


@pytest.fixture
def day():
    return ForecastDay()


def test_a_wallet_signs_the_same_digest():
    given = forecast(serial=(1 << 64) - 1, consumption=(1 << 48) - 1, production=7)
    signed = Account.sign_message(
        encode_typed_data(full_message=forecast_typed_data(given, street.DOMAIN)), CONSUMER.key
    )
    assert bytes(signed.message_hash) == given.digest(SEPARATOR)


def test_an_order_within_the_forecast_is_taken_and_one_beyond_it_refused(day):
    day.foresee(forecast(seconds=900, consumption=500))
    assert day.bid(500) is None
    refused = day.bid(1, salt=2)
    assert isinstance(refused, BeyondForecast)
    assert (refused.slot, refused.forecast, refused.used, refused.energy) == (START, 500, 500, 1)


def test_without_a_forecast_nothing_is_ordered(day):
    refused = day.bid(1)
    assert isinstance(refused, NoForecast)
    assert refused.slot == START
    day.foresee(forecast(consumption=4))
    assert day.bid(1) is None


def test_where_nobody_is_held_to_forecasts_none_is_taken_and_every_order_is():
    day = ForecastDay(PARAMETERS)
    assert day.bid(1_000) is None
    with pytest.raises(ForecastsNotTaken):
        day.foresee(forecast())


def test_each_side_has_its_own_forecast(day):
    day.foresee(forecast(seconds=900, consumption=10, production=3))
    assert day.bid(10) is None
    assert isinstance(day.bid(4, side=Side.OFFER, salt=2), BeyondForecast)


def test_an_order_of_an_hour_must_fit_into_each_of_its_quarters(day):
    for at, energy in zip(HOUR, (26, 25, 24, 25), strict=True):
        day.foresee(forecast(start=at, seconds=900, consumption=energy))
    assert isinstance(day.bid(100, DAY_AHEAD), BeyondForecast)
    assert isinstance(day.bid(99, DAY_AHEAD), BeyondForecast)  # 25, 25, 25, 24
    assert day.bid(98, DAY_AHEAD) is None  # 25, 25, 24, 24
    assert day.bid(1, INTRADAY, START) is None
    assert isinstance(day.bid(1, INTRADAY, START + 1_800), BeyondForecast)


def test_what_was_matched_counts_and_what_was_not_is_free_again(day):
    day.foresee(forecast(consumption=400))
    day.foresee(forecast(PLANT, production=400))
    assert day.bid(400, DAY_AHEAD) is None
    assert day.bid(100, DAY_AHEAD, asset=PLANT, side=Side.OFFER) is None
    assert isinstance(day.bid(1, INTRADAY, salt=2), BeyondForecast)
    day.clear(DAY_AHEAD.gate_closure(START))
    assert isinstance(day.bid(76, INTRADAY, salt=2), BeyondForecast)
    assert day.bid(75, INTRADAY, salt=3) is None


def test_what_was_taken_back_is_free_again(day):
    day.foresee(forecast(consumption=400))
    signed = neighbourhood.order(KITCHEN, Side.BID, energy=100)
    now = SPOT.gate_closure(START) - 1
    assert day.order(signed, now) is None
    assert isinstance(day.bid(100, salt=2), BeyondForecast)
    event = day.market.cancel(street.digest_of(signed), street.cancellation(signed), registry=day.registry, now=now)
    day.happen(event)
    assert day.bid(100, salt=2) is None


def test_the_newest_forecast_counts_and_an_older_one_is_refused(day):
    day.foresee(forecast(serial=5, consumption=400))
    day.foresee(forecast(serial=9, start=START + 900, seconds=900, consumption=7))
    with pytest.raises(ForecastOvertaken) as refused:
        day.foresee(forecast(serial=8, consumption=4_000))
    assert (refused.value.held, refused.value.slot) == (9, START + 900)
    with pytest.raises(ForecastOvertaken):
        day.foresee(forecast(serial=5, consumption=4_000))
    assert isinstance(day.bid(8, start=START + 900), BeyondForecast)
    day.foresee(forecast(serial=10, consumption=4_000))
    assert day.bid(8, start=START + 900) is None


def test_the_same_forecast_again_is_harmless(day):
    assert day.foresee(forecast()) is not None
    assert day.foresee(forecast()) is None


def test_a_delegate_forecasts_and_a_stranger_does_not(day):
    assert day.foresee(forecast(), by=street.AGENT) is not None
    with pytest.raises(NotAuthorised):
        day.foresee(forecast(serial=2), by=STRANGER)
    with pytest.raises(BadSignature):
        day.decide(forecast(serial=3), bytes(64))


def test_voiding_everything_signed_voids_forecasts_to_come_too(day):
    day.registry.apply(EpochBegun(ACCOUNTS[CONSUMER], 1, EARLY))
    with pytest.raises(OrdersVoided):
        day.foresee(forecast(serial=7), now=EARLY + 1)
    assert day.foresee(forecast(serial=1 << 32), now=EARLY + 1) is not None


LAST = EARLY + DAY_AHEAD.opening + DAY_AHEAD.period


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"start": START + 1}, "first second"),
        ({"seconds": 901}, "first second"),
        ({"seconds": (MOST_SLOTS + 1) * 900}, "first second"),
        ({"start": EARLY - 900, "seconds": 900}, "over at"),
        ({"start": LAST - 900, "seconds": 1_800}, "nothing beyond"),
    ],
)
def test_a_forecast_for_other_times_than_are_traded_is_refused(day, changes, sentence):
    with pytest.raises(ForecastOutOfBounds, match=sentence):
        day.foresee(forecast(**changes))
    assert day.foresee(forecast(start=EARLY, seconds=900)) is not None
    assert day.foresee(forecast(start=LAST - 900, seconds=900)) is not None


ENERGIES = st.tuples(st.integers(0, 1_200), st.integers(0, 1_200))


@given(wishes(most=16), st.lists(st.tuples(st.sampled_from(sorted(street.ASSETS)), ENERGIES), max_size=12))
@settings(max_examples=40)
def test_nothing_is_ever_matched_beyond_a_forecast(wanted, foreseen):
    day, most = ForecastDay(), {}
    for serial, (asset, (consumption, production)) in enumerate(foreseen):
        given = forecast(asset, serial=serial, consumption=consumption, production=production)
        day.foresee(given)
        most[asset] = given
    day.live(wanted)
    for asset in street.ASSETS:
        for slot in HOUR:
            position = day.market.positions.of(asset, slot)
            for side in Side:
                assert position.of(side) <= (most[asset].energy(side, slot, 900) if asset in most else 0)
    assert all(isinstance(refusal, NoForecast | BeyondForecast) or "own" in refusal.code for refusal in day.refused)
    assert day.market.forecasts._open == {}
    again = Market()
    for event in day.events:
        written = canonical(event).encode()
        assert event_of(written) == event
        again.apply(event_from_document(json.loads(json.dumps(event_to_document(event)))))
    for name in ("_by_digest", "_by_asset", "_in_force", "_open"):
        assert getattr(again.forecasts, name) == getattr(day.market.forecasts, name)


def test_a_book_has_the_forecasts_that_its_orders_were_held_to(day):
    first = day.foresee(forecast(consumption=400))
    day.foresee(forecast(ROOF, production=400))
    assert day.bid(100, before=9) is None
    second = day.foresee(forecast(serial=2, consumption=800), START - 1_000)
    assert day.bid(100, salt=2) is None
    day.foresee(forecast(serial=3), START - 900)
    day.clear(SPOT.gate_closure(START))
    assert day.books[-1].forecasts == (first, second)
    assert [event.sequence for event in day.books[-1].forecasts] == [1, 2]


def test_a_clearing_without_forecasts_says_nothing_of_them_and_an_empty_list_is_refused():
    event = SessionCleared(
        session=SPOT.session(START), clearing=NOTHING_CLEARED, excluded=(), parameters=bytes(32), at=START
    )
    document = event_to_document(event)
    assert "forecasts" not in document
    with pytest.raises(OrderMalformed):
        event_from_document(document | {"forecasts": []})


def test_forecasts_of_long_ago_are_forgotten(day):
    day.foresee(forecast(consumption=400))
    day.foresee(forecast(FLAT, start=START + 3_600, seconds=900), START)
    day.market.forecasts.forget(START + 3_600)
    assert day.market.forecasts.in_force(KITCHEN, 0, START + 7_200) == []
    assert day.market.forecasts.held(forecast(consumption=400).digest(SEPARATOR)) is None
    assert len(day.market.forecasts.in_force(FLAT, 0, START + 7_200)) == 1


def test_what_a_tick_has_matched_counts_also_when_the_rest_is_taken_back():
    ticking = replace(SPOT, mechanism=Mechanism.PAY_AS_BID, tick=60)
    day = ForecastDay(replace(BOUND, markets=(ticking, INTRADAY, DAY_AHEAD)))
    day.foresee(forecast(consumption=400))
    day.foresee(forecast(PLANT, production=400))
    assert day.bid(100, before=200) is None
    assert day.bid(60, before=199, asset=PLANT, side=Side.OFFER) is None
    now = SPOT.gate_closure(START) - 100
    (key,) = day.market.ticks_due(now)
    day.happen(day.market.tick(key, registry=day.registry, now=now))
    given = neighbourhood.order(KITCHEN, Side.BID, energy=100, limit=200_000)
    cancelled = day.market.cancel(street.digest_of(given), street.cancellation(given), registry=day.registry, now=now)
    day.happen(cancelled)
    assert isinstance(day.bid(41, salt=2, before=50), BeyondForecast)
    assert day.bid(40, salt=3, before=50) is None
    day.clear(SPOT.gate_closure(START))
    assert day.market.positions.of(KITCHEN, START).bought == 60
    assert day.market.forecasts._open == {}
