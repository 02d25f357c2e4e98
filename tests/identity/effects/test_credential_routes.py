"""Credentials verified over HTTP: a verdict with its chain, or with the first step that fails."""

import json

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.problems import install
from identity.address import to_text
from identity.credential import StatusEntry
from identity.credential_subject import ASSET, ROLE
from identity.effects.credential_routes import MOST_SHOWN, credential_router
from identity.facts import AssetTransferred
from tests.actors import BATTERY, NEIGHBOUR, STRANGER, Actor
from tests.identity.certified import BEGIN, END, FORMS, NOW, Street, credential, given, text_of
from tests.registries import CERTIFIER, COMMUNITY

NEW_CERTIFIER = Actor("new certifier")


@pytest.fixture
def street():
    return Street()


@pytest.fixture
def verified(street):
    app = FastAPI()
    install(app)
    app.include_router(credential_router(lambda: street.registries, lambda: NOW, street.lists.get))
    client = TestClient(app)

    def ask(text, **more):
        shown = [json.loads(each) if each.startswith("{") else each for each in (text, *more.pop("shown", ()))]
        return client.post("/v1/credentials/verify", json={"credential": shown[0], "shown": shown[1:]} | more)

    ask.client = client
    return ask


@pytest.mark.parametrize("form", FORMS)
def test_a_credential_that_counts_is_shown_with_its_chain_of_issuers(verified, form):
    answer = verified(text_of(credential(given(ASSET, BATTERY)), CERTIFIER.key, form))
    verdict = answer.json()
    assert (answer.status_code, verdict["holds"], verdict["failed"], verdict["at"]) == (200, True, None, NOW)
    assert [link["issuer"] for link in verdict["chain"]][:2] == [to_text(CERTIFIER.address), to_text(COMMUNITY.address)]
    assert verdict["credential"]["credentialSubject"]["issuerFields"][0] == {"key": "kind", "value": "storage"}


def test_credentials_of_the_issuers_above_may_be_shown_along(verified, street):
    lists = {who: f"https://status.example/{who.role.replace(' ', '-')}" for who in (COMMUNITY, NEW_CERTIFIER)}
    for who, url in lists.items():
        street.publish(by=who, url=url)
    above = credential(given(ROLE, NEW_CERTIFIER), COMMUNITY, status=StatusEntry(lists[COMMUNITY], 1))
    below = credential(given(ASSET, BATTERY), NEW_CERTIFIER, status=StatusEntry(lists[NEW_CERTIFIER], 1))
    text = text_of(below, NEW_CERTIFIER.key, "eip712")
    alone = verified(text).json()
    assert (alone["failed"]["step"], alone["failed"]["subject"]) == ("never-registered", to_text(NEW_CERTIFIER.address))
    along = verified(text, shown=[text_of(above, COMMUNITY.key, "jwt")]).json()
    assert (along["holds"], [link["credential"] is None for link in along["chain"]]) == (True, [False, False, True])


def test_the_first_step_that_fails_is_named(verified, street):
    good = text_of(credential(given(ASSET, BATTERY), index=9), CERTIFIER.key, "jwt")
    assert verified(good).json()["holds"]
    assert verified(good, at=END).json()["failed"]["step"] == "credential-expired"
    assert verified(good, at=BEGIN - 1).json()["failed"]["step"] == "not-yet-valid"
    by_stranger = text_of(credential(given(ASSET, BATTERY)), STRANGER.key, "jwt")
    assert verified(by_stranger).json()["failed"]["step"] == "not-the-issuers-key"
    street.publish(9)
    assert verified(good).json()["failed"]["step"] == "credential-revoked"
    street.lists.clear()
    assert verified(good).json()["failed"]["step"] == "status-unreachable"


def test_a_credential_of_a_sold_asset_still_says_what_it_is(verified, street):
    street.apply(AssetTransferred(BATTERY.address, NEIGHBOUR.address, NOW - 1))
    assert verified(text_of(credential(given(ASSET, BATTERY)), CERTIFIER.key, "jwt")).json()["holds"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"credential": "a.b.c"}, "malformed-credential"),
        ({"credential": {"id": "x"}}, "malformed-credential"),
        ({}, "malformed-request"),
        ({"credential": 7}, "malformed-request"),
        ({"credential": "a.b.c", "at": "now"}, "malformed-request"),
        ({"credential": "a.b.c", "trust": True}, "malformed-request"),
        ({"credential": "a.b.c", "shown": ["a"] * (MOST_SHOWN + 1)}, "malformed-request"),
        ([], "malformed-request"),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_refused(verified, body, code):
    answer = verified.client.post("/v1/credentials/verify", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_a_body_that_names_something_twice_is_refused(verified):
    text = json.dumps(text_of(credential(given(ASSET, BATTERY)), CERTIFIER.key, "jwt"))
    for twice, status in ((f'{{"credential":{text}}}', 200), (f'{{"credential":"x","credential":{text}}}', 422)):
        assert verified.client.post("/v1/credentials/verify", content=twice).status_code == status
