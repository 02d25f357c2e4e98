"""A chain behind JSON-RPC: anvil, a node of one's own, or somebody's service.

web3 carries the requests; it takes a second to import, so that happens with the first question. Nothing is sent twice
from here: whether a transaction that got no answer arrived is for the caller to find out.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from contracts.errors import EvmError, NodeRefused, NodeUnreachable, Refusal, Reverted, TransactionRefused, WrongChain
from contracts.evm import Block, LogEntry, Receipt, check_span
from contracts.json_rpc import MalformedValue, read_data, read_quantity, to_data, to_quantity
from contracts.recursion import bound_recursion
from contracts.revert_reason import reason_of

Value = TypeVar("Value")

_NO_SUCH_METHOD = -32601
_REVERTED = {3, -32015}  # geth and those who follow it; OpenEthereum and Nethermind
_REVERTED_WORDS = ("revert", "out of gas", "invalid opcode", "invalid jump", "stack underflow", "gas required exceeds")
_REFUSALS = (
    (Refusal.ALREADY_KNOWN, ("already known", "already imported", "known transaction", "alreadyknown")),
    (Refusal.NONCE_TOO_LOW, ("nonce too low", "nonce is too low", "oldnonce")),
    (Refusal.NONCE_TOO_HIGH, ("nonce too high", "nonce is too high", "nonce gap")),
    (Refusal.UNDERPRICED, ("underpriced", "less than block base fee", "fee too low", "feetoolow", "below base fee")),
    (Refusal.INSUFFICIENT_FUNDS, ("insufficient funds", "insufficient balance", "insufficientfunds")),
    (Refusal.GAS, ("gas limit", "intrinsic gas", "gas too low", "out of gas")),
    (Refusal.MALFORMED, ("invalid", "rlp", "signature", "decode")),
)


class RpcEvm:
    """A chain behind JSON-RPC.

    With `expected_chain_id`, nothing is asked of a node that serves another: `WrongChain`.
    """

    def __init__(self, url: str, *, timeout: float = 30.0, expected_chain_id: int | None = None) -> None:
        """Name the node; nothing is sent yet. `timeout` is in seconds, for each request."""
        self._url = url
        self._timeout = timeout
        self._expected = expected_chain_id
        self._known_chain_id: int | None = None
        self._request: Callable[[Any, Any], Any] | None = None

    @property
    def chain_id(self) -> int:
        """The EIP-155 chain id, asked once."""
        if self._known_chain_id is None:
            self._known_chain_id = self._meet()
        return self._known_chain_id

    def head(self) -> Block:
        """Return the newest block."""
        return _read("eth_getBlockByNumber", _block, self._ask("eth_getBlockByNumber", ["latest", False]))

    def block(self, number: int) -> Block | None:
        """Return the block of that number, or None if it is not mined yet."""
        found = self._ask("eth_getBlockByNumber", [to_quantity(number), False])
        return None if found is None else _read("eth_getBlockByNumber", _block, found)

    def call(self, to: bytes, data: bytes, *, sender: bytes | None = None, block: int | None = None) -> bytes:
        """Return what the call returns. Raises `Reverted`."""
        at = "latest" if block is None else to_quantity(block)
        return _read("eth_call", read_data, self._ask("eth_call", [_message(sender, to, data), at]))

    def estimate_gas(self, sender: bytes, to: bytes | None, data: bytes) -> int:
        """Return the node's estimate. Raises `Reverted`."""
        found = self._ask("eth_estimateGas", [_message(sender, to, data)])
        return _read("eth_estimateGas", read_quantity, found)

    def nonce(self, address: bytes, pending: bool = False) -> int:
        """Return the next nonce, counting transactions that wait if `pending`."""
        found = self._ask("eth_getTransactionCount", [to_data(address), "pending" if pending else "latest"])
        return _read("eth_getTransactionCount", read_quantity, found)

    def balance(self, address: bytes) -> int:
        """Return the wei `address` holds."""
        return _read("eth_getBalance", read_quantity, self._ask("eth_getBalance", [to_data(address), "latest"]))

    def code(self, address: bytes) -> bytes:
        """Return the runtime code at `address`."""
        return _read("eth_getCode", read_data, self._ask("eth_getCode", [to_data(address), "latest"]))

    def send_raw(self, raw: bytes) -> bytes:
        """Hand a signed transaction to the node, once."""
        method = "eth_sendRawTransaction"
        try:
            found = self._ask(method, [to_data(raw)])
        except NodeRefused as refused:
            raise TransactionRefused(refused.why, _kind(refused.why)) from refused
        except Reverted as reverted:
            raise TransactionRefused(str(reverted)) from reverted
        return _read(method, _hash, found)

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return the receipt, or None if the transaction is unknown or not mined."""
        found = self._ask("eth_getTransactionReceipt", [to_data(tx_hash)])
        return None if found is None else _read("eth_getTransactionReceipt", _receipt, found)

    def logs(self, address: bytes, from_block: int, to_block: int) -> list[LogEntry]:
        """Return the events of `address` in these blocks, in the order of the chain."""
        check_span(from_block, to_block)
        wanted = {
            "address": to_data(address),
            "fromBlock": to_quantity(from_block),
            "toBlock": to_quantity(to_block),
        }
        entries = _read("eth_getLogs", _logs, self._ask("eth_getLogs", [wanted]))
        return sorted(entries, key=lambda entry: (entry.block_number, entry.index))

    def calldata(self, tx_hash: bytes) -> bytes | None:
        """Return the input of a transaction, or None if it is unknown."""
        method = "eth_getTransactionByHash"
        found = self._ask(method, [to_data(tx_hash)])
        return None if found is None else _read(method, lambda answer: read_data(answer["input"]), found)

    def block_gas(self) -> int:
        """Return how much gas the newest block could hold."""
        method = "eth_getBlockByNumber"
        found = self._ask(method, ["latest", False])
        return _read(method, lambda block: read_quantity(block["gasLimit"]), found)

    def base_fee(self) -> int:
        """Return the base fee per gas of the newest block; 0 on a chain without EIP-1559."""
        method = "eth_getBlockByNumber"
        found = self._ask(method, ["latest", False])
        return _read(method, lambda block: read_quantity(block.get("baseFeePerGas", "0x0")), found)

    def priority_fee(self) -> int:
        """Return what the node suggests, or what its gas price leaves above the base fee."""
        method = "eth_maxPriorityFeePerGas"
        try:
            return _read(method, read_quantity, self._ask(method, []))
        except NodeRefused as refused:
            if refused.node_code != _NO_SUCH_METHOD:
                raise
            return max(0, self.gas_price() - self.base_fee())

    def gas_price(self) -> int:
        """Return the gas price the node suggests."""
        return _read("eth_gasPrice", read_quantity, self._ask("eth_gasPrice", []))

    def lend(self, to: bytes, wei: int) -> bytes | None:
        """Ask a node for play to send `wei` from an account it holds the key of; return the transaction's hash.

        None where the node holds no key.
        """
        method = "eth_sendTransaction"
        accounts = self._ask("eth_accounts", [])
        if not isinstance(accounts, list) or not accounts:
            return None
        sent = self._ask(method, [{"from": accounts[0], "to": to_data(to), "value": to_quantity(wei)}])
        return _read(method, _hash, sent)

    def _ask(self, method: str, params: list[Any]) -> Any:
        """Ask the node once it is known to serve the right chain."""
        if self._known_chain_id is None:
            self._known_chain_id = self._meet()
        return self._ask_anything(method, params)

    def _meet(self) -> int:
        actual = _read("eth_chainId", read_quantity, self._ask_anything("eth_chainId", []))
        if self._expected is not None and self._expected != actual:
            raise WrongChain(self._expected, actual)
        return actual

    def _ask_anything(self, method: str, params: list[Any]) -> Any:
        from requests import RequestException

        if self._request is None:
            self._request = self._connect()
        try:
            answer = self._request(method, params)
        except (RequestException, ValueError, OSError, RecursionError) as error:
            raise NodeUnreachable(self._url, str(error)) from error
        if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
            raise NodeUnreachable(self._url, "the answer is not JSON-RPC")
        if answer.get("error") is not None:
            raise _failure(method, answer["error"])
        return answer.get("result")

    def _connect(self) -> Callable[[Any, Any], Any]:
        from web3 import HTTPProvider

        bound_recursion()
        # no retries: web3's own would send a transaction again after an answer was lost
        provider = HTTPProvider(
            self._url, request_kwargs={"timeout": self._timeout}, exception_retry_configuration=None
        )
        return provider.make_request


def _failure(method: str, error: Any) -> EvmError:
    """Turn the node's error into ours: what executed and failed is `Reverted`, whatever the node's dialect."""
    fields = error if isinstance(error, dict) else {"message": str(error)}
    code = fields.get("code")
    words = str(fields.get("message", "no message"))
    returned = _revert_data(fields.get("data"))
    executes = method in {"eth_call", "eth_estimateGas"}
    if code in _REVERTED or (executes and any(word in words.lower() for word in _REVERTED_WORDS)):
        return Reverted(reason_of(returned) or _said(words, fields.get("data")), returned)
    return NodeRefused(method, code if isinstance(code, int) else 0, words)


def _said(words: str, data: Any) -> str:
    """Return the reason in the node's own words, where the contract's are not there; empty if the node gives none."""
    if isinstance(data, str) and not data.startswith(("0x", "Reverted")):
        return data
    said = words.partition("revert: ")[2] or words.partition("reverted: ")[2]
    silent = words.lower().rstrip(". ").endswith(("revert", "reverted", "vm execution error"))
    return said or ("" if silent else words)


def _revert_data(data: Any) -> bytes:
    """Find the bytes a contract returned, wherever the node put them."""
    if isinstance(data, dict):
        return _revert_data(data.get("data", data.get("result")))
    text = data.removeprefix("Reverted ") if isinstance(data, str) else data
    try:
        return read_data(text)
    except MalformedValue:
        return b""


def _kind(words: str) -> Refusal:
    lower = words.lower()
    return next((kind for kind, signs in _REFUSALS if any(sign in lower for sign in signs)), Refusal.OTHER)


def _read(method: str, reader: Callable[[Any], Value], answer: Any) -> Value:
    """Read the node's answer; what does not have the right form is the node's fault, and named so."""
    try:
        return reader(answer)
    except (KeyError, TypeError, AttributeError, MalformedValue) as error:
        raise NodeRefused(method, 0, f"its answer cannot be read: {error!r}") from error


def _message(sender: bytes | None, to: bytes | None, data: bytes) -> dict[str, str]:
    message = {"data": to_data(data)}
    if sender is not None:
        message["from"] = to_data(sender)
    if to is not None:
        message["to"] = to_data(to)
    return message


def _hash(value: Any) -> bytes:
    return read_data(value, 32)


def _block(value: Any) -> Block:
    return Block(
        read_quantity(value["number"]),
        _hash(value["hash"]),
        _hash(value["parentHash"]),
        read_quantity(value["timestamp"]),
    )


def _logs(value: Any) -> tuple[LogEntry, ...]:
    return tuple(
        LogEntry(
            address=read_data(log["address"], 20),
            topics=tuple(_hash(topic) for topic in log["topics"]),
            data=read_data(log["data"]),
            block_number=read_quantity(log["blockNumber"]),
            block_hash=_hash(log["blockHash"]),
            tx_hash=_hash(log["transactionHash"]),
            index=read_quantity(log["logIndex"]),
        )
        for log in value
    )


def _receipt(value: Any) -> Receipt:
    created = value.get("contractAddress")
    return Receipt(
        tx_hash=_hash(value["transactionHash"]),
        block_number=read_quantity(value["blockNumber"]),
        block_hash=_hash(value["blockHash"]),
        ok=read_quantity(value["status"]) == 1,
        gas_used=read_quantity(value["gasUsed"]),
        contract_address=None if created is None else read_data(created, 20),
        logs=_logs(value["logs"]),
    )
