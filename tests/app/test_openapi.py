"""The committed document of the interface is that of the routes, and what breaks clients is named."""

import copy
import json

import pytest

from app.openapi import ANSWERS, COMMITTED, breaks, differences, text_of
from app.problems import PROBLEMS
from app.server import create_app
from tests.e2e.day import NEXT, rebuilt


@pytest.fixture(scope="module")
def now(played, tmp_path_factory):
    """What `python -m app.interface --check` compares, of an exchange that stands already."""
    with rebuilt(played.copy(tmp_path_factory.mktemp("interface") / "day"), NEXT - 3_000) as exchange:
        return create_app(exchange.house).openapi()


def test_the_committed_document_is_that_of_the_routes(now):
    before = json.loads(COMMITTED.read_text())
    assert list(differences(before, now)) == [], "make it anew: python -m app.interface"
    assert COMMITTED.read_text() == text_of(now)


def test_every_operation_says_what_it_may_refuse(now):
    operations = {f"{method.upper()} {path}" for path, methods in now["paths"].items() for method in methods}
    assert operations == {*ANSWERS}
    assert {code for codes in ANSWERS.values() for code in codes} <= {*PROBLEMS}
    resolution = now["paths"]["/v1/dids/{did}"]["get"]  # its errors are resolution results, as the W3C has it
    for methods in now["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if status >= "4" and operation is not resolution:
                    assert [*answer["content"]] == ["application/problem+json"]


def test_every_reference_leads_somewhere(now):
    text = json.dumps(now)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in now["components"]["schemas"]


def operation_gone(document):
    del document["paths"]["/v1/trades"]["get"]


def parameter_gone(document):
    parameters = document["paths"]["/v1/trades"]["get"]["parameters"]
    parameters[:] = [each for each in parameters if each["name"] != "account"]


def parameter_demanded(document):
    for each in document["paths"]["/v1/trades"]["get"]["parameters"]:
        each["required"] = True


def answer_gone(document):
    del document["paths"]["/v1/orders"]["post"]["responses"]["200"]


def field_gone(document):
    del document["components"]["schemas"]["TradeOut"]["properties"]["leaf"]


def field_demanded(document):
    document["components"]["schemas"]["CancellationIn"]["required"].append("reason")


def schema_gone(document):
    del document["components"]["schemas"]["TradeOut"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (operation_gone, "GET /v1/trades is gone"),
        (parameter_gone, "GET /v1/trades no longer knows account"),
        (parameter_demanded, "GET /v1/trades now demands session"),
        (answer_gone, "POST /v1/orders no longer answers 200"),
        (field_gone, "TradeOut no longer has leaf"),
        (field_demanded, "CancellationIn now demands reason"),
        (schema_gone, "TradeOut is gone"),
    ],
)
def test_what_breaks_clients_is_named(now, change, named):
    later = copy.deepcopy(now)
    change(later)
    assert named in list(breaks(now, later))
    assert list(differences(now, later))


def test_what_is_added_breaks_nobody(now):
    later = copy.deepcopy(now)
    later["paths"]["/v1/weather"] = copy.deepcopy(later["paths"]["/v1/trades"])
    later["paths"]["/v1/trades"]["get"]["parameters"].append({"name": "node", "in": "query", "required": False})
    later["components"]["schemas"]["TradeOut"]["properties"]["weather"] = {"type": "string"}
    assert list(breaks(now, later)) == []
    assert any(line.endswith("/v1/weather is new") for line in differences(now, later))
