"""A server under pressure: what is beyond its bounds is refused at once, with the time to come again."""

import asyncio
import threading

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.bounds import Bounds, Rate
from app.figures import Figures
from app.pressure import Pressure
from app.problems import install, problem_of
from app.rate_limit import Allowances
from app.turnstile import Turnstile
from exchange.documents import order_to_document
from exchange.effects.desk import Desk
from exchange.effects.intake import Intake
from exchange.effects.journal import SqliteJournal
from exchange.effects.routes import exchange_router
from exchange.effects.taken import Taken
from exchange.errors import Overloaded, TooManyRequests
from exchange.market import Market
from tests.actors import OPERATOR
from tests.exchange import street
from tests.simulators.everybody import Everybody


@pytest.fixture
def figures():
    return Figures()


# Requests


def served(bounds, figures, gate):
    app = FastAPI()
    app.add_middleware(Pressure, bounds=bounds, figures=figures)
    install(app)

    @app.get("/slow")
    async def slow() -> str:
        await gate.wait()
        return "done"

    @app.get("/slow-thread")
    def slow_thread() -> str:
        threading.Event().wait(0.5)
        return "done"

    @app.get("/healthz")
    async def alive() -> str:
        return "alive"

    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://exchange")


def test_a_request_beyond_the_bound_is_refused_and_those_within_are_answered(figures):
    async def story():
        gate = asyncio.Event()
        async with served(Bounds(most_requests=2), figures, gate) as client:
            within = [asyncio.create_task(client.get("/slow")) for _ in range(2)]
            for _ in range(6_000):
                if figures.under_way == 2:
                    break
                await asyncio.sleep(0.01)
            assert figures.under_way == 2
            beyond = await client.get("/slow")
            assert (beyond.status_code, beyond.json()["code"]) == (503, "overloaded")
            assert beyond.headers["retry-after"] == "1"
            assert (await client.get("/healthz")).status_code == 200, "who looks after the server is let in"
            gate.set()
            assert [(await each).status_code for each in within] == [200, 200]
            assert (await client.get("/slow")).status_code == 200
        assert figures.under_way == 0

    asyncio.run(story())


@pytest.mark.parametrize("path", ["/slow", "/slow-thread"])
def test_a_request_that_takes_too_long_is_answered_all_the_same(figures, path):
    async def story():
        async with served(Bounds(request_seconds=0.1), figures, asyncio.Event()) as client:
            late = await client.get(path)
            assert (late.status_code, late.json()["code"], late.headers["retry-after"]) == (503, "timed-out", "1")
        assert figures.under_way == 0

    asyncio.run(story())


# Orders


@pytest.fixture
def desk(tmp_path, registry, purse, clock):
    journal = SqliteJournal(tmp_path / "journal.db")
    opened = Desk(journal, Market(), lambda: registry, purse, OPERATOR.key, clock)
    opened.open(street.PARAMETERS)
    yield opened
    journal.close()


@pytest.fixture
def clock():
    return street.Clock()


@pytest.fixture
def purse():
    return street.Purse()


@pytest.fixture
def registry():
    return street.registry()


def turnstile(desk, figures, registry, *, most_waiting=100, rate=None):
    accounts = None if rate is None else Allowances(rate, lambda: 0)
    return Turnstile(desk, figures, most_waiting=most_waiting, accounts=accounts, registry=lambda: registry)


def test_orders_beyond_the_queue_are_refused_and_none_of_them_is_taken(desk, figures, registry):
    async def story():
        stile = turnstile(desk, figures, registry, most_waiting=20)
        first = asyncio.create_task(stile.submit([street.bid(salt=salt) for salt in range(20)]))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await stile.submit([street.bid(salt=99)])
        assert all(isinstance(result, Taken) for result in await first)
        (taken,) = await stile.submit([street.bid(salt=99)])
        assert isinstance(taken, Taken)
        assert taken.new, "it was not taken before"

    asyncio.run(story())
    assert figures.waiting == 0
    assert figures.orders == {"accepted": 21}


def test_a_batch_longer_than_the_queue_is_taken_when_nobody_waits(desk, figures, registry):
    results = asyncio.run(
        turnstile(desk, figures, registry, most_waiting=5).submit([street.bid(salt=salt) for salt in range(30)])
    )
    assert all(isinstance(result, Taken) for result in results)


def test_an_account_beyond_its_rate_is_refused_and_its_neighbour_is_not(desk, figures, registry):
    stile = turnstile(desk, figures, registry, rate=Rate(1, 2))
    orders = [street.bid(salt=1), street.bid(salt=2), street.bid(salt=3), street.bid(street.FLAT, salt=1)]
    results = asyncio.run(stile.submit(orders))
    assert [type(result) for result in results] == [Taken, Taken, TooManyRequests, Taken]
    (again,) = asyncio.run(stile.submit([street.bid(salt=4)]))
    assert isinstance(again, TooManyRequests)
    assert again.retry_after_seconds == 1


def test_orders_that_nobody_signed_use_up_nobodys_rate(desk, figures, registry):
    stile = turnstile(desk, figures, registry, rate=Rate(1, 2))
    forged = [street.signed(street.order(salt=salt), by=OPERATOR) for salt in range(50)]
    for order in forged:
        asyncio.run(stile.submit([order]))
    (own,) = asyncio.run(stile.submit([street.bid()]))
    assert isinstance(own, Taken)
    assert figures.orders == {"not-authorised": 50, "accepted": 1}


def test_the_same_order_again_uses_up_nothing(desk, figures, registry):
    stile = turnstile(desk, figures, registry, rate=Rate(1, 2))
    for _ in range(5):
        (held,) = asyncio.run(stile.submit([street.bid()]))
        assert isinstance(held, Taken)
    assert figures.orders == {"accepted": 1, "held": 4}


@pytest.mark.parametrize("quick", [True, False])
def test_an_order_beyond_the_rate_is_a_problem_with_the_time_to_come_again(desk, figures, registry, quick):
    stile = turnstile(desk, figures, registry, rate=Rate(1, 1))
    app = FastAPI()
    if quick:
        app.add_middleware(Intake, submit=stile.submit, problem_of=problem_of)
    install(app)
    app.include_router(
        exchange_router(
            desk,
            name="Merit",
            version="0",
            settlement_of={}.get,
            problem_of=problem_of,
            reads=Everybody(),
            submit=stile.submit,
        )
    )
    client = TestClient(app)
    assert client.post("/v1/orders", json=order_to_document(street.bid(salt=1))).status_code == 201
    refused = client.post("/v1/orders", json=order_to_document(street.bid(salt=2)))
    assert (refused.status_code, refused.json()["code"]) == (429, "too-many-requests")
    assert refused.headers["retry-after"] == "1"
    batch = client.post("/v1/orders/batch", json={"orders": [order_to_document(street.bid(salt=3))]}).json()
    assert batch["results"][0]["status"] == 429


# The clock


def test_a_clock_that_goes_backwards_opens_no_gate_again(desk, clock):
    desk.submit([street.bid()])
    clock.now = street.CLOSURE
    desk.close_and_clear(clock.now)
    clock.now = street.CLOSURE - 200
    (late,) = desk.submit([street.bid(salt=2)])
    assert getattr(late, "code", None) == "gate-closed"
    (other,) = desk.submit([street.bid(salt=2, delivery_start=street.START + 900)])
    assert isinstance(other, Taken), "the next gate was open at both times"
