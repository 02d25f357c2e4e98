"""Following the journal: every event once, in order, wherever one was cut off; and nothing of a book that is open."""

import asyncio
import json
import random
from contextlib import aclosing

import pytest

from app.client.following import Following
from app.feed import EVERY_PART, Feed, FeedEnded
from app.figures import Figures
from app.public_events import Place, Sources, Topic, public_events, receipt_name
from app.streams import EventStream
from exchange.effects.desk import Desk
from exchange.effects.journal import SqliteJournal
from exchange.effects.taken import Taken
from exchange.errors import CursorMalformed, JournalBroken
from exchange.market import Market
from identity.hashing import keccak
from tests.actors import OPERATOR
from tests.exchange import street

PATIENCE = 0.05


@pytest.fixture
def clock():
    return street.Clock()


@pytest.fixture
def journal(tmp_path):
    opened = SqliteJournal(tmp_path / "journal.db")
    yield opened
    opened.close()


@pytest.fixture
def desk(journal, clock):
    opened = Desk(journal, Market(), street.registry, street.Purse(), OPERATOR.key, clock)
    opened.open(street.PARAMETERS)
    return opened


@pytest.fixture
def sources(desk):
    return Sources(
        session=lambda key: desk.look(lambda market, _: market.session(key)),
        order=lambda digest: desk.look(lambda market, _: market.session_of(digest).orders[digest]),
        settlement=lambda _: {"batches": [{"state": "final"}]},
    )


def feed_of(journal, sources, kept=20_000):
    return Feed(journal, sources, kept=kept, look_seconds=0.005)


def everything(journal, sources):
    return [event for number, entry in journal.read() for event in public_events(number, entry, sources)]


def trade_a_day(desk, clock, periods=3):
    """Some orders a period, one taken back, cleared, and settled."""
    for period in range(periods):
        start = street.START + 900 * period
        regretted = street.bid(energy=50, salt=9, delivery_start=start)
        orders = [street.bid(delivery_start=start), street.bid(street.FLAT, delivery_start=start), regretted]
        for order in [*orders, street.offer(delivery_start=start, energy=5_000)]:
            desk.submit([order])
        desk.cancel(street.digest_of(regretted), street.cancellation(regretted))
        clock.now = start - 300
        desk.close_and_clear(clock.now)
        desk.settled(street.TERMS.session(start), clock.now + 5)


async def read(feed, after, count):
    """Return the next events after a place, at least so many."""
    found = []
    async with aclosing(feed.follow(after, PATIENCE)) as chunks:
        async for events, _ in chunks:
            found += events
            if len(found) >= count:
                return found
    return found


# What is told


def test_a_day_is_told_in_the_order_of_the_journal(journal, desk, clock, sources):
    trade_a_day(desk, clock, periods=1)
    told = everything(journal, sources)
    assert [event.kind for event in told] == [
        *["order-accepted"] * 4,
        "order-cancelled",
        "gate-closed",
        "session-cleared",
        "trade",
        "trade",
        "session-settled",
        "settlement",
    ]
    places = [event.place for event in told]
    assert places == sorted(set(places)), "every place is there once"
    assert json.loads(told[-1].data)["batches"] == [{"state": "final"}]


def test_an_order_in_an_open_session_is_known_to_its_owner_and_to_nobody_else(journal, desk, sources):
    order = street.bid(energy=4_321, limit=234_567)
    (taken,) = desk.submit([order])
    assert isinstance(taken, Taken)
    desk.cancel(street.digest_of(order), street.cancellation(order))
    accepted, cancelled = everything(journal, sources)
    for event in (accepted, cancelled):
        told = json.loads(event.data)
        assert told.keys() == {"session", "session_name", "at", "receipt"}
        assert told["receipt"] == receipt_name(taken.accepted.receipt)
        assert street.digest_of(order).hex() not in event.data
        assert event.accounts == (taken.accepted.account,), "only whose account it is will hear of it"
    assert keccak(street.digest_of(order)).hex() not in accepted.data, "guessing the order does not help"


def test_a_trade_names_its_accounts(journal, desk, clock, sources):
    trade_a_day(desk, clock, periods=1)
    trades = [event for event in everything(journal, sources) if event.topic is Topic.TRADES]
    assert {event.accounts for event in trades} == {(2, 1), (4, 1)}
    assert {json.loads(event.data)["buyer"] for event in trades} == {2, 4}


# Following


def test_who_follows_from_the_beginning_gets_everything_once(journal, desk, clock, sources):
    trade_a_day(desk, clock)
    told = everything(journal, sources)
    assert asyncio.run(read(feed_of(journal, sources), Place(0, EVERY_PART), len(told))) == told


@pytest.mark.parametrize("kept", [1, 7, 20_000])
@pytest.mark.parametrize("seed", range(4))
def test_followers_who_are_cut_off_anywhere_get_every_event_once(journal, desk, clock, sources, seed, kept):
    """Whatever is remembered, and however the journal grows meanwhile."""
    shaken = random.Random(seed)

    async def follower(feed, total):
        seen, after = [], Place(0, EVERY_PART)
        while len(seen) < total():
            wanted = shaken.randrange(1, 12)
            async with aclosing(feed.follow(after, PATIENCE)) as chunks:
                async for events, reached in chunks:
                    taken = events[: wanted if shaken.random() < 0.5 else None]
                    seen += taken
                    after = taken[-1].place if len(taken) < len(events) else reached
                    wanted -= len(taken)
                    if wanted <= 0 or len(seen) >= total():
                        break
        return seen

    async def story():
        feed, done = feed_of(journal, sources, kept), asyncio.Event()

        def total():
            return len(everything(journal, sources)) if done.is_set() else 1 << 30

        async def grow():
            for period in range(3):
                await asyncio.to_thread(trade_one, period)
                await asyncio.sleep(0.01)
            done.set()

        def trade_one(period):
            start = street.START + 900 * period
            desk.submit([street.bid(delivery_start=start), street.offer(delivery_start=start)])
            clock.now = start - 300
            desk.close_and_clear(clock.now)

        *followers, _ = await asyncio.gather(follower(feed, total), follower(feed, total), grow())
        return followers

    followers = asyncio.run(asyncio.wait_for(story(), 30))
    assert followers == [everything(journal, sources)] * 2


def test_nothing_is_read_while_nobody_follows(journal, desk, clock, sources):
    async def story():
        feed = feed_of(journal, sources)
        trade_a_day(desk, clock, periods=1)
        await read(feed, Place(0, EVERY_PART), 5)
        assert feed._looking is None
        assert not feed._recent
        desk.submit([street.bid(salt=77, delivery_start=street.START + 900)])
        return await read(feed, Place(0, EVERY_PART), len(everything(journal, sources)))

    assert asyncio.run(story()) == everything(journal, sources)


def test_a_sign_of_life_is_given_when_nothing_happens(journal, desk, sources):
    async def story():
        feed = feed_of(journal, sources)
        async with aclosing(feed.follow(await feed.place(None), 0.01)) as chunks:
            return await anext(chunks)

    events, reached = asyncio.run(story())
    assert (events, reached) == ((), Place(1, EVERY_PART))


@pytest.mark.parametrize("text", ["x", "-1", "1.", ".1", "1.2.3", "9999", "٣", "1" * 30, "1.x"])
def test_what_is_no_place_of_this_journal_is_refused(journal, desk, sources, text):
    with pytest.raises(CursorMalformed):
        asyncio.run(feed_of(journal, sources).place(text))


@pytest.mark.parametrize(("text", "place"), [("0", (0, EVERY_PART)), ("1", (1, EVERY_PART)), ("1.3", (1, 3))])
def test_a_place_is_read_as_it_was_given(journal, desk, sources, text, place):
    assert asyncio.run(feed_of(journal, sources).place(text)) == place


def test_a_follower_of_a_process_that_lags_behind_its_journal_waits_for_it(journal, desk, clock, sources):
    """The journal may hold what another process decided and this one has not taken in."""
    trade_a_day(desk, clock, periods=1)
    behind = [True]

    def session(key):
        if behind[0]:
            raise KeyError(key)
        return sources.session(key)

    async def story():
        feed = feed_of(journal, Sources(session, sources.order, sources.settlement))
        early = await read(feed, Place(0, EVERY_PART), 6)
        behind[0] = False
        return early + await read(feed, early[-1].place, 1)

    told = asyncio.run(story())
    assert told == everything(journal, sources)[: len(told)]
    assert len(told) > 6


def test_closing_ends_every_follower(journal, desk, sources):
    async def story():
        feed = feed_of(journal, sources)
        waiting = asyncio.create_task(read(feed, await feed.place(None), 1))
        await asyncio.sleep(0.05)
        feed.close()
        with pytest.raises(FeedEnded, match="stops"):
            await waiting
        with pytest.raises(FeedEnded):
            await read(feed, Place(0, EVERY_PART), 1)

    asyncio.run(story())


def test_a_journal_that_breaks_ends_every_follower(journal, desk, sources, monkeypatch):
    def broken(_start):
        raise JournalBroken("the disk is gone")
        yield

    async def story():
        feed = feed_of(journal, sources)
        waiting = asyncio.create_task(read(feed, await feed.place(None), 1))
        await asyncio.sleep(0.02)
        monkeypatch.setattr(journal, "read", broken)
        with pytest.raises(FeedEnded, match="the disk is gone"):
            await waiting

    asyncio.run(story())


# Over the wire


async def until(condition):
    for _ in range(6_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


class Wire:
    """A connection that takes `room` messages and then no more, until `open`."""

    def __init__(self, room=1 << 30):
        self.room = room
        self.text = ""
        self.gone = asyncio.Event()

    async def send(self, message):
        if message["type"] == "http.response.body":
            self.text += message["body"].decode()
            self.room -= 1
            if self.room <= 0:
                await asyncio.Event().wait()

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}


def stream(feed, begin, figures, wanted=lambda _: True, slow_seconds=30.0):
    return EventStream(feed.follow(begin, PATIENCE), wanted, begin, figures, slow_seconds=slow_seconds)


def test_a_client_that_does_not_read_is_let_go_with_the_place_to_go_on_from(journal, desk, clock, sources):
    trade_a_day(desk, clock)
    figures, told = Figures(), everything(journal, sources)

    async def story():
        wire, feed = Wire(room=2), feed_of(journal, sources)
        await asyncio.wait_for(
            stream(feed, Place(0, EVERY_PART), figures, slow_seconds=0.05)({}, wire.receive, wire.send), 10
        )
        assert feed._looking is None, "nobody follows any longer"
        return wire.text

    text = asyncio.run(story())
    assert (figures.streams, figures.streams_dropped) == (0, 1)
    last = text.strip().split("\n\n")[-1]
    assert last.startswith("event: dropped\ndata: ")
    after = json.loads(last.partition("data: ")[2])["after"]
    following = Following((), None, None)
    seen = list(following.feed(text.encode()))
    assert after == "0", "what was not read has to come again"
    assert [event.id for event in seen] == [str(event.place) for event in told]


def test_a_client_that_leaves_is_forgotten(journal, desk, sources):
    figures = Figures()

    async def story():
        wire, feed = Wire(), feed_of(journal, sources)
        task = asyncio.create_task(stream(feed, await feed.place(None), figures)({}, wire.receive, wire.send))
        await until(lambda: ": still here" in wire.text)
        assert figures.streams == 1
        wire.gone.set()
        await asyncio.wait_for(task, 60)
        assert feed._followers == 0

    asyncio.run(story())
    assert (figures.streams, figures.streams_dropped) == (0, 0)


def test_what_was_passed_over_is_not_passed_over_again(journal, desk, clock, sources):
    """A follower of few topics still moves on: its last id is that of the newest entry."""

    async def story():
        wire, feed = Wire(), feed_of(journal, sources)
        task = asyncio.create_task(
            stream(feed, await feed.place(None), Figures(), wanted=lambda event: event.topic is Topic.TRADES)(
                {}, wire.receive, wire.send
            )
        )
        await until(lambda: feed._looking is not None)
        await asyncio.to_thread(desk.submit, [street.bid()])
        await until(lambda: "id: 2\n" in wire.text)
        wire.gone.set()
        await task
        return wire.text

    following = Following((), None, None)
    assert list(following.feed(asyncio.run(story()).encode())) == []
    assert following.last_id == "2"


# Reading a stream


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_a_stream_is_read_however_it_is_cut(size):
    raw = (
        b'retry: 10\nid: 5\n\n: hello\n\nevent: trade\r\nid: 6.1\r\ndata: {"a":\ndata: 1}\n\nid: 7\n\nevent: x\nid: 8\n'
    )
    following = Following(["trades"], 7, "4")
    events = [event for at in range(0, len(raw), size) for event in following.feed(raw[at : at + size])]
    assert [(event.id, event.kind, event.data) for event in events] == [("6.1", "trade", {"a": 1})]
    assert following.last_id == "7", "what was read in part counts for nothing"
    assert following.request().query == {"topics": "trades", "account": 7, "after": "7"}
