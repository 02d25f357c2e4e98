"""Readings, deviations, prices and runs over HTTP: who may hand in, who may read, and what is answered."""

from contextlib import ExitStack

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.problems import install, problem_of
from exchange.units import MicroPerKwh, Wh
from identity.access import Role, Scope, account_scope
from identity.address import to_text
from identity.did import to_did
from identity.effects.access_store import AccessStore
from identity.effects.reads import JudgedReads
from identity.effects.sign_ins import SignIns
from settlement.contracted import Obligation
from settlement.effects.meter_desk import MeterDesk
from settlement.effects.meter_routes import metering_router
from settlement.effects.meter_store import MeterStore
from settlement.imbalance import Prices
from settlement.run_document import run_from_document, run_hash
from tests.actors import CONSUMER, NEIGHBOUR, OPERATOR, STRANGER
from tests.identity.effects.test_reads import CHAIN, own_key, signed_in
from tests.identity.standing import Said
from tests.settlement.effects.test_meter_store import Clock
from tests.settlement.metered_street import (
    ACCOUNT_OF,
    CONSUMING,
    DAY,
    DEVICE,
    FLAT,
    IMBALANCE,
    OVER,
    PRICES,
    PRODUCING,
    RULES,
    SEPARATOR,
    SLOT,
    START,
    reading,
    registries,
    signed,
)

METER_OPERATOR = NEIGHBOUR


class Served:
    def __init__(self, folder, stack):
        self.clock = Clock()
        store, access = (
            MeterStore(f"sqlite:///{folder / 'meters.db'}"),
            AccessStore(f"sqlite:///{folder / 'access.db'}"),
        )
        stack.callback(store.close)
        stack.callback(access.close)
        known, said = registries(), Said()
        said.owners = {Scope.meter(FLAT): CONSUMER.address, account_scope(CONSUMING): CONSUMER.address}
        said.roles = {
            (METER_OPERATOR.address, Role.METER_OPERATOR, None),
            (OPERATOR.address, Role.EXCHANGE_OPERATOR, None),
        }
        self.desk = MeterDesk(store, lambda: known, IMBALANCE, SEPARATOR, self.clock)
        self.reads = JudgedReads(access, SignIns(access, CHAIN, self.clock, own_key), said, self.clock)
        stack.callback(self.reads.close)
        app = FastAPI()
        install(app)
        app.include_router(metering_router(self.desk, reads=self.reads, problem_of=problem_of, chain_id=CHAIN))
        self.client = TestClient(app)

    def hand_in(self, what):
        return self.client.post("/v1/readings", json=what.to_document())

    def get(self, path, actor=None, **query):
        headers = {} if actor is None else {"Authorization": f"Bearer {signed_in(self.reads, actor)}"}
        return self.client.get(path, params=query or None, headers=headers)

    def settle(self):
        agreed = {(FLAT, START): Obligation(contracted=Wh(-600))}
        return self.desk.settle(agreed, lambda asset, _: ACCOUNT_OF.get(asset))


@pytest.fixture
def served(tmp_path):
    with ExitStack() as stack:
        yield Served(tmp_path, stack)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """Takes nothing in the tests that share it."""
    with ExitStack() as stack:
        yield Served(tmp_path_factory.mktemp("quiet"), stack)


def code_of(answer):
    return answer.status_code, answer.json().get("code")


def test_a_reading_is_taken_and_the_same_again_is_answered_the_same(served):
    first = served.hand_in(signed(reading()))
    served.clock.now += 5
    again = served.hand_in(signed(reading()))
    assert (first.status_code, again.status_code) == (201, 200)
    assert (
        first.json()
        == again.json()
        == {
            "digest": "0x" + reading().digest(SEPARATOR).hex(),
            "received_at": OVER,
        }
    )


@pytest.mark.parametrize(
    ("what", "now", "answered"),
    [
        (signed(reading(), STRANGER), OVER, (403, "unknown-meter-key")),
        (signed(reading(start=START + 1)), OVER + 1, (422, "reading-off-grid")),
        (signed(reading()), OVER - 1, (409, "period-not-over")),
        (signed(reading()), OVER + RULES.cut_off, (409, "reading-too-late")),
        (signed(reading(net=1)), OVER, (422, "reading-implausible")),
        (signed(reading(asset=b"\7" * 20)), OVER, (403, "unknown-asset")),
    ],
)
def test_a_reading_that_is_not_taken_is_told_why(quiet, what, now, answered):
    quiet.clock.now = now
    assert code_of(quiet.hand_in(what)) == answered


@pytest.mark.parametrize(
    "change",
    [{"net_wh": "1"}, {"net_wh": 1.0}, {"start": -1}, {"version": 0}, {"surplus": 1}, {"signature": "0x12"}],
)
def test_a_document_that_is_no_reading_is_malformed(quiet, change):
    document = signed(reading()).to_document() | change
    assert code_of(quiet.client.post("/v1/readings", json=document)) == (422, "malformed-request")
    (result,) = quiet.client.post("/v1/readings/batch", json={"readings": [document]}).json()["results"]
    assert (result["status"], result["problem"]["code"]) == (422, "malformed-reading")


def test_several_readings_have_a_result_each(served):
    wrong = signed(reading()).to_document() | {"asset": "0x9A0f2f9e1d0c2a1b3c4d5e6f708192a3b4c5d6e7"}
    sent = [
        signed(reading()).to_document(),
        wrong,
        signed(reading(net=-7)).to_document(),
        signed(reading(net=-7, version=2)).to_document(),
        signed(reading()).to_document(),
        signed(reading()).to_document() | {"signature": "0x" + "ff" * 64},
    ]
    results = served.client.post("/v1/readings/batch", json={"readings": sent}).json()["results"]
    codes = [result.get("problem", {}).get("code", result["status"]) for result in results]
    assert codes == [201, "malformed-reading", "reading-conflicts", 201, 200, "bad-signature"]
    assert results[0]["received_at"] == OVER


def test_readings_are_for_the_owner_and_the_meter_operator(served):
    served.hand_in(signed(reading()))
    served.hand_in(signed(reading(net=-7, version=2), DEVICE, estimated=True))
    path = f"/v1/assets/{to_text(FLAT)}/readings"
    assert code_of(served.get(path)) == (401, "not-signed-in")
    for other in (STRANGER, OPERATOR):
        assert code_of(served.get(path, other)) == (403, "not-granted")
    for reader in (CONSUMER, METER_OPERATOR):
        listed = served.get(path, reader).json()
        assert [(one["version"], one["net_wh"], one["estimated"]) for one in listed["readings"]] == [
            (1, -500, False),
            (2, -7, True),
        ]
    assert served.get(f"/v1/assets/{to_did(CHAIN, FLAT)}/readings", CONSUMER).json() == listed
    first = served.get(path, CONSUMER, limit=1)
    assert first.json()["readings"] == listed["readings"][:1]
    rest = served.get(first.links["next"]["url"], CONSUMER).json()
    assert (rest["readings"], rest["next"]) == (listed["readings"][1:], None)
    assert served.get(path, CONSUMER, **{"from": OVER}).json()["readings"] == []


def test_deviations_are_shown_as_the_runs_have_them(served):
    served.clock.now = OVER + SLOT
    served.hand_in(signed(reading(net=-700)))
    served.hand_in(signed(reading(start=OVER, net=-5)))
    path = f"/v1/assets/{to_text(FLAT)}/deviations"
    assert served.get(path, CONSUMER).json()["deviations"] == []
    served.clock.now = OVER + 2 * DAY
    served.settle()
    first, second = served.get(path, METER_OPERATOR).json()["deviations"]
    assert (first["deviation_wh"], first["charged_wh"], first["amount_nano"]) == (-100, -100, -100 * PRICES.short)
    assert first["evidence"] == ["0x" + reading(net=-700).digest(SEPARATOR).hex()]
    assert (second["start"], second["contracted_wh"], second["deviation_wh"]) == (OVER, 0, -5)
    page = served.get(path, CONSUMER, limit=1)
    assert page.json()["deviations"] == [first]
    assert served.get(page.links["next"]["url"], CONSUMER).json()["deviations"] == [second]
    assert code_of(served.get(path, STRANGER)) == (403, "not-granted")


def test_runs_are_listed_to_all_and_shown_to_whom_they_concern(served):
    served.hand_in(signed(reading(net=-700)))
    served.clock.now = OVER + DAY
    made = served.settle()
    (listed,) = served.get("/v1/imbalance/runs").json()["runs"]
    assert (listed["run"], listed["hash"], listed["postings"]) == (1, "0x" + run_hash(made).hex(), 2)
    assert code_of(served.get("/v1/imbalance/runs/1")) == (401, "not-signed-in")
    assert code_of(served.get("/v1/imbalance/runs/1", CONSUMER)) == (403, "not-granted")
    assert run_from_document(served.get("/v1/imbalance/runs/1", OPERATOR).json()) == made
    own = served.get("/v1/imbalance/runs/1", CONSUMER, account=CONSUMING).json()
    assert [posting["amount_nano"] for posting in own["postings"]] == [-100 * PRICES.short]
    assert [line["asset"] for line in own["lines"]] == [to_text(FLAT)]
    assert code_of(served.get("/v1/imbalance/runs/1", CONSUMER, account=PRODUCING)) == (403, "not-granted")
    assert code_of(served.get("/v1/imbalance/runs/2", OPERATOR)) == (404, "unknown-run")


def test_rules_and_prices_are_public(served):
    served.desk.store.publish({START: Prices(MicroPerKwh(7), MicroPerKwh(-3)), OVER: PRICES})
    rules = served.get("/v1/imbalance/rules").json()
    assert rules == {"rules": IMBALANCE.to_document(), "hash": "0x" + IMBALANCE.hash().hex()}
    page = served.get("/v1/imbalance/prices", limit=1)
    assert page.json()["prices"] == [{"start": START, "short_micro_per_kwh": 7, "long_micro_per_kwh": -3}]
    following = served.get(page.links["next"]["url"]).json()
    assert ([price["start"] for price in following["prices"]], following["next"]) == ([OVER], None)
