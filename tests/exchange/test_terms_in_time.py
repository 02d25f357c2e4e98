"""When a change of a node's terms holds: from the next gate opening on, and never for a session that is open."""

import json
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.delivery import Market as Terms
from exchange.documents import event_from_document, event_to_document
from exchange.events import ParametersSet
from exchange.market import Market
from exchange.order import Side
from exchange.rulebook import Rulebook
from tests.exchange import neighbourhood, street
from tests.exchange.neighbourhood import EAST, PRODUCTS, SPOT, change, sign
from tests.exchange.street import START
from tests.exchange.test_market import take
from tests.exchange.test_vectors import CASES


def set_terms(market, terms, now, registry):
    """Have the market decide on a change of terms and make it so."""
    event = market.set_terms(terms, sign(terms), registry=registry, now=now)
    market.apply(event)
    return event


def fee_of(rulebook: Rulebook, terms: Terms, start: int) -> int:
    return rulebook.rules(terms.session(start)).tree[EAST].fee.constant


def test_fee_008_a_fee_that_is_sent_within_a_slot_holds_from_the_next_one_on(registry):
    case = CASES["fee-008"]
    day = START - START % 86_400
    slot = case["input"]["slot_minutes"] * 60

    def instant(text: str) -> int:
        hours, minutes = map(int, text.split(":"))
        return day + 3_600 * hours + 60 * minutes

    def fee(kwh: Fraction) -> int:
        return int(kwh * 1_000)

    quarters = Terms(number=1, period=slot, opening=slot, lead=0, window=86_400)  # the gate is open for one slot
    market = neighbourhood.founded(markets=(quarters,))
    set_terms(market, change(1, fee=fee(case["input"]["old_fee"])), day, registry)
    sent = instant(case["input"]["fee_sent_in_slot"])
    for moment in (sent, sent + slot - 1):  # the very second in which the slot begins is of that slot
        sent_then = Market()
        sent_then.apply(ParametersSet(parameters=market.parameters, at=0))
        for each in market.rulebook.changes:
            sent_then.apply(each)
        set_terms(sent_then, change(2, fee=fee(case["input"]["new_fee"])), moment, registry)
        found = {
            opening: fee_of(sent_then.rulebook, quarters, instant(opening) + slot)
            for opening in case["expected"]["fee_in_slot"]
        }
        assert found == {opening: fee(kwh) for opening, kwh in case["expected"]["fee_in_slot"].items()}


@given(
    st.lists(st.tuples(st.integers(0, 4_000), st.sampled_from([0, 5_000, 20_000])), max_size=6),
    st.lists(st.tuples(st.sampled_from(PRODUCTS), st.integers(0, 4), st.integers(0, 4_000)), max_size=6),
)
@settings(max_examples=40)
def test_the_rules_of_a_session_never_change_once_its_gate_is_open(sent, looked):
    registry, market, serial = street.registry(), neighbourhood.founded(), 0
    begin = START - 1_800
    seen: dict[object, bytes] = {}
    moments = sorted([(begin + at, 1, fee) for at, fee in sent] + [(begin + at, 0, (p, n)) for p, n, at in looked],
                     key=lambda moment: moment[0])  # fmt: skip
    for now, is_change, what in moments:
        if is_change:
            serial += 1
            set_terms(market, change(serial, fee=what), now, registry)
            continue
        product, number = what
        start = START - START % product.period + number * product.period
        if now >= product.gate_opening(start):
            seen.setdefault(product.session(start), market.rulebook.hash(product.session(start)))
        for key, known in seen.items():
            assert market.rulebook.hash(key) == known
    for key, known in seen.items():
        assert market.rulebook.hash(key) == known


def test_a_change_holds_for_the_deliveries_it_says(registry):
    market = neighbourhood.founded()
    event = set_terms(market, change(fee=12_345), START - 1_000, registry)
    for product in PRODUCTS:
        first = product.opens_after(event.at)
        assert product.is_delivery_start(first)
        assert product.gate_opening(first - product.period) <= event.at < product.gate_opening(first)
        assert fee_of(market.rulebook, product, first - product.period) == 10_000
        assert fee_of(market.rulebook, product, first) == 12_345


@pytest.mark.parametrize("back", [0, 1, 500])
def test_a_clock_that_was_set_back_changes_no_open_session(registry, purse, back):
    market = neighbourhood.founded()
    opening = SPOT.gate_opening(START)
    take(market, neighbourhood.order(street.KITCHEN, Side.BID), registry, purse, opening)
    before = market.rulebook.hash(SPOT.session(START))
    set_terms(market, change(), opening - back, registry)
    set_terms(market, change(2), opening - 2 * back, registry)
    assert market.rulebook.hash(SPOT.session(START)) == before
    assert market.rulebook.hash(SPOT.session(START + 900)) != before


def test_changes_stand_after_a_replay(registry):
    market, events = neighbourhood.founded(), [ParametersSet(parameters=neighbourhood.PARAMETERS, at=0)]
    events += [set_terms(market, change(serial, fee=serial), START + serial, registry) for serial in (1, 2, 3)]
    again = Market()
    for event in events:
        again.apply(event_from_document(json.loads(json.dumps(event_to_document(event)))))
    assert again.rulebook.changes == market.rulebook.changes
    assert again.rulebook.newest == market.rulebook.newest
    assert again.rulebook.next_serial(EAST) == 4
