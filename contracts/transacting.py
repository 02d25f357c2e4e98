"""One transaction from intent to receipt, for tools that do one thing at a time.

The operator's batches do not go this way: what must survive a crash is written down before it is sent.
"""

import time
from collections.abc import Callable

from contracts.chains import ChainPreset, preset_of
from contracts.errors import NotMined, Reverted
from contracts.evm import Evm, Receipt
from contracts.transaction import sender_of, sign

_STEP_SECONDS = 0.25


def transact(
    evm: Evm,
    key: bytes,
    to: bytes | None,
    data: bytes,
    *,
    value: int = 0,
    preset: ChainPreset | None = None,
    deadline_seconds: int = 120,
    pause: Callable[[float], None] = time.sleep,
) -> Receipt:
    """Send a transaction, as `send` does, and wait for the receipt.

    Raises what `send` raises; `Reverted` where the transaction did; `NotMined` after the deadline.
    """
    tx_hash = send(evm, key, to, data, value=value, preset=preset)
    receipt = wait_for(evm, tx_hash, deadline_seconds=deadline_seconds, pause=pause)
    if not receipt.ok:
        raise Reverted(f"transaction 0x{tx_hash.hex()} in block {receipt.block_number}")
    return receipt


def send(
    evm: Evm, key: bytes, to: bytes | None, data: bytes, *, value: int = 0, preset: ChainPreset | None = None
) -> bytes:
    """Estimate, sign and send a transaction; return its hash.

    `value` is wei that go along. The gas limit is a quarter above the estimate; `preset` says what kind of transaction
    the chain takes and what may be offered, else what the house knows of the chain. Raises `Reverted`, before anything
    is paid, where the estimate already shows it; `FeeAboveCap`; `TransactionRefused`.
    """
    preset = preset_of(evm.chain_id) if preset is None else preset
    sender = sender_of(key)
    estimate = evm.estimate_gas(sender, to, data)
    # a legacy chain may know no base fee, and others need no gas price
    base_fee, price = (0, evm.gas_price()) if preset.legacy else (evm.base_fee(), 0)
    max_fee, tip = preset.fee(base_fee=base_fee, tip=evm.priority_fee(), gas_price=price)
    signed = sign(
        key,
        chain_id=evm.chain_id,
        nonce=evm.nonce(sender, pending=True),
        to=to,
        data=data,
        value=value,
        gas=estimate + (estimate >> 2),
        max_fee=max_fee,
        priority_fee=tip,
        legacy=preset.legacy,
    )
    evm.send_raw(signed.raw)
    return signed.hash


def wait_for(
    evm: Evm, tx_hash: bytes, *, deadline_seconds: int = 120, pause: Callable[[float], None] = time.sleep
) -> Receipt:
    """Wait for the receipt of a transaction that was sent. Raises `NotMined` after the deadline."""
    waited = 0.0
    while (receipt := evm.receipt(tx_hash)) is None:
        if waited >= deadline_seconds:
            raise NotMined(tx_hash, deadline_seconds)
        pause(_STEP_SECONDS)
        waited += _STEP_SECONDS
    return receipt
