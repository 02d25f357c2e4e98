"""Proposals of third parties: what is valid of them, and that the better clearing is taken."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.anonymous import row_id
from exchange.clear import clear, to_trade
from exchange.delivery import Mechanism
from exchange.matching import book_without_names, propose
from exchange.notice_errors import NoMatchingHere, NotAMatcher, ProposalTooEarly, ProposalTooLate
from exchange.order import Side
from exchange.preferences import Alternative, Preferences
from exchange.proposals import (
    ABOVE_BID,
    BELOW_OFFER,
    ENERGY_USED_UP,
    NO_ENERGY,
    NODE_LIMIT,
    ONE_PRICE,
    OWN_ACCOUNT,
    RATE,
    UNKNOWN_ROW,
    WRONG_SIDE,
    Proposal,
    Record,
    check,
    welfare,
)
from exchange.units import MicroPerKwh, Wh
from tests.actors import NEIGHBOUR, STRANGER
from tests.exchange import street
from tests.exchange.street import CLOSURE, FLAT, HOUSE, KITCHEN, OPENING, PLANT, ROOF, SESSION, bid, offer
from tests.exchange.ticking import LANE, Trading, parameters, tree
from tests.strategies import SESSION as ANY
from tests.strategies import books, resting

VECTORS = {
    vector["id"]: vector
    for vector in json.loads((Path(__file__).parents[1] / "vectors" / "markets.json").read_text())["vectors"]
}
BLIND = b"b" * 32
CENT = 10_000
MATCHER = NEIGHBOUR


def checked(entries, *records, mechanism=Mechanism.PAY_AS_CLEAR, over=None):
    """Check records, given as (bid, offer, energy, rate) of entries."""
    over = tree() if over is None else over
    book = to_trade(entries, session=ANY, tree=over)
    proposal = Proposal(
        ANY,
        tuple(Record(row_id(BLIND, one.digest), row_id(BLIND, two.digest), *rest) for one, two, *rest in records),
    )
    return check(proposal, book, blind=BLIND, tree=over, mechanism=mechanism)


def order(side, cents, energy=1_000, *, sequence, node=1, account=None):
    return resting(side, cents * CENT, energy, sequence=sequence, node=node, account=account)


def bought(cents=30, energy=1_000, sequence=1, **more):
    return order(Side.BID, cents, energy, sequence=sequence, **more)


def sold(cents=10, energy=1_000, sequence=2, **more):
    return order(Side.OFFER, cents, energy, sequence=sequence, **more)


# One law at a time: the invalid record beside the valid one


def test_a_record_between_two_rows_that_agree_is_valid():
    one, two = bought(), sold()
    assert checked([one, two], (one, two, 1_000, 15 * CENT)).verdicts == (None,)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda one, _: (one, bought(sequence=9), 1_000, 15 * CENT), UNKNOWN_ROW),
        (lambda one, two: (two, one, 1_000, 15 * CENT), WRONG_SIDE),
        (lambda one, two: (one, two, 0, 15 * CENT), NO_ENERGY),
        (lambda one, two: (one, two, 1_001, 15 * CENT), ENERGY_USED_UP),
        (lambda one, two: (one, two, 1_000, 10 * CENT - 1), BELOW_OFFER),
        (lambda one, two: (one, two, 1_000, 29 * CENT + 1), ABOVE_BID),
    ],
)
def test_a_record_against_a_law_is_refused_by_its_code(make, code):
    one, two = bought(), sold()
    assert checked([one, two], make(one, two), (one, two, 1_000, 10 * CENT)).verdicts == (code, None)
    assert checked([one, two], (one, two, 1_000, 29 * CENT)).verdicts == (None,)


def test_energy_that_an_earlier_record_used_is_not_there_for_a_later_one():
    one, two = bought(), sold()
    verdicts = checked([one, two], (one, two, 600, 15 * CENT), (one, two, 401, 15 * CENT), (one, two, 400, 15 * CENT))
    assert verdicts.verdicts == (None, ENERGY_USED_UP, None)
    assert [trade.energy for trade in verdicts.trades] == [1_000]


def test_no_account_trades_with_itself_two_003():
    """two-003: the same trader on both sides, at rates that agree: no trade."""
    case = VECTORS["two-003"]["input"]
    assert case["bid_trader"] == case["offer_trader"]
    one, two = bought(cents=2, account=7, node=LANE), sold(cents=2, account=7)
    other = sold(cents=1, sequence=3)
    assert checked([two, other], (one, two, 1_000, 2 * CENT)).verdicts == (UNKNOWN_ROW,)  # it lapses
    mine = bought(cents=30, account=7, node=LANE, energy=500)
    theirs = sold(cents=29, account=7)
    verdicts = checked([mine, theirs, sold(cents=5, sequence=3)], (mine, theirs, 1, 29 * CENT))
    assert verdicts.verdicts == (OWN_ACCOUNT,)


@pytest.mark.parametrize("case", range(4))
def test_energy_beyond_an_order_or_a_rate_beyond_a_limit_is_refused_two_002(case):
    """two-002: selected energy must not exceed either order; offer rate <= trade rate <= bid rate."""
    given = VECTORS["two-002"]["input"]["cases"][case]
    one = order(Side.BID, 0, round(given["bid_kwh"] * 1_000), sequence=1)
    one = replace(one, order=replace(one.order, limit=MicroPerKwh(int(given["bid_rate"] * CENT) + 10_000)))
    two = order(Side.OFFER, 0, round(given["offer_kwh"] * 1_000), sequence=2)
    two = replace(two, order=replace(two.order, limit=MicroPerKwh(int(given["offer_rate"] * CENT))))
    (verdict,) = checked(
        [one, two], (one, two, round(given["selected_kwh"] * 1_000), given["trade_rate"] * CENT)
    ).verdicts
    assert verdict in (ENERGY_USED_UP, ABOVE_BID)


@pytest.mark.parametrize("kwh", VECTORS["two-006"]["input"]["accept_energies_kwh"])
def test_energy_that_is_none_or_more_than_there_is_is_refused_two_006(kwh):
    """two-006: accepts of 0, -20, 21 and 100 kWh of a bid for 20 kWh are refused."""
    one, two = bought(cents=10, energy=20_000), sold(cents=1, energy=200_000)
    if kwh < 0:
        with pytest.raises(ValueError, match="not negative"):
            Record(bytes(32), bytes(32), kwh * 1_000, CENT)
        return
    assert checked([one, two], (one, two, kwh * 1_000, CENT)).verdicts in ((NO_ENERGY,), (ENERGY_USED_UP,))
    assert checked([one, two], (one, two, 20_000, CENT)).verdicts == (None,)


def test_a_rate_outside_both_limits_is_refused_though_the_limits_agree_chain_006():
    """chain-006: the reference's chain accepts a match at 99 between a bid at 30 and an offer at 10; ours does not."""
    case = VECTORS["chain-006"]
    assert case["design_expected"] == {"accepted": False}
    bid_rate, offer_rate = case["input"]["bid"]["rate"], case["input"]["offer"]["rate"]
    one, two = bought(cents=bid_rate, energy=10), sold(cents=offer_rate, energy=8)
    assert checked([one, two], (one, two, 8, case["input"]["match"]["rate"] * CENT)).verdicts == (ABOVE_BID,)
    assert checked([one, two], (one, two, 8, 20 * CENT)).verdicts == (None,)


def test_an_order_with_preferences_is_no_row_and_one_without_is():
    one, two = bought(), sold()
    choosy = replace(one, preferences=Preferences((Alternative(),)))
    assert checked([choosy, two], (choosy, two, 9, 15 * CENT)).verdicts == (UNKNOWN_ROW,)
    assert checked([one, two], (one, two, 9, 15 * CENT)).verdicts == (None,)


def test_the_rate_is_that_of_the_mechanism():
    one, two = bought(), sold()
    pay = {"mechanism": Mechanism.PAY_AS_BID}
    assert checked([one, two], (one, two, 9, 28 * CENT), (one, two, 9, 29 * CENT), **pay).verdicts == (RATE, None)
    pay = {"mechanism": Mechanism.PAY_AS_OFFER}
    assert checked([one, two], (one, two, 9, 11 * CENT), (one, two, 9, 10 * CENT), **pay).verdicts == (RATE, None)


def test_a_node_of_one_price_keeps_it():
    one, two = bought(), sold()
    far = sold(sequence=3, node=LANE)  # what is sold in the lane costs its fee more at the street
    verdicts = checked(
        [one, two, far],
        (one, two, 9, 15 * CENT),
        (one, far, 9, 15 * CENT),
        (one, far, 9, 15 * CENT - 5_000),
    )
    assert verdicts.verdicts == (None, ONE_PRICE, None)


def test_no_more_crosses_a_boundary_than_it_lets_through():
    one, far = bought(), sold(node=LANE)
    assert checked([one, far], (one, far, 301, 15 * CENT), (one, far, 300, 15 * CENT), over=tree(300)).verdicts == (
        NODE_LIMIT,
        None,
    )


@settings(max_examples=30)
@given(books(most=14), st.sampled_from([Mechanism.PAY_AS_OFFER, Mechanism.PAY_AS_BID, Mechanism.PAY_AS_CLEAR]))
def test_our_own_clearing_proposed_is_valid_and_has_the_same_welfare(entries, mechanism):
    over = tree()
    entries = [replace(entry, node=1) for entry in entries]
    ours = clear(entries, session=ANY, tree=over, mechanism=mechanism)
    named = {entry.digest: entry for entry in entries}
    records = [(named[trade.bid], named[trade.offer], trade.energy, trade.rate) for trade in ours.trades]
    again = checked(entries, *records, mechanism=mechanism)
    assert set(again.verdicts) <= {None}
    assert set(again.trades) == set(ours.trades)
    assert again.welfare == welfare(ours.trades, to_trade(entries, session=ANY, tree=over)) >= 0


# The market

MATCHING = 120


def rules(mechanism=Mechanism.PAY_AS_CLEAR, **more):
    made = parameters(mechanism if not mechanism.is_uniform else Mechanism.PAY_AS_BID, **more)
    market = replace(made.markets[0], mechanism=mechanism, tick=0, matching=MATCHING)
    return replace(made, markets=(market,), matchers=(MATCHER.address,))


def closed(made=None):
    """A session in which going local first costs welfare: the lane's flat takes its roof's energy, dearly wanted above.

    The lane lets nothing in; so our own clearing, which matches in the lane first, leaves the dear bid without.
    """
    trading = Trading(rules() if made is None else made)
    trading.take(bid(KITCHEN, energy=Wh(100), limit=MicroPerKwh(900_000)), OPENING + 1)
    trading.take(bid(FLAT, energy=Wh(100), limit=MicroPerKwh(200_000)), OPENING + 2)
    trading.take(offer(ROOF, energy=Wh(100), limit=MicroPerKwh(100_000)), OPENING + 3)
    trading.tick(CLOSURE)
    trading._happen(trading.market.close(SESSION, CLOSURE, BLIND))
    return trading


def name(given):
    return row_id(BLIND, street.digest_of(given))


DEAR = name(bid(KITCHEN, energy=Wh(100), limit=MicroPerKwh(900_000)))
LOCAL = name(bid(FLAT, energy=Wh(100), limit=MicroPerKwh(200_000)))
SUN = name(offer(ROOF, energy=Wh(100), limit=MicroPerKwh(100_000)))
BETTER = Proposal(SESSION, (Record(DEAR, SUN, 100, 400_000),))
WORSE = Proposal(SESSION, (Record(LOCAL, SUN, 50, 150_000),))


def handed_in(trading, proposal, by=MATCHER, now=CLOSURE + 10):
    signature = by.sign(proposal.digest(street.SEPARATOR))
    answer = propose(trading.market, proposal, signature, registry=trading.registry, now=now)
    if answer.event is not None:
        trading._happen(answer.event)
    return answer


def cleared(trading):
    trading._happen(trading.market.clear(SESSION, registry=trading.registry, now=CLOSURE + MATCHING))
    return trading.book()


def test_a_better_proposal_is_taken_and_a_worse_one_is_not():
    trading = closed()
    assert handed_in(trading, WORSE).taken is not None
    assert cleared(trading).cleared.proposer == b""
    trading = closed()
    handed_in(trading, WORSE)
    handed_in(trading, BETTER)
    book = cleared(trading)
    assert book.cleared.proposer == MATCHER.address
    (trade,) = book.cleared.clearing.trades
    assert (trade.bid, trade.energy, trade.rate) == (book.orders[0].digest, 100, 400_000)
    top, lane = book.cleared.clearing.nodes
    assert (top.energy, top.price, lane.exported) == (100, 405_000, 100)


def test_without_a_proposal_the_clearing_is_our_own():
    book = cleared(closed())
    assert book.cleared.proposer == b""
    assert [trade.bid for trade in book.cleared.clearing.trades] == [book.orders[1].digest]


def test_where_two_are_as_good_ours_is_taken():
    trading = closed()
    ours = Proposal(SESSION, (Record(LOCAL, SUN, 100, 150_000),))
    assert handed_in(trading, ours).checked.verdicts == (None,)
    assert cleared(trading).cleared.proposer == b""


def test_the_valid_records_of_a_proposal_count_and_the_answer_lists_all():
    trading = closed()
    mixed = Proposal(SESSION, (Record(bytes(32), SUN, 1, 0), *BETTER.records))
    answer = handed_in(trading, mixed)
    assert answer.checked.verdicts == (UNKNOWN_ROW, None)
    assert answer.event.refused == ((0, UNKNOWN_ROW),)
    assert cleared(trading).cleared.proposer == MATCHER.address


def test_a_proposal_of_which_nothing_is_valid_is_not_taken():
    trading = closed()
    answer = handed_in(trading, Proposal(SESSION, (Record(bytes(32), SUN, 1, 0),)))
    assert (answer.event, answer.taken, answer.checked.welfare) == (None, None, 0)


def test_proposing_again_is_harmless():
    trading = closed()
    first = handed_in(trading, BETTER)
    again = handed_in(trading, BETTER, now=CLOSURE + 20)
    assert (again.event, again.taken) == (None, first.event)


def test_only_a_matcher_proposes():
    with pytest.raises(NotAMatcher):
        handed_in(closed(), BETTER, by=STRANGER)


def test_proposals_are_taken_from_gate_closure_until_the_clearing():
    trading = Trading(rules())
    trading.take(bid(), OPENING + 1)
    with pytest.raises(ProposalTooEarly):
        handed_in(trading, BETTER, now=CLOSURE - 1)
    with pytest.raises(ProposalTooEarly):
        book_without_names(trading.market, SESSION, registry=trading.registry, now=CLOSURE - 1)
    trading = closed()
    assert trading.market.due(CLOSURE + MATCHING - 1) == []
    handed_in(trading, BETTER, now=CLOSURE + MATCHING - 1)
    with pytest.raises(ProposalTooLate):
        handed_in(trading, WORSE, now=CLOSURE + MATCHING)
    assert [session.key for session in trading.market.due(CLOSURE + MATCHING)] == [SESSION]


def test_a_network_and_a_market_that_waits_for_nobody_take_no_proposals():
    for made in (rules(Mechanism.NETWORK), replace(rules(), markets=(replace(rules().markets[0], matching=0),))):
        with pytest.raises(NoMatchingHere):
            handed_in(closed(made), BETTER)


def test_the_book_without_names_has_what_is_left_and_names_nobody():
    trading = Trading(rules(limit=700))
    trading.take(bid(HOUSE, energy=Wh(300)), OPENING + 1)
    trading.take(offer(HOUSE, energy=Wh(100), limit=MicroPerKwh(0)), OPENING + 2)  # own energy
    gone = bid(KITCHEN)
    trading.take(gone, OPENING + 3)
    trading.cancel(gone, OPENING + 4)
    trading._happen(trading.market.close(SESSION, CLOSURE, BLIND))
    book = book_without_names(trading.market, SESSION, registry=trading.registry, now=CLOSURE + 1)
    (row,) = book.rows
    assert (row.side, row.node, row.energy, row.limit) == (Side.BID, 1, 200, 300_000)
    assert row.id == name(bid(HOUSE, energy=Wh(300)))
    assert (book.until, book.tree[LANE].export_limit) == (CLOSURE + MATCHING, 700)


def test_with_ticks_proposals_are_for_the_last_clearing_only():
    made = rules(Mechanism.PAY_AS_BID)
    made = replace(made, markets=(replace(made.markets[0], tick=60),))
    trading = Trading(made)
    trading.take(bid(HOUSE, energy=Wh(300)), OPENING + 1)
    trading.take(offer(PLANT, energy=Wh(100)), OPENING + 2)
    trading.tick(OPENING + 60)
    last = offer(PLANT, energy=Wh(500), salt=7, limit=MicroPerKwh(250_000))
    trading.take(last, CLOSURE - 1)
    trading._happen(trading.market.close(SESSION, CLOSURE, BLIND))
    answer = handed_in(
        trading,
        Proposal(
            SESSION,
            (
                Record(name(bid(HOUSE, energy=Wh(300))), name(last), 201, 290_000),
                Record(name(bid(HOUSE, energy=Wh(300))), name(last), 200, 290_000),
            ),
        ),
    )
    assert answer.checked.verdicts == (ENERGY_USED_UP, None)
    book = cleared(trading)
    assert sorted(trade.energy for trade in book.cleared.clearing.trades) == [100, 200]
