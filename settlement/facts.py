"""What the contracts' logs say, as plain values: the language between the chain and everybody above.

Amounts are nano, instants unix seconds. Facts about accounts, assets, roles and delegations are the identity room's.
"""

from dataclasses import dataclass

from exchange.units import MicroPerKwh, Nano, Wh
from identity.facts import IdentityFact


@dataclass(frozen=True, slots=True)
class Deposited:
    """Tokens came into the escrow for an account."""

    account: int
    amount: Nano


@dataclass(frozen=True, slots=True)
class WithdrawalRequested:
    """A holder asked for credit back; it leaves at `due` at the earliest. Replaces an earlier request."""

    account: int
    amount: Nano
    due: int


@dataclass(frozen=True, slots=True)
class WithdrawalCancelled:
    """A holder keeps the credit in."""

    account: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Credit left the escrow as tokens, and the request is done."""

    account: int
    amount: Nano


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketOpened:
    """The terms of a market on the chain; they never change.

    A market is a node of a tree; `tree` is the number of its root, the market's own if it is that. `fee_cap` is the
    most it may take of a trade, and `uniform` says that trades made there have one price a session.
    """

    market: int
    tree: int
    fee_account: int
    fee_cap: MicroPerKwh
    period: int
    lead: int
    window: int
    uniform: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettled:
    """One batch was checked, paid and recorded by the contract."""

    session: int
    part: int
    parts: int
    order_root: bytes
    trade_root: bytes
    parameters: bytes
    orders: int
    trades: int
    energy: Wh
    value: Nano
    fee: Nano


EscrowFact = Deposited | WithdrawalRequested | WithdrawalCancelled | Withdrawn
Fact = IdentityFact | EscrowFact | MarketOpened | BatchSettled


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A fact with its place on the chain."""

    fact: Fact
    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int
