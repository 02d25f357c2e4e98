"""Imbalance runs: they conserve money, post differences only, and come to the same whatever the way there."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.units import MicroPerKwh, Wh
from settlement.contracted import Obligation
from settlement.imbalance import Band, Prices
from settlement.imbalance_rules import Estimate, VirtualMeter
from settlement.metering_errors import RunOutOfTurn
from settlement.reading import AcceptedReading
from settlement.readings import Readings
from settlement.runs import Evidence, Reason, balances, make_run, settled_by
from tests.settlement.metered_street import (
    ACCOUNT_OF,
    CAR,
    COMMUNITY,
    CONSUMING,
    DAY,
    FLAT,
    IMBALANCE,
    MAIN,
    OVER,
    PARTY,
    PRICES,
    PRODUCING,
    ROOF,
    RULES,
    SHED,
    SLOT,
    START,
    reading,
    signed,
)

FIRST, SECOND = OVER + DAY, OVER + 3 * DAY
AGREED = {(ROOF, START): Obligation(contracted=Wh(600)), (FLAT, START): Obligation(contracted=Wh(-600))}


def taken(at=OVER, *, estimated=False, **what) -> AcceptedReading:
    one = replace(signed(reading()), reading=reading(**what), estimated=estimated)
    return AcceptedReading(signed=one, digest=one.reading.struct_hash(), signer=b"\1" * 20, at=at)


def evidence(*accepted, obligations=None, prices=None) -> Evidence:
    return Evidence(
        readings=Readings(accepted),
        obligations=AGREED if obligations is None else obligations,
        account_of=lambda asset, _: ACCOUNT_OF.get(asset),
        prices_of=(prices or {}).get,
    )


def runs(instants, *accepted, rules=IMBALANCE, **more):
    made = []
    for number, instant in enumerate(instants, 1):
        last = made[-1] if made else None
        made.append(
            make_run(
                instant,
                evidence(*accepted, **more),
                rules,
                number=number,
                previous_as_of=last.as_of if last else 0,
                settled=settled_by(made),
            )
        )
    return made


def amounts(run):
    return {(posting.asset, posting.account): posting.amount for posting in run.postings}


def test_who_is_short_pays_and_who_is_long_gets_what_was_published():
    [run] = runs([FIRST], taken(asset=ROOF, net=500), taken(asset=FLAT, net=-550))
    assert amounts(run) == {
        (ROOF, PRODUCING): -100 * PRICES.short,
        (ROOF, COMMUNITY): 100 * PRICES.short,
        (FLAT, CONSUMING): 50 * PRICES.long,
        (FLAT, COMMUNITY): -50 * PRICES.long,
    }
    assert {posting.reason for posting in run.postings} == {Reason.METERED}
    assert all(len(posting.evidence) == 1 for posting in run.postings)


def test_prices_published_for_a_slot_hold_there():
    dear = Prices(MicroPerKwh(900_000), MicroPerKwh(-100_000))
    accepted = taken(asset=ROOF, net=500), taken(asset=FLAT, net=-550)
    [run] = runs([FIRST], *accepted, prices={START: dear})
    assert amounts(run)[ROOF, PRODUCING] == -100 * 900_000
    assert amounts(run)[FLAT, CONSUMING] == 50 * -100_000


def test_within_the_band_nothing_is_charged_and_beyond_it_only_the_rest():
    rules = replace(IMBALANCE, band=Band(Wh(20), 100_000))
    [inside] = runs([FIRST], taken(asset=ROOF, net=540), taken(asset=FLAT, net=-600), rules=rules)
    assert (inside.postings, len(inside.lines)) == ((), 2)
    [beyond] = runs([FIRST], taken(asset=ROOF, net=539), rules=rules)
    assert amounts(beyond)[ROOF, PRODUCING] == -PRICES.short


def test_several_trades_of_one_asset_are_one_deviation():
    """The reference charged the same shortfall once for each trade."""
    [run] = runs([FIRST], taken(asset=ROOF, net=500))
    assert len([posting for posting in run.postings if posting.account == PRODUCING]) == 1


def test_a_missing_meter_holds_up_nobody_and_is_charged_nothing():
    [run] = runs([FIRST], taken(asset=ROOF, net=500))
    line = next(line for line in run.lines if line.asset == FLAT)
    assert (line.estimate, line.deviation.unsettled, line.evidence) == (Estimate.CONTRACTED, 0, ())
    assert {posting.asset for posting in run.postings} == {ROOF}


def test_a_late_reading_is_posted_as_a_difference_by_the_next_run():
    first, second = runs([FIRST, SECOND], taken(asset=ROOF, net=600), taken(asset=FLAT, net=-700, at=FIRST))
    assert not first.postings
    assert amounts(second) == {(FLAT, CONSUMING): -100 * PRICES.short, (FLAT, COMMUNITY): 100 * PRICES.short}
    assert {posting.reason for posting in second.postings} == {Reason.CORRECTED}
    assert [line.asset for line in second.lines] == [FLAT]


def test_a_correction_is_posted_as_a_difference():
    accepted = taken(asset=FLAT, net=-700), taken(asset=FLAT, net=-650, version=2, at=FIRST)
    first, second = runs([FIRST, SECOND], *accepted)
    assert amounts(first)[FLAT, CONSUMING] == -100 * PRICES.short
    assert amounts(second)[FLAT, CONSUMING] == 50 * PRICES.short
    assert second.postings[0].evidence == (accepted[1].digest,)


def test_a_reading_that_comes_at_the_instant_of_a_run_is_for_the_next():
    just_before = taken(asset=FLAT, net=-700, at=FIRST - 1)
    assert runs([FIRST], just_before)[0].postings
    assert not runs([FIRST], taken(asset=FLAT, net=-700, at=FIRST))[0].postings


def test_a_slot_is_settled_when_it_was_waited_for_and_not_before():
    assert not runs([FIRST - 1], taken(net=-700))[0].lines
    assert runs([FIRST], taken(net=-700))[0].lines


def test_after_the_cut_off_a_slot_is_looked_at_no_more():
    final = OVER + RULES.cut_off
    late = taken(asset=FLAT, net=-700, at=final - 1)
    *_, before = runs([FIRST, final - 1, final], late)
    assert before.postings
    assert not runs([FIRST, final, final + 9], late)[-1].lines


def test_what_is_final_stays_whatever_is_said_to_have_been_agreed():
    final = OVER + RULES.cut_off
    other = evidence(obligations={(FLAT, START): Obligation(contracted=Wh(-1))})
    for last, changed in ((final - 1, 1), (final, 0)):
        [run] = runs([last])
        later = make_run(final + 9, other, IMBALANCE, number=2, previous_as_of=last, settled=settled_by([run]))
        assert len([line for line in later.lines if line.asset == FLAT]) == changed


def test_a_run_does_not_look_from_before_the_last():
    assert len(runs([FIRST, FIRST])) == 2
    with pytest.raises(RunOutOfTurn):
        runs([FIRST, FIRST - 1])


def test_the_balance_responsible_party_is_charged_instead():
    [run] = runs([FIRST], taken(net=-700), rules=replace(IMBALANCE, responsible=((CONSUMING, PARTY),)))
    assert {account for _, account in amounts(run)} == {PARTY, COMMUNITY}


def test_the_community_does_not_charge_itself_nor_who_was_enrolled_nowhere():
    [run] = runs([FIRST], taken(net=-700), taken(asset=b"\7" * 20, net=-100))
    assert {asset for asset, _ in amounts(run)} == {FLAT}
    [own] = runs([FIRST], taken(net=-700), rules=replace(IMBALANCE, counterpart=CONSUMING))
    assert not own.postings
    assert len(own.lines) == 2


def test_last_weeks_value_stands_in_where_the_rules_say_so():
    rules = replace(IMBALANCE, estimate=Estimate.LAST_WEEK)
    before = taken(net=-400, start=START - 14 * DAY), taken(net=-450, start=START - 7 * DAY)
    [run] = runs([FIRST], *before, rules=rules)
    line = next(line for line in run.lines if line.place == (FLAT, START))
    assert (line.estimate, line.deviation.metered) == (Estimate.LAST_WEEK, -450)
    assert line.evidence == (before[1].digest,)
    [alone] = runs([FIRST], rules=rules)
    assert {line.estimate for line in alone.lines} == {Estimate.CONTRACTED}


def test_a_value_spread_over_a_gap_counts_and_is_marked():
    [run] = runs([FIRST], taken(net=-700, estimated=True))
    assert {posting.estimate for posting in run.postings} == {Estimate.SPREAD}
    assert {posting.reason for posting in run.postings} == {Reason.ESTIMATED}


def test_a_virtual_meter_is_settled_and_its_main_meter_is_not():
    rules = replace(IMBALANCE, virtual=((SHED, VirtualMeter(MAIN, (ROOF, FLAT))),))
    parts = taken(asset=MAIN, net=-400), taken(asset=ROOF, net=600), taken(asset=FLAT, net=-600)
    [run] = runs([FIRST], *parts, rules=rules)
    line = next(line for line in run.lines if line.asset == SHED)
    assert (line.deviation.metered, line.evidence) == (-400, tuple(part.digest for part in parts))
    assert amounts(run)[SHED, CONSUMING] == -400 * PRICES.short
    assert MAIN not in {line.asset for line in run.lines}
    [silent] = runs([FIRST], *parts[:2], rules=rules)
    assert SHED not in {line.asset for line in silent.lines}


STREET = (ROOF, FLAT, CAR)
SLOTS = [START, START + SLOT, START + 7 * DAY]
LAST = SLOTS[-1] + SLOT + RULES.cut_off + 1
nets = st.integers(-900, 900)


@st.composite
def streets(draw):
    """Positions that sum to zero in every slot, and readings with corrections, each version taken after the last."""
    obligations, accepted = {}, []
    for start in SLOTS:
        some = [draw(nets) for _ in STREET[:-1]]
        for asset, agreed in zip(STREET, (*some, -sum(some)), strict=True):
            after = draw(st.sampled_from([0, 0, 40]))
            obligations[asset, start] = Obligation(contracted=Wh(agreed), after_delivery=Wh(after))
            at = start + SLOT
            for version in range(1, draw(st.integers(0, 3)) + 1):
                at = draw(st.integers(at, start + SLOT + RULES.cut_off - 1))
                accepted.append(taken(at, asset=asset, start=start, net=draw(nets), version=version))
    return obligations, accepted


instants = st.lists(st.integers(START, LAST), max_size=4).map(sorted)
rules = st.builds(
    replace,
    st.just(IMBALANCE),
    band=st.builds(Band, st.integers(0, 60).map(Wh), st.sampled_from([0, 50_000])),
    prices=st.builds(Prices, *(st.integers(-9, 9).map(MicroPerKwh),) * 2),
    estimate=st.sampled_from([Estimate.CONTRACTED, Estimate.LAST_WEEK]),
    responsible=st.sampled_from([(), ((CONSUMING, PARTY),)]),
)


with_virtual_meters = st.builds(
    replace, rules, virtual=st.sampled_from([(), ((SHED, VirtualMeter(CAR, (ROOF, FLAT))),)])
)


@given(streets(), instants, with_virtual_meters)
@settings(max_examples=40)
def test_many_runs_come_to_what_one_run_at_the_end_comes_to(street, earlier, how):
    obligations, accepted = street
    many = runs([*earlier, LAST], *accepted, obligations=obligations, rules=how)
    once = runs([LAST], *accepted, obligations=obligations, rules=how)
    nonzero = [{account: money for account, money in balances(each).items() if money} for each in (many, once)]
    assert nonzero[0] == nonzero[1]
    assert settled_by(many) == settled_by(once)


@given(streets(), instants, with_virtual_meters)
@settings(max_examples=40)
def test_money_is_conserved_by_every_run_in_every_slot(street, earlier, how):
    obligations, accepted = street
    for run in runs([*earlier, LAST], *accepted, obligations=obligations, rules=how):
        sums: dict[tuple[bytes, int], int] = {}
        for posting in run.postings:
            assert posting.amount
            place = posting.asset, posting.start
            sums[place] = sums.get(place, 0) + posting.amount
        assert not any(sums.values())


@given(streets(), rules)
@settings(max_examples=40)
def test_what_is_settled_is_what_was_metered_less_what_was_contracted(street, how):
    obligations, accepted = street
    [run] = runs([LAST], *accepted, obligations=obligations, rules=how)
    assert {line.place for line in run.lines} == set(obligations)
    for line in run.lines:
        settled = line.charged + line.within + line.deviation.obligation.after_delivery
        assert settled == line.deviation.metered - line.deviation.obligation.contracted
        assert abs(line.within) <= line.band
        assert abs(line.amount) <= abs(line.deviation.unsettled) * abs(line.price)


@given(streets(), instants, with_virtual_meters, st.randoms())
@settings(max_examples=40)
def test_the_order_in_which_readings_are_told_changes_nothing(street, earlier, how, random):
    obligations, accepted = street
    shuffled = random.sample(accepted, len(accepted))
    told = runs([*earlier, LAST], *accepted, obligations=obligations, rules=how)
    assert runs([*earlier, LAST], *shuffled, obligations=dict(reversed(obligations.items())), rules=how) == told
