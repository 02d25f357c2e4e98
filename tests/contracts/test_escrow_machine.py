"""Whatever members, operator and thieves do in whatever order, the credits are the tokens held, to the nano."""

from contextlib import ExitStack
from functools import cache

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.contracts.machine import Refused, Revm
from tests.contracts.orders import Trade, address_of
from tests.contracts.town import DELAY, LEAD, PERIOD, START, Town

MEMBERS = ("the baker", "the miller", "the smith")
member = st.sampled_from(MEMBERS)
units = st.integers(1, 2_000_000)


@cache
def founded() -> Town:
    town = Town(Revm())
    for name in MEMBERS:
        town.open(name, 1)
    return town


class Escrow(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.undoing = ExitStack()
        self.town = self.undoing.enter_context(founded().as_before())
        self.start = START
        self.gifts = 0

    def teardown(self):
        if hasattr(self, "undoing"):
            self.undoing.close()

    @rule(name=member, units=units)
    def pay_in(self, name, units):
        self.town.pay_in(name, units)

    @rule(name=member, units=units)
    def request(self, name, units):
        self.town.send(name, "request_withdrawal", self.town.accounts[name], units)

    @rule(name=member, thief=member)
    def withdraw(self, name, thief):
        number = self.town.accounts[name]
        nano, due = self.town.read("withdrawal", number)
        credit = self.town.credit(name)
        before = self.town.euro.read("balanceOf", address_of(name))
        try:
            self.town.send(thief, "withdraw", number)
        except Refused:
            assert nano == 0 or due > self.town.machine.now
            return
        paid = min(nano, credit) // 1_000
        assert self.town.euro.read("balanceOf", address_of(name)) == before + paid
        assert self.town.credit(name) == credit - paid * 1_000

    @rule(units=units)
    def somebody_sends_tokens_without_a_deposit(self, units):
        self.town.euro.send("the admin", "mint", self.town.settlement.address, units)
        self.gifts += units

    @rule(buyer=member, seller=member, energy=st.integers(1, 9_000), rate=st.integers(-200_000, 300_000))
    def settle(self, buyer, seller, energy, rate):
        terms = {"energy": energy, "start": self.start, "valid_until": self.start}
        orders = [
            self.town.bid(buyer, limit=rate + 10_000, **terms),
            self.town.offer(seller, limit=rate, **terms),
        ]
        batch = self.town.batch(orders, [Trade(bid=0, offer=1, energy=energy, rate=rate, fee=10_000)], start=self.start)
        self.town.move_to(max(self.town.machine.now, self.start - LEAD))
        try:
            self.town.settle(batch)
        except Refused as refusal:
            if refusal.reason not in {"trades: with oneself", "money: credit is short"}:
                raise
        self.start += PERIOD

    @rule()
    def time_passes(self):
        self.town.move_to(self.town.machine.now + DELAY)
        while self.start - LEAD < self.town.machine.now:
            self.start += PERIOD

    @invariant()
    def credits_are_the_tokens_held(self):
        if not hasattr(self, "town"):
            return
        credit = sum(self.town.read("credit_of", number) for number in range(1, self.town.read("account_count") + 1))
        held = self.town.read("tokens_held")
        assert credit == held * 1_000 <= 2**64 - 1
        assert self.town.euro.read("balanceOf", self.town.settlement.address) == held + self.gifts


TestEscrow = Escrow.TestCase
TestEscrow.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
