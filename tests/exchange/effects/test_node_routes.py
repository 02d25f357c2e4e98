"""The tree over HTTP: what nodes take, who changes it, and from when a change holds."""

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.problems import install, problem_of
from exchange.documents import hexed, terms_to_document
from exchange.effects.desk import Desk
from exchange.effects.journal import SqliteJournal
from exchange.effects.routes import exchange_router
from exchange.market import Market
from exchange.units import Wh
from identity.facts import ClaimRevoked
from tests.actors import OPERATOR, STRANGER
from tests.exchange.effects.test_order_routes import problem
from tests.exchange.neighbourhood import DAY_AHEAD, EAST, INTRADAY, PARAMETERS, SPOT, WEST, change, sign
from tests.exchange.street import START, Clock
from tests.registries import COMMUNITY, GRID_OPERATOR, GRID_OPERATOR_ROLE
from tests.simulators.everybody import Everybody


@pytest.fixture
def clock():
    return Clock(START - 1_000)


@pytest.fixture
def desk(journal, registry, purse, clock):
    opened = Desk(journal, Market(), lambda: registry, purse, OPERATOR.key, clock)
    opened.open(PARAMETERS)
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


def post(client, terms, by=GRID_OPERATOR, node=None):
    """Hand in signed terms of a node."""
    body = terms_to_document(terms, sign(terms, by))
    number = body.pop("node") if node is None else node
    body.pop("node", None)
    return client.post(f"/v1/nodes/{number}/terms", json=body)


def nodes(client):
    return {each["name"]: each for each in client.get("/v1/nodes").json()["nodes"]}


def test_the_tree_is_public_with_its_fees_limits_and_operators(client):
    body = client.get("/v1/nodes").json()
    assert (body["now"], body["slot_seconds"]) == (START - 1_000, 900)
    found = nodes(client)
    assert [*found] == ["feeder", "east", "west"]
    assert (found["east"]["parent"], found["feeder"]["parent"]) == (1, None)
    assert found["east"]["in_force"] == {
        "fee_micro_per_kwh": 10_000,
        "fee_ppm": 0,
        "import_limit_wh": None,
        "export_limit_wh": None,
    }
    assert found["east"]["operator"].lower() == hexed(GRID_OPERATOR.address)
    assert (found["east"]["next_serial"], found["east"]["to_come"]) == (1, [])


def test_a_change_is_taken_and_says_from_when_it_holds(client, clock):
    answer = post(client, change(fee=12_000, import_limit=Wh(4_000)))
    body = answer.json()
    assert answer.status_code == 201
    assert (body["node"], body["serial"], body["at"]) == (EAST, 1, clock.now)
    assert {each["title"]: each["delivery_start"] for each in body["holds_from"]} == {
        "spot": START,
        "intraday": INTRADAY.opens_after(clock.now),
        "day-ahead": DAY_AHEAD.opens_after(clock.now),
    }


def test_a_change_is_to_come_until_the_delivery_whose_gate_opened_after_it(client, clock):
    taken = post(client, change(fee=12_000)).json()
    east = nodes(client)["east"]
    assert (east["in_force"]["fee_micro_per_kwh"], east["newest"]["fee_micro_per_kwh"]) == (10_000, 12_000)
    assert [each["digest"] for each in east["to_come"]] == [taken["digest"]]
    clock.now = START
    east = nodes(client)["east"]
    assert (east["in_force"]["fee_micro_per_kwh"], east["to_come"]) == (12_000, [])


def test_a_change_that_is_sent_again_is_answered_as_the_first_time(client, clock):
    first = post(client, change())
    clock.now += 50
    again = post(client, change())
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


def test_the_history_of_a_node_tells_every_change_from_the_founding_on(client):
    post(client, change(1, fee=12_000))
    post(client, change(1, number=WEST))
    post(client, change(2, fee=0, ppm=4_000, export_limit=Wh(9)))
    body = client.get(f"/v1/nodes/{EAST}/terms").json()
    assert body["founded"]["fee_micro_per_kwh"] == 10_000
    assert [(each["serial"], each["fee_micro_per_kwh"], each["fee_ppm"]) for each in body["changes"]] == [
        (1, 12_000, 0),
        (2, 0, 4_000),
    ]
    assert body["changes"][1]["export_limit_wh"] == 9
    assert body["next_serial"] == 3


def test_a_wallet_can_sign_what_typed_data_says(client):
    body = terms_to_document(change(import_limit=Wh((1 << 62) - 1)), b"")
    del body["node"], body["signature"]
    payload = client.post(f"/v1/nodes/{EAST}/terms/typed-data", json=body).json()
    signed = Account.sign_message(encode_typed_data(full_message=payload["typed_data"]), GRID_OPERATOR.key)
    assert hexed(bytes(signed.message_hash)) == payload["digest"]
    answer = client.post(f"/v1/nodes/{EAST}/terms", json=body | {"signature": hexed(bytes(signed.signature))})
    assert answer.status_code == 201


def test_a_node_that_is_not_there_has_no_terms(client):
    problem(client.get("/v1/nodes/7/terms"), 404, "unknown-node")
    problem(post(client, change(number=7)), 404, "unknown-node")


def test_a_change_out_of_turn_is_refused_and_the_next_one_named(client):
    assert problem(post(client, change(2)), 409, "terms-out-of-turn")["due"] == 1
    post(client, change(1))
    assert problem(post(client, change(1, fee=3)), 409, "terms-out-of-turn")["due"] == 2
    assert post(client, change(2)).status_code == 201


@pytest.mark.parametrize("terms", [change(fee=20_001), change(fee=0, ppm=1_000_000)], ids=["constant", "share"])
def test_a_fee_above_the_cap_is_refused(client, terms):
    problem(post(client, terms), 422, "terms-out-of-bounds")
    assert post(client, change(fee=20_000)).status_code == 201


def test_a_fee_of_both_kinds_is_refused(client):
    body = terms_to_document(change(), bytes(64)) | {"fee_ppm": 1}
    del body["node"]
    problem(client.post(f"/v1/nodes/{EAST}/terms", json=body), 422, "terms-out-of-bounds")


@pytest.mark.parametrize("by", [STRANGER, COMMUNITY, OPERATOR], ids=["stranger", "community", "exchange"])
def test_nobody_but_the_grid_operator_changes_terms(client, by):
    problem(post(client, change(), by), 403, "not-the-grid-operator")
    assert post(client, change()).status_code == 201


def test_a_signature_for_another_node_counts_for_none(client):
    problem(post(client, change(), node=WEST), 403, "not-the-grid-operator")


def test_who_was_the_grid_operator_is_none(client, registry, clock):
    assert post(client, change()).status_code == 201
    registry.apply(ClaimRevoked(GRID_OPERATOR.address, GRID_OPERATOR_ROLE, COMMUNITY.address, clock.now))
    problem(post(client, change(2)), 403, "not-the-grid-operator")


@pytest.mark.parametrize(
    "wrong", [{"serial": 0}, {"fee_ppm": 1_000_001}, {"import_limit_wh": -1}, {"colour": 1}, {"signature": "0x"}]
)
def test_malformed_terms_are_refused(client, wrong):
    body = terms_to_document(change(), sign(change())) | wrong
    del body["node"]
    problem(client.post(f"/v1/nodes/{EAST}/terms", json=body), 422, "malformed-request")


def test_a_change_is_durable_and_counts_after_a_restart(client, path, journal, registry, purse, clock):
    post(client, change(fee=12_000))
    journal.close()
    reopened = SqliteJournal(path)
    desk = Desk(reopened, Market(), lambda: registry, purse, OPERATOR.key, clock)
    desk.open(PARAMETERS)
    again, new = desk.notices.set_terms(change(fee=12_000), sign(change(fee=12_000)))
    assert (again.at, new) == (clock.now, False)
    rules = desk.look(lambda market, _: market.rulebook.rules(SPOT.session(START)))
    assert rules.tree[EAST].fee.constant == 12_000
    reopened.close()
