"""A local chain's answers to JSON-RPC, so that web3.py, ethers, cast and wallets can look at it and send to it.

`answer` is a function of the chain and the request; `devnet_server` puts it on a socket.
"""

from collections.abc import Callable, Mapping
from typing import Any

from eth.abc import BlockAPI

from contracts.devnet_view import tip_of, view_block, view_log, view_receipt, view_transaction
from contracts.errors import EvmError, NodeRefused, Reverted
from contracts.evm import MAX_LOG_SPAN, LogEntry
from contracts.json_rpc import MalformedValue, read_data, read_quantity, to_data, to_quantity
from contracts.local_chain import ZERO_ADDRESS, base_fee_of
from contracts.local_evm import LocalEvm

MAX_BATCH = 1_000
MAX_FEE_HISTORY = 1_024
_MAX_PERCENTILES = 100

_INVALID_REQUEST, _NO_SUCH_METHOD, _INVALID_PARAMS = -32600, -32601, -32602
_SERVER_ERROR, _REVERTED = -32000, 3

_NEWEST = ("latest", "pending", "safe", "finalized")

Params = list[Any]


def answer(evm: LocalEvm, request: Any) -> dict[str, Any] | list[dict[str, Any]]:
    """Answer one request, or a batch of up to `MAX_BATCH` in order; refusals are JSON-RPC errors, never raised."""
    if not isinstance(request, list):
        return _answer_one(evm, request)
    if not 0 < len(request) <= MAX_BATCH:
        return _error(None, _INVALID_REQUEST, f"a batch holds 1 to {MAX_BATCH} requests")
    return [_answer_one(evm, each) for each in request]


def _answer_one(evm: LocalEvm, request: Any) -> dict[str, Any]:
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        return _error(None, _INVALID_REQUEST, "a request is an object with a method")
    name, method, params = request.get("id"), request["method"], request.get("params") or []
    if method not in _METHODS:
        return _error(name, _NO_SUCH_METHOD, f"the method {method} does not exist here")
    if not isinstance(params, list):
        return _error(name, _INVALID_PARAMS, "params are a list")
    try:
        return {"jsonrpc": "2.0", "id": name, "result": _METHODS[method](evm, params)}
    except MalformedValue as error:
        return _error(name, _INVALID_PARAMS, f"{method}: {error}")
    except Reverted as error:
        words = f"execution reverted: {error.reason}" if error.reason else "execution reverted"
        return _error(name, _REVERTED, words, to_data(error.data))
    except NodeRefused as error:
        return _error(name, error.node_code, error.why)
    except EvmError as error:
        return _error(name, _SERVER_ERROR, getattr(error, "reason", str(error)))


def _error(name: Any, code: int, message: str, data: str | None = None) -> dict[str, Any]:
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return {"jsonrpc": "2.0", "id": name, "error": error}


# reading params


def _get(params: Params, at: int) -> Any:
    return params[at] if at < len(params) else None


def _address(params: Params, at: int) -> bytes:
    return read_data(_get(params, at), 20)


def _number(evm: LocalEvm, tag: Any) -> int:
    """Read a block tag, number or EIP-1898 object. Nothing is pending here, and the newest block is final."""
    if tag is None or tag in _NEWEST:
        return evm.head().number
    if tag == "earliest":
        return 0
    return read_quantity(tag)


def _state_at(evm: LocalEvm, params: Params, at: int) -> int:
    tag = _get(params, at)
    if not isinstance(tag, dict):
        return _number(evm, tag)
    if "blockHash" not in tag:
        return read_quantity(tag.get("blockNumber"))
    number = evm.number_of(read_data(tag["blockHash"], 32))
    if number is None:
        raise NodeRefused("blockHash", _SERVER_ERROR, "there is no such block")
    return number


def _message(params: Params) -> dict[str, Any]:
    """Read a call: who, to whom, what, with how much. A gas limit or price would change nothing."""
    given = _get(params, 0)
    if not isinstance(given, dict):
        raise MalformedValue("expected a call object")
    data = given.get("input", given.get("data"))
    sender, to, value = given.get("from"), given.get("to"), given.get("value")
    return {
        "sender": ZERO_ADDRESS if sender is None else read_data(sender, 20),
        "to": None if to is None else read_data(to, 20),
        "data": b"" if data is None else read_data(data),
        "value": 0 if value is None else read_quantity(value),
    }


# the methods


def _call(evm: LocalEvm, params: Params) -> str:
    return to_data(evm.call(**_message(params), block=_state_at(evm, params, 1)))


def _block_by_number(evm: LocalEvm, params: Params) -> dict[str, Any] | None:
    return _view_if_any(evm.mined(_number(evm, _get(params, 0))), params)


def _block_by_hash(evm: LocalEvm, params: Params) -> dict[str, Any] | None:
    number = evm.number_of(read_data(_get(params, 0), 32))
    return None if number is None else _view_if_any(evm.mined(number), params)


def _view_if_any(block: BlockAPI | None, params: Params) -> dict[str, Any] | None:
    return None if block is None else view_block(block, full=_get(params, 1) is True)


def _transaction_by_hash(evm: LocalEvm, params: Params) -> dict[str, Any] | None:
    found = evm.receipt(read_data(_get(params, 0), 32))
    block = None if found is None else evm.mined(found.block_number)
    return None if block is None else view_transaction(block, 0)


def _receipt(evm: LocalEvm, params: Params) -> dict[str, Any] | None:
    found = evm.receipt(read_data(_get(params, 0), 32))
    block = None if found is None else evm.mined(found.block_number)
    return None if found is None or block is None else view_receipt(block, found)


def _logs(evm: LocalEvm, params: Params) -> list[dict[str, Any]]:
    wanted = _get(params, 0)
    if not isinstance(wanted, dict):
        raise MalformedValue("expected a filter object")
    if "blockHash" in wanted:
        first = last = _state_at(evm, [wanted], 0)
    else:
        first, last = _number(evm, wanted.get("fromBlock")), _number(evm, wanted.get("toBlock"))
    if last - first >= MAX_LOG_SPAN:
        raise NodeRefused("eth_getLogs", _SERVER_ERROR, f"at most {MAX_LOG_SPAN} blocks at once")
    addresses = _one_or_many(wanted.get("address"), 20)
    given = wanted.get("topics") or []
    if not isinstance(given, list):
        raise MalformedValue("expected a list of topics")
    topics = [_one_or_many(topic, 32) for topic in given]
    found = _logs_in(evm, addresses, first, min(last, evm.head().number))
    return [view_log(entry) for entry in found if _fits(entry, topics)]


def _one_or_many(value: Any, length: int) -> set[bytes] | None:
    """Read what may be left open (None), one, or any of several."""
    if value is None or value == []:
        return None
    return {read_data(each, length) for each in (value if isinstance(value, list) else [value])}


def _logs_in(evm: LocalEvm, addresses: set[bytes] | None, first: int, last: int) -> list[LogEntry]:
    if first > last:
        return []
    if addresses is not None:
        found = [entry for address in addresses for entry in evm.logs(address, first, last)]
        return sorted(found, key=lambda entry: (entry.block_number, entry.index))
    return [entry for number in range(first, last + 1) for entry in evm.logs_of(number)]


def _fits(entry: LogEntry, topics: list[set[bytes] | None]) -> bool:
    return len(topics) <= len(entry.topics) and all(
        wanted is None or topic in wanted for topic, wanted in zip(entry.topics, topics, strict=False)
    )


def _fee_history(evm: LocalEvm, params: Params) -> dict[str, Any]:
    count = _get(params, 0)
    asked = count if isinstance(count, int) else read_quantity(count)
    newest = min(_number(evm, _get(params, 1)), evm.head().number)
    percentiles = _get(params, 2) or []
    if not isinstance(percentiles, list) or len(percentiles) > _MAX_PERCENTILES:
        raise MalformedValue(f"expected a list of up to {_MAX_PERCENTILES} percentiles")
    oldest = max(0, newest - max(1, min(asked, MAX_FEE_HISTORY)) + 1)
    blocks = [block for number in range(oldest, newest + 1) if (block := evm.mined(number)) is not None]
    following = evm.mined(newest + 1)
    next_fee = evm.next_base_fee() if following is None else base_fee_of(following.header)
    history: dict[str, Any] = {
        "oldestBlock": to_quantity(oldest),
        "baseFeePerGas": [*(to_quantity(base_fee_of(block.header)) for block in blocks), to_quantity(next_fee)],
        "gasUsedRatio": [block.header.gas_used / block.header.gas_limit for block in blocks],
    }
    if percentiles:
        # one transaction a block, so each percentile is the same
        tips = [next((tip_of(block, each) for each in block.transactions), 0) for block in blocks]
        history["reward"] = [[to_quantity(tip)] * len(percentiles) for tip in tips]
    return history


_METHODS: Mapping[str, Callable[[LocalEvm, Params], Any]] = {
    "web3_clientVersion": lambda _evm, _params: "merit-devnet",
    "net_version": lambda evm, _params: str(evm.chain_id),
    "eth_chainId": lambda evm, _params: to_quantity(evm.chain_id),
    "eth_syncing": lambda _evm, _params: False,
    "eth_accounts": lambda _evm, _params: [],
    "eth_blockNumber": lambda evm, _params: to_quantity(evm.head().number),
    "eth_getBlockByNumber": _block_by_number,
    "eth_getBlockByHash": _block_by_hash,
    "eth_call": _call,
    "eth_estimateGas": lambda evm, params: to_quantity(evm.estimate_gas(**_message(params))),
    "eth_gasPrice": lambda evm, _params: to_quantity(evm.gas_price()),
    "eth_maxPriorityFeePerGas": lambda evm, _params: to_quantity(evm.priority_fee()),
    "eth_feeHistory": _fee_history,
    "eth_getBalance": lambda evm, params: to_quantity(
        evm.balance(_address(params, 0), block=_state_at(evm, params, 1))
    ),
    "eth_getCode": lambda evm, params: to_data(evm.code(_address(params, 0), block=_state_at(evm, params, 1))),
    "eth_getTransactionCount": lambda evm, params: to_quantity(
        evm.nonce(_address(params, 0), block=_state_at(evm, params, 1))
    ),
    "eth_getStorageAt": lambda evm, params: to_data(
        evm.storage(_address(params, 0), read_quantity(_get(params, 1)), block=_state_at(evm, params, 2)).to_bytes(32)
    ),
    "eth_sendRawTransaction": lambda evm, params: to_data(evm.send_raw(read_data(_get(params, 0)))),
    "eth_getTransactionByHash": _transaction_by_hash,
    "eth_getTransactionReceipt": _receipt,
    "eth_getLogs": _logs,
}
