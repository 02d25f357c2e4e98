"""Claims, disputes, voids, pauses, corrections and settlements in whatever order: money is kept, and truth stays safe.

A claim that says what the meters said last is never voided; one that says something else may be, until it is settled.
"""

from contextlib import ExitStack
from functools import cache

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.contracts.caller import refused
from tests.contracts.machine import Revm
from tests.contracts.metered import BOND, DISPUTABLE, Claim, Metered, member_of, street
from tests.contracts.town import START, Town

MEMBERS = 3
METER = "the meter"
member = st.integers(0, MEMBERS - 1)


@cache
def founded() -> Metered:
    metered = street(Town(Revm()), MEMBERS)
    for number in range(MEMBERS):
        metered.name_meter(member_of(number), member_of(number), METER)
    return metered


class Imbalance(RuleBasedStateMachine):
    """One session. `said` is what each meter said last, by version and net; `standing` the claim."""

    @initialize()
    def begin(self):
        self.metered = founded()
        self.town = self.metered.town
        self.undoing = ExitStack()
        self.undoing.enter_context(self.metered.as_before())
        self.said = {number: (1, -1_000 * number) for number in range(MEMBERS)}
        self.standing: Claim | None = None
        self.settled = self.paused = False
        self.total = self.all_money()

    def teardown(self):
        if hasattr(self, "undoing"):
            self.undoing.close()

    def all_money(self) -> int:
        return sum(self.town.read("credit_of", number) for number in range(1, self.town.read("account_count") + 1))

    @rule(number=member, net=st.integers(-2_000, 2_000))
    def a_meter_corrects_itself(self, number, net):
        self.said[number] = self.said[number][0] + 1, net

    @rule(lie=st.sampled_from([0, 0, 7]), liar=member)
    def claim(self, lie, liar):
        nets = {number: net + (lie if number == liar else 0) for number, (_, net) in self.said.items()}
        leaves = [
            self.metered.leaf(member_of(number), net, contracted=100, version=self.said[number][0])
            for number, net in nets.items()
        ]
        claim = self.metered.claim_of(leaves)
        reason = (
            "imbalance: settled already" if self.settled
            else "imbalance: claimed already" if self.standing
            else "pause: paused" if self.paused
            else None
        )  # fmt: skip
        if reason is None:
            self.standing = self.metered.claim(claim)
        else:
            with refused(reason):
                self.metered.claim(claim)

    @precondition(lambda self: self.standing is not None)
    @rule(number=member)
    def dispute(self, number):
        claim = self.standing
        leaf, (version, net) = claim.leaves[number], self.said[number]
        reading = self.metered.reading(member_of(number), net, meter=METER, version=version)
        winner = member_of(number)
        if self.settled:
            with refused("imbalance: no such claim"):
                self.metered.dispute(claim, leaf, reading, account=winner)
        elif leaf.net == net:
            with refused("imbalance: reading agrees"):
                self.metered.dispute(claim, leaf, reading, account=winner)
        else:
            account = self.town.accounts[winner]
            before = self.town.credit(winner) + self.metered.imbalance.read("owed", account)
            self.metered.dispute(claim, leaf, reading, account=winner)
            after = self.town.credit(winner) + self.metered.imbalance.read("owed", account)
            assert after == before + BOND
            self.standing = None

    @precondition(lambda self: self.standing is not None)
    @rule()
    def settle(self):
        claim = self.standing
        charges = {leaf.asset: claim.full(leaf) for leaf in claim.leaves if leaf.deviates}
        reason = (
            "imbalance: no such claim" if self.settled
            else "imbalance: window is open" if self.town.machine.now <= claim.claimed_at + DISPUTABLE
            else "pause: paused" if self.paused
            else None
        )  # fmt: skip
        if reason is not None:
            with refused(reason):
                self.metered.settle(claim, charges)
            return
        before = {leaf.asset: self.town.read("credit_of", leaf.account) for leaf in claim.leaves}
        self.metered.settle(claim, charges)
        self.settled = True
        for leaf in claim.leaves:
            paid = self.town.read("credit_of", leaf.account) - before[leaf.asset]
            assert paid == claim.full(leaf)

    @rule()
    def the_guardian_pauses(self):
        self.town.send("the guardian", "pause")
        self.paused = True

    @rule()
    def the_admin_lifts_the_pause(self):
        self.town.send("the admin", "unpause")
        self.paused = False

    @rule(number=member)
    def what_is_owed_is_collected(self, number):
        account = self.town.accounts[member_of(number)]
        if not self.metered.imbalance.read("owed", account):
            with refused("imbalance: nothing is owed"):
                self.metered.imbalance.send("anybody", "collect", account)
        elif self.paused:
            with refused("pause: paused"):
                self.metered.imbalance.send("anybody", "collect", account)
        else:
            self.metered.imbalance.send("anybody", "collect", account)

    @rule(seconds=st.sampled_from([60, DISPUTABLE]))
    def time_passes(self, seconds):
        self.town.move_to(self.town.machine.now + seconds)

    @invariant()
    def no_money_is_made_or_lost(self):
        if hasattr(self, "total"):
            assert self.all_money() == self.total

    @invariant()
    def what_is_held_is_the_bond_that_stands_and_what_is_owed(self):
        if hasattr(self, "total"):
            owed = sum(
                self.metered.imbalance.read("owed", self.town.accounts[member_of(number)]) for number in range(MEMBERS)
            )
            stands = self.standing is not None and not self.settled
            assert self.metered.bonds() == owed + BOND * stands
            kept = self.metered.imbalance.read("claims", 1 << 48 | START)
            assert (kept == bytes(32)) == (self.standing is None)


TestImbalance = Imbalance.TestCase
TestImbalance.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
