"""What every journal does, whatever database it lies in: one suite for all."""

import threading
from contextlib import closing

import pytest
from sqlalchemy import text

from exchange.effects.entries import Damage
from exchange.effects.journal import SqliteJournal
from exchange.effects.postgres_journal import PostgresJournal
from exchange.errors import JournalBroken, JournalInUse
from identity.effects.versioned import open_engine, writing
from tests.exchange.effects.test_journal import EVENTS
from tests.storage_kinds import KINDS


class Place:
    """A place for one journal, on one kind of database."""

    def __init__(self, url, opened):
        self.url = url
        self.open = opened

    def alter(self, statement):
        """Change the journal behind its back."""
        engine = open_engine(self.url)
        with writing(engine) as connection:
            connection.execute(text(statement))
        engine.dispose()


@pytest.fixture(params=KINDS)
def place(request, tmp_path):
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").new_schema()
        return Place(url, lambda: PostgresJournal.sequencer(url))
    path = tmp_path / "journal.db"
    return Place(f"sqlite:///{path}", lambda: SqliteJournal(path))


@pytest.fixture
def journal(place):
    opened = place.open()
    yield opened
    opened.close()


def test_what_was_appended_is_read_back_in_order(journal):
    assert journal.writable
    assert journal.append(EVENTS[:2]).result() == 2
    assert journal.append(EVENTS[2:]).result() == len(EVENTS)
    assert list(journal.read()) == list(enumerate(EVENTS, 1))
    assert list(journal.read(4)) == list(enumerate(EVENTS, 1))[3:]
    assert list(journal.read(len(EVENTS) + 1)) == []
    assert journal.check() == []


def test_nobody_reads_from_beyond_the_end(journal):
    journal.append(EVENTS).result()
    with pytest.raises(JournalBroken, match="entry 8: the entry is missing"):
        list(journal.read(9))


def test_a_new_journal_is_empty_and_sound(journal):
    assert list(journal.read()) == []
    assert journal.check() == []


def test_a_reopened_journal_goes_on_where_it_ended(place, journal):
    journal.append(EVENTS).result()
    journal.close()
    with closing(place.open()) as again:
        assert again.append([EVENTS[1]]).result() == len(EVENTS) + 1
        assert [event for _, event in again.read()] == [*EVENTS, EVENTS[1]]
        assert again.check() == []


def test_no_events_at_all_wait_for_those_before(journal):
    first = journal.append(EVENTS)
    assert journal.append([]).result() == len(EVENTS)
    assert first.done()


def test_threads_append_without_losing_anything(journal):
    def caller():
        for _ in range(20):
            journal.append(EVENTS[1:3]).result()

    threads = [threading.Thread(target=caller) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(journal.read())) == 400
    assert journal.check() == []


def test_who_stops_waiting_does_not_stop_the_writing(journal):
    future = journal.append(EVENTS)
    assert not future.cancel()
    assert journal.append([]).result() == len(EVENTS)


def test_a_closed_journal_takes_nothing(journal):
    future = journal.append(EVENTS)
    journal.close()
    assert future.result() == len(EVENTS)
    journal.close()
    with pytest.raises(JournalBroken, match="closed"):
        journal.append(EVENTS)


def test_a_second_writer_is_refused_until_the_first_has_ended(place, journal):
    with pytest.raises(JournalInUse, match="another process writes"):
        place.open()
    journal.close()
    place.open().close()


def test_who_reads_sees_one_moment_whatever_is_written_meanwhile(journal):
    journal.append(EVENTS).result()
    reading = journal.read()
    seen = [next(reading)]
    journal.append(EVENTS).result()
    assert [*seen, *reading] == list(enumerate(EVENTS, 1))
    assert len(list(journal.read())) == 2 * len(EVENTS)


def test_every_damaged_entry_is_reported_and_the_first_stops_the_reading(place, journal):
    journal.append(EVENTS).result()
    place.alter("UPDATE entries SET body = body || ' ' WHERE sequence IN (2, 5)")
    assert [damage.sequence for damage in journal.check()] == [2, 5]
    with pytest.raises(JournalBroken, match="entry 2: the hash is wrong"):
        list(journal.read())


@pytest.mark.parametrize("missing", range(1, len(EVENTS) + 1))
def test_a_missing_entry_is_noticed_wherever_it_stood(place, journal, missing):
    journal.append(EVENTS).result()
    place.alter(f"DELETE FROM entries WHERE sequence = {missing}")
    assert len(journal.check()) == 1
    with pytest.raises(JournalBroken):
        list(journal.read())


def test_entries_cut_off_at_the_end_are_noticed_at_opening(place, journal):
    journal.append(EVENTS).result()
    journal.close()
    place.alter("DELETE FROM entries WHERE sequence > 4")
    with pytest.raises(JournalBroken, match="head"):
        place.open()
    assert journal.check() == [Damage(4, "the journal ends with entry 4, and says that it ends with 6")]


def test_a_changed_head_is_noticed(place, journal):
    journal.append(EVENTS).result()
    place.alter("UPDATE head SET hash = (SELECT previous FROM entries WHERE sequence = 1)")
    assert [damage.sequence for damage in journal.check()] == [len(EVENTS)]


def test_a_head_that_is_gone_is_noticed(place, journal):
    place.alter("DELETE FROM head")
    assert [damage.sequence for damage in journal.check()] == [None]
    with pytest.raises(JournalBroken, match="no head"):
        list(journal.read())


def test_other_peoples_tables_are_left_alone(place):
    place.alter("CREATE TABLE entries (cake TEXT)")
    with pytest.raises(JournalBroken, match="journal that this program can write"):
        place.open()
    place.alter("INSERT INTO entries VALUES ('apple')")


def test_a_journal_written_by_a_later_version_is_left_alone(place, journal):
    journal.close()
    place.alter("UPDATE journal_version SET version_num = '0099'")
    with pytest.raises(JournalBroken, match="version 0099"):
        place.open()
