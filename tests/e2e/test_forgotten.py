"""The village's day, asked about over HTTP by everybody: an exchange that has forgotten it says what it always said."""

import httpx2
import pytest

from app.auditing import gather, judge
from exchange.documents import hexed, order_to_document
from exchange.session import SessionState
from tests.e2e.day import FIRST, LEAD_SECONDS, NEXT, PERIOD_SECONDS, PERIODS, order_of, running, signed_by
from tests.e2e.test_events import as_operator, stream_until, whole_day

OPENED = NEXT - 2_000


@pytest.fixture(scope="module", params=["made at the start", pytest.param("made while it ran", marks=pytest.mark.slow)])
def forgetful(request, played, tmp_path_factory):
    """An exchange that keeps no settled order in memory; its archive is new, or was made by an earlier process."""
    folder = played.copy(tmp_path_factory.mktemp("forgetful") / "copy")
    (folder / "archive.db").unlink()
    if request.param == "made while it ran":
        with running(folder, OPENED, most_settled_orders=0):
            assert (folder / "archive.db").exists()
    with running(folder, OPENED, most_settled_orders=0) as exchange:
        assert exchange.house.desk.look(lambda market, _: (len(market.sessions), len(market.forgotten))) == (0, PERIODS)
        yield exchange


@pytest.fixture(scope="module")
def remembering(played, tmp_path_factory):
    with running(played.copy(tmp_path_factory.mktemp("remembering") / "copy"), OPENED) as exchange:
        assert exchange.house.desk.look(lambda market, _: (len(market.sessions), len(market.forgotten))) == (PERIODS, 0)
        yield exchange


def all_pages(client, path, name, **query):
    """Follow the cursors of a list, a few at a time, and return every page."""
    pages, cursor = [], {}
    while True:
        answer = client.get(path, params={**query, "limit": 7, **cursor}).raise_for_status().json()
        pages.append(answer)
        if answer["next"] is None:
            return [item for page in pages for item in page[name]], pages
        cursor = {"cursor": answer["next"]}


def everything(exchange):
    """Ask for all that there is to read of the day."""
    founded = exchange.founded
    with httpx2.Client(base_url=exchange.url, headers=as_operator(exchange.url), timeout=60) as client:
        sessions, session_pages = all_pages(client, "/v1/sessions", "sessions")
        names = [session["name"] for session in sessions]
        books = [client.get(f"/v1/sessions/{name}/book").raise_for_status().json() for name in names]
        digests = [order["digest"] for book in books for order in book["orders"]]
        trades, trade_pages = all_pages(client, "/v1/trades", "trades")
        few = digests[:: max(len(digests) // 12, 1)]
        settled = [client.get(f"/v1/orders/{digest}").raise_for_status().json() for digest in digests]
        return {
            "sessions": session_pages,
            "each session": [client.get(f"/v1/sessions/{name}").raise_for_status().json() for name in names],
            "books": books,
            "orders": settled,
            "trades": trade_pages,
            "each trade": [client.get(f"/v1/trades/{trade['leaf']}").json() for trade in trades],
            "trades of accounts": [
                all_pages(client, "/v1/trades", "trades", account=member.account) for member in founded.members
            ],
            "trades of sessions": [all_pages(client, "/v1/trades", "trades", session=name) for name in names],
            "statements": [
                all_pages(client, f"/v1/accounts/{member.account}/statement", "lines") for member in founded.members
            ],
            "fees": all_pages(client, f"/v1/accounts/{founded.parameters.tree.root.fee_account}/statement", "lines"),
            "a part of the day": [
                client.get(
                    f"/v1/accounts/{member.account}/statement",
                    params={"from": FIRST + PERIOD_SECONDS, "to": FIRST + 3 * PERIOD_SECONDS},
                ).json()
                for member in founded.members
            ],
            "proofs of trades": [client.get(f"/v1/proofs/trades/{trade['leaf']}").json() for trade in trades[::3]],
            "proofs of orders": [client.get(f"/v1/proofs/orders/{digest}").json() for digest in few],
            "accounts": [client.get(f"/v1/accounts/{member.account}").json() for member in founded.members],
            "sent again": client.post("/v1/orders/batch", json={"orders": [order["order"] for order in settled]})
            .raise_for_status()
            .json(),
            "one sent again": client.post("/v1/orders", json=settled[0]["order"]).raise_for_status().json(),
            "health": client.get("/v1/health").json()["sessions_unsettled"],
            "metrics": [line for line in client.get("/metrics").text.splitlines() if "merit_sessions" in line],
        }


def test_an_exchange_that_has_forgotten_the_day_says_what_one_says_that_has_not(forgetful, remembering, played):
    told, expected = everything(forgetful), everything(remembering)
    for question, answer in expected.items():
        assert told[question] == answer, question
    assert played.day.chain.trades == len(expected["each trade"])
    statuses = {order["digest"]: order["status"] for order in told["orders"]}
    assert statuses[hexed(played.cancelled)] == "cancelled"
    assert statuses[hexed(played.unmatched)] == "settled"


def test_events_are_streamed_and_resumed_over_forgotten_sessions(forgetful, remembering):
    told, expected = whole_day(forgetful.url), whole_day(remembering.url)
    assert [(event.kind, event.data) for event in told] == [(event.kind, event.data) for event in expected]
    halves, last = stream_until(forgetful.url, {"after": "0"}, lambda seen: len(seen) > len(expected) // 2)
    missing = len(expected) - len(halves)
    rest, _ = stream_until(forgetful.url, {}, lambda seen: len(seen) >= missing, headers={"Last-Event-ID": last})
    assert [event.data for event in [*halves, *rest]] == [event.data for event in expected]


@pytest.mark.slow
def test_what_is_settled_is_forgotten_while_it_runs_and_the_audit_is_clean(copy):
    with running(copy, OPENED, most_settled_orders=0) as exchange:
        founded, house = exchange.founded, exchange.house
        before = house.heartbeat.statements.lines(founded.member("consumer").account)
        bid = signed_by(founded, "consumer", order_of(founded, "consumer", "load", 500, 300_000, start=NEXT))
        offer = signed_by(founded, "prosumer", order_of(founded, "prosumer", "pv", 500, 100_000, start=NEXT))
        first = house.desk.submit([bid, offer])
        exchange.beat(NEXT - LEAD_SECONDS + 1)
        key = founded.parameters.spot.session(NEXT)
        while house.desk.look(lambda market, _: market.summary(key).state) is not SessionState.SETTLED:
            exchange.beat(exchange.clock() + 1)
        held = house.desk.look(lambda market, _: (market.sessions, key in market.forgotten))
        assert held == ({}, True)
        assert [result.accepted for result in house.desk.submit([bid, offer])] == [result.accepted for result in first]
        after = house.heartbeat.statements.lines(founded.member("consumer").account)
        assert after[: len(before)] == before
        assert {line.session for line in after[len(before) :]} == {key.number}
        assert not any(line.session for lines in house.heartbeat.statements._lines.values() for line in lines)
        with httpx2.Client(base_url=exchange.url, headers=as_operator(exchange.url), timeout=60) as client:
            told = client.post("/v1/orders", json=order_to_document(bid))
            assert (told.status_code, told.json()["status"]) == (200, "settled")
        assert judge(gather(copy), exchange.evm).findings == ()
    with running(copy, OPENED + 9_000) as again:  # with room for all: nothing is asked of the archive
        assert again.house.heartbeat.statements.lines(founded.member("consumer").account) == after
