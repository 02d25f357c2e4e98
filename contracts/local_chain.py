"""py-evm, told everything it would otherwise ask the machine for: time, coinbase, randomness.

A `Machine` executes; it keeps no head, no clock and no index. The same genesis, times and transactions give the same
hashes.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from eth.abc import BlockAPI, BlockHeaderAPI, ComputationAPI, ReceiptAPI, SignedTransactionAPI, StateAPI
from eth.chains.base import MiningChain
from eth.consensus.applier import ConsensusApplier
from eth.consensus.noproof import NoProofConsensus
from eth.constants import BLANK_ROOT_HASH, POST_MERGE_DIFFICULTY, POST_MERGE_MIX_HASH, POST_MERGE_NONCE
from eth.db.atomic import AtomicDB
from eth.exceptions import PyEVMError, Revert, VMError
from eth.typing import AccountDetails
from eth.vm.forks.london import LondonVM
from eth.vm.forks.london.state import LondonTransactionExecutor
from eth.vm.forks.prague import PragueVM
from eth.vm.spoof import SpoofTransaction
from eth_keys.exceptions import BadSignature
from eth_typing import Address
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException

from contracts.errors import Refusal, Reverted, TransactionRefused
from contracts.evm import LogEntry, Receipt
from contracts.recursion import bound_recursion
from contracts.revert_reason import reason_of

bound_recursion()

ZERO_ADDRESS = Address(bytes(20))

_RULES = {"london": LondonVM, "prague": PragueVM}
_SEALS: dict[str, dict[str, Any]] = {
    "london": {"difficulty": 131_072, "nonce": bytes(7) + b"\x2a", "mix_hash": bytes(32)},
    "prague": {"difficulty": POST_MERGE_DIFFICULTY, "nonce": POST_MERGE_NONCE, "mix_hash": POST_MERGE_MIX_HASH},
}
FORKS = tuple(_RULES)
"""The rules a machine can be told to keep, by name."""
_STIPEND = 2_300


@dataclass(frozen=True, slots=True)
class Mined:
    """A block as py-evm keeps it, and what became of its transactions."""

    block: BlockAPI
    receipts: tuple[Receipt, ...]


class Machine:
    """The rules of one fork over one state database."""

    def __init__(self, *, fork: str, chain_id: int, genesis_time: int, gas_limit: int, funds: dict[bytes, int]) -> None:
        applier = ConsensusApplier(NoProofConsensus)
        rules = applier.amend_vm_configuration(((0, _RULES[fork]),))
        chain_class: type[_Chain] = type("LocalChain", (_Chain,), {"chain_id": chain_id, "vm_configuration": rules})
        state: dict[Address, AccountDetails] = {
            Address(who): {"balance": wei, "nonce": 0, "code": b"", "storage": {}} for who, wei in funds.items()
        }
        genesis = _SEALS[fork] | {
            "coinbase": ZERO_ADDRESS,
            "extra_data": b"",
            "gas_limit": gas_limit,
            "timestamp": genesis_time,
            "receipt_root": BLANK_ROOT_HASH,
            "transaction_root": BLANK_ROOT_HASH,
        }
        self.chain_id = chain_id
        chain = chain_class.from_genesis(AtomicDB(), genesis, state)
        assert isinstance(chain, _Chain)
        self._chain = chain
        self.genesis: BlockAPI = self._chain.get_block_by_header(self._chain.get_canonical_head())

    def decode(self, raw: bytes) -> SignedTransactionAPI:
        """Read a signed transaction; refuses what is not one, or is for another chain."""
        builder = self._chain.get_vm(self.genesis.header).get_transaction_builder()
        try:
            transaction = builder.decode(raw)
            transaction.validate()
            transaction.check_signature_validity()
            assert len(transaction.sender) == 20
        except (PyEVMError, RLPException, ValidationError, BadSignature, ValueError, TypeError, IndexError) as error:
            kind = Refusal.GAS if "gas" in str(error) else Refusal.MALFORMED
            raise TransactionRefused(f"invalid transaction: {error}", kind) from error
        if transaction.chain_id != self.chain_id:
            raise TransactionRefused(
                f"invalid chain id: have {transaction.chain_id} want {self.chain_id}", Refusal.MALFORMED
            )
        return transaction

    def mine(self, parent: BlockHeaderAPI, timestamp: int, transactions: Iterable[SignedTransactionAPI]) -> Mined:
        """Return the block that follows `parent`; nothing that was mined before changes."""
        self._chain.header = self._next(parent, timestamp)
        taken = tuple(transactions)
        try:
            imported, receipts, computations = self._chain.mine_all(taken, coinbase=ZERO_ADDRESS)
        except ValidationError as error:
            raise TransactionRefused(str(error)) from error
        block = imported.imported_block
        return Mined(block, tuple(_receipts(block, receipts, computations)))

    def base_fee_after(self, parent: BlockHeaderAPI) -> int:
        """Return the base fee per gas of the block that follows `parent`."""
        return base_fee_of(self._next(parent, parent.timestamp + 1))

    def state(self, header: BlockHeaderAPI) -> StateAPI:
        """Return the state after the block with this header, to read from."""
        return self._chain.get_vm(header).state

    def admit(self, parent: BlockHeaderAPI, transaction: SignedTransactionAPI) -> None:
        """Refuse a transaction the next block could not hold, in the words geth uses."""
        base_fee = self.base_fee_after(parent)
        state = self.state(parent)
        due = state.get_nonce(transaction.sender)
        has = state.get_balance(transaction.sender)
        costs = transaction.gas * transaction.max_fee_per_gas + transaction.value
        words = f"address 0x{transaction.sender.hex()}, "
        if transaction.nonce < due:
            raise TransactionRefused(
                f"nonce too low: {words}tx: {transaction.nonce} state: {due}", Refusal.NONCE_TOO_LOW
            )
        if transaction.nonce > due:
            raise TransactionRefused(
                f"nonce too high: {words}tx: {transaction.nonce} state: {due}", Refusal.NONCE_TOO_HIGH
            )
        executor = state.get_transaction_executor()
        assert isinstance(executor, LondonTransactionExecutor)
        least = max(transaction.intrinsic_gas, executor.calc_data_floor_gas(transaction, 0, 0))  # EIP-7623, in Prague
        if transaction.gas < least:
            raise TransactionRefused(f"intrinsic gas too low: have {transaction.gas}, want {least}", Refusal.GAS)
        if transaction.gas > parent.gas_limit:
            raise TransactionRefused(f"exceeds block gas limit: {transaction.gas}", Refusal.GAS)
        if transaction.max_fee_per_gas < base_fee:
            raise TransactionRefused(
                f"max fee per gas less than block base fee: {words}maxFeePerGas: {transaction.max_fee_per_gas} "
                f"baseFee: {base_fee}",
                Refusal.UNDERPRICED,
            )
        if has < costs:
            raise TransactionRefused(
                f"insufficient funds for gas * price + value: {words}have {has} want {costs}",
                Refusal.INSUFFICIENT_FUNDS,
            )

    def call(self, header: BlockHeaderAPI, *, sender: bytes, to: bytes | None, data: bytes, value: int = 0) -> bytes:
        """Return what a call returns in the block with this header, on the state after it. Gas costs nothing."""
        computation = self._try(header, sender, to, data, value, header.gas_limit)
        _raise_if_failed(computation)
        return bytes(computation.output)

    def estimate(
        self, parent: BlockHeaderAPI, timestamp: int, *, sender: bytes, to: bytes | None, data: bytes, value: int = 0
    ) -> int:
        """Return a gas limit with which the transaction succeeds in the block after `parent`.

        One execution as a rule, with all the gas there is: what it used, and a 63rd on top where it called inner
        contracts, of whose gas a 64th is held back. Where calls are nested deeper, a search follows, to within a
        hundredth.
        """
        header = self._next(parent, timestamp)

        def attempt(gas: int) -> ComputationAPI | None:
            try:
                return self._try(header, sender, to, data, value, gas)
            except TransactionRefused:
                return None

        first = self._try(header, sender, to, data, value, header.gas_limit)
        _raise_if_failed(first)
        used = header.gas_limit - first.get_gas_remaining()
        refund = min(first.get_gas_refund(), used // 5)
        least = max(used, used - refund + first.data_floor_gas)
        if not first.children:
            return least
        generous = _with_held_back(least)
        if generous <= header.gas_limit and not any(child.children for child in first.children):
            return generous
        return _search(least, header.gas_limit, attempt)

    def _next(self, parent: BlockHeaderAPI, timestamp: int) -> BlockHeaderAPI:
        return self._chain.create_header_from_parent(parent, timestamp=timestamp)

    def _try(
        self, header: BlockHeaderAPI, sender: bytes, to: bytes | None, data: bytes, value: int, gas: int
    ) -> ComputationAPI:
        """Execute without a price, on a state that is thrown away."""
        vm = self._chain.get_vm(header.copy(base_fee_per_gas=0))
        unsigned = vm.get_transaction_builder().new_unsigned_dynamic_fee_transaction(  # type: ignore[attr-defined]
            chain_id=self.chain_id,
            nonce=vm.state.get_nonce(Address(sender)),
            max_priority_fee_per_gas=0,
            max_fee_per_gas=0,
            gas=gas,
            to=b"" if to is None else to,
            value=value,
            data=data,
            access_list=(),
        )
        try:
            return vm.state.apply_transaction(SpoofTransaction(unsigned, from_=Address(sender)))  # type: ignore[arg-type]
        except ValidationError as error:
            raise TransactionRefused(str(error)) from error


class _Chain(MiningChain):
    """Headers whose time is given, never asked of the clock, and whose gas limit never drifts."""

    def create_header_from_parent(self, parent_header: BlockHeaderAPI, **header_params: Any) -> BlockHeaderAPI:
        given = {"timestamp": parent_header.timestamp + 1, "gas_limit": parent_header.gas_limit} | header_params
        return super().create_header_from_parent(parent_header, **given)


def base_fee_of(header: BlockHeaderAPI) -> int:
    """Return the base fee per gas of a block, which it has on every fork offered here (EIP-1559)."""
    fee = header.base_fee_per_gas
    assert fee is not None
    return fee


def _receipts(
    block: BlockAPI, receipts: Iterable[ReceiptAPI], computations: Iterable[ComputationAPI]
) -> Iterator[Receipt]:
    gas_before, index = 0, 0
    for transaction, receipt, computation in zip(block.transactions, receipts, computations, strict=True):
        entries = []
        for log in receipt.logs:
            entries.append(
                LogEntry(
                    address=bytes(log.address),
                    topics=tuple(topic.to_bytes(32) for topic in log.topics),
                    data=bytes(log.data),
                    block_number=block.number,
                    block_hash=bytes(block.hash),
                    tx_hash=bytes(transaction.hash),
                    index=index,
                )
            )
            index += 1
        yield Receipt(
            tx_hash=bytes(transaction.hash),
            block_number=block.number,
            block_hash=bytes(block.hash),
            ok=computation.is_success,
            gas_used=receipt.gas_used - gas_before,
            contract_address=bytes(computation.msg.storage_address) if computation.msg.is_create else None,
            logs=tuple(entries),
        )
        gas_before = receipt.gas_used


def _search(least: int, most: int, attempt: Callable[[int], ComputationAPI | None]) -> int:
    def succeeds(gas: int) -> bool:
        computation = attempt(gas)
        return computation is not None and computation.is_success

    if succeeds(least):
        return least
    generous = _with_held_back(least)
    low, high = (least, generous) if generous < most and succeeds(generous) else (least, most)
    while high - low > low // 100:
        middle = (low + high) // 2
        low, high = (low, middle) if succeeds(middle) else (middle, high)
    return high


def _with_held_back(used: int) -> int:
    """Return a limit with which one level of inner calls gets as much gas as it used without a limit (EIP-150)."""
    return (used + _STIPEND) * 64 // 63 + 1


def _raise_if_failed(computation: ComputationAPI) -> None:
    if computation.is_success:
        return
    error = computation.error
    assert isinstance(error, VMError)
    if isinstance(error, Revert):
        returned = bytes(computation.output)
        raise Reverted(reason_of(returned), returned)
    raise Reverted(str(error) or type(error).__name__)
