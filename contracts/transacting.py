"""One transaction from intent to receipt, for tools that do one thing at a time.

The operator's batches do not go this way: what must survive a crash is written down before it is sent.
"""

import time
from collections.abc import Callable

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
    legacy: bool = False,
    deadline_seconds: int = 120,
    pause: Callable[[float], None] = time.sleep,
) -> Receipt:
    """Estimate, sign, send, and wait for the receipt.

    The gas limit is a quarter above the estimate; the fee leaves room for the base fee to double. Raises `Reverted`,
    before anything is paid where the estimate already shows it; `TransactionRefused`; `NotMined` after the deadline.
    """
    sender = sender_of(key)
    estimate = evm.estimate_gas(sender, to, data)
    tip = evm.priority_fee()
    signed = sign(
        key,
        chain_id=evm.chain_id,
        nonce=evm.nonce(sender, pending=True),
        to=to,
        data=data,
        gas=estimate + (estimate >> 2),
        max_fee=evm.gas_price() if legacy else 2 * evm.base_fee() + tip,
        priority_fee=tip,
        legacy=legacy,
    )
    evm.send_raw(signed.raw)
    waited = 0.0
    while (receipt := evm.receipt(signed.hash)) is None:
        if waited >= deadline_seconds:
            raise NotMined(signed.hash, deadline_seconds)
        pause(_STEP_SECONDS)
        waited += _STEP_SECONDS
    if not receipt.ok:
        raise Reverted(f"transaction 0x{signed.hash.hex()} in block {receipt.block_number}")
    return receipt
