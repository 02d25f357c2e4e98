"""Trees and proofs, judged by OpenZeppelin's own library under Node."""

import json
import shutil
import subprocess
from pathlib import Path

import httpx2
import pytest

from exchange.documents import hexed
from tests.e2e.day import LAST, operator_of, running

TESTS = Path(__file__).parents[1]
NODE = TESTS / "node"

pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(not (NODE / "node_modules").exists(), reason="npm ci --prefix tests/node was not run"),
]


def judge(*arguments: object, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    words = ["node", NODE / "proof.mjs", *arguments]
    return subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def proofs(played, tmp_path_factory):
    folder = played.copy(tmp_path_factory.mktemp("node") / "copy")
    with (
        running(folder, LAST) as exchange,
        httpx2.Client(base_url=exchange.url, headers=operator_of(exchange.url)) as client,
    ):
        trades = client.get("/v1/trades", params={"limit": 5}).json()["trades"]
        paths = [f"trades/{trade['leaf']}" for trade in trades]
        paths += [f"orders/{hexed(played.unmatched)}", f"orders/{hexed(played.cancelled)}"]
        return [client.get(f"/v1/proofs/{path}").raise_for_status().json() for path in paths]


def test_the_vectors_are_what_openzeppelin_builds():
    ended = judge("vectors", TESTS / "vectors" / "merkle.json")
    assert ended.returncode == 0, ended.stderr
    assert " trees, " in ended.stdout


def test_a_proof_of_the_exchange_verifies_in_javascript_from_the_document_alone(proofs):
    for proof in proofs:
        ended = judge("proof", stdin=json.dumps(proof))
        assert ended.returncode == 0, ended.stderr
        assert f"the {proof['kind']} leads to 0x" in ended.stdout


def test_an_altered_proof_does_not_verify_in_javascript(proofs):
    trade, order = proofs[0], proofs[-1]
    altered = [
        trade | {"trade": trade["trade"] | {"energy_wh": trade["trade"]["energy_wh"] + 1}},
        trade | {"delivery_start": trade["delivery_start"] + 900},
        trade | {"siblings": trade["siblings"][1:]},
        order | {"cancelled": False},
    ]
    assert [judge("proof", stdin=json.dumps(proof)).returncode for proof in altered] == [1, 1, 1, 1]
