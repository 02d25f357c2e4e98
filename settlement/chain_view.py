"""The chain as an auditor sees it: the contracts' logs, the calldata of batches, and what the views say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exchange.units import Nano
from identity.address import Address
from identity.registry import RequiredRoles
from identity.typed_data import Domain
from settlement.facts import BatchSettled, MarketOpened, Witnessed


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainView:
    """What a node says of one settlement contract and its registries, read up to one block.

    `roles` are those the contract asks of assets. `facts` stand in the order of the chain. `calldata` is that of the
    transactions that settled, by session number and part. `credits` are what the contract's views say the accounts
    hold, `tokens_held` what it says it holds for all of them, in nano (none where it was not asked). `block_times` are
    unix seconds by block number, where they are known.
    """

    chain_id: int
    contract: Address
    roles: RequiredRoles
    facts: Sequence[Witnessed]
    calldata: Mapping[tuple[int, int], bytes]
    credits: Mapping[int, Nano]
    tokens_held: Nano | None = None
    block_times: Mapping[int, int] = field(default_factory=dict)

    @property
    def domain(self) -> Domain:
        """The domain in which orders for this contract are signed."""
        return Domain(self.chain_id, self.contract)

    def settled(self) -> dict[int, list[Witnessed]]:
        """Return what was settled, by session number, in the order of the chain."""
        found: dict[int, list[Witnessed]] = {}
        for witnessed in self.facts:
            if isinstance(witnessed.fact, BatchSettled):
                found.setdefault(witnessed.fact.session, []).append(witnessed)
        return found

    def markets(self) -> dict[int, MarketOpened]:
        """Return the terms of every market that was opened, by number."""
        opened = [witnessed.fact for witnessed in self.facts if isinstance(witnessed.fact, MarketOpened)]
        return {terms.market: terms for terms in reversed(opened)}

    def times(self) -> list[int] | None:
        """Return the block time of every fact, or none where one is unknown."""
        known = [self.block_times.get(witnessed.block_number) for witnessed in self.facts]
        return [time for time in known if time is not None] if None not in known else None
