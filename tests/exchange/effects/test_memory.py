"""What a desk remembers of settled sessions is bounded, and each answer is as if nothing were forgotten."""

import gc

import pytest
from sqlalchemy import delete, select, update

from exchange.effects.archive import Archive
from exchange.effects.archive_tables import ORDERS, SESSIONS, TRADES
from exchange.effects.desk import Desk
from exchange.effects.journal import SqliteJournal
from exchange.effects.memory import Memory
from exchange.effects.past_trades import find_trade, list_trades, settled_with
from exchange.effects.taken import Taken
from exchange.effects.views import order_document, session_document, summary_document, taken_document, view_order
from exchange.errors import ArchiveBroken, GateClosed, UnknownOrder, UnknownSession, UnknownTrade
from exchange.events import OrderAccepted
from exchange.market import Market
from tests.actors import OPERATOR
from tests.exchange import street
from tests.simulators.following_journal import FollowingJournal
from tests.storage_kinds import KINDS

PERIODS = 4
OVER = street.START + 900 * PERIODS


def starts(periods=PERIODS, first=0):
    return [street.START + 900 * (first + period) for period in range(periods)]


def orders_of(start):
    """What is ordered for one period: what trades, what serves own use, and what is not matched."""
    return [
        street.bid(delivery_start=start),
        street.offer(delivery_start=start, energy=1_300),
        street.bid(street.FLAT, delivery_start=start, energy=300),
        street.bid(street.HOUSE, delivery_start=start, energy=200),
        street.offer(street.HOUSE, delivery_start=start, energy=200, limit=310_000, salt=2),
        street.offer(street.PLANT, delivery_start=start, limit=3_900_000),
    ]


def regretted(start):
    return street.bid(delivery_start=start, energy=70, salt=9)


@pytest.fixture(params=KINDS)
def url(request, tmp_path):
    """Where an archive may lie."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres").new_schema()
    return f"sqlite:///{tmp_path / 'archive.db'}"


@pytest.fixture
def archive(url):
    opened = Archive(url)
    yield opened
    opened.close()


@pytest.fixture
def opened(journal, registry, purse, clock):
    """Opens a desk on the journal, as a start does, with an archive or none, and room for so many settled orders."""

    def open_desk(archive=None, most_orders=0):
        made = Desk(
            journal,
            Market(),
            lambda: registry,
            purse,
            OPERATOR.key,
            clock,
            Memory(journal, archive, most_orders),
        )
        made.open(street.PARAMETERS)
        return made

    return open_desk


def trade_and_settle(desk, clock, periods):
    """Have the street trade some periods, and settle them."""
    for start in periods:
        clock.now = street.TERMS.gate_closure(start) - 10
        desk.submit([*orders_of(start), regretted(start)])
        desk.cancel(street.digest_of(regretted(start)), street.cancellation(regretted(start)))
        clock.now += 10
        desk.close_and_clear(clock.now)
        desk.settled(street.TERMS.session(start), clock.now + 5)
        desk.forget()


def pages(desk, limit, **wanted):
    """Return all trades, page by page."""
    found, after = [], None
    while page := list_trades(desk, **({"account": None, "session": None} | wanted), after=after, limit=limit):
        found += page
        after = page[-1].place
    return found


def order_view(desk, digest):
    return desk.look(lambda market, _: view_order(market, digest))


def answers(desk, periods):
    """Ask everything there is to ask of some periods."""
    keys = [street.TERMS.session(start) for start in periods]
    every = [signed for start in periods for signed in [*orders_of(start), regretted(start)]]
    told = {
        "orders": [order_document(order_view(desk, street.digest_of(each)), None) for each in every],
        "sent again": [
            taken_document(result.accepted, result.state.value) | {"new": result.new}
            if isinstance(result, Taken)
            else (result.code, str(result))
            for result in desk.submit(every)
        ],
        "taken back again": [
            desk.cancel(street.digest_of(regretted(s)), street.cancellation(regretted(s))) for s in periods
        ],
        "sessions": [
            desk.look(lambda market, _, key=key: summary_document(market.summary(key), street.TERMS)) for key in keys
        ],
        "books": [desk.book(key).to_document() for key in keys],
        "whole sessions": [
            session_document(
                desk.look(lambda market, _, key=key: market.session(key)), street.PARAMETERS, None, curves=True
            )
            for key in keys
        ],
        "trades": pages(desk, 3),
        "trades of accounts": [pages(desk, 2, account=account) for account in range(1, 7)],
        "trades of sessions": [pages(desk, 2, session=key) for key in keys],
        "trades of both": [pages(desk, 2, session=key, account=2) for key in keys],
        "reserved": [desk.look(lambda market, _, account=account: market.reserved(account)) for account in range(1, 7)],
    }
    told["by leaf"] = [find_trade(desk, record.leaf) for record in told["trades"]]
    return told


def held(desk):
    """Count the orders that a desk holds in memory, by every way it may hold them."""
    market, trades, memory = desk._market, desk._trades, desk._memory
    return {
        "orders": sum(len(s.orders) for s in [*market.sessions.values(), *market.recalled.values()]),
        "digests": len(market._session_of),
        "leaves": len(trades._by_leaf),
        "places": sum(len(places) for places in trades._by_account.values()),
        "sessions of trades": len(trades._cleared) + len(trades._turns),
        "entries": sum(len(each.orders) + len(each.others) for each in memory._entries.values()),
    }


@pytest.mark.parametrize("most_orders", [0, 15, 1_000])
def test_every_answer_is_what_it_would_be_if_nothing_were_forgotten(opened, archive, clock, most_orders):
    desk = opened(archive, most_orders)
    trade_and_settle(desk, clock, starts())
    told = answers(desk, starts())
    assert answers(desk, starts()) == told, "asking changes nothing"
    assert answers(opened(), starts()) == told, "as a desk that forgets nothing"
    assert answers(opened(archive, most_orders), starts()) == told, "after a start"
    assert len(told["trades"]) >= 2 * PERIODS
    assert len(desk._market.forgotten) == {0: PERIODS, 15: PERIODS - 2, 1_000: 0}[most_orders]


def test_what_is_held_does_not_grow_with_what_was_settled(opened, archive, clock):
    desk = opened(archive, 15)
    trade_and_settle(desk, clock, starts(3))
    bound = held(desk)
    trade_and_settle(desk, clock, starts(9, first=3))
    assert held(desk) == bound
    without = opened()
    assert held(without)["orders"] == 12 * 7 > bound["orders"], "a desk that forgets nothing holds all"


def test_a_start_holds_no_more_than_what_ran(opened, archive, clock, journal):
    desk = opened(archive, 15)
    trade_and_settle(desk, clock, starts(6))
    bound = held(desk)
    del desk
    gc.collect()
    before = sum(isinstance(each, OrderAccepted) for each in gc.get_objects())
    again = opened(archive, 15)
    gc.collect()
    assert held(again) == bound
    assert sum(isinstance(each, OrderAccepted) for each in gc.get_objects()) - before == bound["orders"]


def test_what_is_asked_for_again_is_held_no_longer_than_there_is_room(opened, archive, clock):
    desk = opened(archive, 15)
    trade_and_settle(desk, clock, starts(8))
    for start in starts(8):
        desk.book(street.TERMS.session(start))
        assert len(desk._market.recalled) <= 2
    assert held(desk)["digests"] == held(desk)["orders"] <= 30


def test_an_order_for_a_forgotten_session_is_late_and_one_taken_in_it_is_known(opened, archive, clock):
    desk = opened(archive)
    trade_and_settle(desk, clock, starts(1))
    late, known, altered = street.bid(energy=500, salt=77), street.bid(), street.bid(energy=501)
    taken, refused, other = desk.submit([known, late, altered])
    assert isinstance(taken, Taken)
    assert not taken.new
    assert isinstance(refused, GateClosed)
    assert isinstance(other, GateClosed)
    clock.now = street.CLOSURE - 50  # even to a clock that was set back
    assert isinstance(desk.submit([late])[0], GateClosed)


def test_what_never_was_is_unknown_beside_an_archive_too(opened, archive, clock):
    desk = opened(archive)
    trade_and_settle(desk, clock, starts(1))
    with pytest.raises(UnknownOrder):
        desk.look(lambda market, _: market.session_of(bytes(32)))
    with pytest.raises(UnknownTrade):
        find_trade(desk, bytes(32))
    with pytest.raises(UnknownSession):
        desk.book(street.TERMS.session(street.START + 9_000))
    with pytest.raises(UnknownOrder):
        desk.cancel(bytes(32), bytes(65))


def test_an_archive_that_is_missing_is_made_anew(opened, archive, clock, tmp_path):
    desk = opened(archive)
    trade_and_settle(desk, clock, starts())
    told = answers(desk, starts())
    other = Archive(f"sqlite:///{tmp_path / 'another.db'}")
    assert answers(opened(other), starts()) == told
    other.close()


@pytest.mark.parametrize("table", [SESSIONS, ORDERS, TRADES], ids=lambda table: table.name)
def test_an_archive_that_lost_rows_with_their_session_is_made_whole(opened, archive, clock, table):
    desk = opened(archive)
    trade_and_settle(desk, clock, starts())
    told = answers(desk, starts())
    with archive._engine.begin() as connection:
        if table is not SESSIONS:
            connection.execute(delete(table))
        connection.execute(update(SESSIONS).values(fingerprint=bytes(32)))
    assert answers(opened(archive), starts()) == told


def test_an_archive_of_another_journal_is_cleared(opened, tmp_path, registry, purse, clock):
    archive = Archive(f"sqlite:///{tmp_path / 'archive.db'}")
    desk = opened(archive)
    trade_and_settle(desk, clock, starts())
    other = SqliteJournal(tmp_path / "other.db")
    fresh = Desk(other, Market(), lambda: registry, purse, OPERATOR.key, clock, Memory(other, archive, 0))
    fresh.open(street.PARAMETERS)
    assert list_trades(fresh, account=None, session=None, after=None, limit=10) == []
    with archive._engine.connect() as connection:
        assert connection.execute(select(ORDERS)).first() is None
    other.close()
    archive.close()


def test_a_session_that_does_not_stand_where_the_archive_says_is_not_made_up(opened, archive, clock):
    desk = opened(archive)
    trade_and_settle(desk, clock, starts(2))
    first, second = (street.TERMS.session(start) for start in starts(2))
    with archive._engine.begin() as connection:
        entries = connection.execute(select(SESSIONS.c.entries).order_by(SESSIONS.c.session)).scalars().all()
        connection.execute(
            update(SESSIONS).where(SESSIONS.c.session == first.number.to_bytes(10, "big")).values(entries=entries[1])
        )
    with pytest.raises(ArchiveBroken):
        desk.book(first)
    assert desk.book(second).key == second


def test_what_an_account_did_in_forgotten_sessions_is_found_by_time(opened, archive, clock):
    desk = opened(archive)
    trade_and_settle(desk, clock, starts())
    whole = settled_with(desk, 2, 0, 1 << 40, nodes=())
    assert [record.trade.session.delivery_start for record in whole.trades] == starts()
    some = settled_with(desk, 2, starts()[1], starts()[3], nodes=())
    assert some.trades == whole.trades[1:3]
    used = settled_with(desk, 3, 0, 1 << 40, nodes=()).own_uses
    assert [key.delivery_start for key, _ in used] == starts()
    assert {use.energy for _, use in used} == {200}


def test_an_archive_that_cannot_be_written_is_told_of_and_nothing_is_forgotten(opened, tmp_path, clock):
    archive = Archive(f"sqlite:///{tmp_path / 'archive.db'}")
    desk = opened(archive)
    trade_and_settle(desk, clock, starts(1))
    with archive._engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE settled_trades RENAME TO elsewhere")
    with pytest.raises(ArchiveBroken):
        trade_and_settle(desk, clock, starts(1, first=1))
    assert desk.book(street.TERMS.session(starts()[1])), "it is still held"
    again = opened(archive)
    assert again.book(street.TERMS.session(starts()[1])), "and so it is after a start"
    with pytest.raises(ArchiveBroken):
        again.forget()
    with archive._engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO settled_trades")
    again.forget()
    assert answers(again, starts(2)) == answers(opened(), starts(2))
    assert held(again)["entries"] == 0
    archive.close()


def test_who_follows_forgets_too_and_takes_over_knowing_all(opened, archive, path, registry, purse, clock):
    desk, other = opened(archive), FollowingJournal(path)
    follower = Desk(other, Market(), lambda: registry, purse, OPERATOR.key, clock, Memory(other, archive, 0))
    trade_and_settle(desk, clock, starts(2))
    follower.open(street.PARAMETERS)
    trade_and_settle(desk, clock, starts(2, first=2))
    assert desk.book(street.SESSION) == follower.book(street.SESSION)
    follower.follow()
    assert held(follower)["orders"] == 7, "the session that was just read, and nothing else"
    told = answers(desk, starts())
    desk._journal.close()
    other.other_ended = True
    assert follower.take_over()
    assert answers(follower, starts()) == told
    trade_and_settle(follower, clock, starts(1, first=PERIODS))
    assert len(follower._market.forgotten) == PERIODS + 1
    assert answers(follower, starts(1, first=PERIODS))["books"]
    other.close()
