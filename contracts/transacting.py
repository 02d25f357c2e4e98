"""One transaction from intent to receipt, for tools that do one thing at a time.

The operator's batches do not go this way: they are many at once, and raised where they are not mined.
"""

import time
from collections.abc import Callable

from contracts.chains import ChainPreset, preset_of
from contracts.errors import NotMined, Refusal, Reverted, TransactionRefused
from contracts.evm import Evm, Receipt
from contracts.sent_log import SentLog, Step
from contracts.transaction import SignedTransaction, sender_of, sign

_STEP_SECONDS = 0.25


def transact(
    evm: Evm,
    key: bytes,
    to: bytes | None,
    data: bytes,
    *,
    value: int = 0,
    gas: int | None = None,
    preset: ChainPreset | None = None,
    deadline_seconds: int = 120,
    pause: Callable[[float], None] = time.sleep,
    sent: SentLog | None = None,
) -> Receipt:
    """Send a transaction, as `send` does, and wait for the receipt; with a gas limit of `gas` nothing is estimated.

    With `sent`, the transaction is written down before it is sent; what was written down there before is not signed
    anew. Raises what `send` raises; `UndertakingDiffers` where something else was written down; `Reverted` where the
    transaction did; `NotMined` after the deadline.
    """
    step = Step.of(evm.chain_id, sender_of(key), to, data)
    signed = None if sent is None else sent.recall(step)
    if sent is not None and signed is not None and not _send_again(evm, signed):
        sent.forget()
        signed = None
    if signed is None:
        signed = _signed(evm, key, to, data, value, preset, gas)
        if sent is not None:
            sent.note(step, signed)
        evm.send_raw(signed.raw)
    receipt = wait_for(evm, signed.hash, deadline_seconds=deadline_seconds, pause=pause)
    if not receipt.ok:
        raise Reverted(f"transaction 0x{signed.hash.hex()} in block {receipt.block_number}")
    return receipt


def send(
    evm: Evm, key: bytes, to: bytes | None, data: bytes, *, value: int = 0, preset: ChainPreset | None = None
) -> bytes:
    """Estimate, sign and send a transaction; return its hash.

    `value` is wei that go along. The gas limit is a quarter above the estimate; `preset` says what kind of transaction
    the chain takes and what may be offered, else what the house knows of the chain. Raises `Reverted`, before anything
    is paid, where the estimate already shows it; `FeeAboveCap`; `TransactionRefused`.
    """
    signed = _signed(evm, key, to, data, value, preset)
    evm.send_raw(signed.raw)
    return signed.hash


def _send_again(evm: Evm, signed: SignedTransaction) -> bool:
    """Send what was signed before, unless it is mined; false where another transaction has its nonce for good."""
    if evm.receipt(signed.hash) is not None:
        return True
    try:
        evm.send_raw(signed.raw)
    except TransactionRefused as refused:
        if refused.kind is Refusal.NONCE_TOO_LOW:
            return evm.receipt(signed.hash) is not None
        if refused.kind is not Refusal.ALREADY_KNOWN:
            raise
    return True


def _signed(
    evm: Evm, key: bytes, to: bytes | None, data: bytes, value: int, preset: ChainPreset | None, gas: int | None = None
) -> SignedTransaction:
    preset = preset_of(evm.chain_id) if preset is None else preset
    sender = sender_of(key)
    if gas is None:
        estimate = evm.estimate_gas(sender, to, data)
        gas = estimate + (estimate >> 2)
    # a legacy chain may know no base fee, and others need no gas price
    base_fee, price = (0, evm.gas_price()) if preset.legacy else (evm.base_fee(), 0)
    max_fee, tip = preset.fee(base_fee=base_fee, tip=evm.priority_fee(), gas_price=price)
    return sign(
        key,
        chain_id=evm.chain_id,
        nonce=evm.nonce(sender, pending=True),
        to=to,
        data=data,
        value=value,
        gas=gas,
        max_fee=max_fee,
        priority_fee=tip,
        legacy=preset.legacy,
    )


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
