"""The escrow ledger: money moves, it is never made and never lost, and nobody pays more than there is."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from exchange.units import MicroPerKwh, Nano
from settlement.batch import seal
from settlement.errors import (
    AmountOutOfBounds,
    CreditShort,
    CreditTooLarge,
    LedgerRefused,
    NothingRequested,
    UnknownParty,
    WithdrawalNotDue,
)
from settlement.facts import (
    Deposited,
    MarketOpened,
    Moved,
    WithdrawalCancelled,
    WithdrawalRequested,
    Withdrawn,
)
from settlement.ledger import MAX_CREDIT, Ledger
from tests.settlement.generated import batches, registry
from tests.settlement.world import CONSUMING, EURO, FEES, founded, honest_world
from tests.strategies import fee_row

REGISTRY = registry()


class Markets(dict[int, MarketOpened]):
    """Every market is open, and the accounts of nodes are spread over those there are."""

    def __missing__(self, number: int) -> MarketOpened:
        return MarketOpened(
            market=number,
            tree=7,
            fee_account=number % 7 + 1,
            fee_cap=MicroPerKwh(1 << 40),
            period=900,
            lead=60,
            window=7200,
            uniform=False,
        )


MARKETS = Markets()
accounts = st.integers(1, 7)
amounts = st.one_of(
    st.integers(1, 50).map(lambda units: Nano(units * 1000)), st.sampled_from([Nano(0), Nano(-1000), Nano(1)])
)


def test_the_clearer_moves_credit_one_entry_after_the_other():
    ledger = Ledger()
    ledger.deposit(1, Nano(5_000))
    ledger.apply(Moved(((2, 7), (2, -4), (1, -3))))
    assert ledger.credits() == {1: 4_997, 2: 3}
    assert ledger.total == 5_000


@pytest.mark.parametrize(
    ("entries", "refusal"),
    [
        (((1, -5), (2, 6)), AmountOutOfBounds),
        (((1, -5_001), (2, 5_001)), CreditShort),
        (((2, -1), (1, 1)), CreditShort),
        (((2, 1 << 64), (1, -(1 << 64))), CreditTooLarge),
    ],
)
def test_credit_that_is_not_there_is_not_moved(entries, refusal):
    ledger = Ledger()
    ledger.deposit(1, Nano(5_000))
    with pytest.raises(refusal):
        ledger.apply(Moved(entries))
    assert ledger.credits() == {1: 5_000}


def ledger_with(**credit_of):
    ledger = Ledger()
    for account, credit in credit_of.items():
        ledger.deposit(int(account[1:]), Nano(credit))
    return ledger


def test_a_deposit_is_credit_and_a_pending_withdrawal_is_not_free():
    ledger = ledger_with(a2=5_000)
    assert (ledger.credit(2), ledger.free(2), ledger.total) == (5_000, 5_000, 5_000)
    ledger.request_withdrawal(2, Nano(3_000), due=100)
    assert (ledger.credit(2), ledger.free(2)) == (5_000, 2_000)
    ledger.request_withdrawal(2, Nano(9_000), due=100)
    assert ledger.free(2) == 0
    ledger.cancel_withdrawal(2)
    assert ledger.free(2) == 5_000


@pytest.mark.parametrize("amount", [0, -1_000, 1, 1_001, MAX_CREDIT - MAX_CREDIT % 1000 + 1000])
def test_an_amount_that_is_no_token_units_or_too_much_is_refused(amount):
    ledger = ledger_with(a2=1_000)
    with pytest.raises(AmountOutOfBounds):
        ledger.deposit(2, Nano(amount))
    with pytest.raises(AmountOutOfBounds):
        ledger.request_withdrawal(2, Nano(amount), due=0)
    assert ledger.credits() == {2: 1_000}


def test_a_withdrawal_when_due_is_paid_and_one_before_is_refused():
    ledger = ledger_with(a2=5_000)
    ledger.request_withdrawal(2, Nano(3_000), due=100)
    with pytest.raises(WithdrawalNotDue):
        ledger.withdraw(2, now=99)
    assert ledger.withdraw(2, now=100) == 3_000
    assert (ledger.credit(2), ledger.total) == (2_000, 2_000)
    with pytest.raises(NothingRequested):
        ledger.withdraw(2, now=100)
    with pytest.raises(NothingRequested):
        ledger.cancel_withdrawal(2)


def test_a_withdrawal_beyond_the_credit_pays_what_is_there_in_whole_token_units():
    ledger = Ledger(scale=1000)
    ledger.deposit(2, Nano(5_000))
    ledger._post({2: -1, 3: 1})
    ledger.request_withdrawal(2, Nano(9_000), due=0)
    assert ledger.withdraw(2, now=0) == 4_000
    assert ledger.credit(2) == 999


def test_a_batch_moves_what_its_trades_say():
    chain = founded(0)
    book = honest_world().books[0]
    before = chain.state.ledger.credits()
    (batch,) = seal(book)
    chain.state.ledger.settle(batch, chain.state.registry, chain.state.markets)
    account_of = {accepted.digest: accepted.account for accepted in book.orders}
    change = Counter()
    for trade in batch.trades:
        change[account_of[trade.bid]] -= trade.energy * (trade.rate + trade.fee_rate)
        change[account_of[trade.offer]] += trade.energy * trade.rate
        change[FEES] += trade.energy * trade.fee_rate
    after = chain.state.ledger.credits()
    assert {account: after.get(account, 0) - before.get(account, 0) for account in change} == change
    assert change[FEES] > 0


def test_every_node_s_account_gets_what_its_node_takes():
    chain = founded(0)
    (batch,) = seal(honest_world().books[0])
    ledger, before = chain.state.ledger, chain.state.ledger.credits()
    rows = fee_row(8, (9, 300), (8, 1_000), (15, 50)), fee_row(9, (9, 400))
    trades = tuple(replace(trade, fees=rows[i % 2]) for i, trade in enumerate(batch.trades))
    ledger.settle(replace(batch, trades=trades), chain.state.registry, MARKETS)
    taken = Counter()
    for trade in trades:
        for share in trade.fees.shares:
            taken[MARKETS[share.node].fee_account] += trade.energy * share.rate
    gained = Counter({account: credit - before.get(account, 0) for account, credit in ledger.credits().items()})
    account_of = {sealed.digest: chain.state.registry.asset_by_number(sealed.asset).account for sealed in batch.orders}
    for trade in trades:
        gained[account_of[trade.bid]] += trade.cost
        gained[account_of[trade.offer]] -= trade.value
    assert {account: money for account, money in gained.items() if money} == dict(taken)
    assert len(taken) == 2  # nodes 8 and 15 share an account


def test_one_insolvent_party_and_nothing_moves():
    chain = founded(0)
    ledger = chain.state.ledger
    ledger.request_withdrawal(CONSUMING, Nano(50 * EURO), due=0)
    ledger.withdraw(CONSUMING, now=0)
    before = ledger.credits()
    with pytest.raises(CreditShort) as refusal:
        ledger.settle(seal(honest_world().books[0])[0], chain.state.registry, chain.state.markets)
    assert refusal.value.account == CONSUMING
    assert ledger.credits() == before


def test_a_batch_of_an_asset_nobody_enrolled_is_refused():
    chain = founded(0)
    with pytest.raises(UnknownParty):
        chain.state.ledger.settle(seal(honest_world().books[0])[0], registry(0), chain.state.markets)


@given(batches(), st.data())
def test_a_batch_conserves_money_or_changes_nothing(batch, data):
    ledger = Ledger(scale=1)
    rich = data.draw(st.sampled_from([1, 1_000_000, 1 << 59]))
    for account in range(1, 8):
        ledger.deposit(account, Nano(data.draw(st.integers(1, rich))))
    before, total = ledger.credits(), ledger.total
    try:
        ledger.settle(batch, REGISTRY, MARKETS)
    except (CreditShort, CreditTooLarge):
        assert ledger.credits() == before
    assert ledger.total == total == sum(ledger.credits().values())
    assert all(credit >= 0 for credit in ledger.credits().values())


def test_an_account_cannot_hold_more_than_its_field():
    ledger = Ledger(scale=1)
    ledger.deposit(2, MAX_CREDIT)
    with pytest.raises(AmountOutOfBounds):
        ledger.deposit(3, Nano(1))
    assert ledger.total == MAX_CREDIT


@pytest.mark.parametrize(
    "fact",
    [WithdrawalCancelled(2), Withdrawn(2, Nano(1_000)), Deposited(2, Nano(-1_000)), WithdrawalRequested(2, Nano(0), 5)],
    ids=lambda fact: type(fact).__name__,
)
def test_a_log_that_cannot_have_happened_is_refused(fact):
    ledger = ledger_with(a2=1_000)
    with pytest.raises(LedgerRefused):
        ledger.apply(fact)
    assert ledger.credits() == {2: 1_000}


def test_a_log_that_can_have_happened_is_followed():
    ledger = Ledger()
    ledger.apply(Deposited(2, Nano(5_000)))
    ledger.apply(WithdrawalRequested(2, Nano(2_000), 5))
    ledger.apply(WithdrawalCancelled(2))
    ledger.apply(WithdrawalRequested(2, Nano(3_000), 5))
    ledger.apply(Withdrawn(2, Nano(3_000)))
    assert (ledger.credit(2), ledger.free(2)) == (2_000, 2_000)
    ledger.apply(WithdrawalRequested(2, Nano(9_000), 5))
    with pytest.raises(CreditShort):
        ledger.apply(Withdrawn(2, Nano(3_000)))
    assert ledger.credit(2) == 2_000


class Escrow(RuleBasedStateMachine):
    """Members who come and go as they like."""

    def __init__(self):
        super().__init__()
        self.ledger = Ledger()
        self.deposited = 0
        self.paid = 0

    @rule(account=accounts, amount=amounts)
    def deposit(self, account, amount):
        try:
            self.ledger.deposit(account, amount)
            self.deposited += amount
        except AmountOutOfBounds:
            assert amount <= 0 or amount % 1000

    @rule(account=accounts, amount=amounts, due=st.integers(0, 5))
    def request(self, account, amount, due):
        try:
            self.ledger.request_withdrawal(account, amount, due)
        except AmountOutOfBounds:
            assert amount <= 0 or amount % 1000

    @rule(account=accounts, now=st.integers(0, 5))
    def withdraw(self, account, now):
        try:
            self.paid += self.ledger.withdraw(account, now)
        except NothingRequested:
            assert account not in self.ledger.requests
        except WithdrawalNotDue:
            assert now < self.ledger.requests[account].due

    @rule(batch=batches(most_rate=3))
    def settle(self, batch):
        before = self.ledger.credits()
        try:
            self.ledger.settle(batch, REGISTRY, MARKETS)
        except LedgerRefused:
            assert self.ledger.credits() == before

    @invariant()
    def nobody_owes_and_nothing_is_lost(self):
        assert all(credit >= 0 for credit in self.ledger.credits().values())
        assert sum(self.ledger.credits().values()) == self.ledger.total == self.deposited - self.paid
        assert all(0 <= self.ledger.free(account) <= self.ledger.credit(account) for account in range(1, 8))


TestEscrow = Escrow.TestCase
TestEscrow.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
