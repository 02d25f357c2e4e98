"""What crosses boundaries is counted slot by slot over all products, and what is left binds the next session."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.clearing import NOTHING_CLEARED, NodeResult
from exchange.crossings import Crossings, crossed_by
from exchange.delivery import Market, Product
from exchange.units import Wh
from tests.exchange.trees import communities

START = 1_800_000_000
SPOT = Market(number=1, period=900, opening=3_600, lead=300, window=7_200)
HOUR = replace(SPOT, number=9, title="hour", product=Product.FORWARD, period=3_600, opening=86_400, lead=3_600)
MARKETS = {1: SPOT, 9: HOUR}
TREE = communities(north_import=40, north_export=100)


def crossing(imported=0, exported=0, node=2):
    """A clearing of which only what crossed the boundary of a node is told."""
    result = NodeResult(
        node=node, energy=Wh(0), imported=Wh(imported), exported=Wh(exported), price=None, low=None, high=None
    )
    return replace(NOTHING_CLEARED, nodes=(result,))


def left(crossings, key):
    node = crossings.left(TREE, key)[2]
    return node.import_limit, node.export_limit


@pytest.fixture
def crossings():
    return Crossings(MARKETS, 900)


def test_before_anything_is_traded_the_tree_is_as_it_is(crossings):
    assert crossings.left(TREE, SPOT.session(START)) is TREE
    assert left(crossings, SPOT.session(START)) == (40, 100)


def test_what_crossed_is_left_no_more_each_way_by_itself(crossings):
    crossings.note(SPOT.session(START), crossing(imported=10, exported=30))
    assert left(crossings, SPOT.session(START)) == (30, 70)
    assert left(crossings, SPOT.session(START + 900)) == (40, 100)
    crossings.note(SPOT.session(START), crossing(imported=50))
    assert left(crossings, SPOT.session(START)) == (0, 70)


def test_a_longer_product_counts_evenly_in_each_of_its_slots_rounded_up(crossings):
    crossings.note(HOUR.session(START), crossing(exported=121))
    for slot in range(4):
        assert left(crossings, SPOT.session(START + 900 * slot)) == (40, 100 - 31)
    assert left(crossings, SPOT.session(START + 3_600)) == (40, 100)


def test_a_longer_product_is_bound_by_the_tightest_of_its_slots(crossings):
    crossings.note(SPOT.session(START + 900), crossing(exported=40))
    crossings.note(SPOT.session(START + 1_800), crossing(exported=70))
    assert left(crossings, HOUR.session(START)) == (160, 4 * 30)


def test_a_node_without_limits_is_never_bound(crossings):
    crossings.note(SPOT.session(START), crossing(exported=1 << 62, node=3))
    assert crossings.left(TREE, SPOT.session(START))[3] == TREE[3]


def test_ticks_count_while_their_session_is_open_and_once_with_the_whole(crossings):
    key = SPOT.session(START)
    crossings.tick(key, crossing(exported=20))
    crossings.tick(key, crossing(exported=30))
    assert left(crossings, key) == (40, 50)
    assert crossings.left(TREE, key, {})[2].export_limit == 100
    crossings.note(key, crossing(exported=60))
    assert left(crossings, key) == (40, 40)


def test_ticks_of_a_longer_product_are_rounded_once_and_together(crossings):
    key = HOUR.session(START)
    for _ in range(4):
        crossings.tick(key, crossing(exported=1))
    assert left(crossings, SPOT.session(START)) == (40, 99)


def test_what_is_forgotten_no_longer_counts(crossings):
    for start in (START, START + 900):
        crossings.note(SPOT.session(start), crossing(exported=30))
    crossings.forget(START + 900)
    assert [left(crossings, SPOT.session(start))[1] for start in (START, START + 900)] == [100, 70]


def test_what_several_clearings_let_cross_is_added_by_node():
    together = crossed_by(crossing(3, 4), crossing(0, 5), crossing(1, 0, node=3), NOTHING_CLEARED)
    assert together == {2: (3, 9), 3: (1, 0)}


sessions = st.one_of(
    st.integers(0, 7).map(lambda slot: SPOT.session(START + 900 * slot)),
    st.integers(0, 1).map(lambda hour: HOUR.session(START + 3_600 * hour)),
)


@given(st.lists(st.tuples(sessions, st.integers(0, 500), st.integers(0, 500)), max_size=12))
def test_whoever_trades_no_more_than_is_left_stays_within_the_limits_in_every_slot(wishes):
    crossings = Crossings(MARKETS, 900)
    flows = {START + 900 * slot: [0, 0] for slot in range(8)}  # in quarters of a watt-hour
    for key, imported, exported in wishes:
        most_in, most_out = left(crossings, key)
        flow = min(imported, most_in), min(exported, most_out)
        crossings.note(key, crossing(*flow))
        period = MARKETS[key.market].period
        for slot in range(key.delivery_start, key.delivery_start + period, 900):
            for way in (0, 1):
                flows[slot][way] += flow[way] * (4 if period == 900 else 1)
    assert all(imported <= 4 * 40 and exported <= 4 * 100 for imported, exported in flows.values())
