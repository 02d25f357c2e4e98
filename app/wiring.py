"""Builds the whole exchange from what was founded, in one place. Everything else gets what it needs as an argument."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from app.clock import Clock
from app.founding import Founded, Keys
from app.heartbeat import Heartbeat
from contracts.errors import NodeRefused, WrongChain
from contracts.evm import Evm
from contracts.local_evm import LocalEvm
from contracts.rpc_evm import RpcEvm
from exchange.effects.desk import Desk
from exchange.effects.journal import SqliteJournal
from exchange.market import Market
from exchange.units import Nano
from identity.address import Address
from identity.registry import Registry
from settlement.effects.indexer import Indexer
from settlement.effects.settlement_contract import SettlementContract
from settlement.effects.sqlite_store import SqliteStore
from settlement.effects.submitter import ChainSettings, Submitter


@dataclass(frozen=True, slots=True)
class Places:
    """Where an exchange keeps its things, under one folder."""

    folder: Path

    @property
    def exchange(self) -> Path:
        """What was founded, and where."""
        return self.folder / "exchange.json"

    @property
    def journal(self) -> Path:
        """Everything the exchange took and decided."""
        return self.folder / "journal.db"

    @property
    def store(self) -> Path:
        """The outbox of batches and the chain's facts."""
        return self.folder / "settlement.db"

    @property
    def chain(self) -> Path:
        """The recording of a chain in this process, block by block."""
        return self.folder / "chain.jsonl"


@dataclass(slots=True)
class House:
    """A running exchange: every room built, nothing served yet. Close it, or use it as a context manager."""

    founded: Founded
    evm: Evm
    contract: SettlementContract
    store: SqliteStore
    indexer: Indexer
    submitter: Submitter
    desk: Desk
    heartbeat: Heartbeat
    _closing: ExitStack

    def close(self) -> None:
        """Write what waits and let go of every file."""
        self._closing.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def open_chain(places: Places, founded: Founded, clock: Clock) -> Evm:
    """Return the chain an exchange was founded on: behind its node, or rebuilt from its recording in this process."""
    if founded.rpc is not None:
        return RpcEvm(founded.rpc, expected_chain_id=founded.deployment.chain_id)
    return LocalEvm.reopen(places.chain, clock)


def build(
    places: Places,
    founded: Founded,
    keys: Keys,
    clock: Clock,
    evm: Evm,
    *,
    confirmations: int = 0,
    legacy: bool = False,
) -> House:
    """Build the exchange. Raises the rooms' refusals where a file, the chain or the rules do not fit together."""
    deployment = founded.deployment
    if evm.chain_id != deployment.chain_id:
        raise WrongChain(deployment.chain_id, evm.chain_id)
    with ExitStack() as stack:
        contract = SettlementContract(evm, Address(deployment.settlement))
        store = SqliteStore(places.store)
        stack.callback(store.close)
        indexer = Indexer(store, contract, confirmations=confirmations, start_block=deployment.block)
        indexer.advance()
        settings = ChainSettings(
            chain_id=deployment.chain_id,
            confirmations=confirmations,
            legacy=legacy,
            free_gas=isinstance(evm, LocalEvm),  # in this process nobody pays, and execution is what is dear
        )
        submitter = Submitter(store, contract, keys.operator, settings)

        def registry() -> Registry:
            return indexer.state.registry

        def credit(account: int) -> Nano:
            return indexer.state.free(account)

        def block_time(number: int) -> int:
            block = evm.block(number)
            if block is None:
                raise NodeRefused("the time of a block", -32001, f"there is no block {number}")
            return block.timestamp

        journal = SqliteJournal(places.journal)
        stack.callback(journal.close)
        desk = Desk(journal, Market(), registry, credit, keys.receipts, clock)
        desk.open(founded.parameters)
        return House(
            founded=founded,
            evm=evm,
            contract=contract,
            store=store,
            indexer=indexer,
            submitter=submitter,
            desk=desk,
            heartbeat=Heartbeat(
                desk, store, indexer, submitter, block_time, evm.mine if isinstance(evm, LocalEvm) else None
            ),
            _closing=stack.pop_all(),
        )
