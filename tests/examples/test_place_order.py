"""The client in one page, against a running server."""

import json
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from app.founding import member_key
from app.play import write_member_keys
from tests.e2e.day import NEXT, reader_of, running

EXAMPLE = Path(__file__).parents[2] / "examples" / "place_order.py"


@pytest.fixture(scope="module")
def exchange(played, tmp_path_factory):
    folder = played.copy(tmp_path_factory.mktemp("example") / "day")
    with running(folder, NEXT - 3_000) as exchange:
        write_member_keys(folder / "keys", exchange.founded)
        yield exchange


def place(exchange, *options, key="consumer"):
    key_file = exchange.folder / "keys" / f"{key}.key"
    return subprocess.run(
        [sys.executable, EXAMPLE, "--url", exchange.url, "--key-file", key_file, *options],
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_an_order_is_placed_and_is_there(exchange):
    ended = place(exchange, "--side", "bid", "--energy-wh", "500", "--limit", "250000")
    assert ended.returncode == 0, ended.stderr
    answer = json.loads(ended.stdout)
    account = exchange.founded.member("consumer").account
    assert ended.stderr == f"account {account}: received, accepted\n"
    reader = reader_of(exchange.url, member_key("consumer"))
    order = httpx2.get(f"{exchange.url}/v1/orders/{answer['digest']}", headers=reader).json()
    assert (order["order"]["energy_wh"], order["order"]["limit_micro_per_kwh"]) == (500, 250_000)
    assert (order["account"], order["status"]) == (account, "open")


def test_an_order_that_is_refused_ends_with_1_and_the_problem(exchange):
    ended = place(exchange, "--energy-wh", "100000000")
    assert (ended.returncode, json.loads(ended.stdout)["code"]) == (1, "short-of-collateral")
