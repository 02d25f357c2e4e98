"""Clearing a session: the laws of the market, on generated books; those that every mechanism keeps, by every one."""

import random
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.clear import Resting, clear
from exchange.clearing import NOTHING_CLEARED, Clearing
from exchange.delivery import Mechanism, Product, SessionKey
from exchange.documents import clearing_to_document
from exchange.order import Side
from exchange.own_energy import own_use
from tests.exchange.reference_auction import Row, most_energy
from tests.exchange.trees import one_node
from tests.strategies import SESSION, books, fees, resting

BID, OFFER = Side.BID, Side.OFFER
by_every_mechanism = pytest.mark.parametrize("mechanism", Mechanism, ids=lambda mechanism: mechanism.title)


def traded(clearing: Clearing) -> dict[bytes, int]:
    """Return how much of every order was traded."""
    energy: dict[bytes, int] = defaultdict(int)
    for trade in clearing.trades:
        energy[trade.bid] += trade.energy
        energy[trade.offer] += trade.energy
    return energy


def net_limit(entry: Resting, fee: int) -> int:
    """Return what the limit means for the seller."""
    return entry.order.limit - fee if entry.order.side is BID else entry.order.limit


def inside(entry: Resting, rate: int, fee: int) -> int:
    """Return by how much the rate is better than the limit; negative beyond it."""
    return net_limit(entry, fee) - rate if entry.order.side is BID else rate - entry.order.limit


@by_every_mechanism
@settings(max_examples=40)
@given(books(), fees)
def test_nobody_pays_or_gets_beyond_the_limit(mechanism, book, fee):
    by_name = {entry.digest: entry.order for entry in book}
    for trade in clear(book, session=SESSION, tree=one_node(fee), mechanism=mechanism).trades:
        bid, offer = by_name[trade.bid], by_name[trade.offer]
        assert (bid.side, offer.side) == (BID, OFFER)
        assert trade.rate + trade.fee_rate <= bid.limit
        assert trade.rate >= offer.limit
        assert trade.cost <= bid.energy * bid.limit or trade.energy < bid.energy
        assert trade.cost == trade.value + trade.fee


@given(books(), fees)
def test_every_trade_has_the_one_rate_and_the_fee_of_the_node(book, fee):
    clearing = clear(book, session=SESSION, tree=one_node(fee))
    assert {(trade.session, trade.rate, trade.fee_rate) for trade in clearing.trades} <= {(SESSION, clearing.rate, fee)}
    assert (clearing.rate is None) == (not clearing.trades)


@by_every_mechanism
@settings(max_examples=40)
@given(books(), fees)
def test_no_order_is_used_for_more_than_its_energy(mechanism, book, fee):
    clearing = clear(book, session=SESSION, tree=one_node(fee), mechanism=mechanism)
    used = traded(clearing)
    for use in clearing.own_uses:
        used[use.bid] += use.energy
        used[use.offer] += use.energy
    assert all(used[entry.digest] <= entry.order.energy for entry in book)


@by_every_mechanism
@settings(max_examples=40)
@given(books(), fees)
def test_the_energy_bought_is_the_energy_sold(mechanism, book, fee):
    clearing = clear(book, session=SESSION, tree=one_node(fee), mechanism=mechanism)
    sold = traded(clearing)
    by_side = {side: sum(sold[entry.digest] for entry in book if entry.order.side is side) for side in Side}
    assert by_side[BID] == by_side[OFFER] == clearing.energy


@given(books(), fees)
def test_the_rate_lies_in_the_competitive_interval(book, fee):
    clearing = clear(book, session=SESSION, tree=one_node(fee))
    if clearing.rate is None:
        return
    assert clearing.low <= clearing.rate <= clearing.high
    assert clearing.rate == (clearing.low + clearing.high) // 2
    filled, left = traded(clearing), own_use(book)[1]
    for entry in book:
        if entry.digest in clearing.lapsed or not left[entry.digest]:
            continue
        limit, is_bid = net_limit(entry, fee), entry.order.side is BID
        if filled[entry.digest]:
            assert clearing.high <= limit if is_bid else clearing.low >= limit
        if filled[entry.digest] < left[entry.digest]:
            assert clearing.low >= limit if is_bid else clearing.high <= limit
        if 0 < filled[entry.digest] < left[entry.digest]:
            assert clearing.low == clearing.rate == clearing.high == limit


@given(books(), fees)
def test_every_order_strictly_inside_its_limit_is_filled_wholly(book, fee):
    clearing = clear(book, session=SESSION, tree=one_node(fee))
    filled, left = traded(clearing), own_use(book)[1]
    for entry in book:
        if clearing.rate is not None and entry.digest not in clearing.lapsed and inside(entry, clearing.rate, fee) > 0:
            assert filled[entry.digest] == left[entry.digest]


@by_every_mechanism
@settings(max_examples=40)
@given(books(), fees)
def test_no_rate_would_let_more_energy_be_traded(mechanism, book, fee):
    clearing = clear(book, session=SESSION, tree=one_node(fee), mechanism=mechanism)
    left = own_use(book)[1]
    bids, offers = (
        [
            Row(0, net_limit(entry, fee), left[entry.digest])
            for entry in book
            if entry.order.side is side and left[entry.digest] and entry.digest not in clearing.lapsed
        ]
        for side in (BID, OFFER)
    )
    assert clearing.energy == most_energy(bids, offers)


@by_every_mechanism
@settings(max_examples=40)
@given(books(), fees)
def test_no_account_trades_with_itself(mechanism, book, fee):
    account = {entry.digest: entry.account for entry in book}
    clearing = clear(book, session=SESSION, tree=one_node(fee), mechanism=mechanism)
    assert all(account[trade.bid] != account[trade.offer] for trade in clearing.trades)
    # stronger, since the contract nets by account: no account is on both sides at all
    buyers = {account[trade.bid] for trade in clearing.trades}
    assert buyers.isdisjoint(account[trade.offer] for trade in clearing.trades)


@by_every_mechanism
@settings(max_examples=40)
@given(books(), fees)
def test_own_energy_is_allocated_before_anything_is_traded(mechanism, book, fee):
    clearing = clear(book, session=SESSION, tree=one_node(fee), mechanism=mechanism)
    assert list(clearing.own_uses) == own_use(book)[0]


@by_every_mechanism
@settings(max_examples=40)
@given(books(), fees, st.randoms(use_true_random=False))
def test_the_order_in_which_orders_are_handed_in_changes_no_byte(mechanism, book, fee, shuffler):
    shuffled = list(book)
    shuffler.shuffle(shuffled)
    first, second = (
        clear(entries, session=SESSION, tree=one_node(fee), mechanism=mechanism) for entries in (book, shuffled)
    )
    assert first == second
    assert repr(clearing_to_document(first)) == repr(clearing_to_document(second))


@by_every_mechanism
@settings(max_examples=40)
@given(books(), fees)
def test_results_stand_in_ascending_order(mechanism, book, fee):
    clearing = clear(book, session=SESSION, tree=one_node(fee), mechanism=mechanism)
    leaves = [trade.leaf() for trade in clearing.trades]
    assert leaves == sorted(set(leaves))
    assert list(clearing.lapsed) == sorted(set(clearing.lapsed))


@given(books(), fees)
def test_only_an_order_that_crosses_an_earlier_one_of_its_account_lapses(book, fee):
    clearing = clear(book, session=SESSION, tree=one_node(fee))
    left = own_use(book)[1]
    standing = [entry for entry in book if left[entry.digest] and entry.digest not in clearing.lapsed]
    for entry in book:
        bound = net_limit(entry, fee)
        crossing = [
            other
            for other in standing
            if other.account == entry.account
            and other.order.side is not entry.order.side
            and left[entry.digest]
            and (bound >= net_limit(other, fee) if entry.order.side is BID else bound <= net_limit(other, fee))
        ]
        if entry.digest in clearing.lapsed:
            assert any(other.arrival < entry.arrival for other in crossing)
        else:
            assert not crossing


def own_pair(bid_limit: int, *, offer_first: bool = False) -> tuple[Resting, Resting]:
    """Return a bid and an offer at 10 of one account at two homes."""
    bid_number, offer_number = (2, 1) if offer_first else (1, 2)
    return (
        resting(BID, bid_limit, 5, sequence=bid_number, account=1, home="house"),
        resting(OFFER, 10, 5, sequence=offer_number, account=1, home="barn"),
    )


def test_own_orders_that_do_not_cross_stay():
    assert clear(own_pair(12), session=SESSION, tree=one_node(3)) == replace(NOTHING_CLEARED, low=9, high=10)


@pytest.mark.parametrize("offer_first", [False, True])
def test_of_own_orders_that_cross_the_later_lapses(offer_first):
    pair = own_pair(13, offer_first=offer_first)
    later = max(pair, key=lambda entry: entry.sequence)
    clearing = clear(pair, session=SESSION, tree=one_node(3))
    assert (clearing.lapsed, clearing.trades) == ((later.digest,), ())


def test_an_order_that_lapsed_makes_nothing_else_lapse():
    offer = resting(OFFER, 10, 5, sequence=1, account=1, home="barn")
    lapsing = resting(BID, 20, 5, sequence=2, account=1, home="house")
    fine = resting(OFFER, 15, 5, sequence=3, account=1, home="barn")
    assert clear([offer, lapsing, fine], session=SESSION, tree=one_node(0)).lapsed == (lapsing.digest,)


def test_own_energy_leaves_less_to_lapse():
    bid = resting(BID, 20, 5, sequence=1, account=1, home="house")
    own_offer = resting(OFFER, 10, 5, sequence=2, account=1, home="house")
    other_offer = resting(OFFER, 10, 5, sequence=3, account=1, home="barn")
    clearing = clear([bid, own_offer, other_offer], session=SESSION, tree=one_node(0))
    assert (clearing.lapsed, [use.energy for use in clearing.own_uses]) == ((), [5])


def test_the_buyer_pays_the_fee_on_top_of_what_the_seller_gets():
    bid, offer = resting(BID, 30, 5, sequence=1), resting(OFFER, 10, 9, sequence=2)
    (trade,) = clear([bid, offer], session=SESSION, tree=one_node(20)).trades
    assert (trade.rate, trade.fee_rate, trade.value, trade.fee, trade.cost) == (10, 20, 50, 100, 150)


def test_a_bid_that_covers_the_offer_but_not_the_fee_does_not_trade():
    bid, offer = resting(BID, 30, 5, sequence=1), resting(OFFER, 10, 9, sequence=2)
    clearing = clear([bid, offer], session=SESSION, tree=one_node(21))
    assert clearing == replace(NOTHING_CLEARED, low=9, high=10)


def test_of_equal_bids_the_one_taken_first_is_filled():
    late, early = resting(BID, 30, 5, sequence=2), resting(BID, 30, 5, sequence=1)
    offer = resting(OFFER, 10, 5, sequence=3)
    assert [trade.bid for trade in clear([late, offer, early], session=SESSION, tree=one_node(0)).trades] == [
        early.digest
    ]


def test_of_bids_with_one_number_the_lower_digest_is_filled():
    one, other = resting(BID, 30, 5, sequence=1, account=1), resting(BID, 30, 5, sequence=1, account=2)
    offer = resting(OFFER, 10, 5, sequence=3)
    clearing = clear(
        [max(one, other, key=lambda b: b.digest), offer, min(one, other, key=lambda b: b.digest)],
        session=SESSION,
        tree=one_node(0),
    )
    assert clearing.trades[0].bid == min(one.digest, other.digest)


def test_an_empty_session_clears_nothing():
    assert clear([], session=SESSION, tree=one_node(0)) == NOTHING_CLEARED


def test_an_order_twice_in_a_book_is_a_bug_of_the_caller():
    bid = resting(BID, 30, 5, sequence=1)
    with pytest.raises(AssertionError, match="once"):
        clear([bid, bid], session=SESSION, tree=one_node(0))


def test_an_order_of_another_session_is_a_bug_of_the_caller():
    other = SessionKey(SESSION.market, Product.SPOT, SESSION.delivery_start + 900)
    with pytest.raises(AssertionError, match="this session"):
        clear([resting(BID, 30, 5, sequence=1, session=other)], session=SESSION, tree=one_node(0))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_large_session_clears_the_same_however_it_is_shuffled(seed):
    draw = random.Random(seed)
    book = [
        resting(draw.choice((BID, OFFER)), draw.randint(-50, 50), draw.randint(1, 900), sequence=n, account=n % 97)
        for n in range(1, 2001)
    ]
    first = clear(book, session=SESSION, tree=one_node(2))
    draw.shuffle(book)
    assert clear(book, session=SESSION, tree=one_node(2)) == first
