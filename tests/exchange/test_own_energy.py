"""Own energy first: an account's orders at one home are allocated to each other before anything is traded."""

from collections import defaultdict

from hypothesis import given

from exchange.clearing import OwnUse
from exchange.order import Side
from exchange.own_energy import own_use
from tests.strategies import books, resting

BID, OFFER = Side.BID, Side.OFFER


def test_a_bid_takes_the_energy_of_its_own_home():
    bid = resting(BID, 30, 5, sequence=1, account=1, home="house")
    offer = resting(OFFER, 10, 3, sequence=2, account=1, home="house")
    uses, left = own_use([bid, offer])
    assert uses == [OwnUse(bid=bid.digest, offer=offer.digest, energy=3)]
    assert left == {bid.digest: 2, offer.digest: 0}


def test_a_bid_takes_no_energy_of_another_account():
    bid = resting(BID, 30, 5, sequence=1, account=1, home="house")
    offer = resting(OFFER, 10, 3, sequence=2, account=2, home="house")
    assert own_use([bid, offer]) == ([], {bid.digest: 5, offer.digest: 3})


def test_a_bid_takes_no_energy_of_another_home_of_its_account():
    bid = resting(BID, 30, 5, sequence=1, account=1, home="house")
    offer = resting(OFFER, 10, 3, sequence=2, account=1, home="barn")
    assert own_use([bid, offer]) == ([], {bid.digest: 5, offer.digest: 3})


def test_own_energy_is_allocated_whatever_the_limits():
    bid = resting(BID, -9, 5, sequence=1, account=1)
    offer = resting(OFFER, 99, 5, sequence=2, account=1)
    assert own_use([bid, offer])[0] == [OwnUse(bid=bid.digest, offer=offer.digest, energy=5)]


def test_the_highest_bid_takes_from_the_lowest_offer_first():
    low_bid = resting(BID, 20, 4, sequence=1, account=1)
    high_bid = resting(BID, 30, 4, sequence=2, account=1)
    dear_offer = resting(OFFER, 15, 4, sequence=3, account=1)
    cheap_offer = resting(OFFER, 10, 3, sequence=4, account=1)
    uses, left = own_use([low_bid, high_bid, dear_offer, cheap_offer])
    assert {(use.bid, use.offer, use.energy) for use in uses} == {
        (high_bid.digest, cheap_offer.digest, 3),
        (high_bid.digest, dear_offer.digest, 1),
        (low_bid.digest, dear_offer.digest, 3),
    }
    assert left[low_bid.digest] == 1


def test_among_equal_bids_the_earlier_takes_own_energy_first():
    first = resting(BID, 20, 4, sequence=1, account=1)
    second = resting(BID, 20, 4, sequence=2, account=1)
    offer = resting(OFFER, 10, 5, sequence=3, account=1)
    left = own_use([second, offer, first])[1]
    assert (left[first.digest], left[second.digest]) == (0, 3)


@given(books())
def test_afterwards_an_account_is_left_on_one_side_only_at_each_home(book):
    _, left = own_use(book)
    sides = defaultdict(set)
    for entry in book:
        if left[entry.digest]:
            sides[entry.account, entry.home].add(entry.order.side)
    assert all(len(both) == 1 for both in sides.values())


@given(books())
def test_own_energy_is_neither_made_nor_lost(book):
    uses, left = own_use(book)
    by_name = {entry.digest: entry for entry in book}
    used = defaultdict(int)
    for use in uses:
        bid, offer = by_name[use.bid], by_name[use.offer]
        assert (bid.order.side, offer.order.side) == (BID, OFFER)
        assert (bid.account, bid.home) == (offer.account, offer.home)
        assert use.energy > 0
        used[use.bid] += use.energy
        used[use.offer] += use.energy
    assert {name: entry.order.energy - used[name] for name, entry in by_name.items()} == left
    assert uses == sorted(uses, key=lambda use: (use.bid, use.offer))
