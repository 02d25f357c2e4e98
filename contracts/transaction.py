"""Building and signing transactions.

eth-account takes half a second to import, so only `sign` imports it.
"""

from dataclasses import dataclass
from typing import Any

from coincurve import PublicKey
from sha3 import keccak_256

from contracts.recursion import bound_recursion


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """The bytes a node takes, and the hash it will be known by."""

    raw: bytes
    hash: bytes


def sign(
    key: bytes,
    *,
    chain_id: int,
    nonce: int,
    to: bytes | None,
    data: bytes,
    gas: int,
    max_fee: int,
    priority_fee: int,
    value: int = 0,
    legacy: bool = False,
) -> SignedTransaction:
    """Sign a transaction with the private key `key`; the same arguments give the same bytes (RFC 6979).

    Fees are wei per gas. `to` None creates a contract. A legacy transaction (EIP-155) pays `max_fee` as its gas price
    and ignores `priority_fee`; otherwise it is of type 2 (EIP-1559).
    """
    from eth_account import Account

    bound_recursion()
    fields: dict[str, Any] = {
        "chainId": chain_id,
        "nonce": nonce,
        "data": data,
        "gas": gas,
        "value": value,
        "to": b"" if to is None else to,
    }
    if legacy:
        fields["gasPrice"] = max_fee
    else:
        fields |= {"type": 2, "maxFeePerGas": max_fee, "maxPriorityFeePerGas": priority_fee}
    signed = Account.sign_transaction(fields, key)
    return SignedTransaction(bytes(signed.raw_transaction), bytes(signed.hash))


def sender_of(key: bytes) -> bytes:
    """Return the address whose transactions the private key `key` signs."""
    digest: bytes = keccak_256(PublicKey.from_secret(key).format(compressed=False)[1:]).digest()
    return digest[12:]
