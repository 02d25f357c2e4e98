"""How a command gets at the registries of an exchange, to read them or to act in them.

An exchange is known by its folder, or by its settlement contract on a node, which names the registries. A chain in a
process of its own is reached over that process's JSON-RPC; one that nobody serves may be opened, but only to be read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.clock import WallClock
from app.founding import ExchangeFileUnusable, Founded
from app.options import Where
from app.registering import Registering
from app.wiring import Places, chain_preset, open_chain
from contracts.chains import ChainPreset, preset_of
from contracts.devnet_keys import DEVNET_KEYS
from contracts.errors import RecordInUse
from contracts.evm import Evm, Receipt
from contracts.local_evm import LocalEvm
from contracts.rpc_evm import RpcEvm
from contracts.transacting import transact, wait_for
from identity.address import Address, parse_address
from identity.chronicle import Chronicle
from identity.effects.routes import subject_of
from identity.errors import MalformedName
from identity.facts import IdentityFact
from identity.names import community_label, role_name
from identity.registry import Registry, RequiredRoles
from identity.signature import address_of
from settlement.effects.chain_reader import SPAN
from settlement.effects.contract_log import fact_in
from settlement.effects.errors import ChainMoved
from settlement.effects.settlement_contract import SettlementContract
from settlement.effects.sources import Sources

_PLAY_MONEY_WEI = 10**18
_OVER_THERE = "its chain is in another process: name that one's JSON-RPC with --rpc"


@dataclass(frozen=True, slots=True)
class Known:
    """What the registries say after block `head`, the newest, which was mined at `now` (unix seconds)."""

    registry: Registry
    chronicle: Chronicle
    head: int
    now: int


@dataclass(frozen=True, slots=True)
class Reached:
    """The registries of an exchange on their chain. `founded` is none where only the contract is known."""

    evm: Evm
    sources: Sources
    required: RequiredRoles
    preset: ChainPreset
    founded: Founded | None
    since: int

    @property
    def registering(self) -> Registering:
        """Acts in these registries."""
        return Registering(self.evm, self.sources, self.preset)

    def subject(self, text: str) -> Address:
        """Return whom an address or a DID means."""
        return subject_of(text, self.evm.chain_id)

    def role(self, text: str) -> str:
        """Return the full name of a role; of one of the field its label is enough where the community is known."""
        if "." in text:
            return text
        if self.founded is None:
            raise MalformedName(text, "without the folder of an exchange, write the whole name")
        return role_name(text, community_label(self.founded.parameters.community))

    def fund(self, *keys: bytes) -> None:
        """On a chain for play, give ether to keys that have none. Raises `EvmError`."""
        for key in keys:
            who = address_of(key)
            if not self.preset.play or self.evm.balance(who):
                continue
            lent = self.evm.lend(who, _PLAY_MONEY_WEI) if isinstance(self.evm, RpcEvm) else None
            if lent is not None:
                wait_for(self.evm, lent)
            elif self.evm.balance(address_of(DEVNET_KEYS[-1])) > _PLAY_MONEY_WEI:
                transact(self.evm, DEVNET_KEYS[-1], who, b"", value=_PLAY_MONEY_WEI, preset=self.preset)

    def read(self) -> Known:
        """Read everything the registries ever logged. Raises `EvmError`, and `ChainMoved` where to read again."""
        registry, chronicle = Registry(self.required), Chronicle()
        head = self.evm.head()
        times: dict[int, int] = {}
        for begin in range(self.since, head.number + 1, SPAN):
            for entry in self.sources.logs(begin, min(begin + SPAN - 1, head.number)):
                if not isinstance(fact_in(entry, self.sources, scale=1, block_time=0), IdentityFact):
                    continue
                if entry.block_number not in times:
                    times[entry.block_number] = self._time(entry.block_number, entry.block_hash)
                fact = fact_in(entry, self.sources, scale=1, block_time=times[entry.block_number])
                assert isinstance(fact, IdentityFact), "its time makes no other fact of it"
                registry.apply(fact)
                chronicle.apply(entry.block_number, fact)
        self._time(head.number, head.hash)
        return Known(registry, chronicle, head.number, head.timestamp)

    def _time(self, number: int, block_hash: bytes) -> int:
        block = self.evm.block(number)
        if block is None or block.hash != block_hash:
            raise ChainMoved(number)
        return block.timestamp


@contextmanager
def reached(where: Where, *, acting: bool = False) -> Iterator[Reached]:
    """Reach the registries of an exchange, to act in them or only to read.

    Raises `ExchangeFileUnusable` where the exchange is not known or its chain is elsewhere, and `EvmError`.
    """
    founded, evm = _exchange(where, acting=acting)
    try:
        address = Address(founded.deployment.settlement) if founded is not None else parse_address(where.contract or "")
        contract = SettlementContract(evm, address)
        yield Reached(
            evm=evm,
            sources=contract.sources(),
            required=contract.required_roles(),
            preset=preset_of(evm.chain_id)
            if founded is None
            else chain_preset(Places(where.data), founded.deployment.chain_id),
            founded=founded,
            since=0 if founded is None else min(founded.deployment.block, founded.deployment.registries_since),
        )
    finally:
        if isinstance(evm, LocalEvm):
            evm.close()


def _exchange(where: Where, *, acting: bool) -> tuple[Founded | None, Evm]:
    if where.contract is not None:
        if where.rpc is None:
            raise ExchangeFileUnusable("a contract alone is on no chain: name a node with --rpc")
        return None, RpcEvm(where.rpc)
    places = Places(where.data)
    founded = Founded.read(places.exchange)
    rpc = where.rpc or founded.rpc
    if rpc is not None:
        return founded, RpcEvm(rpc, expected_chain_id=founded.deployment.chain_id)
    if acting:
        raise ExchangeFileUnusable(f"nobody acts in the exchange of {where.data} from outside: {_OVER_THERE}")
    try:
        return founded, open_chain(places, founded, WallClock())
    except RecordInUse as error:
        raise ExchangeFileUnusable(f"the exchange of {where.data} runs, and {_OVER_THERE}") from error


def transaction_document(receipt: Receipt, preset: ChainPreset) -> dict[str, object]:
    """Return where an act stands on the chain."""
    return {
        "transaction": "0x" + receipt.tx_hash.hex(),
        "block": receipt.block_number,
        "link": preset.link(receipt.tx_hash),
    }
