"""What settlement's effects refuse, a branch of `settlement.errors`. What the chain refuses is an `EvmError`.

SettlementEffectError         settlement-effect-error
├── BatchConflict             batch-conflict
├── UnknownEvent              unknown-event
├── UnreadableBatch           unreadable-batch
├── ChainMoved                chain-moved
├── LeaseLost                 lease-lost
├── StoreBroken               store-broken
├── StoreOfAnotherChain       store-of-another-chain
└── StoreTooNew               store-too-new
"""

from settlement.errors import SettlementRefused


class SettlementEffectError(SettlementRefused):
    """An expected failure of settlement's effects."""

    code = "settlement-effect-error"


class BatchConflict(SettlementEffectError):
    """This part of the session was sealed before, with other content; a session is settled once."""

    code = "batch-conflict"

    def __init__(self, session: int, part: int) -> None:
        super().__init__(f"part {part} of session {session} was sealed before, with other content")
        self.session = session
        self.part = part


class UnknownEvent(SettlementEffectError):
    """The settlement contract logged what its interface does not list: it is not the contract it is taken for."""

    code = "unknown-event"

    def __init__(self, tx_hash: bytes, log_index: int) -> None:
        super().__init__(f"log entry {log_index} of transaction 0x{tx_hash.hex()} is no event of the contract")
        self.tx_hash = tx_hash
        self.log_index = log_index


class UnreadableBatch(SettlementEffectError):
    """A batch was settled, but the calldata of its transaction is not a batch that can be read."""

    code = "unreadable-batch"

    def __init__(self, tx_hash: bytes, why: str) -> None:
        super().__init__(f"transaction 0x{tx_hash.hex()} settled a batch that cannot be read: {why}")
        self.tx_hash = tx_hash
        self.why = why


class ChainMoved(SettlementEffectError):
    """The chain was reorganised while it was being read; what was read is of no use. Reading again is harmless."""

    code = "chain-moved"

    def __init__(self, block: int) -> None:
        super().__init__(f"block {block} was replaced while the chain was being read")
        self.block = block


class LeaseLost(SettlementEffectError):
    """Another submitter took the lease meanwhile; what was to be written was not."""

    code = "lease-lost"

    def __init__(self, holder: str | None) -> None:
        super().__init__(f"the lease for submitting went to {holder}" if holder else "nobody holds the lease")
        self.holder = holder


class StoreBroken(SettlementEffectError):
    """The store cannot be read or written. What was written before is there; trying again is harmless."""

    code = "store-broken"

    def __init__(self, why: str) -> None:
        super().__init__(f"the store cannot be used: {why}")
        self.why = why


class StoreOfAnotherChain(SettlementEffectError):
    """The store holds batches and facts of another chain or contract."""

    code = "store-of-another-chain"

    def __init__(self, chain_id: int, contract: bytes) -> None:
        super().__init__(f"the store belongs to contract 0x{contract.hex()} on chain {chain_id}")
        self.chain_id = chain_id
        self.contract = contract


class StoreTooNew(SettlementEffectError):
    """The store was written by a later version of this program, or is none.

    `found` is the version it says it has, or None.
    """

    code = "store-too-new"

    def __init__(self, found: str | None, known: str) -> None:
        what = "holds other tables" if found is None else f"has schema version {found}"
        super().__init__(f"the store {what}, this program knows versions up to {known}")
        self.found = found
        self.known = known
