"""The way to a node behind JSON-RPC: what other vendors say, and what goes wrong on the way."""

import subprocess
import sys

import pytest

from contracts.errors import NodeRefused, NodeUnreachable, Refusal, Reverted, TransactionRefused, WrongChain
from contracts.rpc_evm import RpcEvm
from tests.contracts.evm.sick_node import SickNode

BELL = b"\x11" * 20
NOT_AT_ALL = "0x08c379a0" + "20".zfill(64) + "10".zfill(64) + b"bell: not at all".hex().ljust(64, "0")


@pytest.fixture
def node():
    with SickNode() as node:
        yield node


@pytest.fixture
def evm(node):
    return RpcEvm(node.url, timeout=30)


def test_the_chain_that_is_expected_is_served(node):
    assert RpcEvm(node.url, expected_chain_id=1337).chain_id == 1337


def test_another_chain_is_asked_nothing(node):
    evm = RpcEvm(node.url, expected_chain_id=246)
    with pytest.raises(WrongChain) as caught:
        evm.send_raw(b"\x02")
    assert (caught.value.expected, caught.value.actual) == (246, 1337)
    assert node.asked == ["eth_chainId"]


def test_the_chain_is_asked_for_once(evm, node):
    node.answers["eth_gasPrice"] = {"result": "0x7"}
    assert [evm.gas_price(), evm.gas_price(), evm.chain_id] == [7, 7, 1337]
    assert node.asked == ["eth_chainId", "eth_gasPrice", "eth_gasPrice"]


def test_nothing_is_sent_before_something_is_asked(node):
    RpcEvm(node.url)
    assert node.asked == []


def test_importing_the_port_does_not_import_web3():
    code = (
        "import sys, contracts.rpc_evm, contracts.transaction; sys.exit(bool({'web3', 'eth_account'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "first",
    [
        "import contracts.local_evm",
        (
            "from contracts.transaction import *\n"
            "sign(b'1' * 32, chain_id=1, nonce=0, to=None, data=b'', gas=9, max_fee=9, priority_fee=9)"
        ),
        "from contracts.rpc_evm import *\ntry: RpcEvm('http://127.0.0.1:1').head()\nexcept NodeUnreachable: pass",
    ],
    ids=["local", "signing", "rpc"],
)
def test_no_way_to_a_chain_leaves_the_stack_unguarded(first):
    """A JSON text of many brackets must end in an exception, not in the end of the process."""
    code = first + "\nimport json\ntry: json.loads('[' * 200_000)\nexcept RecursionError: print('refused')"
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert (ended.returncode, ended.stdout) == (0, b"refused\n"), ended.stderr


def test_a_node_that_is_not_there_is_named():
    evm = RpcEvm("http://127.0.0.1:1", timeout=1)
    with pytest.raises(NodeUnreachable, match=r"http://127\.0\.0\.1:1 does not answer"):
        evm.head()


def test_a_node_that_takes_too_long_is_unreachable(node):
    evm = RpcEvm(node.url, timeout=0.1)
    assert evm.chain_id == 1337
    node.delay_seconds = 0.4
    with pytest.raises(NodeUnreachable):
        evm.head()


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"7", b"[" * 100_000, b'{"jsonrpc":"2.0","id":1}'], ids=lambda body: str(body[:9])
)
def test_an_answer_that_is_not_json_rpc_is_none(evm, node, body):
    node.body = body
    with pytest.raises(NodeUnreachable):
        evm.head()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_http_error_is_no_answer(evm, node, status):
    node.status = status
    with pytest.raises(NodeUnreachable, match=str(status)):
        evm.head()


def test_a_send_without_an_answer_is_not_tried_again(evm, node):
    node.status = 503
    with pytest.raises(NodeUnreachable):
        evm.send_raw(b"\x02")
    assert node.asked.count("eth_sendRawTransaction") == 1


@pytest.mark.parametrize(
    "result",
    [None, 5, "0x", {}, {"number": "0x1"}, {"number": "1", "hash": "0x", "parentHash": "0x", "timestamp": "0x1"}],
    ids=str,
)
def test_an_answer_that_makes_no_sense_is_refused(evm, node, result):
    node.answers["eth_getBlockByNumber"] = {"result": result}
    with pytest.raises(NodeRefused, match="cannot be read"):
        evm.head()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"code": 3, "message": "execution reverted: bell: not at all", "data": NOT_AT_ALL}, "bell: not at all"),
        ({"code": 3, "message": "execution reverted", "data": NOT_AT_ALL}, "bell: not at all"),
        ({"code": -32015, "message": "VM execution error.", "data": "Reverted " + NOT_AT_ALL}, "bell: not at all"),
        ({"code": -32015, "message": "VM execution error.", "data": "Reverted 0x"}, ""),
        ({"code": -32015, "message": "VM execution error.", "data": "Bad instruction fe"}, "Bad instruction fe"),
        ({"code": -32000, "message": "execution reverted: bell: not at all"}, "bell: not at all"),
        ({"code": -32603, "message": "Error: reverted", "data": {"data": NOT_AT_ALL}}, "bell: not at all"),
        ({"code": 3, "message": "execution reverted", "data": "0x"}, ""),
        ({"code": -32000, "message": "execution reverted"}, ""),
        ({"code": 3, "message": "execution reverted", "data": "0x4e487b71" + "11".zfill(64)}, "panic 0x11"),
        ({"code": 3, "message": "execution reverted", "data": "0xdeadbeef"}, "0xdeadbeef"),
        ({"code": 3, "message": "execution reverted", "data": NOT_AT_ALL[:50]}, ""),
        ({"code": -32000, "message": "out of gas"}, "out of gas"),
        ({"code": -32000, "message": "invalid opcode: INVALID"}, "invalid opcode: INVALID"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_reverts_are_understood_in_every_dialect(evm, node, error, reason):
    node.answers["eth_call"] = {"error": error}
    with pytest.raises(Reverted) as caught:
        evm.call(BELL, b"")
    assert caught.value.reason == reason


def test_an_error_that_is_no_revert_is_the_nodes(evm, node):
    node.answers["eth_call"] = {"error": {"code": -32000, "message": "header not found"}}
    with pytest.raises(NodeRefused) as caught:
        evm.call(BELL, b"", block=7)
    assert (caught.value.node_code, caught.value.why) == (-32000, "header not found")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("nonce too low: address 0x11, tx: 0 state: 1", Refusal.NONCE_TOO_LOW),
        ("OldNonce, Current nonce: 1, nonce of rejected tx: 0", Refusal.NONCE_TOO_LOW),
        ("nonce too high", Refusal.NONCE_TOO_HIGH),
        ("already known", Refusal.ALREADY_KNOWN),
        ("transaction already imported", Refusal.ALREADY_KNOWN),
        ("replacement transaction underpriced", Refusal.UNDERPRICED),
        ("max fee per gas less than block base fee: address 0x11", Refusal.UNDERPRICED),
        ("insufficient funds for gas * price + value", Refusal.INSUFFICIENT_FUNDS),
        ("exceeds block gas limit", Refusal.GAS),
        ("intrinsic gas too low", Refusal.GAS),
        ("invalid sender", Refusal.MALFORMED),
        ("rlp: expected input list", Refusal.MALFORMED),
        ("txpool is full", Refusal.OTHER),
    ],
)
def test_refusals_are_understood_in_every_dialect(evm, node, message, kind):
    node.answers["eth_sendRawTransaction"] = {"error": {"code": -32000, "message": message}}
    with pytest.raises(TransactionRefused) as caught:
        evm.send_raw(b"\x02")
    assert (caught.value.kind, caught.value.reason) == (kind, message)


def test_a_chain_without_base_fees_has_a_base_fee_of_zero(evm, node):
    node.answers["eth_getBlockByNumber"] = {"result": {"number": "0x1"}}
    node.answers["eth_gasPrice"] = {"result": "0x5"}
    assert (evm.base_fee(), evm.priority_fee()) == (0, 5)


def test_a_node_that_fails_to_suggest_a_fee_is_not_overheard(evm, node):
    node.answers["eth_maxPriorityFeePerGas"] = {"error": {"code": -32000, "message": "syncing"}}
    with pytest.raises(NodeRefused):
        evm.priority_fee()


def test_logs_come_in_the_order_of_the_chain(evm, node):
    def log(block, index):
        return {
            "address": "0x" + "11" * 20,
            "topics": [],
            "data": "0x",
            "blockNumber": hex(block),
            "blockHash": "0x" + "22" * 32,
            "transactionHash": "0x" + "33" * 32,
            "logIndex": hex(index),
        }

    node.answers["eth_getLogs"] = {"result": [log(2, 0), log(1, 1), log(1, 0)]}
    assert [(entry.block_number, entry.index) for entry in evm.logs(BELL, 1, 2)] == [(1, 0), (1, 1), (2, 0)]
