"""Every refusal of every room has its place among the problems, and every failure is answered as one."""

import importlib
import pkgutil
from collections import Counter

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.limits import MOST_BODY_BYTES, MOST_DEPTH, BodyLimit, is_too_deep
from app.problems import PROBLEMS, REFUSALS, install, problem_of, refusals
from contracts.errors import Reverted
from exchange.errors import ExchangeRefused, GateClosed, OwnCrossing

for room in ("identity", "exchange", "settlement", "contracts"):
    package = importlib.import_module(room)
    for module in pkgutil.walk_packages(package.__path__, f"{room}."):
        importlib.import_module(module.name)

KINDS = [kind for root in REFUSALS for kind in refusals(root) if kind.__module__.split(".")[0] != "tests"]


@pytest.fixture
def client():
    app = FastAPI()
    app.add_middleware(BodyLimit)
    install(app)

    @app.get("/closed")
    def closed() -> None:
        raise GateClosed(7)

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("the secret of the house")

    @app.post("/length")
    async def length(numbers: list[int]) -> int:
        return len(numbers)

    return TestClient(app, raise_server_exceptions=False)


def test_every_refusal_has_a_code_of_its_own_and_a_row_for_it():
    assert [kind for kind in KINDS if "code" not in vars(kind)] == [], "a refusal has a code of its own"
    assert [kind for kind in KINDS if kind.code not in PROBLEMS] == []
    shared = Counter(kind.code for kind in KINDS)
    assert [kind for kind in KINDS if shared[kind.code] > 1] == []


def test_every_row_is_some_refusals_or_http_itself():
    known = {kind.code for kind in KINDS}
    rest = [code for code in PROBLEMS if code not in known]
    assert rest == [
        "malformed-request",
        "bad-request",
        "not-found",
        "method-not-allowed",
        "body-too-large",
        "body-too-deep",
        "timed-out",
        "not-ready",
        "http-error",
        "unexpected",
    ]


def test_every_problem_is_explained_where_its_type_points(client):
    told = {code: client.get(f"/problems/{code}").json() for code in PROBLEMS}
    assert {code: (body["code"], body["status"], body["title"]) for code, body in told.items()} == {
        code: (code, *row) for code, row in PROBLEMS.items()
    }
    assert [code for code, body in told.items() if not body["meaning"].endswith((".", ":"))] == []


def test_all_problems_are_listed(client):
    assert [row["code"] for row in client.get("/problems").json()["problems"]] == sorted(PROBLEMS)


def test_a_problem_nobody_knows_is_not_explained(client):
    assert client.get("/problems/rain").json()["code"] == "not-found"


def test_a_problem_tells_the_data_of_the_refusal():
    assert problem_of(GateClosed(7)) == {
        "type": "/problems/gate-closed",
        "title": "Gate closed",
        "status": 409,
        "detail": "the gate closed at 7",
        "code": "gate-closed",
        "closed_at": 7,
    }
    assert problem_of(OwnCrossing(b"\1" * 32))["other"] == "0x" + "01" * 32
    assert problem_of(Reverted("orders: used up", b"\2"))["data"] == "0x02"


def test_a_refusal_without_a_row_is_told_as_the_kind_it_belongs_to():
    class OrderEaten(ExchangeRefused):
        code = "order-eaten"

    assert problem_of(OrderEaten("by the dog"))["code"] == "exchange-refused"
    assert problem_of(ValueError("no refusal at all"))["code"] == "unexpected"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/closed", 409, "gate-closed"),
        ("GET", "/nowhere", 404, "not-found"),
        ("PUT", "/closed", 405, "method-not-allowed"),
        ("POST", "/length", 422, "malformed-request"),
        ("GET", "/broken", 500, "unexpected"),
    ],
)
def test_every_failure_is_answered_with_a_problem(client, method, path, status, code):
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["status"], answer.json()["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_wrong_method_is_told_the_right_ones(client):
    assert client.put("/closed").headers["allow"] == "GET"


def test_an_unexpected_failure_tells_nothing_of_the_house(client):
    assert "secret" not in client.get("/broken").text


def test_malformed_fields_are_named(client):
    body = client.post("/length", json=[1, "two"]).json()
    assert body["fields"][0][0] == "body.1"


def filled(size):
    """Return a JSON list of so many bytes."""
    return b"[" + b" " * (size - 2) + b"]"


HEADERS = {"Content-Type": "application/json"}


def test_a_body_as_long_as_the_limit_is_read(client):
    assert client.post("/length", content=filled(MOST_BODY_BYTES), headers=HEADERS).json() == 0


def test_a_body_beyond_the_limit_is_refused(client):
    answer = client.post("/length", content=filled(MOST_BODY_BYTES + 1), headers=HEADERS)
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


@pytest.mark.parametrize(("size", "status"), [(MOST_BODY_BYTES, 200), (MOST_BODY_BYTES + 1, 413)])
def test_a_body_that_does_not_say_how_long_it_is_is_counted_as_it_comes(client, size, status):
    body = filled(size)
    parts = (body[start : start + 60_000] for start in range(0, size, 60_000))
    assert client.post("/length", content=parts, headers=HEADERS).status_code == status


@pytest.mark.parametrize(
    ("body", "deep"),
    [
        (b"[" * MOST_DEPTH + b"]" * MOST_DEPTH, False),
        (b"[" * (MOST_DEPTH + 1) + b"]" * (MOST_DEPTH + 1), True),
        (b"[{}," * 20 + b"{}" + b"]" * 20, False),
        (b"[" + b"{}," * 5_000 + b"{}]", False),
        (b'"' + b"[" * 1_000 + b'"', False),
        (b'["]",' * 1_000, True),
        (b'["\\"]",' * 1_000, True),
        (b'["\\\\","]",' * 1_000, True),
        (b'["' + b"\\" * 100_001, False),
        ("[".encode("utf-16") * 2, True),
        (b"", False),
    ],
)
def test_brackets_are_counted_where_they_nest(body, deep):
    assert is_too_deep(body) is deep
