"""What happens, streamed over HTTP: every event once, through broken connections, restarts and a server that ends."""

import json
import random
import threading
import time
from functools import lru_cache

import httpx2
import pytest

from app.bounds import Bounds
from app.client.client import MeritClient
from app.client.following import Following
from app.founding import Keys, member_key
from app.server import Serving, create_app
from exchange.documents import order_to_document
from tests.e2e.day import LEAD_SECONDS, NEXT, PERIODS, operator_of, order_of, running, signed_by

OPENED = NEXT - 2_000


def document(founded, name, kind, energy, limit, *, start=NEXT, salt=7):
    return order_to_document(
        signed_by(founded, name, order_of(founded, name, kind, energy, limit, start=start, salt=salt))
    )


@pytest.fixture(scope="module")
def standing(played, tmp_path_factory):
    with running(played.copy(tmp_path_factory.mktemp("standing") / "copy"), OPENED) as exchange:
        yield exchange


@lru_cache(maxsize=64)
def as_operator(url):
    """The operator may hear everything."""
    return operator_of(url)


def stream_until(url, query, enough, *, headers=None, cut_after=None):
    """Read events as the operator until there are enough, or so many bytes were read; return them and the last id."""
    headers = as_operator(url) | (headers or {})
    following, events, size = Following((), None, None), [], 0
    with (
        httpx2.Client(base_url=url, timeout=30) as client,
        client.stream("GET", "/v1/events", params=query, headers=headers) as answer,
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        for chunk in answer.iter_raw():
            piece = chunk if cut_after is None else chunk[: max(cut_after - size, 0)]
            events += following.feed(piece)
            size += len(chunk)
            if enough(events) or (cut_after is not None and size >= cut_after):
                break
    return events, following.last_id


def whole_day(url):
    events, _ = stream_until(url, {"after": "0"}, lambda seen: sum(e.kind == "settlement" for e in seen) == PERIODS)
    return events


def test_the_days_events_agree_with_the_day(standing, played):
    events = whole_day(standing.url)
    kinds = [event.kind for event in events]
    assert kinds.count("session-cleared") == kinds.count("session-settled") == kinds.count("settlement") == PERIODS
    assert kinds.count("trade") == played.day.chain.trades
    settled = [event.data for event in events if event.kind == "settlement"]
    assert all(batch["state"] == "final" and batch["tx_hash"] for data in settled for batch in data["batches"])
    with httpx2.Client(base_url=standing.url, headers=as_operator(standing.url)) as client:
        trades = client.get("/v1/trades", params={"limit": 1000}).json()["trades"]
    assert [
        {**trade, "at": event.data["at"]}
        for trade, event in zip(trades, (e for e in events if e.kind == "trade"), strict=True)
    ] == [event.data for event in events if event.kind == "trade"]


@pytest.mark.parametrize("seed", range(6))
def test_a_client_that_is_cut_off_at_random_points_gets_every_event_once(standing, seed):
    shaken, told = random.Random(seed), whole_day(standing.url)
    seen, last = [], "0"
    while len(seen) < len(told):
        events, last_seen = stream_until(
            standing.url,
            {"after": "0"},  # as a browser does: the address stays the same, the header tells
            lambda new: len(seen) + len(new) >= len(told),  # noqa: B023
            headers={"Last-Event-ID": last},
            cut_after=shaken.randrange(1, 6_000),
        )
        seen += events
        last = last_seen or last
    assert seen == told


def test_only_what_was_asked_for_is_streamed(standing):
    account = standing.founded.member("consumer").account
    told = whole_day(standing.url)
    wanted = [e for e in told if e.kind == "trade" and account in (e.data["buyer"], e.data["seller"])]
    assert 0 < len(wanted) < sum(event.kind == "trade" for event in told)
    query = {"after": "0", "topics": "trades", "account": account}
    assert stream_until(standing.url, query, lambda seen: len(seen) >= len(wanted))[0] == wanted


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"topics": "weather"}, "malformed-request"),
        ({"topics": ""}, "malformed-request"),
        ({"account": "-1"}, "malformed-request"),
        ({"after": "yesterday"}, "malformed-cursor"),
        ({"after": "99999"}, "malformed-cursor"),
        ({"after": "1" * 41}, "malformed-request"),
    ],
)
def test_a_stream_that_cannot_be_is_refused(standing, query, code):
    answer = httpx2.get(f"{standing.url}/v1/events", params=query, headers=as_operator(standing.url))
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_more_streams_than_there_may_be_are_refused(standing):
    with (
        Serving(create_app(standing.house, Bounds(most_streams=1))) as server,
        httpx2.Client(base_url=server.url, timeout=60) as client,
    ):
        with client.stream("GET", "/v1/events") as first:
            chunks = first.iter_raw()  # held: a stream nobody holds is closed
            next(chunks)
            refused = client.get("/v1/events")
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        deadline = time.monotonic() + 60
        while client.get("/metrics").text.count("merit_streams 0.0") == 0:
            assert time.monotonic() < deadline, "the stream that was left is closed"
            time.sleep(0.05)


def test_an_open_order_shows_only_that_there_is_one(copy):
    with running(copy, OPENED) as exchange, httpx2.Client(base_url=exchange.url) as client:
        head = exchange.house.journal.sequence
        taken = client.post("/v1/orders", json=document(exchange.founded, "consumer", "load", 811, 250_007)).json()
        events, _ = stream_until(exchange.url, {"after": str(head)}, bool)
        (event,) = events
        assert event.data.keys() == {"session", "session_name", "at", "receipt"}
        assert taken["digest"] not in json.dumps(event.data)
        # its owner knows it again
        with MeritClient(exchange.url, member_key("consumer")) as consumer:
            order = order_of(exchange.founded, "consumer", "load", 811, 250_007, start=NEXT)
            assert consumer.submit(order).name == event.data["receipt"]


def test_a_follower_goes_on_over_a_restart_and_gets_every_event_once(copy):
    """The client comes back by itself: the server it follows ends, another takes its place, trading goes on."""
    seen, enough = [], threading.Event()
    with running(copy, OPENED) as exchange:
        port = int(exchange.url.rsplit(":", 1)[1])
        began = exchange.house.journal.sequence

        def follow():
            with MeritClient(exchange.url, Keys.devnet().operator) as client:
                for event in client.events(after=str(began)):
                    seen.append(event)
                    if event.kind == "settlement":
                        enough.set()
                        return

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        with httpx2.Client(base_url=exchange.url) as client:
            client.post(
                "/v1/orders", json=document(exchange.founded, "consumer", "load", 800, 250_000)
            ).raise_for_status()
        deadline = time.monotonic() + 60
        while not seen:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        ending = time.monotonic()
    assert time.monotonic() - ending < 8, "open streams do not hold up a server that ends"
    with running(copy, OPENED + 10) as exchange, Serving(create_app(exchange.house), port=port) as server:
        with httpx2.Client(base_url=server.url) as client:
            client.post("/v1/orders", json=document(exchange.founded, "producer", "pv", 500, 90_000)).raise_for_status()
        exchange.beat(NEXT - LEAD_SECONDS + 1)
        assert enough.wait(90)
        follower.join(60)
        kinds = [event.kind for event in seen]
        expected = ["order-accepted", "order-accepted", "gate-closed", "session-cleared", "trade", "session-settled"]
        assert kinds == [*expected, "settlement"]
