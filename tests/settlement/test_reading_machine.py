"""A few slots from delivery to cut-off: readings come, are corrected, sent again, contradicted, late; runs in between.

Whatever happens, the readings held are those of a simple model, money is conserved, and all runs together come to what
one run at the end would have posted.
"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from settlement.metering_errors import (
    PeriodNotOver,
    ReadingConflicts,
    ReadingImplausible,
    ReadingOutdated,
    ReadingTooLate,
    RunOutOfTurn,
)
from settlement.runs import Evidence, balances, make_run, settled_by
from tests.settlement.metered_street import ACCOUNT_OF, FLAT, IMBALANCE, RULES, SLOT, START, Street
from tests.settlement.test_runs import AGREED

SLOTS = (START, START + SLOT)
slots = st.sampled_from(SLOTS)
nets = st.integers(-1_000, 0)


class Readings(RuleBasedStateMachine):
    """One load, two slots, and the community that settles them."""

    @initialize()
    def begin(self) -> None:
        self.street = Street()
        self.now = START
        self.taken: dict[int, list[tuple[int, int]]] = {start: [] for start in SLOTS}
        self.runs = []

    def due(self, start: int) -> bool:
        return start + SLOT <= self.now < start + SLOT + RULES.cut_off

    @rule(seconds=st.sampled_from([1, SLOT, 86_400, 3 * 86_400]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(start=slots, net=nets, skipped=st.integers(0, 2))
    def a_meter_says_something_new(self, start: int, net: int, skipped: int) -> None:
        held = self.taken[start]
        version = (held[-1][0] if held else 0) + 1 + skipped
        if self.now < start + SLOT:
            with pytest.raises(PeriodNotOver):
                self.street.hear(self.now, start=start, net=net, version=version)
        elif not self.due(start):
            with pytest.raises(ReadingTooLate):
                self.street.hear(self.now, start=start, net=net, version=version)
        else:
            assert self.street.hear(self.now, start=start, net=net, version=version).new
            held.append((version, net))

    @precondition(lambda self: any(self.taken.values()))
    @rule(start=slots, which=st.integers(0, 9))
    def a_meter_says_it_again(self, start: int, which: int) -> None:
        if held := self.taken[start]:
            version, net = held[which % len(held)]
            assert not self.street.hear(self.now, start=start, net=net, version=version).new

    @rule(start=slots)
    def a_meter_contradicts_itself(self, start: int) -> None:
        if self.due(start) and (held := self.taken[start]):
            version, net = held[-1]
            with pytest.raises(ReadingConflicts):
                self.street.hear(self.now, start=start, net=net - 1, version=version)

    @rule(start=slots, net=nets)
    def an_older_version_comes_late(self, start: int, net: int) -> None:
        held = self.taken[start]
        known = {version for version, _ in held}
        older = next((version for version in range(1, held[-1][0]) if version not in known), None) if held else None
        if older is not None and self.due(start):
            with pytest.raises(ReadingOutdated):
                self.street.hear(self.now, start=start, net=net, version=older)

    @rule(start=slots)
    def a_load_is_said_to_feed_in(self, start: int) -> None:
        if self.due(start):
            with pytest.raises(ReadingImplausible):
                self.street.hear(self.now, start=start, net=1, version=1 << 40)

    @rule()
    def the_community_settles(self) -> None:
        self.runs.append(self.run(self.now, self.runs))

    @precondition(lambda self: self.runs)
    @rule()
    def nobody_settles_as_of_the_past(self) -> None:
        with pytest.raises(RunOutOfTurn):
            self.run(self.runs[-1].as_of - 1, self.runs)

    def run(self, as_of: int, earlier):
        evidence = Evidence(
            readings=self.street.held,
            obligations=AGREED,
            account_of=lambda asset, _: ACCOUNT_OF.get(asset),
            prices_of={}.get,
        )
        last = earlier[-1].as_of if earlier else 0
        return make_run(as_of, evidence, IMBALANCE, previous_as_of=last, settled=settled_by(earlier))

    @invariant()
    def what_is_held_is_what_was_taken(self) -> None:
        for start, told in self.taken.items():
            held = [(one.reading.version, one.reading.net) for one in self.street.held.versions(FLAT, start)]
            assert held == told

    @invariant()
    def money_is_conserved(self) -> None:
        assert sum(balances(self.runs).values()) == 0

    def teardown(self) -> None:
        if not hasattr(self, "street"):
            return
        self.the_community_settles()
        once = self.run(self.now, [])
        left = [{account: money for account, money in balances(all_).items() if money} for all_ in (self.runs, [once])]
        assert left[0] == left[1]
        assert settled_by(self.runs) == settled_by([once])


TestReadings = Readings.TestCase
TestReadings.settings = settings(max_examples=20, stateful_step_count=20)
