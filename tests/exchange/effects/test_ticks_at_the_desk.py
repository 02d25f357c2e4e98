"""Ticks at the desk: made by the clock, and before anything that is decided after them."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.problems import install, problem_of
from app.public_events import Sources, public_events
from exchange.effects.desk import Desk
from exchange.effects.journal import SqliteJournal
from exchange.effects.routes import exchange_router
from exchange.errors import OrderFilled
from exchange.events import OrderAccepted, OrderCancelled, TickCleared
from exchange.market import Market
from exchange.units import Wh
from tests.actors import OPERATOR
from tests.exchange import street
from tests.exchange.street import CLOSURE, OPENING, PLANT, SESSION, bid, digest_of, offer
from tests.exchange.ticking import TICK, parameters
from tests.simulators.everybody import Everybody

FIRST = OPENING + TICK


@pytest.fixture
def ticking(journal, registry, purse, clock):
    clock.now = OPENING + 1
    opened = Desk(journal, Market(), lambda: registry, purse, OPERATOR.key, clock)
    opened.open(parameters())
    return opened


def kinds(journal):
    return [type(event) for _, event in journal.read()][1:]


def test_a_tick_that_has_come_is_made_before_the_next_order_is_decided_on(ticking, journal, clock):
    ticking.submit([bid(), offer(PLANT)])
    clock.now = FIRST
    ticking.submit([bid(salt=2)])
    assert kinds(journal) == [OrderAccepted, OrderAccepted, TickCleared, OrderAccepted]


def test_a_tick_that_has_come_is_made_before_an_order_is_taken_back(ticking, journal, clock):
    ticking.submit([bid(), offer(PLANT, energy=Wh(1_200))])
    clock.now = FIRST + 3
    with pytest.raises(OrderFilled):
        ticking.cancel(digest_of(bid()), street.cancellation(bid()))
    given = offer(PLANT, energy=Wh(1_200))
    ticking.cancel(digest_of(given), street.cancellation(given))
    assert kinds(journal) == [OrderAccepted, OrderAccepted, TickCleared, OrderCancelled]


def test_the_heart_makes_ticks_and_closing_makes_up_for_those_that_are_missing(ticking, clock):
    ticking.submit([bid(), offer(PLANT)])
    assert ticking.tick(FIRST - 1) == []
    assert [tick.at for tick in ticking.tick(FIRST)] == [FIRST]
    assert ticking.tick(FIRST + 5 * TICK) == []
    ticking.submit([bid(salt=2)])
    (cleared,) = ticking.close_and_clear(CLOSURE)
    assert [tick.at for tick in ticking.book(SESSION).ticks] == [FIRST, CLOSURE - TICK]
    assert cleared.turn == 2


def test_a_restarted_desk_remembers_its_ticks(ticking, journal, path, registry, purse, clock):
    ticking.submit([bid(), offer(PLANT, energy=Wh(400))])
    ticking.tick(FIRST)
    before = ticking.look(lambda market, _: street.state_of(market))
    journal.close()
    reopened = SqliteJournal(path)
    again = Desk(reopened, Market(), lambda: registry, purse, OPERATOR.key, clock)
    again.open(parameters())
    assert again.look(lambda market, _: street.state_of(market)) == before
    again.close_and_clear(CLOSURE)
    assert [trade.energy for trade in again.book(SESSION).cleared.clearing.trades] == [400]
    reopened.close()


def test_a_clock_that_is_set_back_decides_nothing_before_the_newest_tick(ticking, clock):
    ticking.submit([bid(), offer(PLANT)])
    ticking.tick(FIRST)
    clock.now = FIRST - 30
    (late,) = ticking.submit([bid(salt=2)])
    assert late.accepted.receipt.received_at == FIRST


def test_an_order_shows_what_ticks_have_matched_of_it_while_its_gate_is_open(ticking, clock):
    app = FastAPI()
    install(app)
    reads = Everybody()
    app.include_router(
        exchange_router(ticking, name="Merit", version="0", settlement_of={}.get, problem_of=problem_of, reads=reads)
    )
    client = TestClient(app)
    ticking.submit([bid(), offer(PLANT, energy=Wh(400))])
    ticking.tick(FIRST)
    shown = client.get(f"/v1/orders/0x{digest_of(bid()).hex()}").json()
    assert (shown["status"], shown["matched_wh"], shown["outcome"]) == ("open", 400, None)
    (step,) = [step for step in shown["trail"] if step["step"] == "tick"]
    assert (step["at"], step["trades"][0]["energy_wh"], step["own_uses"]) == (FIRST, 400, [])


def test_whoever_watches_hears_of_a_tick_how_much_was_traded_and_at_what_rate(ticking):
    ticking.submit([bid(), offer(PLANT, energy=Wh(400))])
    (tick,) = ticking.tick(FIRST)
    sources = Sources(session={}.get, order={}.get, settlement={}.get)
    (event,) = public_events(7, tick, sources)
    assert (event.topic, event.kind, event.accounts) == ("sessions", "tick-cleared", ())
    assert '"trades":1' in event.data
    assert '"energy_wh":400' in event.data
    assert digest_of(bid()).hex() not in event.data
