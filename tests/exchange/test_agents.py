"""Agents ask for nothing but a better price than outside the market."""

from operator import attrgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.agents import Alternative, need, output, supply, take_up
from exchange.clear import clear
from exchange.delivery import Market, Mechanism
from exchange.order import Side
from exchange.resting import Resting
from exchange.units import MicroPerKwh, Nano, Wh
from tests.actors import CONSUMER, PRODUCER, UTILITY
from tests.exchange.trees import one_node
from tests.strategies import SEPARATOR, SESSION

FEE = MicroPerKwh(5_000)
OUTSIDE = Alternative(sell=MicroPerKwh(300_000), buy=MicroPerKwh(80_000), fee=FEE)
MARKET = Market(number=SESSION.market, period=900, opening=3_600, lead=300, window=7_200)
START = SESSION.delivery_start


def test_a_load_bids_what_the_utility_would_charge_with_the_fee():
    order = need(CONSUMER.address, Wh(500), MARKET, START, OUTSIDE, salt=3)
    assert (order.side, order.energy, order.limit) == (Side.BID, 500, 305_000)


def test_a_generator_offers_from_what_the_utility_would_pay():
    order = output(PRODUCER.address, Wh(500), MARKET, START, OUTSIDE, salt=3)
    assert (order.side, order.energy, order.limit) == (Side.OFFER, 500, 80_000)


def test_the_utility_stands_on_both_sides_at_its_own_rates():
    sell = supply(UTILITY.address, Wh(9_000), MARKET, START, OUTSIDE, salt=0)
    buy = take_up(UTILITY.address, Wh(9_000), MARKET, START, OUTSIDE, salt=0)
    assert (sell.side, sell.limit, buy.side, buy.limit) == (Side.OFFER, 300_000, Side.BID, 85_000)


def test_an_order_is_for_the_market_and_good_until_its_gate_closes():
    order = need(CONSUMER.address, Wh(500), MARKET, START, OUTSIDE, salt=3)
    assert (order.session, order.salt) == (SESSION, 3)
    assert order.valid_until == MARKET.gate_closure(START)


def test_without_a_market_one_pays_the_utility_and_the_fee_and_is_paid_what_it_pays():
    assert OUTSIDE.bill(Wh(1_000), Wh(0)) == Nano(305_000_000)
    assert OUTSIDE.bill(Wh(0), Wh(1_000)) == Nano(-80_000_000)
    assert OUTSIDE.bill(Wh(0), Wh(0)) == 0


def resting(order, sequence, account, home=""):
    return Resting(order, order.digest(SEPARATOR), sequence, account, home, SESSION.market)


@pytest.mark.parametrize("mechanism", Mechanism, ids=attrgetter("title"))
@settings(max_examples=40)
@given(st.integers(1, 5_000), st.integers(1, 5_000))
def test_nobody_is_worse_off_than_without_the_market(mechanism, drawn, fed_in):
    orders = [
        resting(need(CONSUMER.address, Wh(drawn), MARKET, START, OUTSIDE, salt=1), 1, 2),
        resting(output(PRODUCER.address, Wh(fed_in), MARKET, START, OUTSIDE, salt=1), 2, 3),
        resting(supply(UTILITY.address, Wh(5_000), MARKET, START, OUTSIDE, salt=0), 3, 4, "grid in"),
        resting(take_up(UTILITY.address, Wh(5_000), MARKET, START, OUTSIDE, salt=1), 4, 4, "grid out"),
    ]
    trades = clear(orders, session=SESSION, tree=one_node(FEE), mechanism=mechanism).trades
    bid, offer = orders[0].digest, orders[1].digest
    paid = [trade for trade in trades if trade.bid == bid]
    earned = [trade for trade in trades if trade.offer == offer]
    assert (sum(trade.energy for trade in paid), sum(trade.energy for trade in earned)) == (drawn, fed_in)
    assert sum(trade.cost for trade in paid) <= OUTSIDE.bill(Wh(drawn), Wh(0))
    assert -sum(trade.value for trade in earned) <= OUTSIDE.bill(Wh(0), Wh(fed_in))
