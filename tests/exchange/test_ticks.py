"""Orders that are matched at ticks: what is final, what stands on, and what a session then comes to."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.delivery import Market as Terms
from exchange.delivery import Mechanism
from exchange.documents import event_from_document, event_to_document
from exchange.errors import OrderFilled, OwnCrossing
from exchange.explanation import why
from exchange.held_session import rebuilt
from exchange.market import Market
from exchange.order import Side
from exchange.session_clearing import resting_order
from exchange.ticks import used_by
from exchange.units import MicroPerKwh, Wh
from identity.facts import EpochBegun
from tests.exchange import street
from tests.exchange.street import CLOSURE, FLAT, HOUSE, OPENING, PLANT, ROOF, SESSION, bid, digest_of, offer
from tests.exchange.ticking import LANE, TICK, Trading, parameters

FIRST = OPENING + TICK
VECTORS = {
    vector["id"]: vector
    for vector in json.loads((Path(__file__).parents[1] / "vectors" / "markets.json").read_text())["vectors"]
}


@pytest.fixture
def trading():
    return Trading(parameters())


def ticks(trading):
    return trading.market.sessions[SESSION].ticks


# When


def test_orders_are_matched_at_the_first_tick_after_they_came(trading):
    trading.take(bid(), OPENING + 5)
    trading.take(offer(PLANT), OPENING + 10)
    trading.tick(FIRST - 1)
    assert ticks(trading) == ()
    trading.tick(FIRST)
    (tick,) = ticks(trading)
    assert (tick.at, tick.upto, tick.turn) == (FIRST, 2, 0)
    assert [trade.energy for trade in tick.clearing.trades] == [1_000]


def test_an_order_at_the_instant_of_a_tick_is_part_of_the_next(trading):
    trading.take(bid(), OPENING + 5)
    trading.take(offer(PLANT), FIRST)
    trading.tick(FIRST + TICK)
    assert [(tick.at, tick.upto, len(tick.clearing.trades)) for tick in ticks(trading)] == [
        (FIRST, 1, 0),
        (FIRST + TICK, 2, 1),
    ]


def test_a_tick_without_new_orders_is_passed_over(trading):
    trading.take(bid(), OPENING + 5)
    trading.tick(FIRST)
    trading.tick(FIRST + 5 * TICK)
    assert len(ticks(trading)) == 1


def test_ticks_that_were_missed_are_made_up_for_as_one(trading):
    trading.take(bid(), OPENING + 5)
    trading.take(offer(PLANT), OPENING + 6)
    trading.tick(FIRST + 7 * TICK + 3)
    (tick,) = ticks(trading)
    assert tick.at == FIRST + 7 * TICK


def test_the_last_tick_comes_before_the_gate_closes(trading):
    trading.take(bid(), CLOSURE - 1)
    assert trading.market.ticks_due(CLOSURE) == []
    assert trading.close().ticks == ()


def test_a_market_without_a_tick_is_cleared_once():
    trading = Trading(replace(parameters(), markets=(replace(street.TERMS, mechanism=Mechanism.PAY_AS_BID),)))
    trading.take(bid(), OPENING + 5)
    trading.take(offer(PLANT), OPENING + 6)
    assert trading.market.ticks_due(CLOSURE - 1) == []
    assert len(trading.close().cleared.clearing.trades) == 1


@pytest.mark.parametrize("tick", [1, 7, 60, 3_600])
def test_ticks_lie_on_the_calendars_grid_at_any_length_ext_001(tick):
    """ext-001: the reference divides by zero for short slots; here the shortest tick is a second, and it comes."""
    assert VECTORS["ext-001"]["design_expected"] == {"interval_ticks_min": 1}
    terms = Terms(number=1, period=900, opening=7_300, lead=0, window=900, mechanism=Mechanism.PAY_AS_BID, tick=tick)
    start = 1_800_000_000
    every = list(terms.ticks_until(start, start))
    assert every[0] - terms.gate_opening(start) == tick >= 1
    assert all(later - earlier == tick for earlier, later in zip(every, every[1:], strict=False))
    assert every[-1] < terms.gate_closure(start)
    assert terms.newest_tick(start, start) == every[-1]
    assert terms.newest_tick(start, every[0] - 1) is None
    assert terms.tick_after(start, every[0]) == (every[1] if len(every) > 1 else None)
    assert terms.tick_after(start, every[-1]) is None


# What is left


def test_what_is_left_stands_on_under_its_one_name_two_005_chain_007(trading):
    """two-005, chain-007: no residual orders with names of their own; 10 less 8 are 2, and nothing of it is lost."""
    assert VECTORS["chain-007"]["input"]["residual_bid"]["energy"] == 2
    large = bid(energy=Wh(1_000))
    digest = trading.take(large, OPENING + 1)
    trading.take(offer(PLANT, energy=Wh(800)), OPENING + 2)
    trading.tick(FIRST)
    assert trading.market.session(SESSION).left(digest) == 200
    trading.take(offer(PLANT, energy=Wh(500), salt=2), FIRST + 1)
    book = trading.close()
    trades = book.cleared.clearing.trades
    assert sorted(trade.energy for trade in trades) == [200, 800]
    assert {trade.bid for trade in trades} == {digest}


def test_taking_back_takes_back_the_rest_only(trading):
    given_back = bid(energy=Wh(1_000))
    digest = trading.take(given_back, OPENING + 1)
    trading.take(offer(PLANT, energy=Wh(800)), OPENING + 2)
    trading.cancel(given_back, FIRST + 1)
    assert trading.market.reserved(2) == 800 * 300_000
    trading.take(offer(PLANT, energy=Wh(500), salt=2), FIRST + 2)
    book = trading.close()
    assert [(trade.bid, trade.energy) for trade in book.cleared.clearing.trades] == [(digest, 800)]
    outcome = why(resting_order(book.orders[0], book.rules), book.cleared.clearing, book.rules.tree, cancelled=True)
    assert (outcome.code, outcome.filled) == ("cancelled", 800)
    assert "800 Wh were traded" in outcome.sentence


def test_an_order_that_is_used_up_cannot_be_taken_back_and_one_of_which_something_is_left_can(trading):
    trading.take(bid(), OPENING + 1)
    trading.take(offer(PLANT, energy=Wh(1_500)), OPENING + 2)
    with pytest.raises(OrderFilled):
        trading.cancel(bid(), FIRST)
    trading.cancel(offer(PLANT, energy=Wh(1_500)), FIRST)


def test_an_order_that_is_used_up_is_crossed_by_no_own_order_and_one_that_stands_is(trading):
    trading.take(bid(HOUSE), OPENING + 1)
    with pytest.raises(OwnCrossing):
        trading.take(offer(street.BARN), OPENING + 2)
    trading.take(offer(PLANT), OPENING + 3)
    trading.take(offer(street.BARN), FIRST)


def test_equal_fills_of_two_ticks_are_one_trade():
    trading = Trading(parameters(limit=500))
    trading.take(bid(energy=Wh(300), limit=MicroPerKwh(400_000)), OPENING + 1)
    other = trading.take(bid(HOUSE, energy=Wh(400)), OPENING + 2)
    given_by = trading.take(offer(ROOF), OPENING + 3)
    trading.tick(FIRST)
    voided(trading, 2)  # what the first bid let cross may cross again
    book = trading.close()
    assert sorted(trade.energy for trade in book.ticks[0].clearing.trades) == [200, 300]
    assert [(trade.bid, trade.offer, trade.energy) for trade in book.cleared.clearing.trades] == [
        (other, given_by, 400)
    ]


def test_own_energy_is_used_at_ticks_first(trading):
    trading.take(bid(HOUSE, energy=Wh(10)), OPENING + 1)
    trading.take(offer(HOUSE, energy=Wh(30)), OPENING + 2)
    trading.take(bid(HOUSE, energy=Wh(25), salt=2), FIRST)
    book = trading.close()
    assert [use.energy for use in book.ticks[0].clearing.own_uses] == [10]
    assert sorted(use.energy for use in book.cleared.clearing.own_uses) == [10, 20]


def test_what_earlier_ticks_let_cross_a_boundary_counts(trading):
    limited = Trading(parameters(limit=700))
    for place, now in enumerate((OPENING + 1, FIRST + 1, FIRST + TICK + 1)):
        limited.take(bid(salt=place + 1, energy=Wh(300)), now)
        limited.take(offer(ROOF, salt=place + 1, energy=Wh(300)), now)
    book = limited.close()
    assert [tick.clearing.energy for tick in book.ticks] == [300, 300, 100]
    lane = next(result for result in book.cleared.clearing.nodes if result.node == LANE)
    assert (lane.exported, lane.imported) == (700, 0)
    assert {held.energy for held in book.cleared.clearing.held} == {200}


# Authority


def voided(trading, account):
    trading.registry.apply(EpochBegun(account, 1, OPENING + 1))


def test_trades_of_an_order_whose_authority_ends_are_struck_out_and_matched_again(trading):
    doomed = bid(limit=MicroPerKwh(400_000))
    trading.take(doomed, OPENING + 1)
    other = trading.take(offer(PLANT), OPENING + 2)
    trading.tick(FIRST)
    waiting = trading.take(bid(FLAT, energy=Wh(600)), FIRST + 1)
    voided(trading, 2)
    book = trading.close()
    assert book.cleared.excluded == ((digest_of(doomed), "orders-voided"),)
    assert [(trade.bid, trade.offer, trade.energy) for trade in book.cleared.clearing.trades] == [(waiting, other, 600)]
    assert trading.market.reserved(2) == 0


def test_an_order_whose_authority_has_ended_is_left_out_of_the_tick(trading):
    trading.take(bid(), OPENING + 1)
    trading.take(offer(PLANT), OPENING + 2)
    voided(trading, 2)
    trading.tick(FIRST)
    (tick,) = ticks(trading)
    assert tick.excluded == ((digest_of(bid()), "orders-voided"),)
    assert tick.clearing.trades == ()


# Laws

acts = st.lists(
    st.tuples(
        st.integers(0, 70),
        st.sampled_from([*street.ASSETS]),
        st.sampled_from(Side),
        st.integers(1, 12).map(lambda tens: Wh(10 * tens)),
        st.integers(0, 9),
        st.integers(0, 5),
    ),
    max_size=14,
)


def lived(rules, acts):
    """A session in which orders come and are taken back, until it is cleared; with what stood at every cancellation."""
    trading = Trading(rules)
    now, given = OPENING, []
    for salt, (pause, asset, side, energy, cents, take_back) in enumerate(acts, 1):
        now += pause
        if take_back == 0 and given:
            try:
                trading.cancel(given.pop(), now)
            except OrderFilled:
                continue
        else:
            make, more = (bid, 4) if side is Side.BID else (offer, -2)
            limit = MicroPerKwh(10_000 * (cents + more))
            order = make(asset, energy=energy, limit=limit, salt=salt)
            try:
                trading.take(order, now)
            except OwnCrossing:
                continue
            given.append(order)
    if not given and not trading.market.sessions:
        trading.take(bid(), now)
    return trading


mechanisms = st.sampled_from([Mechanism.PAY_AS_OFFER, Mechanism.PAY_AS_BID])
limits = st.sampled_from([None, 0, 30, 200])


@settings(max_examples=40)
@given(acts, mechanisms, limits)
def test_ticks_conserve_energy_and_money_and_their_union_is_what_was_matched(acts, mechanism, limit):
    trading = lived(parameters(mechanism, limit=limit), acts)
    session = trading.market.session(SESSION)
    book = trading.close()
    clearing, orders = book.cleared.clearing, session.orders
    matched = used_by([clearing])
    for digest, energy in matched.items():
        assert energy <= orders[digest].signed.order.energy
    for tick in book.ticks:
        for digest, energy in used_by([tick.clearing]).items():
            assert matched[digest] >= energy
    for digest, cancelled in session.cancelled.items():
        before = used_by(tick.clearing for tick in book.ticks if tick.at <= cancelled.at)
        assert matched.get(digest, 0) == before.get(digest, 0) < orders[digest].signed.order.energy
    for trade in clearing.trades:
        taken, given = orders[trade.bid], orders[trade.offer]
        assert taken.account != given.account
        assert trade.rate >= given.signed.order.limit
        assert trade.rate + trade.fee_rate <= taken.signed.order.limit
    crossed = {result.node: (result.imported, result.exported) for result in clearing.nodes}
    if limit is not None:
        assert max(crossed.get(LANE, (0, 0))) <= limit
    assert len({trade.leaf() for trade in clearing.trades}) == len(clearing.trades)
    costs = session.costs()
    assert trading.market._reserved == dict(costs.items())


@settings(max_examples=25)
@given(acts, mechanisms, limits)
def test_replaying_what_happened_gives_the_same_state(acts, mechanism, limit):
    trading = lived(parameters(mechanism, limit=limit), acts)
    trading.close()
    again = Market()
    for event in trading.events:
        again.apply(event_from_document(event_to_document(event)))
    assert street.state_of(again) == street.state_of(trading.market)
    assert (again._tick_due, again.turn, again.latest_tick) == (
        trading.market._tick_due,
        trading.market.turn,
        trading.market.latest_tick,
    )
    assert again.crossings._crossed == trading.market.crossings._crossed
    assert rebuilt(SESSION, trading.events[1:]) == trading.market.session(SESSION)


@settings(max_examples=25)
@given(acts, mechanisms)
def test_reserves_cover_whatever_the_orders_can_still_cost(acts, mechanism):
    trading = lived(parameters(mechanism), acts)
    session = trading.market.session(SESSION)
    due = {}
    for accepted in session.took_part():
        order = accepted.signed.order
        stands = order.energy if accepted.digest not in session.cancelled else session.used[accepted.digest]
        due[accepted.account] = due.get(accepted.account, 0) + order.can_cost(stands)
    assert trading.market._reserved == {account: nano for account, nano in due.items() if nano}
