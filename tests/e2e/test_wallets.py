"""Wallets that know nothing of Merit sign what the exchange gives them to sign, and the exchange takes it."""

import json
import shutil
import subprocess
from pathlib import Path

import httpx2
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from app.founding import member_key
from exchange.documents import order_to_document
from tests.e2e.day import NEXT, order_of, running, signed_by

NODE = Path(__file__).parents[1] / "node"
KEY = "0x" + member_key("consumer").hex()


def eth_account(payload):
    """Sign as eth-account does: the digest, and the signature."""
    message = encode_typed_data(full_message=payload)
    signed = Account.sign_message(message, KEY)
    return "0x" + bytes(signed.message_hash).hex(), "0x" + bytes(signed.signature).hex()


def ethers(payload):
    """Sign as ethers does, in Node."""
    node = shutil.which("node")
    assert node, "this test is marked `node`"
    given = json.dumps({"key": KEY, "payload": payload})
    done = subprocess.run([node, "wallet.mjs"], cwd=NODE, input=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    signed = json.loads(done.stdout)
    assert signed["address"] == Account.from_key(KEY).address
    return signed["digest"], signed["signature"]


@pytest.fixture
def client(copy):
    with running(copy, NEXT - 2_000) as exchange, httpx2.Client(base_url=exchange.url, timeout=30) as client:
        client.founded = exchange.founded
        yield client


@pytest.mark.parametrize("wallet", [eth_account, pytest.param(ethers, marks=pytest.mark.node)])
@pytest.mark.parametrize("limit", [250_000, -1])
def test_a_wallet_places_an_order_and_takes_it_back(client, wallet, limit):
    order = order_of(client.founded, "consumer", "load", 500, limit, start=NEXT, salt=(1 << 32) - 1)
    posted = order_to_document(signed_by(client.founded, "consumer", order))
    del posted["signature"], posted["alternatives"]
    answer = client.post("/v1/orders/typed-data", json=posted).json()
    digest, signature = wallet(answer["typed_data"])
    assert digest == answer["digest"], "the wallet signs the order that is meant"
    assert len(signature) == 132, "65 bytes, as wallets give them"
    taken = client.post("/v1/orders", json=posted | {"signature": signature})
    assert (taken.status_code, taken.json()["digest"]) == (201, digest)

    payload = client.get(f"/v1/orders/{digest}/cancellation/typed-data").json()["typed_data"]
    _, signature = wallet(payload)
    cancelled = client.request("DELETE", f"/v1/orders/{digest}", json={"signature": signature})
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")


@pytest.mark.parametrize("wallet", [eth_account, pytest.param(ethers, marks=pytest.mark.node)])
def test_a_signature_for_another_exchange_is_nobodys_here(client, wallet):
    order = order_of(client.founded, "consumer", "load", 500, 250_000, start=NEXT)
    posted = order_to_document(signed_by(client.founded, "consumer", order))
    unsigned = {name: value for name, value in posted.items() if name not in ("signature", "alternatives")}
    payload = client.post("/v1/orders/typed-data", json=unsigned).json()
    payload["typed_data"]["domain"]["chainId"] += 1
    _, signature = wallet(payload["typed_data"])
    refused = client.post("/v1/orders", json=posted | {"signature": signature})
    assert (refused.status_code, refused.json()["code"]) == (403, "not-authorised")
