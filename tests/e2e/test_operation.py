"""What whoever looks after a server sees of it: whether it is alive and ready, its figures, its log."""

import io
import json
import logging
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx2
import pytest

from app.bounds import Bounds, Rate
from app.health import MOST_AHEAD_SECONDS, MOST_BEHIND_SECONDS, MOST_LAG_BLOCKS, Health, skew
from app.logs import JsonLines, TextLines, set_up
from app.server import Serving, create_app
from contracts.errors import NodeUnreachable
from contracts.evm import Block
from exchange.documents import order_to_document
from exchange.errors import JournalBroken
from settlement.effects.store import Checkpoint
from settlement.lifecycle import State
from tests.e2e.day import FIRST, LEAD_SECONDS, NEXT, PERIODS, operator_of, order_of, running, signed_by
from tests.e2e.test_heartbeat import in_the_way_of

OPENED = NEXT - 2_000


@pytest.fixture
def exchange(copy):
    with running(copy, OPENED) as exchange:
        exchange.beat(OPENED)
        yield exchange


@pytest.fixture(scope="module")
def standing(played, tmp_path_factory):
    """One for all tests that change nothing of it."""
    with running(played.copy(tmp_path_factory.mktemp("operation") / "copy"), OPENED) as exchange:
        exchange.beat(OPENED)
        yield exchange


@pytest.fixture
def visitor(standing):
    with httpx2.Client(base_url=standing.url, timeout=30) as client:
        yield client


@pytest.fixture
def client(exchange):
    with httpx2.Client(base_url=exchange.url, timeout=30) as client:
        yield client


def document(founded, energy, *, start=NEXT, salt=7):
    order = order_of(founded, "consumer", "load", energy, 250_000, start=start, salt=salt)
    return order_to_document(signed_by(founded, "consumer", order))


def figures(text):
    """The figures of a page for Prometheus, by name and labels."""
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}


# Alive, and ready


def test_a_process_that_can_answer_is_alive(visitor):
    assert visitor.get("/healthz").json() == {"status": "alive"}


def test_a_server_that_has_all_it_needs_is_ready(standing, visitor):
    answer = visitor.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    parts = answer.json()["parts"]
    assert parts["chain"]["head"] == standing.evm.head().number
    assert parts["indexing"]["lag_blocks"] == 0
    assert parts["journal"] == {"sequence": standing.house.journal.sequence, "decides": True}


def lost_chain(exchange, monkeypatch):
    def nobody():
        raise NodeUnreachable("http://node", "connection refused")

    monkeypatch.setattr(exchange.evm, "head", nobody)


def lagging(exchange, monkeypatch):
    behind = Checkpoint(exchange.evm.head().number - MOST_LAG_BLOCKS - 1, bytes(32), OPENED)
    monkeypatch.setattr(exchange.house.store, "cursor", lambda: behind)


def broken_journal(exchange, monkeypatch):
    def broken(_events):
        raise JournalBroken("the disk is full")

    monkeypatch.setattr(exchange.house.journal, "append", broken)
    with pytest.raises(JournalBroken):
        exchange.house.desk.submit(
            [signed_by(exchange.founded, "consumer", order_of(exchange.founded, "consumer", "load", 5, 9, start=NEXT))]
        )


def another_submitter(exchange, monkeypatch):
    exchange.house.submitter.release()
    exchange.house.store.take_lease("the other", OPENED, OPENED + 60)


def failing_beats(exchange, monkeypatch):
    exchange.house.heartbeat.last_error = "KeyError: 7"


def clock_behind(exchange, monkeypatch):
    head = exchange.evm.head()
    exchange.clock._instant = head.timestamp - MOST_AHEAD_SECONDS - head.number - 1


@pytest.mark.parametrize(
    ("what", "part", "why"),
    [
        (lost_chain, "chain", "connection refused"),
        (lagging, "indexing", "blocks are yet to be read"),
        (broken_journal, "journal", "the disk is full"),
        (another_submitter, "lease", "the other has"),
        (failing_beats, "heartbeat", "KeyError"),
        (clock_behind, "clock", "ahead of this machine's clock"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_server_without_something_says_what_it_is_not_ready_for(exchange, client, monkeypatch, what, part, why):
    what(exchange, monkeypatch)
    answer = client.get("/readyz")
    body = answer.json()
    assert (answer.status_code, body["code"]) == (503, "not-ready")
    assert part in body["missing"]
    assert why in body["missing"][part]
    assert part in body["detail"]
    assert client.get("/healthz").status_code == 200, "it is alive all the same"
    shown = figures(client.get("/metrics").text)
    assert shown[f'merit_ready{{part="{part}"}}'] == 0


def test_a_session_that_cannot_be_sealed_is_shown_wherever_somebody_looks(exchange, client):
    meeting = [("consumer", "load", 800, 250_000), ("producer", "pv", 500, 90_000)]
    for name, kind, energy, limit in meeting:
        order = order_of(exchange.founded, name, kind, energy, limit, start=NEXT)
        client.post("/v1/orders", json=order_to_document(signed_by(exchange.founded, name, order))).raise_for_status()
    exchange.house.store.enqueue([in_the_way_of(order.session)])
    exchange.house.store.save(replace(in_the_way_of(order.session), state=State.REFUSED))
    closed = NEXT - LEAD_SECONDS + 1
    exchange.beat(closed)
    name = str(order.session)
    session = client.get(f"/v1/sessions/{name}").json()
    assert (session["state"], session["settlement"]["unsealed"]["code"]) == ("cleared", "batch-conflict")
    assert session["settlement"]["unsealed"]["since"] == closed
    assert client.get("/v1/health").json()["sessions_unsealed"] == [name]
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["parts"]["sealing"]) == (200, {"unsealed": {name: "batch-conflict"}})
    assert figures(client.get("/metrics").text)["merit_sessions_unsealed"] == 1


def test_a_deep_reorganisation_is_shown(exchange, client):
    assert "deep_reorgs" not in client.get("/readyz").json()["parts"]["indexing"]
    store = exchange.house.store
    cursor = store.cursor()
    store.roll_back(cursor.number - 1)
    store.extend([replace(cursor, hash=b"\7" * 32)], [])
    exchange.beat(OPENED + 1)
    indexing = client.get("/readyz").json()["parts"]["indexing"]
    assert (indexing["deep_reorgs"], "were replaced" in indexing["last_deep_reorg"]) == (1, True)
    assert figures(client.get("/metrics").text)["merit_deep_reorgs_total"] == 1


def test_whoever_looks_after_a_server_is_answered_while_every_thread_is_busy(standing, visitor, monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(standing.house.store, "page", lambda *_: [] if over.wait(60) else None)
    with ThreadPoolExecutor(50) as others, httpx2.Client(base_url=standing.url, timeout=60) as slow:
        asked = [others.submit(slow.get, "/v1/batches") for _ in range(50)]
        try:
            until(
                lambda: (
                    ["/v1/batches"] * (figures(visitor.get("/metrics").text)["merit_http_requests_under_way"] >= 45)
                ),
                1,
            )
            assert visitor.get("/readyz").status_code == 200
        finally:
            over.set()
        assert {each.result().status_code for each in asked} == {200}


def test_the_chain_is_asked_once_a_second_however_often_somebody_wants_to_know(exchange, monkeypatch):
    asked, now = [], [100.0]
    head = exchange.evm.head()
    monkeypatch.setattr(exchange.evm, "head", lambda: asked.append(1) or head)
    health = Health(exchange.house, lambda: now[0])
    for _ in range(5):
        health.parts()
    assert len(asked) == 1
    now[0] += 1
    health.parts()
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("ahead", "alone", "doubt"),
    [
        (MOST_AHEAD_SECONDS, False, None),
        (MOST_AHEAD_SECONDS + 1, False, "ahead of"),
        (MOST_AHEAD_SECONDS + 70, True, None),
        (MOST_AHEAD_SECONDS + 71, True, "ahead of"),
        (-MOST_BEHIND_SECONDS, False, None),
        (-MOST_BEHIND_SECONDS - 1, False, "s old"),
        (-MOST_BEHIND_SECONDS - 1, True, None),
    ],
)
def test_clock_and_chain_may_differ_by_so_much(ahead, alone, doubt):
    said = skew(Block(70, bytes(32), bytes(32), 1_000_000 + ahead), 1_000_000, alone=alone)
    assert said is None if doubt is None else doubt in said


# Figures


def test_the_figures_tell_what_happened(exchange, client):
    before = figures(client.get("/metrics").text)
    assert before['merit_sessions{state="settled"}'] == before['merit_batches{state="final"}'] == PERIODS
    taken = document(exchange.founded, 100)
    assert [client.post("/v1/orders", json=each).status_code for each in (taken, taken)] == [201, 200]
    assert client.post("/v1/orders", json=taken | {"energy_wh": 0}).status_code == 422
    late = client.post("/v1/orders", json=document(exchange.founded, 100, start=FIRST))
    assert late.status_code in (409, 422)
    client.post("/v1/orders/batch", json={"orders": [document(exchange.founded, 100, salt=8), {}]})
    client.get("/v1/orders/" + "0x" + "11" * 32, headers=operator_of(exchange.url))
    after = figures(client.get("/metrics").text)
    assert after['merit_orders_total{outcome="accepted"}'] == 2
    assert after['merit_orders_total{outcome="held"}'] == 1
    assert after[f'merit_orders_total{{outcome="{late.json()["code"]}"}}'] == 1
    assert after['merit_problems_total{code="malformed-order"}'] == 2
    assert after['merit_problems_total{code="unknown-order"}'] == 1
    assert after['merit_http_requests_total{method="POST",route="/v1/orders",status="201"}'] == 1
    assert after['merit_http_requests_total{method="POST",route="/v1/orders/batch",status="200"}'] == 1
    assert after['merit_http_requests_total{method="GET",route="/v1/orders/{digest}",status="404"}'] == 1
    assert after["merit_orders_durable_seconds_count"] == 4
    assert after['merit_orders_durable_seconds_bucket{le="+Inf"}'] == 4
    assert after["merit_journal_sequence"] == before["merit_journal_sequence"] + 2
    assert after['merit_sessions{state="open"}'] == 1
    assert after["merit_chain_lag_blocks"] == after["merit_orders_waiting"] == 0


def test_no_figure_names_what_a_client_may_choose(standing, visitor):
    for path in ("/v1/nothing", "/v1/sessions/secret-session", "/problems/secret", "/secret"):
        visitor.get(path)
    visitor.request("SECRET", "/v1/orders")
    text = visitor.get("/metrics").text
    assert "secret" not in text.lower()


def test_metrics_are_of_the_kind_prometheus_reads(visitor):
    assert visitor.get("/metrics").headers["content-type"].startswith("text/plain; version=")


# Requests have names, and log lines


def test_every_answer_names_its_request(visitor):
    first, second = visitor.get("/v1/meta"), visitor.get("/v1/nothing")
    names = {answer.headers["x-request-id"] for answer in (first, second)}
    assert len(names) == 2
    assert visitor.get("/v1/meta", headers={"X-Request-ID": "mine-7"}).headers["x-request-id"] == "mine-7"
    odd = visitor.get("/v1/meta", headers={"X-Request-ID": "a b" * 40}).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]+", odd)


@pytest.fixture
def log():
    """What is logged, as JSON lines."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonLines())
    house, http = logging.getLogger("merit"), logging.getLogger("merit.http")
    levels = house.level, http.level, house.propagate
    house.addHandler(handler)
    house.propagate = False
    for logger in (house, http):
        logger.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in text.getvalue().splitlines()]
    house.removeHandler(handler)
    house.setLevel(levels[0])
    http.setLevel(levels[1])
    house.propagate = levels[2]


def until(lines, count):
    """Wait for as many lines: a request is logged when it was answered."""
    deadline = time.monotonic() + 30
    while len(found := lines()) < count:
        assert time.monotonic() < deadline, "nothing was logged"
        time.sleep(0.01)
    return found


def test_a_line_in_the_log_tells_the_request_and_nothing_that_was_sent(exchange, client, log):
    order = document(exchange.founded, 100)
    client.post("/v1/orders", json=order, headers={"X-Request-ID": "mine-8"})
    client.get("/v1/accounts", params={"holder": "0x" + "11" * 20})
    first, second = until(lambda: [line for line in log() if line["logger"] == "merit.http"], 2)
    assert (first["method"], first["route"], first["status"], first["request"]) == ("POST", "/v1/orders", 201, "mine-8")
    assert second["route"] == "/v1/accounts"
    assert first["at"].endswith("+00:00")
    text = json.dumps(log())
    assert order["signature"][2:] not in text
    assert "1111" not in text


def test_a_failure_is_found_in_the_log_by_the_name_in_the_answer(exchange, client, monkeypatch):
    def fail(_question):
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(exchange.house.desk, "look", fail)
    answer = client.get("/v1/sessions", headers={"X-Request-ID": "mine-9"})
    assert (answer.status_code, answer.json()["code"], answer.json()["request"]) == (500, "unexpected", "mine-9")
    assert "secret" not in answer.text


def record(message="it went wrong", **more):
    return logging.makeLogRecord(
        {"name": "merit", "levelname": "INFO", "msg": message, "created": 1_782_000_000.5} | more
    )


def test_lines_are_json_or_for_people():
    line = json.loads(JsonLines().format(record(fields={"session": 7})))
    assert line == {
        "at": "2026-06-21T00:00:00.500+00:00",
        "level": "info",
        "logger": "merit",
        "message": "it went wrong",
        "session": 7,
    }
    assert TextLines().format(record()) == "2026-06-21T00:00:00.500+00:00 INFO merit: it went wrong"
    try:
        int("here")
    except ValueError as error:
        failed = record(exc_info=(type(error), error, error.__traceback__))
    trace = json.loads(JsonLines().format(failed))["trace"]
    assert "ValueError: invalid" in trace
    assert "\n" not in JsonLines().format(failed)


def test_logging_is_set_up_with_or_without_requests():
    root, http = logging.getLogger(), logging.getLogger("merit.http")
    handlers, level, before = root.handlers[:], root.level, http.level
    try:
        set_up(json_lines=True, requests=True)
        assert http.isEnabledFor(logging.INFO)
        set_up(json_lines=False, requests=False)
        assert not http.isEnabledFor(logging.INFO)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        http.setLevel(before)


# Limits of a server as `merit serve` has them


def test_a_server_with_limits_tells_them_and_keeps_them(exchange):
    bounds = Bounds(address=Rate(1, 30), account=Rate(1, 2))
    with Serving(create_app(exchange.house, bounds)) as server, httpx2.Client(base_url=server.url) as client:
        answers = [client.post("/v1/orders", json=document(exchange.founded, 5, salt=salt)) for salt in range(4)]
        assert [answer.status_code for answer in answers] == [201, 201, 429, 429]
        assert answers[0].headers["ratelimit-limit"] == "30"
        statuses = [client.get("/v1/meta").status_code for _ in range(40)]
        assert set(statuses) == {200, 429}


def test_a_server_that_only_demonstrates_limits_nobody(visitor):
    assert {visitor.get("/healthz").status_code for _ in range(300)} == {200}
    assert "ratelimit-limit" not in visitor.get("/healthz").headers
