"""The local chain on a socket: what the server lets in, and what web3.py sees through it."""

import http.client
import json
import urllib.error

import pytest

from contracts.devnet_keys import devnet_key
from contracts.devnet_server import MAX_BODY_BYTES, DevnetServer
from tests.contracts.evm.bell import BELL, RING, RUNG, Ringer, ask, post, word


@pytest.fixture
def ringer(local):
    return Ringer(local, devnet_key(0))


@pytest.fixture
def bell(ringer):
    return ringer.found_bell()


def test_the_chain_is_served_on_loopback(served):
    assert served.url.startswith("http://127.0.0.1:")
    assert ask(served.url, "eth_chainId")["result"] == "0x539"


def test_a_taken_port_is_an_error(served, local):
    with pytest.raises(OSError):
        DevnetServer(local, port=int(served.url.rsplit(":", 1)[1]))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 5_000], ids=lambda body: str(body[:3]))
def test_a_body_that_is_not_json_is_refused(served, body):
    assert post(served.url, body)["error"]["code"] in {-32700, -32600}


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (403, {"Host": "evil.example"}),
        (415, {"Content-Type": "text/plain"}),
        (413, {"Content-Length": str(MAX_BODY_BYTES + 1)}),
        (413, {"Content-Length": "9" * 5_000}),
        (411, {"Content-Length": "-1"}),
    ],
)
def test_http_requests_that_are_not_for_it_are_refused(served, status, headers):
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(served.url, b"{}", **headers)
    assert caught.value.code == status
    caught.value.close()


def test_a_browser_is_told_what_this_is(served):
    connection = http.client.HTTPConnection(served.url.removeprefix("http://"), timeout=60)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert (response.status, "POST" in json.load(response)["error"]) == (405, True)
    connection.close()


def test_one_connection_serves_many_requests(served):
    connection = http.client.HTTPConnection(served.url.removeprefix("http://"), timeout=60)
    for number in range(3):
        body = json.dumps({"id": number, "method": "eth_chainId"})
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        assert json.load(connection.getresponse())["id"] == number
    connection.close()


# web3.py


def test_web3_reads_blocks_transactions_receipts_and_logs(served, local, ringer, bell):
    from web3 import HTTPProvider, Web3

    receipt = ringer.send(bell, RING + word(4))
    web3 = Web3(HTTPProvider(served.url))
    assert web3.is_connected()
    assert (web3.eth.chain_id, web3.eth.block_number) == (1337, 2)
    block = web3.eth.get_block("latest", full_transactions=True)
    assert (bytes(block.hash), block.timestamp) == (receipt.block_hash, local.head().timestamp)
    assert bytes(block.transactions[0].hash) == receipt.tx_hash
    seen = web3.eth.get_transaction_receipt(receipt.tx_hash)
    assert (seen.status, seen.gasUsed, seen.blockNumber) == (1, receipt.gas_used, 2)
    (log,) = web3.eth.get_logs({"address": Web3.to_checksum_address(bell), "fromBlock": 0})
    assert (bytes(log.data), bytes(log.topics[0])) == (word(4), RUNG)


def test_web3_deploys_calls_and_sends_by_itself(served, ringer):
    """The way a newcomer does it: web3 asks for nonce, gas and fees, and signs with a known key."""
    from eth_account import Account
    from vyper import compile_code
    from web3 import HTTPProvider, Web3
    from web3.exceptions import ContractLogicError
    from web3.middleware import SignAndSendRawMiddlewareBuilder

    web3 = Web3(HTTPProvider(served.url))
    account = Account.from_key(devnet_key(2))
    web3.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(account), layer=0)
    web3.eth.default_account = account.address
    compiled = compile_code(BELL, output_formats=["abi", "bytecode"])
    deployed = web3.eth.wait_for_transaction_receipt(web3.eth.contract(**compiled).constructor().transact())
    bell = web3.eth.contract(deployed.contractAddress, abi=compiled["abi"])
    receipt = web3.eth.wait_for_transaction_receipt(bell.functions.ring(6).transact())
    assert bell.functions.rings().call() == 6
    assert [event.args.times for event in bell.events.Rung().process_receipt(receipt)] == [6]
    with pytest.raises(ContractLogicError, match="bell: not at all"):
        bell.functions.ring(0).call()
    assert len(web3.eth.fee_history(2, "latest", [50]).reward) == 2
