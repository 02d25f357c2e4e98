"""A stranger who has read only the published document: whatever they send, the server neither fails nor gives an answer
that stands nowhere.

Schemathesis is asked as anybody would ask it; `/v1/events` is left out, since it does not end (`test_events.py`).
"""

import json
import re
import subprocess
import sys

import httpx2
import pytest

from exchange.documents import order_to_document
from tests.e2e.day import NEXT, operator_of, order_of, running, signed_by

OPENED = NEXT - 2_000
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "missing_required_header",
)
"""Not `unsupported_method`: a GET of /v1/orders/batch asks for an order of that name, and is answered as such."""


@pytest.fixture
def exchange(copy):
    with running(copy, OPENED) as exchange:
        exchange.beat(OPENED)
        yield exchange


def with_examples(exchange) -> dict[str, object]:
    """The published document, with what there is in this exchange as examples: else nobody would ever guess a name."""
    with httpx2.Client(base_url=exchange.url, headers=operator_of(exchange.url)) as client:
        document = client.get("/openapi.json").json()
        trade = client.get("/v1/trades").json()["trades"][0]
        batch = client.get("/v1/batches").json()["batches"][0]
        order = order_of(exchange.founded, "consumer", "load", 500, 250_000, start=NEXT)
        asset = client.get("/v1/assets").json()["assets"][0]
        posted = order_to_document(signed_by(exchange.founded, "consumer", order))
    known = {
        "digest": trade["bid"],
        "leaf": trade["leaf"],
        "session": trade["session_name"],
        "number": trade["buyer"],
        "part": 0,
        "code": "gate-closed",
        "account": trade["seller"],
        "asset": asset["asset"],
        "did": asset["did"],
        "owner": asset["owner"],
        "signer": asset["owner"],
        "agent": asset["owner"],
        "name": "certifier.roles.test-village.merit",
        "holder": "0x" + exchange.founded.member("consumer").holder.hex(),
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] in known:
                    parameter["example"] = (
                        batch["session"]
                        if path.startswith("/v1/batches") and parameter["name"] == "session"
                        else known[parameter["name"]]
                    )
    document["paths"]["/v1/orders"]["post"]["requestBody"]["content"]["application/json"]["example"] = posted
    return document


@pytest.mark.slow
def test_a_stranger_meets_no_failure_and_no_answer_that_is_not_documented(exchange, tmp_path):
    (tmp_path / "openapi.json").write_text(json.dumps(with_examples(exchange)))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", tmp_path / "openapi.json", "--url", exchange.url),
        *("--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--max-examples", "60"),
        *("--exclude-path", "/v1/events", "--seed", "7", "--generation-database", "none", "--no-color"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    assert re.search(r"(\d{4,}) generated, \1 passed", done.stdout), done.stdout[-2_000:]
    with httpx2.Client(base_url=exchange.url) as client:
        assert client.get("/readyz").status_code == 200
