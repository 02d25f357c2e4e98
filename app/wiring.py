"""Builds the whole exchange from what was founded, in one place. Everything else gets what it needs as an argument."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from app.clock import Clock
from app.founding import Founded, Keys
from app.heartbeat import Heartbeat
from app.imbalance import read_imbalance_rules
from app.keeper import Keeper
from app.standing import ChainStanding
from app.storage import JOURNAL_FILE, STORE_FILE, Storage
from contracts.chains import ChainPreset, preset_of, read_overrides
from contracts.errors import WrongChain
from contracts.evm import Evm
from contracts.local_evm import LocalEvm
from exchange.effects.desk import Desk
from exchange.effects.journal import Journal
from exchange.effects.memory import MOST_ORDERS, Memory
from exchange.market import Market
from exchange.units import Nano
from identity.address import Address
from identity.assertion import authentication_signers
from identity.document import Change
from identity.effects.reads import JudgedReads
from identity.effects.sign_ins import SignIns
from identity.energy_roles import role_nodes
from identity.names import community_label
from identity.registry import Registry
from settlement.effects.indexer import Indexer
from settlement.effects.meter_desk import MeterDesk
from settlement.effects.settlement_contract import SettlementContract
from settlement.effects.store import Store
from settlement.effects.submitter import ChainSettings, Submitter
from settlement.metering import Registries

_QUIET_SECONDS = 3
"""How long a chain that mines on demand is silent before it is sent something."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where an exchange keeps its things, under one folder."""

    folder: Path

    @property
    def exchange(self) -> Path:
        """What was founded, and where."""
        return self.folder / "exchange.json"

    @property
    def founding(self) -> Path:
        """What was sent so far while the exchange is founded; gone when that is done."""
        return self.folder / "founding.jsonl"

    @property
    def journal(self) -> Path:
        """Everything the exchange took and decided."""
        return self.folder / JOURNAL_FILE

    @property
    def store(self) -> Path:
        """The outbox of batches and the chain's facts."""
        return self.folder / STORE_FILE

    @property
    def chain_settings(self) -> Path:
        """How chains are treated, where the operator wants it otherwise than this house."""
        return self.folder / "chains.toml"

    @property
    def imbalance(self) -> Path:
        """The community's rules of metering and imbalance, where it has any."""
        return self.folder / "imbalance.toml"

    @property
    def chain(self) -> Path:
        """The recording of a chain in this process, block by block."""
        return self.folder / "chain.jsonl"


@dataclass(slots=True)
class House:
    """A running exchange: every room built, nothing served yet. Close it, or use it as a context manager."""

    founded: Founded
    preset: ChainPreset
    evm: Evm
    contract: SettlementContract
    journal: Journal
    store: Store
    indexer: Indexer
    submitter: Submitter
    desk: Desk
    heartbeat: Heartbeat
    reads: JudgedReads
    meters: MeterDesk
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
        from contracts.rpc_evm import RpcEvm

        return RpcEvm(founded.rpc, expected_chain_id=founded.deployment.chain_id)
    return LocalEvm.reopen(places.chain, clock)


def chain_preset(places: Places, chain_id: int, settings: Path | None = None) -> ChainPreset:
    """Return how a chain is treated: as the file `settings` says, else `chains.toml` in the exchange's folder, else
    as this house knows it. Raises `ChainSettingsRefused`.
    """
    if settings is None and not places.chain_settings.exists():
        return preset_of(chain_id)
    return read_overrides(settings or places.chain_settings).get(chain_id, preset_of(chain_id))


def chain_settings(preset: ChainPreset, evm: Evm) -> ChainSettings:
    """Return what the submitter needs to know of a chain. Raises `EvmError`."""
    return ChainSettings(
        chain_id=preset.chain_id,
        confirmations=preset.confirmations,
        legacy=preset.legacy,
        most_in_flight=preset.most_in_flight,
        free_gas=isinstance(evm, LocalEvm),  # in this process nobody pays, and execution is what is dear
        max_fee_cap_wei=preset.max_fee_cap_wei,
        priority_floor_wei=preset.priority_floor_wei,
        base_fee_multiplier=preset.base_fee_multiplier,
        gas_cap=preset.gas_cap_where(evm.block_gas()),
        bump_percent=preset.bump_percent,
        patience_seconds=preset.patience_seconds,
    )


def _catch_up(evm: Evm, submitter: Submitter, preset: ChainPreset) -> Callable[[int], object] | None:
    """Return what has the chain mine a block, where nobody else does: one in this process is told to, another is sent
    something, unless it has mined lately, since it may also do so by the clock.
    """
    if isinstance(evm, LocalEvm):
        local = evm
        return lambda _: local.mine()
    if not preset.on_demand:
        return None
    return lambda now: now - evm.head().timestamp >= _QUIET_SECONDS and submitter.nudge(now)


def build(
    places: Places,
    founded: Founded,
    keys: Keys,
    clock: Clock,
    evm: Evm,
    *,
    preset: ChainPreset | None = None,
    storage: Storage | None = None,
    most_settled_orders: int = MOST_ORDERS,
) -> House:
    """Build the exchange on a chain that is treated as `preset` says, or else `chain_preset`.

    `storage` says where journal and store lie, if not in the exchange's folder. Where it is shared and another process
    decides, this one follows: see `Heartbeat.lead`. So many orders of settled sessions stay in memory as
    `most_settled_orders` says.

    Raises the rooms' refusals where a file, the chain or the rules do not fit together.
    """
    deployment = founded.deployment
    preset = chain_preset(places, deployment.chain_id) if preset is None else preset
    if evm.chain_id != deployment.chain_id:
        raise WrongChain(deployment.chain_id, evm.chain_id)
    with ExitStack() as stack:
        contract = SettlementContract(evm, Address(deployment.settlement))
        storage = Storage(places.folder, None) if storage is None else storage
        journal = storage.open_journal()
        stack.callback(journal.close)
        store = storage.open_store()
        stack.callback(store.close)
        decides = journal.take_over()
        start_block = min(deployment.block, deployment.registries_since)
        indexer = Indexer(store, contract, confirmations=preset.confirmations, start_block=start_block)
        if decides:
            indexer.advance()
        submitter = Submitter(store, contract, keys.operator, chain_settings(preset, evm))
        stack.callback(submitter.release)

        def registry() -> Registry:
            return indexer.state.registry

        def credit(account: int) -> Nano:
            return indexer.state.free(account)

        archive = storage.open_archive()
        stack.callback(archive.close)
        memory = Memory(journal, archive, most_settled_orders)
        desk = Desk(journal, Market(), registry, credit, keys.receipts, clock, memory)
        desk.open(founded.parameters)
        access = storage.open_access()
        stack.callback(access.close)
        operators = frozenset({Address(submitter.address), founded.parameters.receipts})

        def changes(identity: Address) -> Iterable[Change]:
            return indexer.state.chronicle.changes(identity)

        def keys_of(identity: Address, at: int) -> frozenset[Address]:
            return authentication_signers(identity, deployment.chain_id, changes, at)

        reads = JudgedReads(
            access,
            SignIns(access, deployment.chain_id, clock, keys_of),
            ChainStanding(registry, role_nodes(community_label(founded.parameters.community)), operators),
            clock,
        )
        stack.callback(reads.close)
        meter_store = storage.open_meters()
        stack.callback(meter_store.close)
        meters = MeterDesk(
            meter_store,
            lambda: Registries(authority=registry().authority, asset_role=registry().roles.asset),
            read_imbalance_rules(places.imbalance, founded.parameters),
            founded.parameters.domain.separator(),
            clock,
        )
        return House(
            founded=founded,
            preset=preset,
            evm=evm,
            contract=contract,
            journal=journal,
            store=store,
            indexer=indexer,
            submitter=submitter,
            desk=desk,
            heartbeat=Heartbeat(desk, store, indexer, submitter, _catch_up(evm, submitter, preset)),
            reads=reads,
            meters=meters,
            _closing=stack.pop_all(),
        )


def keeper_of(house: House, key: bytes) -> Keeper:
    """Return a keeper for an exchange, which sends with `key` and with nobody else's."""
    deployment = house.founded.deployment
    return Keeper(
        house.evm,
        Address(deployment.settlement),
        lambda: house.indexer.state.registry,
        key,
        cache_seconds=deployment.cache_seconds,
        preset=house.preset,
    )
