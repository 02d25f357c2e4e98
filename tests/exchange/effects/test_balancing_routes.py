"""Balancing over HTTP: offers with the seed's sign, signed as orders, and how full storages are."""

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.problems import install, problem_of
from exchange.charge_documents import charge_to_document
from exchange.delivery import Product
from exchange.documents import hexed, order_to_document
from exchange.effects.desk import Desk
from exchange.effects.journal import SqliteJournal
from exchange.effects.routes import exchange_router
from exchange.market import Market
from exchange.order import Side
from identity.address import to_text
from tests.actors import CONSUMER, NEIGHBOUR, OPERATOR, PRODUCER
from tests.exchange import balancing, street
from tests.exchange.balancing import BATTERY, DOWN, NEED, NOW, PARAMETERS, PLANT, START, UP, signed
from tests.exchange.effects.test_order_routes import problem
from tests.simulators.everybody import Everybody


@pytest.fixture
def registry():
    return balancing.registry()


@pytest.fixture
def clock():
    return street.Clock(NOW)


@pytest.fixture
def rules():
    return PARAMETERS


@pytest.fixture
def desk(journal, registry, purse, clock, rules):
    opened = Desk(journal, Market(), lambda: registry, purse, OPERATOR.key, clock)
    opened.open(rules)
    return opened


@pytest.fixture
def client(desk):
    app = FastAPI()
    install(app)
    router = exchange_router(
        desk, name="Merit", version="0", settlement_of={}.get, problem_of=problem_of, reads=Everybody()
    )
    app.include_router(router)
    return TestClient(app, raise_server_exceptions=False)


def offer(asset=PLANT, **fields):
    return {"asset": to_text(asset), "delivery_start": START, "energy_wh": 100, "salt": 1} | fields


def post(client, body, by=PRODUCER):
    """Sign an offer as a wallet does, and hand it in."""
    unsigned = client.post("/v1/balancing/offers/typed-data", json=body).json()
    signature = Account.sign_message(encode_typed_data(full_message=unsigned["typed_data"]), by.key).signature
    assert Account._recover_hash(bytes.fromhex(unsigned["digest"][2:]), signature=signature)
    return client.post("/v1/balancing/offers", json=body | {"signature": hexed(bytes(signature))})


def charged(client, charge, by=CONSUMER):
    signature = by.sign(charge.digest(balancing.SEPARATOR))
    return client.post("/v1/balancing/charges", json=charge_to_document(charge, signature))


def test_an_offer_of_supply_is_an_order_up(client, desk):
    answer = post(client, offer(limit_micro_per_kwh=350_000))
    assert answer.status_code == 201
    assert answer.json()["session"] == UP.session(START).number
    assert answer.json()["session_name"] == f"2-balancing_up-{START}"
    held = desk.look(lambda market, _: market.held(bytes.fromhex(answer.json()["digest"][2:])))
    order = held.signed.order
    assert (order.product, order.side, order.energy) == (Product.BALANCING_UP, Side.OFFER, 100)
    assert post(client, offer(limit_micro_per_kwh=350_000)).status_code == 200


def test_a_negative_energy_is_an_offer_of_demand(client):
    """The price is a total, and the provider is paid: a negative energy has a price that is not negative."""
    assert charged(client, balancing.charge()).status_code == 201
    answer = post(client, offer(BATTERY, energy_wh=-100, price_nano=33_000_000), CONSUMER)
    assert answer.status_code == 201
    assert answer.json()["session"] == DOWN.session(START).number
    assert problem(
        post(client, offer(BATTERY, energy_wh=-100, price_nano=33_000_100, salt=2), CONSUMER),
        403,
        "rate-above-certified",
    )


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"energy_wh": 0, "limit_micro_per_kwh": 1}, 422, "malformed-order"),
        ({}, 422, "malformed-order"),
        ({"limit_micro_per_kwh": 1, "price_nano": 100}, 422, "malformed-order"),
        ({"price_nano": 101}, 422, "rate-not-exact"),
        ({"price_nano": 100 << 47}, 422, "malformed-order"),
        ({"energy_wh": 0.5, "limit_micro_per_kwh": 1}, 422, "malformed-request"),
    ],
)
def test_an_offer_that_is_none_is_refused(client, change, status, code):
    problem(client.post("/v1/balancing/offers/typed-data", json=offer(**change)), status, code)
    assert client.post("/v1/balancing/offers/typed-data", json=offer(price_nano=100)).status_code == 200


def test_an_offer_beyond_headroom_names_the_figure_that_binds(client):
    body = problem(post(client, offer(energy_wh=5_001, limit_micro_per_kwh=1)), 409, "beyond-headroom")
    assert (body["headroom"], body["bound"], body["figure"]) == (5_000, "power in a slot", 5_000)
    assert post(client, offer(energy_wh=5_000, limit_micro_per_kwh=1)).status_code == 201


def test_a_need_is_handed_in_as_an_order(client):
    bid = order_to_document(signed(NEED, Side.BID, UP, 100, 400_000))
    assert client.post("/v1/orders", json=bid).status_code == 201
    stranger = order_to_document(signed(PLANT, Side.BID, UP, 100, 400_000))
    problem(client.post("/v1/orders", json=stranger), 403, "not-a-balancing-agent")


def test_a_state_of_charge_is_stated_once_and_overtaken_by_the_next(client):
    first = charged(client, balancing.charge(serial=1))
    assert (first.status_code, first.json()["stored_wh"], first.json()["stated_at"]) == (201, 5_000, NOW)
    assert charged(client, balancing.charge(serial=1)).json() == first.json()
    assert charged(client, balancing.charge(serial=1)).status_code == 200
    assert charged(client, balancing.charge(serial=2, stored=4_000)).status_code == 201
    assert problem(charged(client, balancing.charge(serial=1)), 409, "charge-overtaken")["held"] == 2
    problem(charged(client, balancing.charge(serial=3), NEIGHBOUR), 403, "not-authorised")
    body = charge_to_document(balancing.charge(), bytes(64)) | {"least_wh": 9_000}
    problem(client.post("/v1/balancing/charges", json=body), 422, "malformed-order")


def test_a_wallet_signs_a_state_of_charge(client):
    body = charge_to_document(balancing.charge(), bytes(64))
    del body["signature"]
    unsigned = client.post("/v1/balancing/charges/typed-data", json=body).json()
    signed_message = Account.sign_message(encode_typed_data(full_message=unsigned["typed_data"]), CONSUMER.key)
    assert unsigned["digest"] == hexed(bytes(signed_message.message_hash))
    body["signature"] = hexed(bytes(signed_message.signature))
    assert client.post("/v1/balancing/charges", json=body).status_code == 201


def test_what_was_stated_and_promised_is_there_after_a_restart(client, path, journal, registry, purse, clock):
    charged(client, balancing.charge(stored=1_300, least=1_000))
    assert post(client, offer(BATTERY, energy_wh=300, limit_micro_per_kwh=1), CONSUMER).status_code == 201
    journal.close()
    again = Desk(SqliteJournal(path), Market(), lambda: registry, purse, OPERATOR.key, clock)
    again.open(PARAMETERS)
    order = signed(BATTERY, Side.OFFER, UP, 10, 1, salt=2)
    (refusal,) = again.submit([order])
    assert (refusal.code, refusal.headroom) == ("beyond-headroom", 0)


def test_the_settings_are_public_under_the_names_of_the_seed(client):
    body = client.get("/v1/balancing").json()
    assert body["settings"]["balancing_spot_trade_ratio_ppm"] == 200_000
    assert [(each["product"], each["open_deliveries"]) for each in body["markets"]] == [
        ("balancing_up", [START]),
        ("balancing_down", [START]),
    ]


class TestWithoutBalancing:
    """A community that has not enabled it."""

    @pytest.fixture
    def rules(self):
        return street.PARAMETERS

    def test_there_is_nothing_to_offer(self, client):
        assert client.get("/v1/balancing").json()["markets"] == []
        body = offer(limit_micro_per_kwh=1)
        problem(client.post("/v1/balancing/offers/typed-data", json=body), 409, "no-balancing-here")
        bid = order_to_document(signed(NEED, Side.BID, UP, 100, 400_000))
        problem(client.post("/v1/orders", json=bid), 422, "wrong-market")
