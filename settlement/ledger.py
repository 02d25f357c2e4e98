"""The escrow as double entry: what the settlement contract must hold, computed without it.

Every movement is a set of signed entries that sum to zero; account 0 stands for the world outside, so it is minus what
the escrow holds. No other account ever falls below zero. A movement happens wholly or not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from exchange.units import Nano, amount
from identity.registry import Registry
from settlement.batch import Batch
from settlement.errors import (
    AmountOutOfBounds,
    CreditShort,
    CreditTooLarge,
    NothingRequested,
    UnknownParty,
    WithdrawalNotDue,
)
from settlement.facts import (
    Deposited,
    EscrowFact,
    MarketOpened,
    WithdrawalCancelled,
    WithdrawalRequested,
    Withdrawn,
)

OUTSIDE = 0
"""The account of everybody outside the escrow; the contract numbers its own from 1."""

MAX_CREDIT = Nano((1 << 64) - 1)
"""The most an account, and the escrow, can hold: the field on the chain has 64 bits."""


@dataclass(frozen=True, slots=True)
class Request:
    """A pending withdrawal of up to `amount`, not before `due` (unix seconds)."""

    amount: Nano
    due: int


class Ledger:
    """Credits and pending withdrawals of all accounts. `scale` is nano per unit of the token."""

    def __init__(self, scale: int = 1000) -> None:
        self.scale = scale
        self.requests: dict[int, Request] = {}
        self._balances: dict[int, int] = {}

    # Questions

    def credit(self, account: int) -> Nano:
        """Return what an account holds."""
        return Nano(self._balances.get(account, 0))

    def free(self, account: int) -> Nano:
        """Return what an account holds beyond its pending withdrawal, at least zero: what it may trade with."""
        request = self.requests.get(account)
        return Nano(max(self.credit(account) - (request.amount if request else 0), 0))

    def credits(self) -> dict[int, Nano]:
        """Return what every account holds that ever held anything, by number."""
        return {account: Nano(held) for account, held in sorted(self._balances.items()) if account != OUTSIDE}

    @property
    def total(self) -> Nano:
        """What the escrow holds for all accounts together."""
        return Nano(-self._balances.get(OUTSIDE, 0))

    # Movements

    def deposit(self, account: int, amount: Nano) -> None:
        """Take tokens in; raises `AmountOutOfBounds`."""
        if amount <= 0 or amount % self.scale or self.total + amount > MAX_CREDIT:
            raise AmountOutOfBounds(amount)
        self._post({OUTSIDE: -amount, account: amount})

    def request_withdrawal(self, account: int, amount: Nano, due: int) -> None:
        """Note that up to `amount` shall leave at `due`; replaces an earlier request. Raises `AmountOutOfBounds`."""
        if not 0 < amount <= MAX_CREDIT or amount % self.scale:
            raise AmountOutOfBounds(amount)
        self.requests[account] = Request(amount, due)

    def cancel_withdrawal(self, account: int) -> None:
        """Forget the pending request; raises `NothingRequested`."""
        if self.requests.pop(account, None) is None:
            raise NothingRequested(account)

    def withdraw(self, account: int, now: int) -> Nano:
        """Pay out what was requested, or what is there in whole token units if it is less, and return how much."""
        request = self.requests.get(account)
        if request is None:
            raise NothingRequested(account)
        if now < request.due:
            raise WithdrawalNotDue(account, request.due)
        credit = self.credit(account)
        paid = Nano(min(request.amount, credit - credit % self.scale))
        self._post({OUTSIDE: paid, account: -paid})
        del self.requests[account]
        return paid

    def settle(self, batch: Batch, registry: Registry, markets: Mapping[int, MarketOpened]) -> None:
        """Pay a batch: what is earned first, so that it may be spent, then what is owed; fees to each node's account.

        Raises `UnknownParty`, `CreditTooLarge` or `CreditShort`. What the trades are is the contract's affair; here it
        is taken that each names a bid and an offer of the batch, and that its nodes are among `markets`.
        """
        accounts = {}
        for sealed in batch.orders:
            asset = registry.asset_by_number(sealed.asset)
            if asset is None:
                raise UnknownParty(sealed.asset)
            accounts[sealed.digest] = asset.account
        net = dict.fromkeys(accounts, 0)
        earned: dict[int, int] = {}
        for trade in batch.trades:
            net[trade.bid] -= trade.cost
            net[trade.offer] += trade.value
            for share in trade.fees.shares:
                account = markets[share.node].fee_account
                earned[account] = earned.get(account, 0) + amount(trade.energy, share.rate)
        owed: dict[int, int] = {}
        for digest, money in net.items():
            side = earned if money > 0 else owed
            side[accounts[digest]] = side.get(accounts[digest], 0) + money
        for account, money in earned.items():
            if self.credit(account) + money > MAX_CREDIT:
                raise CreditTooLarge(account, self.credit(account) + money)
        self._post({account: earned.get(account, 0) + owed.get(account, 0) for account in {**earned, **owed}})

    def apply(self, fact: EscrowFact) -> None:
        """Take one more fact from the contract's log; raises what the movement raises if it cannot have happened."""
        match fact:
            case Deposited(account, amount):
                self.deposit(account, amount)
            case WithdrawalRequested(account, amount, due):
                self.request_withdrawal(account, amount, due)
            case WithdrawalCancelled(account):
                self.cancel_withdrawal(account)
            case Withdrawn(account, amount):
                if account not in self.requests:
                    raise NothingRequested(account)
                if amount < 0:
                    raise AmountOutOfBounds(amount)
                self._post({OUTSIDE: amount, account: -amount})
                del self.requests[account]

    def _post(self, entries: Mapping[int, int]) -> None:
        assert sum(entries.values()) == 0, "what one account loses others gain"
        for account, change in entries.items():
            if account != OUTSIDE and self.credit(account) + change < 0:
                raise CreditShort(account, self.credit(account), -change)
        for account, change in entries.items():
            self._balances[account] = self._balances.get(account, 0) + change
