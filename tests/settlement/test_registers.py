"""From cumulative registers to slots: nothing is lost, gaps are spread and marked, and a counter does not fall."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.units import Wh
from settlement.imbalance_rules import Estimate
from settlement.metered import Metered, virtual
from settlement.metering_errors import RegisterConflicts, RegisterFellBack, RegisterOffGrid
from settlement.registers import Delta, RegisterReading, deltas
from tests.settlement.metered_street import SLOT, START


def shown(slots, drawn, fed_in=0):
    return RegisterReading(START + slots * SLOT, Wh(drawn), Wh(fed_in))


def test_two_readings_a_slot_apart_give_the_net_of_that_slot():
    assert deltas([shown(0, 1_000, 50), shown(1, 1_300, 450)], SLOT) == [Delta(START, Wh(100), estimated=False)]


def test_a_gap_is_spread_evenly_with_the_remainder_first_and_marked():
    found = deltas([shown(0, 0), shown(3, 11, 1)], SLOT)
    assert [(delta.start, delta.net, delta.estimated) for delta in found] == [
        (START, -3, True),
        (START + SLOT, -4, True),
        (START + 2 * SLOT, -3, True),
    ]


def test_one_reading_says_nothing_and_the_same_one_twice_neither():
    assert deltas([shown(0, 5)], SLOT) == deltas([shown(0, 5), shown(0, 5)], SLOT) == []


def test_a_register_is_read_where_slots_begin():
    with pytest.raises(RegisterOffGrid):
        deltas([shown(0, 0), RegisterReading(START + SLOT + 1, Wh(5), Wh(0))], SLOT)
    assert deltas([shown(0, 0), RegisterReading(START + SLOT, Wh(5), Wh(0))], SLOT)


def test_two_values_at_one_instant_are_refused():
    with pytest.raises(RegisterConflicts):
        deltas([shown(0, 0), shown(1, 5), shown(1, 6)], SLOT)
    assert deltas([shown(0, 0), shown(1, 5), shown(1, 5)], SLOT) == [Delta(START, Wh(-5), estimated=False)]


@pytest.mark.parametrize("counter", ["drawn", "fed_in"])
def test_a_counter_that_falls_is_refused_unless_it_was_declared_where_it_rolls_over(counter):
    before, after = {"drawn": 0, "fed_in": 0}, {"drawn": 0, "fed_in": 0}
    before[counter], after[counter] = 99_900, 150
    both = [shown(0, **before), shown(1, **after)]
    for declared in (None, Wh(99_900)):
        with pytest.raises(RegisterFellBack):
            deltas(both, SLOT, declared)
    assert abs(deltas(both, SLOT, Wh(100_000))[0].net) == 250


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 9_999), st.integers(0, 9_999)), min_size=1, max_size=8),
    st.randoms(),
)
def test_all_deltas_together_are_what_the_register_counted(steps, random):
    slots, drawn, fed_in = 0, 0, 0
    readings = [shown(0, 0)]
    for gap, more, out in steps:
        slots, drawn, fed_in = slots + gap, drawn + more, fed_in + out
        readings.append(shown(slots, drawn, fed_in))
    random.shuffle(readings)
    found = deltas(readings, SLOT)
    assert sum(delta.net for delta in found) == fed_in - drawn
    assert [delta.start for delta in found] == [START + turn * SLOT for turn in range(slots)]
    assert sum(not delta.estimated for delta in found) == sum(gap == 1 for gap, _, _ in steps)


def test_a_virtual_meter_is_the_main_one_less_the_known():
    main, roof, car = Metered(Wh(-300), (b"m",)), Metered(Wh(700), (b"r",)), Metered(Wh(-400), (b"c",))
    assert virtual(main, [roof, car]) == Metered(Wh(-600), (b"m", b"r", b"c"))
    spread = Metered(Wh(700), (b"r",), Estimate.SPREAD)
    assert virtual(main, [spread, car]) == Metered(Wh(-600), (b"m", b"r", b"c"), Estimate.SPREAD)
