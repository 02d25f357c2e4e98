"""Matching by third parties over HTTP: the book without names, proposals, and the matcher of the examples."""

from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import HTTPStatusError

from app.problems import install, problem_of
from examples.matcher import match, typed_data
from exchange.delivery import Mechanism
from exchange.effects.desk import Desk
from exchange.effects.routes import exchange_router
from exchange.market import Market
from exchange.units import MicroPerKwh, Wh
from tests.actors import OPERATOR, STRANGER
from tests.exchange import street
from tests.exchange.street import CLOSURE, FLAT, KITCHEN, OPENING, ROOF, SESSION, bid, digest_of, offer
from tests.exchange.test_proposals import MATCHER, MATCHING, rules
from tests.simulators.everybody import Everybody

PATH = f"/v1/sessions/{SESSION}"


@pytest.fixture
def desk(journal, registry, purse, clock):
    clock.now = OPENING + 1
    opened = Desk(journal, Market(), lambda: registry, purse, OPERATOR.key, clock)
    opened.open(rules(Mechanism.PAY_AS_BID))
    opened.submit(
        [
            bid(KITCHEN, energy=Wh(100), limit=MicroPerKwh(900_000)),
            bid(FLAT, energy=Wh(100), limit=MicroPerKwh(200_000)),
            offer(ROOF, energy=Wh(100), limit=MicroPerKwh(100_000)),
        ]
    )
    return opened


@pytest.fixture
def reads():
    return Everybody()


@pytest.fixture
def client(desk, reads):
    app = FastAPI()
    install(app)
    app.include_router(
        exchange_router(desk, name="Merit", version="0", settlement_of={}.get, problem_of=problem_of, reads=reads)
    )
    return TestClient(app)


@pytest.fixture
def closed(desk, clock):
    clock.now = CLOSURE
    desk.clearings.close_for_matching(clock.now)


def test_the_book_without_names_is_shown_once_the_gate_has_closed(client, desk, clock, reads):
    early = client.get(f"{PATH}/anonymous-book")
    assert (early.status_code, early.json()["code"]) == (409, "proposal-too-early")
    clock.now = CLOSURE
    desk.clearings.close_for_matching(clock.now)
    shown = client.get(f"{PATH}/anonymous-book")
    assert [row["energy_wh"] for row in shown.json()["rows"]] == [100, 100, 100]
    assert shown.json()["until"] == CLOSURE + MATCHING
    for accepted in desk.look(lambda market, _: list(market.sessions[SESSION].orders.values())):
        assert accepted.digest.hex() not in shown.text
        assert accepted.signed.order.asset.hex() not in shown.text.lower()
    assert reads.items[-1].parties == (MATCHER.address,)


@pytest.mark.usefixtures("closed")
def test_the_matcher_of_the_examples_proposes_the_better_clearing(client, desk):
    answer = match(client, "0x" + MATCHER.key.hex(), str(SESSION))
    assert [record["valid"] for record in answer["records"]] == [True]
    assert match(client, "0x" + MATCHER.key.hex(), str(SESSION))["digest"] == answer["digest"]  # again is harmless
    (cleared,) = desk.close_and_clear(CLOSURE + MATCHING)
    assert cleared.proposer == MATCHER.address
    (trade,) = cleared.clearing.trades
    assert trade.bid == digest_of(bid(KITCHEN, energy=Wh(100), limit=MicroPerKwh(900_000)))
    shown = client.get(PATH).json()
    assert shown["clearing"]["proposer"] == "0x" + MATCHER.address.hex()


@pytest.mark.usefixtures("closed")
def test_every_invalid_record_is_answered_with_its_code_and_reason(client):
    book = client.get(f"{PATH}/anonymous-book").json()
    good = match(client, "0x" + MATCHER.key.hex(), str(SESSION))
    assert good["taken"]
    rows = {row["side"]: row["id"] for row in book["rows"]}
    records = [
        {"bid": rows["offer"], "offer": rows["bid"], "energy_wh": 1, "rate_micro_per_kwh": -5},
        {"bid": rows["bid"], "offer": rows["offer"], "energy_wh": 0, "rate_micro_per_kwh": 150_000},
    ]
    domain = client.get("/v1/meta").json()["domain"]
    signable = encode_typed_data(full_message=typed_data(domain, SESSION.number, records))
    signature = "0x" + bytes(Account.sign_message(signable, "0x" + MATCHER.key.hex()).signature).hex()
    answer = client.post(
        f"{PATH}/proposals", json={"session": SESSION.number, "records": records, "signature": signature}
    ).json()
    assert (answer["taken"], answer["digest"]) == (False, None)
    assert [record["code"] for record in answer["records"]] == ["wrong-side", "no-energy"]
    assert all(record["reason"] for record in answer["records"])


@pytest.mark.usefixtures("closed")
def test_a_proposal_of_nobody_named_is_refused_and_one_that_is_no_proposal(client):
    with pytest.raises(HTTPStatusError, match="403"):
        match(client, "0x" + STRANGER.key.hex(), str(SESSION))
    assert client.post(f"{PATH}/proposals", json={"session": 1}).status_code == 422


def test_a_gate_without_matching_is_closed_when_it_is_cleared(journal, registry, purse, clock):
    clock.now = OPENING + 1
    plain = replace(rules(), markets=(replace(rules().markets[0], matching=0),))
    desk = Desk(journal, Market(), lambda: registry, purse, OPERATOR.key, clock)
    desk.open(plain)
    desk.submit([bid()])
    desk.clearings.close_for_matching(CLOSURE)
    assert desk.look(lambda market, _: market.session(SESSION).state.value) == "open"
    desk.close_and_clear(CLOSURE)
    assert street.SESSION in desk.look(lambda market, _: list(market.sessions))
    assert desk.book(SESSION).blind == bytes(32)
