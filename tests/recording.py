"""A machine that keeps what was logged, and when; and the facts in it."""

from collections.abc import Iterator

from contracts.abi import abi_of
from contracts.evm import LogEntry
from identity.effects import registry_logs
from identity.facts import IdentityFact
from settlement.effects import contract_log
from tests.contracts.machine import Outcome, Revm


class Recording(Revm):
    """revm with a memory."""

    def __init__(self) -> None:
        super().__init__()
        self.logged: list[tuple[int, tuple[bytes, ...], bytes]] = []

    def send(self, sender: str, to: bytes, data: bytes) -> Outcome:
        outcome = super().send(sender, to, data)
        self.logged += [(self.now, tuple(topics), data) for topics, data in outcome.logs]
        return outcome

    def facts(self) -> list[IdentityFact]:
        """What the registries, and a settlement contract, have said of who may act, in the order of the chain."""
        return [fact for entry in self.logged for fact in _facts(*entry)]


def _facts(at: int, topics: tuple[bytes, ...], data: bytes) -> Iterator[IdentityFact]:
    entry = LogEntry(
        address=bytes(20), topics=topics, data=data, block_number=1, block_hash=bytes(32), tx_hash=bytes(32), index=0
    )
    for name in ("DidRegistry", "AssetRegistry", "RoleRegistry"):
        if abi_of(name).event(topics, data) is not None:
            fact = registry_logs.decode(name, entry, block_time=at)
            yield from [] if fact is None else [fact]
    if abi_of("Settlement").event(topics, data) is not None:
        fact = contract_log.decode(entry, scale=1_000, block_time=at)
        if isinstance(fact, IdentityFact):
            yield fact
