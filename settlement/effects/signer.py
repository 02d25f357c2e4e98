"""Signs the operator's transactions to the contract: the price, the envelope and the key, in one place.

No two batches that wait get the same nonce; that is the submitter's law, this only signs.
"""

from contracts.evm import Evm
from contracts.transaction import sender_of, sign
from settlement.effects.chain_settings import ChainSettings
from settlement.effects.fees import AboveCap, Asked, Fee
from settlement.effects.store import Attempt

_IDLE_GAS = 21_000
"""What any transaction costs at least."""


class Signer:
    """Signs calls of the contract `to` with `key`, at what the chain asks for."""

    def __init__(self, evm: Evm, key: bytes, to: bytes, settings: ChainSettings) -> None:
        self.address = sender_of(key)
        self._evm = evm
        self._key = key
        self._to = to
        self._settings = settings

    def first(self, calldata: bytes, *, nonce: int, gas: int, head: int, now: int) -> Attempt | AboveCap:
        """Return a transaction for a nonce nobody has; nothing is signed where it would have to offer too much."""
        fee = self._settings.fees.first(self._asked())
        return fee if isinstance(fee, AboveCap) else self._signed(calldata, nonce, gas, fee, head, now)

    def dearer(self, calldata: bytes, before: Attempt, *, head: int, now: int) -> Attempt | AboveCap:
        """Return what replaces the transaction `before`, on its nonce; nothing is signed above the cap."""
        fee = self._settings.fees.raised(Fee(before.max_fee, before.priority_fee), self._asked())
        if isinstance(fee, AboveCap):
            return fee
        return self._signed(calldata, before.nonce, before.gas or self._settings.gas_cap, fee, head, now)

    def idle(self, *, nonce: int, head: int, now: int) -> Attempt | AboveCap:
        """Return a transaction that moves nothing, from us to us: all it does is to want a block."""
        fee = self._settings.fees.first(self._asked())
        return fee if isinstance(fee, AboveCap) else self._signed(b"", nonce, _IDLE_GAS, fee, head, now, self.address)

    def _asked(self) -> Asked:
        if self._settings.legacy:
            return Asked(0, self._evm.gas_price())
        return Asked(self._evm.base_fee(), self._evm.priority_fee())

    def _signed(
        self, calldata: bytes, nonce: int, gas: int, fee: Fee, head: int, now: int, to: bytes | None = None
    ) -> Attempt:
        signed = sign(
            self._key,
            chain_id=self._settings.chain_id,
            nonce=nonce,
            to=self._to if to is None else to,
            data=calldata,
            gas=gas,
            max_fee=fee.max_fee,
            priority_fee=fee.priority_fee,
            legacy=self._settings.legacy,
        )
        return Attempt(
            signed.hash,
            nonce,
            signed.raw,
            now,
            gas=gas,
            max_fee=fee.max_fee,
            priority_fee=fee.priority_fee,
            head=head,
        )
