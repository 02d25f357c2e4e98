"""What the chain says became of a batch: receipts, the contract's own record, and how deep the block lies.

A receipt is hearsay: nodes show receipts of blocks that a fork has dropped, and lose those of blocks that stand. The
contract's record decides whether a batch is settled; the receipt says only by which transaction, and where.
"""

from contracts.errors import EvmError, Reverted
from contracts.evm import Receipt
from settlement.effects.settlement_contract import SettlementContract
from settlement.effects.store import StoredBatch
from settlement.record import record_of


class Witness:
    """Asks the chain of `contract`. Every question may raise an `EvmError`."""

    def __init__(self, contract: SettlementContract, confirmations: int) -> None:
        self._contract = contract
        self._evm = contract.evm
        self._confirmations = confirmations

    def receipt(self, batch: StoredBatch) -> Receipt | None:
        """Return the receipt of the transaction that settled the batch.

        Where none did, that of a reverted one, if it had the nonce of the newest attempt: it ended what was tried.
        """
        reverted = None
        hashes = [attempt.tx_hash for attempt in reversed(batch.attempts)]
        for tx_hash in hashes if batch.tx_hash is None or batch.tx_hash in hashes else [batch.tx_hash, *hashes]:
            receipt = self._evm.receipt(tx_hash)
            if receipt is not None and receipt.ok:
                return receipt
            if receipt is not None and tx_hash in _newest_nonce(batch):
                reverted = receipt
        return reverted

    def stands(self, batch: StoredBatch) -> bool:
        """Whether the contract holds this very batch, by whichever transaction."""
        record = record_of(batch.order_root, batch.trade_root, batch.parameters, batch.parts)
        return self._contract.record(batch.session, batch.part) == record

    def is_deep(self, receipt: Receipt) -> bool:
        """Whether the receipt's block is on the chain, under enough others."""
        if self._evm.head().number - receipt.block_number < self._confirmations:
            return False
        block = self._evm.block(receipt.block_number)
        return block is not None and block.hash == receipt.block_hash

    def is_spent(self, batch: StoredBatch, receipt: Receipt, sender: bytes) -> bool:
        """Whether the chain agrees that a reverted transaction was mined: the node has it, and its nonce is used up."""
        if not batch.attempts:
            return False  # it was another's, and is none of ours to end
        return self._evm.nonce(sender) > batch.attempts[-1].nonce and self._evm.calldata(receipt.tx_hash) is not None

    def is_replaced(self, batch: StoredBatch) -> bool:
        """Whether another block stands where the batch was mined. Where none does, the node may only be behind."""
        assert batch.block_number is not None, "only a batch that was mined can be replaced"
        block = self._evm.block(batch.block_number)
        return block is not None and block.hash != batch.block_hash

    def reason(self, batch: StoredBatch, receipt: Receipt, sender: bytes) -> str | None:
        """Return why a mined transaction reverted: what the contract says at the end of that block.

        None where it then says nothing: gas ran out, what was in the way was gone later in that block, or the node
        has forgotten.
        """
        try:
            self._evm.call(self._contract.address, batch.calldata, sender=sender, block=receipt.block_number)
        except Reverted as reverted:
            return reverted.reason or "reverted without a reason"
        except EvmError:
            return None
        return None


def _newest_nonce(batch: StoredBatch) -> set[bytes]:
    """Return the hashes of the attempts that share the newest nonce."""
    return {attempt.tx_hash for attempt in batch.attempts if attempt.nonce == batch.attempts[-1].nonce}
