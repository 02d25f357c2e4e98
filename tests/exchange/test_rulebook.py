"""Which rules hold for which session: a change holds from the next gate opening on, and never for an open session."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.delivery import Product
from exchange.events import NodeTermsSet
from exchange.notice_errors import TermsOutOfBounds, TermsOutOfTurn, UnknownNode
from exchange.rulebook import Rulebook
from exchange.terms import NodeTerms, under
from exchange.tree import Fee
from exchange.units import MicroPerKwh
from tests.exchange import street
from tests.exchange.trees import communities

CASE = next(
    vector
    for vector in json.loads((Path(__file__).parents[1] / "vectors" / "markets.json").read_text())["vectors"]
    if vector["id"] == "fee-008"
)
DAY_AHEAD = replace(
    street.TERMS, number=9, title="day-ahead", product=Product.FORWARD, period=3_600, opening=172_800, lead=86_400
)
RULES = replace(street.PARAMETERS, markets=(street.TERMS, DAY_AHEAD), tree=communities(1_000, 2_000, 3_000))


def change(node: int, serial: int, at: int, fee: int = 5) -> NodeTermsSet:
    terms = NodeTerms(
        node=node, fee=Fee(constant=MicroPerKwh(fee)), import_limit=None, export_limit=None, serial=serial
    )
    return NodeTermsSet(
        digest=terms.digest(street.SEPARATOR), terms=terms, signature=bytes(64), signer=bytes(20), at=at
    )


def booked(*changes: NodeTermsSet) -> Rulebook:
    book = Rulebook(RULES)
    for one in changes:
        book.must_follow(one.terms)
        book.set(one)
    return book


def test_without_changes_the_rules_of_the_founding_hold():
    book = booked()
    assert (book.rules(street.SESSION), book.hash(street.SESSION)) == (RULES, RULES.hash())
    assert (book.newest, book.changes_before(street.SESSION)) == (RULES, ())


@pytest.mark.parametrize(("before", "holds"), [(1, True), (0, False), (-1, False)])
def test_a_change_holds_where_the_gate_opens_after_it(before, holds):
    one = change(2, 1, street.OPENING - before)
    book = booked(one)
    rules = book.rules(street.SESSION)
    assert (rules == RULES, book.changes_before(street.SESSION)) == (not holds, (one,) if holds else ())
    assert rules.tree[2].fee.constant == (5 if holds else 2_000)
    assert book.hash(street.SESSION) == rules.hash()


def test_a_gate_that_opens_earlier_keeps_the_older_rules():
    book = booked(change(2, 1, street.OPENING - 1))
    assert book.rules(street.SESSION) != RULES
    assert book.rules(DAY_AHEAD.session(street.START)) == RULES
    assert book.rules(DAY_AHEAD.session(street.START + 86_400)) != RULES


def test_fee_008_a_changed_fee_applies_from_the_next_slot_on_and_never_to_one_already_open():
    """In the case a slot's gate opens as the one before it closes; the new fee is sent while the first is open."""
    given, expected = CASE["input"], CASE["expected"]["fee_in_slot"]
    slot = 60 * given["slot_minutes"]
    market = replace(street.TERMS, period=slot, opening=slot, lead=0)
    tree = communities(given["old_fee"])
    book = Rulebook(replace(street.PARAMETERS, markets=(market,), tree=tree))
    starts = {name: street.START + place * slot for place, name in enumerate(expected)}
    sent_at = market.gate_opening(starts[given["fee_sent_in_slot"]]) + 1
    book.set(change(1, 1, sent_at, given["new_fee"]))
    assert {
        name: book.rules(market.session(start)).tree.root.fee.constant for name, start in starts.items()
    } == expected


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 4), st.integers(0, 9)), max_size=8), st.data())
def test_the_rules_of_a_session_are_the_changes_before_its_gate_opened_one_after_the_other(drawn, data):
    at, serials, changes = street.OPENING - 8, dict.fromkeys((1, 2, 3), 0), []
    for node, wait, fee in drawn:
        at += wait
        serials[node] += 1
        changes.append(change(node, serials[node], at, fee))
    book = booked(*changes)
    keys = [street.TERMS.session(street.START + 900 * place) for place in range(-1, 2)]
    keys = [*keys, DAY_AHEAD.session(street.START + 86_400)]
    key = data.draw(st.sampled_from(keys))
    opening = RULES.market_of(key.market).gate_opening(key.delivery_start)
    rules = RULES
    for one in changes:
        if one.at < opening:
            rules = under(rules, one.terms)
    assert book.rules(key) == rules
    assert book.changes_before(key) == tuple(one for one in changes if one.at < opening)


@given(st.integers(1, 3), st.integers(street.OPENING, street.CLOSURE))
def test_whatever_is_changed_while_a_gate_is_open_leaves_the_rules_of_its_session_alone(node, at):
    book = booked(change(1, 1, street.OPENING - 1))
    before = book.hash(street.SESSION)
    book.set(change(node, 1 + (node == 1), at, 9))
    assert book.hash(street.SESSION) == before
    assert book.newest.hash() != before


def test_a_change_follows_the_one_before_it_node_by_node():
    book = booked(change(2, 1, 10))
    book.must_follow(change(2, 2, 11).terms)
    book.must_follow(change(3, 1, 11).terms)
    for wrong in (change(2, 1, 11), change(2, 3, 11), change(3, 2, 11)):
        with pytest.raises(TermsOutOfTurn):
            book.must_follow(wrong.terms)
    with pytest.raises(UnknownNode):
        book.must_follow(change(4, 1, 11).terms)


def test_what_a_node_cannot_have_is_refused_by_the_newest_rules():
    capped = replace(RULES.tree[2], fee_cap=MicroPerKwh(2_000))
    rules = replace(RULES, tree=replace(RULES.tree, nodes=(RULES.tree[1], capped, RULES.tree[3])))
    book = Rulebook(rules)
    book.must_follow(change(2, 1, 10, 2_000).terms)
    with pytest.raises(TermsOutOfBounds):
        book.must_follow(change(2, 1, 10, 2_001).terms)


def test_a_change_is_found_by_its_name():
    one = change(2, 1, 10)
    book = booked(one)
    assert (book.held(one.digest), book.held(bytes(32))) == (one, None)


def test_time_does_not_run_backwards():
    book = booked(change(2, 1, 10))
    with pytest.raises(AssertionError, match="backwards"):
        book.set(change(2, 2, 9))
    book.set(change(2, 2, 10))
