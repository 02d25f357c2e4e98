"""The three mechanisms: each against its slow reference, and what sets it apart. Their common laws: test_clear.py."""

import random
from operator import attrgetter

import numpy as np
import pytest
from hypothesis import given, settings

from exchange.auction import Columns
from exchange.clear import clear
from exchange.delivery import Mechanism
from exchange.levels import TreeMatches, single_nodes
from exchange.mechanism import RULES
from exchange.order import Side
from exchange.own_energy import own_use
from exchange.tree_auction import clear_levels
from tests.exchange.reference_auction import Row
from tests.exchange.reference_mechanisms import (
    Traded,
    reference_pay_as_bid,
    reference_pay_as_clear,
    reference_pay_as_offer,
)
from tests.exchange.trees import one_node
from tests.strategies import SESSION, books, fees, many_markets, resting

BID, OFFER = Side.BID, Side.OFFER
PAY_AS_OFFER, PAY_AS_BID, PAY_AS_CLEAR, NETWORK = Mechanism
REFERENCES = {
    PAY_AS_OFFER: reference_pay_as_offer,
    PAY_AS_BID: reference_pay_as_bid,
    PAY_AS_CLEAR: reference_pay_as_clear,
}
by_every_mechanism = pytest.mark.parametrize("mechanism", RULES, ids=attrgetter("title"))
by_own_rates = pytest.mark.parametrize("mechanism", [PAY_AS_OFFER, PAY_AS_BID], ids=attrgetter("title"))


def columns(side: list[Row]) -> Columns:
    table = np.array(side, dtype=np.int64).reshape(-1, 3)
    return Columns(table[:, 0], table[:, 1], table[:, 2])


def matches(mechanism: Mechanism, bids: list[Row], offers: list[Row], markets: int = 1) -> TreeMatches:
    return clear_levels(columns(bids), columns(offers), single_nodes(markets, mechanism))


def traded(found: TreeMatches) -> list[Traded]:
    return list(
        zip(found.bid.tolist(), found.offer.tolist(), found.quantity.tolist(), found.rate.tolist(), strict=True)
    )


def market_by_market(mechanism: Mechanism, bids: list[Row], offers: list[Row], markets: int) -> list[Traded]:
    """Clear one market after another by the slow reference."""
    trades = []
    for market in range(markets):
        buying, selling = (
            [number for number, row in enumerate(side) if row.market == market] for side in (bids, offers)
        )
        trades += [
            (buying[bid], selling[offer], energy, rate)
            for bid, offer, energy, rate in REFERENCES[mechanism](
                [bids[row]._replace(market=0) for row in buying], [offers[row]._replace(market=0) for row in selling]
            )
        ]
    return trades


def test_every_mechanism_has_a_rule_and_its_title_leads_back_to_it():
    assert [*RULES, NETWORK] == list(Mechanism)
    assert [Mechanism.titled(mechanism.title) for mechanism in Mechanism] == list(Mechanism)
    assert [mechanism.title for mechanism in Mechanism] == ["pay-as-offer", "pay-as-bid", "pay-as-clear", "network"]


@by_every_mechanism
@settings(max_examples=50)
@given(many_markets())
def test_many_markets_at_once_give_what_the_slow_reference_gives(mechanism, sides):
    bids, offers, markets = sides
    assert traded(matches(mechanism, bids, offers, markets)) == market_by_market(mechanism, bids, offers, markets)


@by_every_mechanism
def test_a_large_book_with_many_ties_agrees_with_the_slow_reference(mechanism):
    draw = random.Random(mechanism.title)
    bids, offers = (
        [Row(draw.randrange(30), draw.randint(-9, 9), draw.choice((1, 250, 4_000))) for _ in range(1_500)]
        for _ in range(2)
    )
    assert traded(matches(mechanism, bids, offers, 30)) == market_by_market(mechanism, bids, offers, 30)


@by_own_rates
@settings(max_examples=50)
@given(many_markets())
def test_with_rates_of_their_own_low_and_high_are_the_lowest_and_the_highest_traded(mechanism, sides):
    bids, offers, markets = sides
    found = matches(mechanism, bids, offers, markets)
    assert not found.has_price.any()
    for market in range(markets):
        rates = [rate for bid, _, _, rate in traded(found) if bids[bid].market == market]
        assert (found.low[market], found.high[market]) == ((min(rates), max(rates)) if rates else (0, 0))
        assert bool(found.energy[market]) == bool(rates)


@by_own_rates
@settings(max_examples=50)
@given(books(), fees)
def test_one_session_says_the_same_of_its_rates(mechanism, book, fee):
    clearing = clear(book, session=SESSION, tree=one_node(fee), mechanism=mechanism)
    rates = [trade.rate for trade in clearing.trades]
    assert clearing.rate is None
    if rates:
        assert (clearing.low, clearing.high) == (min(rates), max(rates))
        assert min(rates) <= clearing.average <= max(rates)
    else:
        without = clear(book, session=SESSION, tree=one_node(fee))
        assert (clearing.low, clearing.high, clearing.average) == (without.low, without.high, None)


@settings(max_examples=50)
@given(books(), fees)
def test_pay_as_bid_leaves_buyers_no_surplus(book, fee):
    limit = {entry.digest: entry.order.limit for entry in book}
    trades = clear(book, session=SESSION, tree=one_node(fee), mechanism=PAY_AS_BID).trades
    assert all(trade.rate + trade.fee_rate == limit[trade.bid] and trade.fee_rate == fee for trade in trades)


@settings(max_examples=50)
@given(books(), fees)
def test_pay_as_offer_leaves_sellers_no_surplus(book, fee):
    limit = {entry.digest: entry.order.limit for entry in book}
    trades = clear(book, session=SESSION, tree=one_node(fee), mechanism=PAY_AS_OFFER).trades
    assert all(trade.rate == limit[trade.offer] and trade.fee_rate == fee for trade in trades)


@settings(max_examples=50)
@given(books(), fees)
def test_pay_as_clear_leaves_nobody_with_envy(book, fee):
    clearing = clear(book, session=SESSION, tree=one_node(fee))
    if clearing.rate is None:
        return
    left = own_use(book)[1]
    filled = {entry.digest: 0 for entry in book}
    for trade in clearing.trades:
        assert trade.rate == clearing.rate
        filled[trade.bid] += trade.energy
        filled[trade.offer] += trade.energy
    for entry in book:
        # who would rather have another's place could have it at the same rate, and does not want it or has it
        gain = entry.order.limit - fee - clearing.rate if entry.order.side is BID else clearing.rate - entry.order.limit
        if entry.digest not in clearing.lapsed and gain > 0:
            assert filled[entry.digest] == left[entry.digest]
        assert not filled[entry.digest] or gain >= 0


@settings(max_examples=50)
@given(books(), fees)
def test_the_mechanisms_agree_on_who_trades_how_much_and_differ_in_the_rate_only(book, fee):
    by_offer, by_bid, by_clear = (clear(book, session=SESSION, tree=one_node(fee), mechanism=one) for one in RULES)
    pairs = [sorted((t.bid, t.offer, t.energy) for t in one.trades) for one in (by_offer, by_bid, by_clear)]
    assert pairs[0] == pairs[1] == pairs[2]
    assert by_offer.own_uses == by_bid.own_uses == by_clear.own_uses
    assert by_offer.lapsed == by_bid.lapsed == by_clear.lapsed
    assert by_offer.value <= by_clear.value <= by_bid.value


# One book, three mechanisms: a bid at 30 for 5 Wh and one at 20 for 5, an offer at 10 for 4 and one at 12 for 4; fee 3


@pytest.mark.parametrize(
    ("mechanism", "rates", "low", "high", "rate"),
    [
        (PAY_AS_OFFER, [10, 12, 12], 10, 12, None),
        (PAY_AS_BID, [27, 27, 17], 17, 27, None),
        (PAY_AS_CLEAR, [17, 17, 17], 17, 17, 17),
    ],
    ids=["pay-as-offer", "pay-as-bid", "pay-as-clear"],
)
def test_the_same_book_by_each_mechanism(mechanism, rates, low, high, rate):
    dear, cheap = resting(BID, 30, 5, sequence=1), resting(BID, 20, 5, sequence=2)
    first, second = resting(OFFER, 10, 4, sequence=3), resting(OFFER, 12, 4, sequence=4)
    clearing = clear([cheap, second, dear, first], session=SESSION, tree=one_node(3), mechanism=mechanism)
    paid = {(trade.bid, trade.offer): (trade.energy, trade.rate, trade.fee_rate) for trade in clearing.trades}
    assert paid == {
        (dear.digest, first.digest): (4, rates[0], 3),
        (dear.digest, second.digest): (1, rates[1], 3),
        (cheap.digest, second.digest): (3, rates[2], 3),
    }
    assert (clearing.low, clearing.high, clearing.rate) == (low, high, rate)


@by_every_mechanism
def test_a_bid_that_covers_the_offer_and_the_fee_trades_and_one_that_does_not_does_not(mechanism):
    offer = resting(OFFER, 10, 5, sequence=1)
    enough, short = resting(BID, 13, 5, sequence=2), resting(BID, 12, 5, sequence=2)
    assert clear([offer, enough], session=SESSION, tree=one_node(3), mechanism=mechanism).energy == 5
    assert clear([offer, short], session=SESSION, tree=one_node(3), mechanism=mechanism).energy == 0


@by_own_rates
def test_rates_of_their_own_may_lie_below_zero(mechanism):
    bid, offer = resting(BID, -2, 5, sequence=1), resting(OFFER, -9, 5, sequence=2)
    (trade,) = clear([bid, offer], session=SESSION, tree=one_node(1), mechanism=mechanism).trades
    assert trade.rate == (-3 if mechanism is PAY_AS_BID else -9)
