"""A chain in this process: py-evm behind the port, one block a transaction, mined before `send_raw` answers.

Nothing here asks the machine for time: blocks are stamped by the clock that is passed in, so the same transactions at
the same times give the same block hashes. With a recording, the chain survives the process.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import RLock
from typing import Self

from eth.abc import BlockAPI, BlockHeaderAPI, SignedTransactionAPI
from eth_typing import Address

from contracts.chain_record import BlockLine, ChainRecord, GenesisLine
from contracts.devnet_keys import DEVNET_KEY_COUNT, devnet_key
from contracts.errors import DamagedRecord, NodeRefused, TransactionRefused
from contracts.evm import Block, LogEntry, Receipt, check_span
from contracts.local_chain import FORKS, ZERO_ADDRESS, Machine, Mined, base_fee_of
from contracts.transaction import sender_of

LOCAL_CHAIN_ID = 1337
GAS_LIMIT = 60_000_000
_FUNDS_WEI = 10**24
_PRIORITY_FEE_WEI = 10**9


class LocalEvm:
    """A local chain. The first `accounts` devnet keys own a million ether each.

    A transaction is mined at once or refused: no nonce may be skipped. Safe to use from several threads.
    """

    def __init__(
        self,
        now: Callable[[], int],
        *,
        genesis_time: int,
        fork: str = "london",
        chain_id: int = LOCAL_CHAIN_ID,
        gas_limit: int = GAS_LIMIT,
        accounts: int = DEVNET_KEY_COUNT,
        record: Path | None = None,
    ) -> None:
        """Start a chain; with `record`, in a new file. `now` gives Unix seconds. Raises `RecordError`."""
        if fork not in FORKS:
            raise ValueError(f"no fork is called {fork}; there are {', '.join(FORKS)}")
        for name, value, least, most in (
            ("genesis_time", genesis_time, 0, 2**40),
            ("chain_id", chain_id, 1, 2**53 - 1),  # JavaScript tools must be able to hold it
            ("gas_limit", gas_limit, 21_000, 2**40),
            ("accounts", accounts, 0, 10_000),
        ):
            if not least <= value <= most:
                raise ValueError(f"{name} is {value}, which is not between {least} and {most}")
        self.warning: str | None = None
        self._now = now
        self._lock = RLock()
        self._machine = Machine(
            fork=fork,
            chain_id=chain_id,
            genesis_time=genesis_time,
            gas_limit=gas_limit,
            funds={sender_of(devnet_key(index)): _FUNDS_WEI for index in range(accounts)},
        )
        genesis = self._machine.genesis
        self._blocks: list[BlockAPI] = [genesis]
        self._number_of: dict[bytes, int] = {bytes(genesis.hash): 0}
        self._receipts: dict[bytes, Receipt] = {}
        self._logs: dict[bytes, list[LogEntry]] = {}
        self._record: ChainRecord | None = None
        if record is not None:
            line = GenesisLine(
                chain_id=chain_id,
                fork=fork,
                genesis_time=genesis_time,
                gas_limit=gas_limit,
                accounts=accounts,
                hash=genesis.hash.hex(),
            )
            self._record = ChainRecord.create(record, line)

    @classmethod
    def reopen(cls, path: Path, now: Callable[[], int]) -> Self:
        """Build a recorded chain again by executing its blocks, and go on recording.

        `DamagedRecord` names the first line that does not lead to the hash it states. When the last line had been cut
        off in writing, `warning` says so.
        """
        record, genesis, lines = ChainRecord.reopen(path)
        try:
            evm = cls._replayed(str(path), now, genesis, lines)
        except BaseException:
            record.close()
            raise
        evm._record = record  # noqa: SLF001 - of the object just built
        if record.dropped_bytes:
            evm.warning = f"{path}: dropped {record.dropped_bytes} bytes of a block that was never finished"
        return evm

    def close(self) -> None:
        """Let go of the recording; the chain can be read but takes nothing more if it had one."""
        with self._lock:
            if self._record is not None:
                self._record.close()

    # the port

    @property
    def chain_id(self) -> int:
        """The EIP-155 chain id, which is also what the CHAINID opcode gives."""
        return self._machine.chain_id

    def head(self) -> Block:
        """Return the newest block."""
        with self._lock:
            return _summary(self._blocks[-1].header)

    def block(self, number: int) -> Block | None:
        """Return the block of that number, or None if it is not mined yet."""
        with self._lock:
            return _summary(self._blocks[number].header) if 0 <= number < len(self._blocks) else None

    def call(
        self, to: bytes | None, data: bytes, *, sender: bytes | None = None, block: int | None = None, value: int = 0
    ) -> bytes:
        """Return what the call returns in `block` (the newest if None), on the state after it. Raises `Reverted`."""
        with self._lock:
            return self._machine.call(
                self._header(block), sender=ZERO_ADDRESS if sender is None else sender, to=to, data=data, value=value
            )

    def estimate_gas(self, sender: bytes, to: bytes | None, data: bytes, *, value: int = 0) -> int:
        """Return a gas limit that would do if the transaction were sent now. Raises `Reverted`."""
        with self._lock:
            return self._machine.estimate(
                self._blocks[-1].header, self._next_time(), sender=sender, to=to, data=data, value=value
            )

    def nonce(
        self,
        address: bytes,
        pending: bool = False,  # noqa: ARG002 - the port asks; nothing is ever pending here
        *,
        block: int | None = None,
    ) -> int:
        """Return the next nonce of `address` after `block` (the newest if None)."""
        with self._lock:
            return self._machine.state(self._header(block)).get_nonce(Address(address))

    def balance(self, address: bytes, *, block: int | None = None) -> int:
        """Return the wei `address` held after `block` (the newest if None)."""
        with self._lock:
            return self._machine.state(self._header(block)).get_balance(Address(address))

    def code(self, address: bytes, *, block: int | None = None) -> bytes:
        """Return the runtime code at `address` after `block` (the newest if None)."""
        with self._lock:
            return bytes(self._machine.state(self._header(block)).get_code(Address(address)))

    def send_raw(self, raw: bytes) -> bytes:
        """Mine the transaction in a block of its own, write the block down, and return the transaction's hash."""
        with self._lock:
            transaction = self._machine.decode(raw)
            timestamp = self._next_time()
            self._machine.admit(self._blocks[-1].header, transaction)
            self._mine(timestamp, [transaction], [raw])
            return bytes(transaction.hash)

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return the receipt, or None if the transaction is unknown."""
        with self._lock:
            return self._receipts.get(tx_hash)

    def logs(self, address: bytes, from_block: int, to_block: int) -> list[LogEntry]:
        """Return the events of `address` in these blocks, from the index."""
        check_span(from_block, to_block)
        with self._lock:
            entries = self._logs.get(address, [])
            low = bisect_left(entries, from_block, key=_block_of)
            return entries[low : bisect_right(entries, to_block, key=_block_of)]

    def calldata(self, tx_hash: bytes) -> bytes | None:
        """Return the input of a mined transaction, or None if it is unknown."""
        with self._lock:
            receipt = self._receipts.get(tx_hash)
            if receipt is None:
                return None
            return next(bytes(t.data) for t in self._blocks[receipt.block_number].transactions if t.hash == tx_hash)

    def block_gas(self) -> int:
        """Return how much gas every block can hold."""
        with self._lock:
            return self._blocks[-1].header.gas_limit

    def base_fee(self) -> int:
        """Return the base fee per gas of the newest block; it falls by an eighth with every near-empty block."""
        with self._lock:
            return base_fee_of(self._blocks[-1].header)

    def priority_fee(self) -> int:
        """Return a gwei; any fee will do here."""
        return _PRIORITY_FEE_WEI

    def gas_price(self) -> int:
        """Return what the next block asks for, with the priority fee."""
        return self.next_base_fee() + _PRIORITY_FEE_WEI

    # what only a chain of one's own can do

    def mine(self, blocks: int = 1) -> None:
        """Mine empty blocks."""
        with self._lock:
            for _ in range(blocks):
                self._mine(self._next_time(), [], [])

    def snapshot(self) -> int:
        """Return a mark to go back to."""
        with self._lock:
            return len(self._blocks)

    def revert(self, mark: int) -> None:
        """Forget every block mined since `snapshot` returned `mark`. A recorded chain never goes back."""
        with self._lock:
            if self._record is not None:
                raise ValueError("a recorded chain does not go back")
            if not 0 < mark <= len(self._blocks):
                raise ValueError("no such snapshot")
            gone = self._blocks[mark:]
            del self._blocks[mark:]
            for block in gone:
                del self._number_of[block.hash]
                for transaction in block.transactions:
                    for entry in self._receipts.pop(transaction.hash).logs:
                        kept = self._logs[entry.address]
                        del kept[bisect_left(kept, mark, key=_block_of) :]

    # what the JSON-RPC face reads

    def mined(self, number: int) -> BlockAPI | None:
        """Return the whole block, as py-evm keeps it."""
        with self._lock:
            return self._blocks[number] if 0 <= number < len(self._blocks) else None

    def logs_of(self, number: int) -> list[LogEntry]:
        """Return all events of one block, whoever emitted them."""
        with self._lock:
            mined = self._blocks[number].transactions
            return [entry for transaction in mined for entry in self._receipts[transaction.hash].logs]

    def number_of(self, block_hash: bytes) -> int | None:
        """Return the number of the block with this hash."""
        with self._lock:
            return self._number_of.get(block_hash)

    def next_base_fee(self) -> int:
        """Return the base fee per gas of the block that is mined next."""
        with self._lock:
            return self._machine.base_fee_after(self._blocks[-1].header)

    def storage(self, address: bytes, slot: int, *, block: int | None = None) -> int:
        """Return a word of a contract's storage."""
        with self._lock:
            return self._machine.state(self._header(block)).get_storage(Address(address), slot)

    # inside

    def _header(self, number: int | None) -> BlockHeaderAPI:
        if number is None:
            return self._blocks[-1].header
        if not 0 <= number < len(self._blocks):
            raise NodeRefused("the state of a block", -32001, f"there is no block {number}")
        return self._blocks[number].header

    def _next_time(self) -> int:
        return max(self._now(), self._blocks[-1].header.timestamp + 1)

    def _mine(self, timestamp: int, transactions: Sequence[SignedTransactionAPI], raws: Sequence[bytes]) -> None:
        """Execute, write down, then make it so: a block that could not be written never was."""
        mined = self._machine.mine(self._blocks[-1].header, timestamp, transactions)
        if self._record is not None:
            self._record.append(
                BlockLine(
                    number=mined.block.number,
                    timestamp=timestamp,
                    transactions=[raw.hex() for raw in raws],
                    hash=mined.block.hash.hex(),
                )
            )
        self._adopt(mined)

    def _adopt(self, mined: Mined) -> None:
        self._blocks.append(mined.block)
        self._number_of[mined.block.hash] = mined.block.number
        for receipt in mined.receipts:
            self._receipts[receipt.tx_hash] = receipt
            for entry in receipt.logs:
                self._logs.setdefault(entry.address, []).append(entry)

    @classmethod
    def _replayed(cls, path: str, now: Callable[[], int], genesis: GenesisLine, lines: Sequence[BlockLine]) -> Self:
        try:
            evm = cls(
                now,
                genesis_time=genesis.genesis_time,
                fork=genesis.fork,
                chain_id=genesis.chain_id,
                gas_limit=genesis.gas_limit,
                accounts=genesis.accounts,
            )
        except ValueError as error:
            raise DamagedRecord(path, 1, str(error)) from error
        if evm._blocks[0].hash.hex() != genesis.hash:
            raise DamagedRecord(path, 1, "these parameters lead to another genesis block")
        for at, line in enumerate(lines, start=2):
            evm._replay(path, at, line)
        return evm

    def _replay(self, path: str, at: int, line: BlockLine) -> None:
        parent = self._blocks[-1].header
        if line.number != len(self._blocks) or line.timestamp <= parent.timestamp:
            raise DamagedRecord(path, at, "this block does not follow the one before")
        try:
            transactions = [self._machine.decode(bytes.fromhex(raw)) for raw in line.transactions]
            mined = self._machine.mine(parent, line.timestamp, transactions)
        except (TypeError, ValueError, TransactionRefused) as error:
            raise DamagedRecord(path, at, str(error)) from error
        if mined.block.hash.hex() != line.hash:
            raise DamagedRecord(path, at, "the block leads to another hash than the one written")
        self._adopt(mined)


def _block_of(entry: LogEntry) -> int:
    return entry.block_number


def _summary(header: BlockHeaderAPI) -> Block:
    return Block(header.block_number, bytes(header.hash), bytes(header.parent_hash), header.timestamp)
