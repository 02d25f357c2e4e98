"""What belongs to one asset, over HTTP: for its account, and for nobody else."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.problems import install, problem_of
from exchange.effects.desk import Desk
from exchange.effects.routes import exchange_router
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
