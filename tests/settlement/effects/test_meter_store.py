"""The store of readings and runs, on every database: what was decided is there again, and decided on once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import text

from exchange.units import MicroPerKwh, Wh
from identity.effects.versioned import open_engine, writing
from identity.errors import BadSignature
from settlement.contracted import Obligation
from settlement.effects.errors import StoreBroken, StoreTooNew
from settlement.effects.meter_desk import MeterDesk
from settlement.effects.meter_store import MeterStore
from settlement.imbalance import Prices
from settlement.imbalance_rules import Estimate
from settlement.metering import Admitted
from settlement.metering_errors import (
    MeterKeyUnknown,
    PricesConflict,
    ReadingConflicts,
    RunOutOfTurn,
    UnknownRun,
)
from settlement.run_document import run_hash
from settlement.runs import NO_RUN, Reason, balances
from tests.actors import STRANGER
from tests.settlement.metered_street import (
    ACCOUNT_OF,
    COMMUNITY,
    CONSUMING,
    DAY,
    FLAT,
    IMBALANCE,
    OVER,
    PRICES,
    PRODUCING,
    ROOF,
    RULES,
    SEPARATOR,
    SLOT,
    START,
    reading,
    registries,
    signed,
)
from tests.storage_kinds import KINDS

AGREED = {(ROOF, START): Obligation(contracted=Wh(600)), (FLAT, START): Obligation(contracted=Wh(-600))}
EVER = (1 << 40) - 1


class Clock:
    def __init__(self, now=OVER):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture(params=KINDS)
def url(request, tmp_path):
    if request.param == "postgres":
        return request.getfixturevalue("postgres").new_schema()
    return f"sqlite:///{tmp_path / 'meters.db'}"


@pytest.fixture
def store(url):
    with closing(MeterStore(url)) as opened:
        yield opened


@pytest.fixture(scope="module")
def known():
    return registries()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def desk(store, clock, known):
    return desk_on(store, clock, known)


def desk_on(store, clock, known, rules=IMBALANCE):
    return MeterDesk(store, lambda: known, rules, SEPARATOR, clock)


def settled(desk, as_of=None):
    return desk.settle(AGREED, lambda asset, _: ACCOUNT_OF.get(asset), as_of)


def hear(desk, **what):
    (answer,) = desk.submit([signed(reading(**what))])
    return answer


def test_what_is_taken_is_there_again_when_the_store_is_opened_anew(url, desk, known, clock):
    answers = desk.submit([signed(reading()), signed(reading(asset=ROOF, net=2_000), estimated=True)])
    with closing(MeterStore(url)) as again:
        held = again.readings_between(0)
        assert [held.versions(asset, START) for asset in (FLAT, ROOF)] == [(one.accepted,) for one in answers]
        assert desk_on(again, clock, known).submit([signed(reading())]) == [Admitted(answers[0].accepted, new=False)]


def test_each_of_several_readings_is_decided_on_by_itself(desk):
    nonsense = replace(signed(reading(start=START)), signature=b"\xff" * 64)
    kinds = [
        type(answer)
        for answer in desk.submit(
            [
                signed(reading()),
                signed(reading(net=-1)),
                signed(reading()),
                signed(reading(version=2), STRANGER),
                nonsense,
                signed(reading(version=2, net=-1)),
            ]
        )
    ]
    assert kinds == [Admitted, ReadingConflicts, Admitted, MeterKeyUnknown, BadSignature, Admitted]
    assert [one.reading.version for one in desk.store.readings_between(0).versions(FLAT, START)] == [1, 2]


def test_of_two_processes_that_hear_different_values_one_takes_and_the_other_refuses(url, known, clock):
    with closing(MeterStore(url)) as one, closing(MeterStore(url)) as other, ThreadPoolExecutor(2) as pool:
        desks = [desk_on(store, clock, known) for store in (one, other)]
        for turn in range(4):
            start = START - turn * SLOT
            jobs = [
                pool.submit(desk.submit, [signed(reading(start=start, net=-100 - place))])
                for place, desk in enumerate(desks)
            ]
            kinds = {type(answer) for job in jobs for answer in job.result()}
            assert kinds == {Admitted, ReadingConflicts}
            assert len(one.readings_between(start, start + 1).versions(FLAT, start)) == 1


def test_readings_of_an_asset_are_listed_in_the_order_they_were_taken(desk, clock):
    clock.now = OVER + SLOT
    hear(desk, start=OVER)
    for version in (1, 2):
        hear(desk, version=version, net=-version)
    hear(desk, asset=ROOF, net=5)
    listed = desk.store.readings(FLAT, 0, EVER, 0, 10)
    assert [(one.reading.start, one.reading.version) for _, one in listed] == [(OVER, 1), (START, 1), (START, 2)]
    assert desk.store.readings(FLAT, 0, EVER, listed[0][0], 1) == listed[1:2]
    assert desk.store.readings(FLAT, OVER, EVER, 0, 10) == listed[:1]
    assert desk.store.readings(FLAT, 0, OVER, 0, 10) == listed[1:]


def test_runs_are_linked_and_post_differences(desk, clock):
    hear(desk, net=-700)
    clock.now = OVER + DAY
    first = settled(desk)
    hear(desk, net=-650, version=2)
    clock.now += DAY
    second = settled(desk)
    assert (first.number, first.previous, second.number, second.previous) == (1, NO_RUN, 2, run_hash(first))
    assert [desk.store.run(number) for number in (1, 2)] == [first, second]
    assert [(run.number, run.hash) for run in desk.store.runs(0, 9)] == [(1, run_hash(first)), (2, run_hash(second))]
    assert [run.number for run in desk.store.runs(1, 9)] == [2]
    assert {posting.reason for posting in second.postings} == {Reason.CORRECTED}
    assert balances([first, second]) == {CONSUMING: -50 * PRICES.short, COMMUNITY: 50 * PRICES.short}
    (line,) = desk.store.lines(FLAT, 0, EVER, 9)
    assert line.deviation.unsettled == -50
    assert desk.store.lines(FLAT, OVER, EVER, 9) == []
    assert desk.store.rules_of(first.rules) == IMBALANCE.to_document()
    assert desk.store.rules_of(NO_RUN) is None


def test_a_run_after_the_cut_off_looks_at_no_slot_that_was_final(desk, clock):
    hear(desk, net=-700)
    clock.now = OVER + RULES.cut_off
    assert settled(desk).lines
    clock.now += DAY
    last = settled(desk)
    assert (last.number, last.lines, last.postings) == (2, (), ())


def test_what_comes_in_the_last_second_before_the_cut_off_is_settled(desk, clock):
    clock.now = OVER + RULES.cut_off - 1
    settled(desk)
    hear(desk, net=-700)
    assert desk.open_since() == START
    clock.now += 1
    assert {line.asset for line in settled(desk).lines} == {FLAT}
    assert desk.open_since() == START + 1


def test_last_weeks_value_is_found_also_where_its_slot_is_final(store, clock, known):
    desk = desk_on(store, clock, known, replace(IMBALANCE, estimate=Estimate.LAST_WEEK))
    clock.now = START - 7 * DAY + SLOT
    hear(desk, net=-450, start=START - 7 * DAY)
    clock.now = OVER
    settled(desk)
    clock.now = OVER + DAY
    line = next(line for line in settled(desk).lines if line.place == (FLAT, START))
    assert (line.estimate, line.deviation.metered) == (Estimate.LAST_WEEK, -450)


def test_a_run_of_the_past_or_the_future_is_refused_and_writes_nothing(desk, clock):
    clock.now = OVER + DAY
    with pytest.raises(RunOutOfTurn):
        settled(desk, clock.now + 1)
    assert settled(desk, clock.now).number == 1
    with pytest.raises(RunOutOfTurn):
        settled(desk, clock.now - 1)
    assert len(desk.store.runs(0, 9)) == 1


def test_a_run_that_nobody_made_is_unknown(desk):
    with pytest.raises(UnknownRun):
        desk.store.run(1)
    settled(desk)
    assert desk.store.run(1).number == 1


def test_prices_are_published_once_and_hold_from_then_on(desk, clock):
    dear, other = Prices(MicroPerKwh(900_000), MicroPerKwh(-1)), Prices(MicroPerKwh(1), MicroPerKwh(1))
    desk.store.publish({START: dear})
    desk.store.publish({START: dear, OVER: other})
    with pytest.raises(PricesConflict):
        desk.store.publish({START + 2 * SLOT: other, START: other})
    assert desk.store.prices(0, EVER) == {START: dear, OVER: other}
    assert desk.store.prices(0, EVER, 1) == {START: dear}
    hear(desk, asset=ROOF, net=500)
    clock.now = OVER + DAY
    assert balances([settled(desk)])[PRODUCING] == -100 * 900_000


def test_a_database_that_fails_is_told_of(store, url):
    engine = open_engine(url)
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE imbalance_lines"))
    engine.dispose()
    with pytest.raises(StoreBroken):
        store.lines(FLAT, 0, EVER, 1)


def test_a_database_of_a_later_version_is_left_alone(store, url):
    engine = open_engine(url)
    with writing(engine) as connection:
        connection.execute(text("UPDATE meter_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreTooNew):
        MeterStore(url)
