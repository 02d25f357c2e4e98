"""What belongs to one asset, over HTTP: for its account, and for nobody else."""

from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.problems import install, problem_of
from exchange.documents import forecast_to_document, hexed, order_to_document
from exchange.effects.desk import Desk
from exchange.effects.journal import SqliteJournal
from exchange.effects.routes import exchange_router
from exchange.effects.taken import Taken
from exchange.errors import BeyondForecast
from exchange.market import Market
from exchange.order import Side
from identity.access import judge_read
from identity.access_errors import AccessRefused, NotSignedIn
from identity.address import parse_address, to_text
from identity.grants import Grants
from tests.actors import CONSUMER, OPERATOR, PRODUCER, STRANGER, Actor
from tests.exchange import neighbourhood, street
from tests.exchange.effects.test_order_routes import problem
from tests.exchange.neighbourhood import DAY_AHEAD, PARAMETERS, SPOT
from tests.exchange.street import KITCHEN, PLANT, START, Clock
from tests.exchange.test_forecasts import forecast, signature


class Reader:
    """Judges as the house does; who asks says so in a header, which spares the signing in."""

    def __init__(self, registry):
        self.registry = registry

    def owner(self, scope, at):
        account = self.registry.accounts.get(scope.of)
        return None if account is None else account.holder

    def owned_since(self, scope, at):
        return 0

    def holds(self, who, role, at, node=None):
        return False

    def is_member(self, who):
        return True

    def reader(self, request):
        if "reader" not in request.headers:
            raise NotSignedIn
        return parse_address(request.headers["reader"])

    def judge(self, request, *items):
        reader = self.reader(request)
        return tuple(judge_read(reader, item, 0, self, Grants()) for item in items)

    def may(self, request, item):
        try:
            self.judge(request, item)
        except AccessRefused:
            return False
        return True


@pytest.fixture
def clock():
    return Clock(DAY_AHEAD.gate_closure(START) - 1)


@pytest.fixture
def desk(journal, registry, purse, clock):
    opened = Desk(journal, Market(), lambda: registry, purse, OPERATOR.key, clock)
    opened.open(PARAMETERS)
    return opened


@pytest.fixture
def client(desk, registry):
    app = FastAPI()
    install(app)
    app.include_router(
        exchange_router(
            desk, name="Merit", version="0", settlement_of={}.get, problem_of=problem_of, reads=Reader(registry)
        )
    )
    return TestClient(app, raise_server_exceptions=False)


def traded(desk, clock):
    """Have the kitchen buy an hour ahead and a quarter on the spot."""
    for terms, energy in ((DAY_AHEAD, 1_002), (SPOT, 100)):
        clock.now = terms.gate_closure(START) - 1
        desk.submit(
            [
                neighbourhood.order(KITCHEN, Side.BID, terms, energy=energy),
                neighbourhood.order(PLANT, Side.OFFER, terms, energy=energy),
            ]
        )
        clock.now += 1
        desk.close_and_clear(clock.now)


def asked(client, asset, by: Actor | None = CONSUMER, path="positions", **query):
    headers = {} if by is None else {"reader": to_text(by.address)}
    return client.get(f"/v1/assets/{to_text(asset)}/{path}", params=query, headers=headers)


def test_an_account_reads_the_positions_of_its_asset_over_all_products(client, desk, clock):
    traded(desk, clock)
    body = asked(client, KITCHEN).json()
    assert [(each["slot"], each["bought_wh"]) for each in body["positions"]] == [
        (START, 251 + 100),
        (START + 900, 251),
        (START + 1_800, 250),
        (START + 2_700, 250),
    ]
    assert (body["bought_wh"], body["sold_wh"], body["slot_seconds"]) == (1_102, 0, 900)
    assert {each["account"] for each in body["positions"]} == {street.ACCOUNTS[CONSUMER]}


def test_positions_can_be_asked_for_by_time(client, desk, clock):
    traded(desk, clock)
    body = asked(client, KITCHEN, **{"from": START + 900, "to": START + 2_700}).json()
    assert [each["slot"] for each in body["positions"]] == [START + 900, START + 1_800]
    assert body["bought_wh"] == 501


@pytest.mark.parametrize("has_traded", [True, False])
def test_nobody_else_reads_them_and_nobody_learns_whether_there_are_any(client, desk, clock, has_traded):
    if has_traded:
        traded(desk, clock)
    for other in (PRODUCER, STRANGER):
        problem(asked(client, KITCHEN, other), 403, "not-granted")
    problem(asked(client, KITCHEN, None), 401, "not-signed-in")
    assert asked(client, KITCHEN).status_code == 200


def test_what_is_no_asset_has_no_positions(client):
    problem(asked(client, STRANGER.address), 404, "no-such-asset")
    answer = client.get("/v1/assets/0x12/positions", headers={"reader": to_text(CONSUMER.address)})
    problem(answer, 422, "malformed-address")


# Forecasts


@pytest.fixture
def bound_client(journal, registry, purse, clock):
    """A client of an exchange that holds its members to forecasts."""
    desk = Desk(journal, Market(), lambda: registry, purse, OPERATOR.key, clock)
    desk.open(replace(PARAMETERS, forecast_caps=True))
    app = FastAPI()
    install(app)
    app.include_router(
        exchange_router(
            desk, name="Merit", version="0", settlement_of={}.get, problem_of=problem_of, reads=Reader(registry)
        )
    )
    return TestClient(app, raise_server_exceptions=False)


def post(client, given, by=None):
    return client.post("/v1/forecasts", json=forecast_to_document(given, signature(given, by)))


def test_a_forecast_is_taken_and_bounds_the_orders_that_come_after(bound_client, clock):
    order = order_to_document(neighbourhood.order(KITCHEN, Side.BID, DAY_AHEAD, energy=400))
    problem(bound_client.post("/v1/orders", json=order), 422, "no-forecast")
    answer = post(bound_client, forecast(consumption=399))
    assert (answer.status_code, answer.json()["sequence"], answer.json()["at"]) == (201, 1, clock.now)
    body = problem(bound_client.post("/v1/orders", json=order), 409, "beyond-forecast")
    assert (body["slot"], body["forecast"], body["used"], body["energy"]) == (START + 2_700, 99, 0, 100)
    assert post(bound_client, forecast(serial=2, consumption=400)).status_code == 201
    assert bound_client.post("/v1/orders", json=order).status_code == 201


def test_a_forecast_sent_again_is_answered_as_the_first_time(bound_client, clock):
    first = post(bound_client, forecast())
    clock.now += 5
    again = post(bound_client, forecast())
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


def test_forecasts_in_a_list_are_answered_one_by_one(bound_client):
    listed = [forecast(serial=1), forecast(serial=1, consumption=1), forecast(serial=2), forecast(start=START + 1)]
    documents = [forecast_to_document(each, signature(each)) for each in listed]
    documents.insert(1, documents[0] | {"signature": "0x" + "ff" * 64})
    body = bound_client.post("/v1/forecasts/batch", json={"forecasts": documents}).json()
    assert [each["status"] for each in body["results"]] == [201, 403, 409, 201, 422]
    assert [each["problem"]["code"] for each in body["results"] if "problem" in each] == [
        "bad-signature",
        "forecast-overtaken",
        "forecast-out-of-bounds",
    ]


def test_a_wallet_can_sign_a_forecast(bound_client):
    document = forecast_to_document(forecast(serial=7, production=3), b"")
    del document["signature"]
    body = bound_client.post("/v1/forecasts/typed-data", json=document).json()
    signed = Account.sign_message(encode_typed_data(full_message=body["typed_data"]), CONSUMER.key)
    assert hexed(bytes(signed.message_hash)) == body["digest"]
    posted = document | {"signature": hexed(bytes(signed.signature))}
    assert bound_client.post("/v1/forecasts", json=posted).status_code == 201


def test_a_forecast_of_somebody_else_s_asset_is_refused(bound_client):
    problem(post(bound_client, forecast(), STRANGER), 403, "not-authorised")


def test_where_forecasts_bind_nobody_none_is_taken(client):
    problem(post(client, forecast()), 409, "forecasts-not-taken")


def test_forecasts_are_read_by_slot_and_by_nobody_else(bound_client):
    post(bound_client, forecast(consumption=402))
    post(bound_client, forecast(serial=2, start=START + 900, seconds=900, production=5))
    query = {"from": START, "to": START + 1_800}
    body = asked(bound_client, KITCHEN, path="forecasts", **query).json()
    assert [
        (each["slot"], each["consumption_wh"], each["production_wh"], each["serial"]) for each in body["forecasts"]
    ] == [(START, 101, 0, 1), (START + 900, 0, 5, 2)]
    problem(asked(bound_client, KITCHEN, PRODUCER, "forecasts"), 403, "not-granted")
    problem(asked(bound_client, KITCHEN, None, "forecasts"), 401, "not-signed-in")


def test_forecasts_and_what_they_bind_stand_after_a_restart(path, journal, registry, purse, clock):
    bound = replace(PARAMETERS, forecast_caps=True)
    desk = Desk(journal, Market(), lambda: registry, purse, OPERATOR.key, clock)
    desk.open(bound)
    given = forecast(consumption=400)
    ((_, new),) = desk.notices.set_forecasts([(given, signature(given))])
    desk.submit([neighbourhood.order(KITCHEN, Side.BID, DAY_AHEAD, energy=300)])
    journal.close()
    reopened = SqliteJournal(path)
    again = Desk(reopened, Market(), lambda: registry, purse, OPERATOR.key, clock)
    again.open(bound)
    ((_, newer),) = again.notices.set_forecasts([(given, signature(given))])
    assert (new, newer) == (True, False)
    refused, taken = again.submit(
        [neighbourhood.order(KITCHEN, Side.BID, DAY_AHEAD, energy=energy, salt=2) for energy in (104, 100)]
    )
    assert isinstance(refused, BeyondForecast)
    assert isinstance(taken, Taken)
    reopened.close()
