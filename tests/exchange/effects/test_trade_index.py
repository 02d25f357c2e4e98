"""Trades found by name, by account and by session: as reading all of them would find them."""

from dataclasses import replace

import pytest

from exchange.effects.trade_index import TradeIndex, trades_of
from exchange.errors import UnknownTrade
from tests.exchange import street

PERIODS = 3


@pytest.fixture
def sessions(desk):
    """Cleared sessions of several delivery periods, and what the desk says of their trades."""
    for period in range(PERIODS):
        start = street.START + 900 * period
        desk.submit(
            [street.bid(delivery_start=start), street.bid(street.FLAT, delivery_start=start, energy=300)]
            + [street.offer(delivery_start=start), street.offer(street.PLANT, delivery_start=start)]
        )
    desk.close_and_clear(street.START + 900 * PERIODS)
    return desk.look(lambda market, _: [replace(market.sessions[key]) for key in market.in_order])


@pytest.fixture(params=[[0, 1, 2], [2, 0, 1]], ids=["as they came", "a later one first"])
def index(sessions, request):
    made = TradeIndex()
    for turn in request.param:
        made.add(trades_of(sessions[turn], sessions[turn].cleared))
    return made


def everything(sessions):
    """Return every trade's place, in order."""
    return sorted(
        (trade.session.number, trade.leaf()) for session in sessions for trade in session.cleared.clearing.trades
    )


def test_trades_are_listed_by_session_and_leaf(index, sessions):
    places = everything(sessions)
    assert len(places) >= 2 * PERIODS
    assert [record.place for record in index.listed()] == places


def test_a_list_goes_on_after_any_place(index, sessions):
    places = everything(sessions)
    for position, place in enumerate(places):
        assert [record.place for record in index.listed(after=place)] == places[position + 1 :]


def test_the_trades_of_an_account_are_those_it_bought_or_sold_in(index, sessions):
    for account in range(1, 7):
        expected = [r.place for r in index.listed() if account in (r.buyer, r.seller)]
        assert [record.place for record in index.listed(account=account)] == expected
        for position, place in enumerate(expected):
            after = [record.place for record in index.listed(account=account, after=place)]
            assert after == expected[position + 1 :]


def test_the_trades_of_a_session_are_its_own(index, sessions):
    for session in sessions:
        expected = [place for place in everything(sessions) if place[0] == session.key.number]
        assert [record.place for record in index.listed(session=session.key)] == expected
        of_one = [record.place for record in index.listed(session=session.key, account=2)]
        assert of_one == [r.place for r in index.listed(account=2) if r.trade.session == session.key]


def test_a_trade_is_found_by_its_leaf_and_an_unknown_one_is_refused(index):
    for record in index.listed():
        assert index.find(record.leaf) == record
    with pytest.raises(UnknownTrade):
        index.find(bytes(32))


@pytest.mark.parametrize("gone", range(PERIODS))
def test_the_trades_of_a_session_that_was_forgotten_are_gone_and_no_others(index, sessions, gone):
    before = list(index.listed())
    index.forget(sessions[gone].key)
    kept = [record for record in before if record.trade.session != sessions[gone].key]
    assert list(index.listed()) == kept
    for account in range(1, 7):
        assert list(index.listed(account=account)) == [r for r in kept if account in (r.buyer, r.seller)]
    for record in before:
        if record in kept:
            assert index.find(record.leaf) == record
        else:
            with pytest.raises(UnknownTrade):
                index.find(record.leaf)
