"""A desk that follows another's journal answers, decides nothing, and takes over with all that was written."""

import asyncio

import pytest

from exchange.effects.desk import Desk
from exchange.effects.taken import Taken
from exchange.errors import JournalBroken, NotTheSequencer
from exchange.market import Market
from tests.actors import OPERATOR
from tests.exchange import street
from tests.exchange.effects.test_journal import alter
from tests.simulators.following_journal import FollowingJournal


@pytest.fixture
def other(path):
    opened = FollowingJournal(path)
    yield opened
    opened.close()


@pytest.fixture
def follower(desk, other, registry, purse, clock):
    opened = Desk(other, Market(), lambda: registry, purse, OPERATOR.key, clock)
    opened.open(street.PARAMETERS)
    return opened


def held(desk):
    return desk.look(lambda market, _: (market.next_sequence, sorted(market.session(street.SESSION).orders)))


def test_who_follows_sees_what_was_decided_once_it_has_taken_it_in(desk, follower):
    desk.submit([street.bid(salt=1)])
    follower.follow()
    assert held(follower) == held(desk)
    desk.submit([street.bid(salt=2)])
    desk.submit([street.bid(salt=3)])
    follower.follow()
    follower.follow()
    assert held(follower) == held(desk)
    assert desk.decides
    assert not follower.decides


@pytest.mark.parametrize(
    "decide",
    [
        lambda desk: desk.submit([street.bid(salt=9)]),
        lambda desk: asyncio.run(desk.submit_soon([street.bid(salt=9)])),
        lambda desk: asyncio.run(desk.submit_soon([street.bid(salt=salt) for salt in range(9, 60)])),
        lambda desk: desk.cancel(street.digest_of(street.bid(salt=1)), bytes(64)),
        lambda desk: desk.close_and_clear(street.CLOSURE),
        lambda desk: desk.settled(street.SESSION, street.CLOSURE),
    ],
    ids=["order", "order soon", "many orders", "cancellation", "clearing", "settlement"],
)
def test_who_follows_decides_nothing_and_is_none_the_worse_for_having_been_asked(desk, follower, decide):
    desk.submit([street.bid(salt=1)])
    follower.follow()
    with pytest.raises(NotTheSequencer):
        decide(follower)
    desk.submit([street.bid(salt=2)])
    follower.follow()
    assert held(follower) == held(desk)


def test_who_follows_takes_over_only_when_the_other_has_ended_and_then_knows_everything(desk, follower, journal, other):
    first = street.bid(salt=1)
    (taken,) = desk.submit([first])
    assert not follower.take_over()
    desk.submit([street.bid(salt=2)])
    journal.close()
    other.other_ended = True
    assert follower.take_over()
    assert follower.decides
    (again, new) = follower.submit([first, street.bid(salt=3)])
    assert again.accepted.receipt == taken.accepted.receipt
    assert isinstance(new, Taken)
    assert new.accepted.receipt.sequence == 3
    assert other.check() == []


def test_who_cannot_take_everything_in_does_not_decide(desk, follower, journal, other, path):
    desk.submit([street.bid(salt=1), street.bid(salt=2)])
    journal.close()
    other.other_ended = True
    alter(path, "UPDATE entries SET body = body || ' ' WHERE sequence = 2")
    with pytest.raises(JournalBroken):
        follower.take_over()
    with pytest.raises(JournalBroken):
        follower.submit([street.bid(salt=3)])


def test_an_empty_journal_is_begun_by_who_decides(other, journal, registry, purse, clock):
    follower = Desk(other, Market(), lambda: registry, purse, OPERATOR.key, clock)
    with pytest.raises(NotTheSequencer):
        follower.open(street.PARAMETERS)
