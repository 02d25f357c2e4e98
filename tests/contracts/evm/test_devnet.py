"""The local chain's answers to JSON-RPC, as other tools ask for them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.devnet import MAX_BATCH, answer
from contracts.devnet_keys import devnet_key
from contracts.local_evm import LocalEvm
from tests.contracts.evm.bell import GENESIS_TIME, JAM, RING, RUNG, Clock, Ringer, word


def rpc(evm, method, *params):
    return answer(evm, {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)})


def result(evm, method, *params):
    given = rpc(evm, method, *params)
    assert "error" not in given, given
    assert (given["jsonrpc"], given["id"]) == ("2.0", 7)
    return given["result"]


def refused(evm, method, *params):
    return rpc(evm, method, *params)["error"]


@pytest.fixture
def ringer(local):
    return Ringer(local, devnet_key(0))


@pytest.fixture
def bell(ringer):
    return ringer.found_bell()


def hexed(data: bytes) -> str:
    return "0x" + data.hex()


# what tools ask first


def test_the_chain_introduces_itself(local):
    assert result(local, "eth_chainId") == "0x539"
    assert result(local, "net_version") == "1337"
    assert result(local, "web3_clientVersion") == "merit-devnet"
    assert result(local, "eth_syncing") is False
    assert result(local, "eth_accounts") == []
    assert result(local, "eth_blockNumber") == "0x0"


def test_fees_are_suggested(local, ringer):
    ringer.send(b"\x99" * 20)
    assert int(result(local, "eth_gasPrice"), 16) == local.next_base_fee() + local.priority_fee()
    assert int(result(local, "eth_maxPriorityFeePerGas"), 16) == local.priority_fee()


def test_the_fee_history_has_one_base_fee_more_than_blocks(local, ringer):
    for _ in range(3):
        ringer.send(b"\x99" * 20)
    history = result(local, "eth_feeHistory", "0x2", "latest", [10, 90])
    assert history["oldestBlock"] == "0x2"
    assert len(history["baseFeePerGas"]) == 3
    assert int(history["baseFeePerGas"][2], 16) == local.next_base_fee()
    assert history["gasUsedRatio"] == [21_000 / 60_000_000] * 2
    assert history["reward"] == [[hex(10**9)] * 2] * 2
    older = result(local, "eth_feeHistory", 1, "0x1")
    assert (older["oldestBlock"], "reward" in older) == ("0x1", False)


# blocks, transactions, receipts


def test_blocks_are_found_by_number_tag_and_hash(local, ringer):
    receipt = ringer.send(b"\x99" * 20)
    newest = result(local, "eth_getBlockByNumber", "latest", False)
    assert newest["hash"] == hexed(receipt.block_hash)
    assert newest["transactions"] == [hexed(receipt.tx_hash)]
    for tag in ("pending", "safe", "finalized", "0x1"):
        assert result(local, "eth_getBlockByNumber", tag, False) == newest
    assert result(local, "eth_getBlockByHash", newest["hash"], False) == newest
    assert result(local, "eth_getBlockByNumber", "earliest", False)["number"] == "0x0"


def test_what_is_not_there_is_null(local):
    nowhere = "0x" + "12" * 32
    assert result(local, "eth_getBlockByNumber", "0x5", False) is None
    assert result(local, "eth_getBlockByHash", nowhere, False) is None
    assert result(local, "eth_getTransactionByHash", nowhere) is None
    assert result(local, "eth_getTransactionReceipt", nowhere) is None


def test_a_block_can_hold_whole_transactions(local, ringer):
    receipt = ringer.send(b"\x99" * 20, b"hello", value=7)
    (transaction,) = result(local, "eth_getBlockByNumber", "latest", True)["transactions"]
    assert transaction == result(local, "eth_getTransactionByHash", hexed(receipt.tx_hash))
    assert transaction["from"] == hexed(ringer.address)
    assert (transaction["type"], transaction["input"], transaction["value"]) == ("0x2", hexed(b"hello"), "0x7")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_transaction_as_shown_is_the_one_that_was_signed(local, ringer, legacy):
    """Put the shown fields together again: the same bytes, so the same hash and sender."""
    from eth_account import Account
    from eth_account.typed_transactions import TypedTransaction

    signed = ringer.sign(b"\x99" * 20, b"hello", legacy=legacy)
    local.send_raw(signed.raw)
    shown = result(local, "eth_getTransactionByHash", hexed(signed.hash))
    assert Account.recover_transaction(signed.raw).lower() == shown["from"]
    if legacy:
        assert int(shown["v"], 16) in {35 + 2 * 1337, 36 + 2 * 1337}
        assert shown["gasPrice"] == hex(10**10)
    else:
        fields = {name: shown[name] for name in ("type", "chainId", "nonce", "to", "value", "gas", "accessList")}
        fields |= {name: shown[name] for name in ("maxFeePerGas", "maxPriorityFeePerGas", "v", "r", "s")}
        again = TypedTransaction.from_dict(fields | {"data": shown["input"]})
        assert bytes(again.encode()) == signed.raw


def test_a_receipt_says_what_was_paid(local, ringer, bell):
    before = local.balance(ringer.address)
    receipt = ringer.send(bell, RING + word(2))
    shown = result(local, "eth_getTransactionReceipt", hexed(receipt.tx_hash))
    paid = int(shown["gasUsed"], 16) * int(shown["effectiveGasPrice"], 16)
    assert before - local.balance(ringer.address) == paid
    assert (shown["status"], shown["contractAddress"], shown["to"]) == ("0x1", None, hexed(bell))


def test_the_receipt_of_a_new_contract_has_its_address_and_no_recipient(local, ringer):
    receipt = ringer.send(None, RING, gas=100_000)
    shown = result(local, "eth_getTransactionReceipt", hexed(receipt.tx_hash))
    assert (shown["to"], shown["contractAddress"]) == (None, hexed(receipt.contract_address))


# state


def test_state_is_read_at_any_block(local, ringer, bell):
    ringer.send(bell, RING + word(5))
    slot = lambda tag: int(result(local, "eth_getStorageAt", hexed(bell), "0x1", tag), 16)  # noqa: E731
    assert (slot("0x1"), slot("latest"), slot({"blockNumber": "0x1"})) == (0, 5, 0)
    assert slot({"blockHash": hexed(local.head().hash)}) == 5
    assert result(local, "eth_getCode", hexed(bell), "0x0") == "0x"
    assert result(local, "eth_getCode", hexed(bell)) == hexed(local.code(bell))
    assert result(local, "eth_getTransactionCount", hexed(ringer.address), "earliest") == "0x0"
    assert result(local, "eth_getTransactionCount", hexed(ringer.address), "pending") == "0x2"
    assert result(local, "eth_getBalance", hexed(ringer.address), "0x0") == hex(10**24)


def test_the_state_of_a_block_that_is_not_there_is_refused(local):
    assert "no block 9" in refused(local, "eth_getBalance", "0x" + "11" * 20, "0x9")["message"]
    assert (
        "no such block"
        in refused(local, "eth_call", {"to": "0x" + "11" * 20}, {"blockHash": "0x" + "11" * 32})["message"]
    )


def test_a_call_takes_input_or_data(local, bell):
    for name in ("input", "data"):
        assert result(local, "eth_call", {"to": hexed(bell), name: hexed(RING + word(1))}, "latest") == "0x"


def test_a_call_that_reverts_carries_code_and_data(local, bell):
    error = refused(local, "eth_call", {"to": hexed(bell), "data": hexed(RING + word(0))}, "latest")
    assert (error["code"], error["message"]) == (3, "execution reverted: bell: not at all")
    assert error["data"].startswith("0x08c379a0")
    assert refused(local, "eth_estimateGas", {"to": hexed(bell), "data": hexed(JAM)}) == {
        "code": 3,
        "message": "execution reverted",
        "data": "0x",
    }


def test_a_refused_transaction_has_the_words_tools_know(local, ringer):
    ringer.send(b"\x99" * 20)
    error = refused(local, "eth_sendRawTransaction", hexed(ringer.sign(b"\x99" * 20, nonce=0).raw))
    assert (error["code"], error["message"][:14]) == (-32000, "nonce too low:")


# logs


def test_logs_are_filtered_by_address_topic_and_range(local, ringer, bell):
    other = Ringer(local, devnet_key(1))
    second_bell = other.found_bell()
    first, second = ringer.send(bell, RING + word(1)), other.send(bell, RING + word(2))
    third = other.send(second_bell, RING + word(3))

    def times(**wanted):
        found = result(local, "eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", **wanted})
        return [int(log["data"], 16) for log in found]

    assert times() == [1, 2, 3]
    assert times(address=hexed(bell)) == [1, 2]
    assert times(address=[hexed(second_bell), hexed(bell)]) == [1, 2, 3]
    assert times(topics=[hexed(RUNG)]) == [1, 2, 3]
    assert times(topics=[hexed(word(1))]) == []
    assert times(topics=[None, hexed(bytes(12) + other.address)]) == [2, 3]
    assert times(topics=[None, [hexed(bytes(12) + other.address), hexed(bytes(12) + ringer.address)]]) == [1, 2, 3]
    assert times(topics=[None, None, hexed(word(1))]) == []
    assert times(fromBlock=hex(second.block_number)) == [2, 3]
    assert times(toBlock=hex(first.block_number)) == [1]
    assert times(fromBlock=hex(third.block_number + 5), toBlock=hex(third.block_number + 9)) == []
    by_hash = result(local, "eth_getLogs", {"blockHash": hexed(second.block_hash)})
    assert [log["transactionHash"] for log in by_hash] == [hexed(second.tx_hash)]


def test_logs_of_too_many_blocks_are_refused(local):
    assert "at most" in refused(local, "eth_getLogs", {"fromBlock": "0x0", "toBlock": "0xffffff"})["message"]


# bad requests


@pytest.mark.parametrize("request_", [None, 7, "eth_chainId", {}, {"method": 7}, {"id": 1}], ids=str)
def test_what_is_no_request_is_refused(local, request_):
    assert answer(local, request_)["error"]["code"] == -32600


def test_an_unknown_method_is_refused_by_name(local):
    error = refused(local, "eth_subscribe", "newHeads")
    assert (error["code"], "eth_subscribe" in error["message"]) == (-32601, True)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("eth_getBalance", []),
        ("eth_getBalance", ["0x11"]),
        ("eth_getBalance", ["0x" + "11" * 20, "yesterday"]),
        ("eth_getBalance", ["0x" + "11" * 20, []]),
        ("eth_getBalance", ["0x" + "11" * 20, {"blockNumber": None}]),
        ("eth_getBalance", ["0x" + "1g" * 20]),
        ("eth_getBlockByNumber", ["0x"]),
        ("eth_getBlockByNumber", ["0x" + "f" * 65]),
        ("eth_getBlockByHash", ["0x12"]),
        ("eth_call", []),
        ("eth_call", [[]]),
        ("eth_call", [{"to": 5}]),
        ("eth_call", [{"to": "0x" + "11" * 20, "data": "0x1"}]),
        ("eth_getLogs", []),
        ("eth_getLogs", [{"topics": 5}]),
        ("eth_getLogs", [{"topics": [{}]}]),
        ("eth_getLogs", [{"address": {}}]),
        ("eth_feeHistory", [None]),
        ("eth_feeHistory", ["0x1", "latest", 5]),
        ("eth_feeHistory", ["0x1", "latest", [1] * 101]),
        ("eth_sendRawTransaction", [None]),
    ],
    ids=str,
)
def test_params_of_the_wrong_form_are_refused(local, method, params):
    assert refused(local, method, *params)["code"] == -32602


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["0x0", "0x1", "latest", "0x" + "11" * 20, "0x" + "11" * 32]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["to", "from", "data", "value", "blockHash", "blockNumber", "fromBlock", "toBlock", "topics", "address"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        [
            "eth_call",
            "eth_estimateGas",
            "eth_getLogs",
            "eth_feeHistory",
            "eth_getBalance",
            "eth_getStorageAt",
            "eth_getBlockByNumber",
            "eth_getBlockByHash",
            "eth_getTransactionByHash",
            "eth_sendRawTransaction",
        ]
    ),
    st.lists(_JSON, max_size=3),
)
def test_no_params_whatever_bring_the_chain_down(method, params):
    given = rpc(_WELL, method, *params)
    assert ("result" in given) != ("error" in given)
    assert _WELL.head().number == 0


_WELL = LocalEvm(Clock(), genesis_time=GENESIS_TIME)


def test_a_batch_is_answered_in_order(local):
    requests = [{"id": n, "method": method} for n, method in enumerate(["eth_chainId", "nothing", "eth_blockNumber"])]
    first, second, third = answer(local, requests)
    assert (first["result"], second["error"]["code"], third["result"]) == ("0x539", -32601, "0x0")
    assert [first["id"], second["id"], third["id"]] == [0, 1, 2]


@pytest.mark.parametrize("size", [0, MAX_BATCH + 1])
def test_a_batch_of_no_or_too_many_requests_is_refused(local, size):
    assert answer(local, [{"id": 1, "method": "eth_chainId"}] * size)["error"]["code"] == -32600


def test_a_batch_of_the_largest_size_is_answered(local):
    assert len(answer(local, [{"id": 1, "method": "eth_chainId"}] * MAX_BATCH)) == MAX_BATCH
