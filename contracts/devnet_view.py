"""Blocks, transactions, receipts and logs of a local chain, as JSON-RPC writes them."""

from typing import Any

import rlp
from eth.abc import BlockAPI, SignedTransactionAPI

from contracts.evm import LogEntry, Receipt
from contracts.json_rpc import to_data, to_quantity
from contracts.local_chain import base_fee_of

_LATER_QUANTITIES = {"blobGasUsed": "blob_gas_used", "excessBlobGas": "excess_blob_gas"}
_LATER_HASHES = {
    "withdrawalsRoot": "withdrawals_root",
    "parentBeaconBlockRoot": "parent_beacon_block_root",
    "requestsHash": "requests_hash",
}


def view_block(block: BlockAPI, *, full: bool) -> dict[str, Any]:
    """Return a block, with whole transactions or only their hashes."""
    header = block.header
    view: dict[str, Any] = {
        "number": to_quantity(header.block_number),
        "hash": to_data(header.hash),
        "parentHash": to_data(header.parent_hash),
        "nonce": to_data(header.nonce),
        "sha3Uncles": to_data(header.uncles_hash),
        "logsBloom": to_data(header.bloom.to_bytes(256)),
        "transactionsRoot": to_data(header.transaction_root),
        "stateRoot": to_data(header.state_root),
        "receiptsRoot": to_data(header.receipt_root),
        "miner": to_data(header.coinbase),
        "difficulty": to_quantity(header.difficulty),
        "extraData": to_data(header.extra_data),
        "mixHash": to_data(header.mix_hash),
        "size": to_quantity(len(rlp.encode(block))),
        "gasLimit": to_quantity(header.gas_limit),
        "gasUsed": to_quantity(header.gas_used),
        "timestamp": to_quantity(header.timestamp),
        "baseFeePerGas": to_quantity(base_fee_of(header)),
        "uncles": [],
        "transactions": [
            view_transaction(block, index) if full else to_data(transaction.hash)
            for index, transaction in enumerate(block.transactions)
        ],
    }
    for name, field in _LATER_QUANTITIES.items():
        if hasattr(header, field):
            view[name] = to_quantity(getattr(header, field))
    for name, field in _LATER_HASHES.items():
        if hasattr(header, field):
            view[name] = to_data(getattr(header, field))
    if "withdrawalsRoot" in view:
        view["withdrawals"] = []
    return view


def view_transaction(block: BlockAPI, index: int) -> dict[str, Any]:
    """Return the mined transaction at this place of the block."""
    transaction = block.transactions[index]
    kind = _type_of(transaction)
    view: dict[str, Any] = {
        "type": to_quantity(kind),
        "hash": to_data(transaction.hash),
        "blockNumber": to_quantity(block.number),
        "blockHash": to_data(block.hash),
        "transactionIndex": to_quantity(index),
        "from": to_data(transaction.sender),
        "to": _to(transaction),
        "nonce": to_quantity(transaction.nonce),
        "value": to_quantity(transaction.value),
        "gas": to_quantity(transaction.gas),
        "gasPrice": to_quantity(_price(block, transaction)),
        "input": to_data(transaction.data),
        "chainId": None if transaction.chain_id is None else to_quantity(transaction.chain_id),
        "r": to_quantity(transaction.r),
        "s": to_quantity(transaction.s),
    }
    if kind == 0:
        view["v"] = to_quantity(35 + 2 * (transaction.chain_id or 0) + transaction.y_parity)
        return view
    view["v"] = view["yParity"] = to_quantity(transaction.y_parity)
    view["accessList"] = [
        {"address": to_data(address), "storageKeys": [to_data(slot.to_bytes(32)) for slot in slots]}
        for address, slots in transaction.access_list
    ]
    if kind >= 2:
        view["maxFeePerGas"] = to_quantity(transaction.max_fee_per_gas)
        view["maxPriorityFeePerGas"] = to_quantity(transaction.max_priority_fee_per_gas)
    return view


def view_receipt(block: BlockAPI, receipt: Receipt) -> dict[str, Any]:
    """Return a receipt. A block here holds one transaction at most, so its sums and bloom are the transaction's."""
    (transaction,) = block.transactions
    return {
        "type": to_quantity(_type_of(transaction)),
        "transactionHash": to_data(receipt.tx_hash),
        "transactionIndex": to_quantity(0),
        "blockNumber": to_quantity(receipt.block_number),
        "blockHash": to_data(receipt.block_hash),
        "from": to_data(transaction.sender),
        "to": _to(transaction),
        "status": to_quantity(int(receipt.ok)),
        "gasUsed": to_quantity(receipt.gas_used),
        "cumulativeGasUsed": to_quantity(receipt.gas_used),
        "effectiveGasPrice": to_quantity(_price(block, transaction)),
        "contractAddress": None if receipt.contract_address is None else to_data(receipt.contract_address),
        "logsBloom": to_data(block.header.bloom.to_bytes(256)),
        "logs": [view_log(entry) for entry in receipt.logs],
    }


def view_log(entry: LogEntry) -> dict[str, Any]:
    """Return one event."""
    return {
        "address": to_data(entry.address),
        "topics": [to_data(topic) for topic in entry.topics],
        "data": to_data(entry.data),
        "blockNumber": to_quantity(entry.block_number),
        "blockHash": to_data(entry.block_hash),
        "transactionHash": to_data(entry.tx_hash),
        "transactionIndex": to_quantity(0),
        "logIndex": to_quantity(entry.index),
        "removed": False,
    }


def tip_of(block: BlockAPI, transaction: SignedTransactionAPI) -> int:
    """Return the priority fee per gas a transaction really paid."""
    return _price(block, transaction) - base_fee_of(block.header)


def _type_of(transaction: SignedTransactionAPI) -> int:
    return transaction.type_id or 0


def _to(transaction: SignedTransactionAPI) -> str | None:
    return to_data(transaction.to) if transaction.to else None


def _price(block: BlockAPI, transaction: SignedTransactionAPI) -> int:
    """Return the price per gas a transaction really paid (EIP-1559)."""
    return min(transaction.max_fee_per_gas, base_fee_of(block.header) + transaction.max_priority_fee_per_gas)
