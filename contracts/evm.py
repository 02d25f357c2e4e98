"""The port: what the house asks of any EVM chain.

Two implementations answer it: `local_evm.LocalEvm`, a chain in this process, and `rpc_evm.RpcEvm`, a chain behind
JSON-RPC. One suite, `tests/contracts/evm/`, is passed by both.

Addresses are 20 bytes, hashes and topics 32; money is in wei, time in Unix seconds. Every method may raise an
`EvmError`.
"""

from dataclasses import dataclass
from typing import Protocol

MAX_LOG_SPAN = 10_000
"""Blocks one question for logs may cover; public nodes refuse more."""


@dataclass(frozen=True, slots=True)
class Block:
    """What of a block's header the house needs."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One event. `index` is its place in the block."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: bytes
    tx_hash: bytes
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a mined transaction. `ok` is false when it reverted; it was paid for all the same."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    ok: bool
    gas_used: int
    contract_address: bytes | None
    logs: tuple[LogEntry, ...]


class Evm(Protocol):
    """A chain one can read and send to."""

    @property
    def chain_id(self) -> int:
        """The EIP-155 chain id."""

    def head(self) -> Block:
        """Return the newest block."""

    def block(self, number: int) -> Block | None:
        """Return the block of that number on the present chain, or None if it is not mined yet."""

    def call(self, to: bytes, data: bytes, *, sender: bytes | None = None, block: int | None = None) -> bytes:
        """Return what the call returns on the state after `block` (the newest if None); changes nothing.

        Raises `Reverted`.
        """

    def estimate_gas(self, sender: bytes, to: bytes | None, data: bytes) -> int:
        """Return a gas limit with which the transaction would succeed now. `to` None creates a contract.

        Raises `Reverted` when it would not succeed with any.
        """

    def nonce(self, address: bytes, pending: bool = False) -> int:
        """Return the next nonce of `address`, counting transactions that wait to be mined if `pending`."""

    def balance(self, address: bytes) -> int:
        """Return the wei `address` holds."""

    def code(self, address: bytes) -> bytes:
        """Return the runtime code at `address`; empty if there is none."""

    def send_raw(self, raw: bytes) -> bytes:
        """Hand a signed transaction to the chain and return its hash; never tried twice from here.

        Raises `TransactionRefused`, and `NodeUnreachable` when nobody knows whether it arrived. A transaction that is
        taken and then reverts is no error here: its receipt says so.
        """

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return the receipt, or None if the transaction is unknown or not mined."""

    def logs(self, address: bytes, from_block: int, to_block: int) -> list[LogEntry]:
        """Return the events of `address` in these blocks, both ends included, in the order of the chain.

        At most `MAX_LOG_SPAN` blocks at once; blocks beyond the head have no events.
        """

    def calldata(self, tx_hash: bytes) -> bytes | None:
        """Return the input of a transaction, or None if it is unknown."""

    def block_gas(self) -> int:
        """Return how much gas the newest block could hold."""

    def base_fee(self) -> int:
        """Return the base fee per gas of the newest block; 0 on a chain without EIP-1559."""

    def priority_fee(self) -> int:
        """Return a priority fee per gas that is likely to be mined soon."""

    def gas_price(self) -> int:
        """Return a gas price for a legacy transaction that is likely to be mined soon."""


def check_span(from_block: int, to_block: int) -> None:
    """Refuse a range of blocks no node would answer: the caller reads in steps."""
    if not 0 <= from_block <= to_block:
        raise ValueError(f"blocks {from_block} to {to_block} are no range")
    if to_block - from_block >= MAX_LOG_SPAN:
        raise ValueError(f"at most {MAX_LOG_SPAN} blocks at once")
