"""What the contracts' logs add up to: who may act, who holds what, which markets are open, what was settled.

A fold over the facts in the order of the chain. Nothing is asked of the contracts but their logs and the calldata of
batches, so whoever folds the same logs stands at the same state.
"""

from exchange.units import Nano
from identity.chronicle import Chronicle
from identity.registry import Registry, RequiredRoles
from settlement.batch import Batch
from settlement.calldata import read_settle
from settlement.errors import CalldataMalformed
from settlement.facts import (
    BatchSettled,
    Deposited,
    Fact,
    MarketOpened,
    WithdrawalCancelled,
    WithdrawalRequested,
    Withdrawn,
)
from settlement.ledger import Ledger


class ChainState:
    """Registry, ledger, markets and settled batches after the facts applied so far.

    `chronicle` is told each fact with its block by whoever knows that.

    `separator` is that of the domain orders are signed in, `roles` are those the contract asks of assets, `scale` is
    nano per unit of the token.
    """

    def __init__(self, separator: bytes, roles: RequiredRoles, scale: int = 1000) -> None:
        self.registry = Registry(roles)
        self.chronicle = Chronicle()
        self.ledger = Ledger(scale)
        self.markets: dict[int, MarketOpened] = {}
        self.settled: dict[tuple[int, int], BatchSettled] = {}
        self._separator = separator

    def free(self, account: int) -> Nano:
        """Return what an account may trade with: its credit beyond its pending withdrawal."""
        return self.ledger.free(account)

    def apply(self, fact: Fact, calldata: bytes | None = None) -> Batch | None:
        """Take one more fact; for a settled batch, `calldata` is that of its transaction, and the batch is returned.

        Raises `CalldataMalformed` where that is no batch or another than the fact tells of, and `LedgerRefused` where
        the money cannot have moved so; the state is then as it was.
        """
        match fact:
            case MarketOpened():
                self.markets[fact.market] = fact
            case BatchSettled():
                return self._settle(fact, calldata)
            case Deposited() | WithdrawalRequested() | WithdrawalCancelled() | Withdrawn():
                self.ledger.apply(fact)
            case _:
                self.registry.apply(fact)
        return None

    def _settle(self, fact: BatchSettled, calldata: bytes | None) -> Batch:
        if calldata is None:
            raise CalldataMalformed("the calldata of the batch is missing")
        batch = read_settle(calldata, self.registry, self._separator)
        if (batch.session.number, batch.part) != (fact.session, fact.part):
            raise CalldataMalformed("the calldata is of another batch")
        named = {batch.session.market, *(share.node for trade in batch.trades for share in trade.fees.shares)}
        if not named <= self.markets.keys():
            raise CalldataMalformed(f"no market {min(named - self.markets.keys())} was opened")
        self.ledger.settle(batch, self.registry, self.markets)
        self.settled[fact.session, fact.part] = fact
        return batch
