"""Several processes, one PostgreSQL journal, one sequencer; when it dies another takes over and nothing is lost."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from exchange.effects.postgres_journal import PostgresJournal
from exchange.errors import JournalBroken, JournalInUse, NotTheSequencer
from identity.effects.versioned import open_engine, writing
from tests.exchange.effects.test_journal import EVENTS

pytestmark = pytest.mark.postgres
ROOT = Path(__file__).parents[3]

WRITE_AND_TELL = """
import sys, time
from exchange.effects.postgres_journal import PostgresJournal
from tests.exchange.effects.test_journal import accepted
journal = PostgresJournal(sys.argv[1])
while not journal.take_over():
    time.sleep(0.02)
for number in range(1, 10_000):
    print(journal.append([accepted(number)]).result(), flush=True)
"""


@pytest.fixture
def url(postgres):
    return postgres.new_schema()


@pytest.fixture
def journals(url):
    """Opens one more journal of the same place."""
    with ExitStack() as stack:

        def opened():
            journal = PostgresJournal(url)
            stack.callback(journal.close)
            return journal

        yield opened


def run(url):
    return subprocess.Popen(
        [sys.executable, "-c", WRITE_AND_TELL, url], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def test_of_many_that_try_one_becomes_sequencer(journals):
    tried = [journals() for _ in range(4)]
    assert [journal.take_over() for journal in tried] == [True, False, False, False]
    assert [journal.writable for journal in tried] == [True, False, False, False]
    assert tried[0].take_over()


def test_who_follows_reads_everything_and_writes_nothing(journals):
    sequencer, follower = journals(), journals()
    assert sequencer.take_over()
    sequencer.append(EVENTS).result()
    assert list(follower.read()) == list(enumerate(EVENTS, 1))
    with pytest.raises(NotTheSequencer):
        follower.append(EVENTS)
    sequencer.append(EVENTS[:1]).result()
    assert list(follower.read(len(EVENTS) + 1)) == [(len(EVENTS) + 1, EVENTS[0])]


def test_when_the_sequencer_closes_a_follower_goes_on_where_it_ended(journals):
    sequencer, follower = journals(), journals()
    assert sequencer.take_over()
    sequencer.append(EVENTS).result()
    sequencer.close()
    assert follower.take_over()
    assert follower.append(EVENTS[:2]).result() == len(EVENTS) + 2
    assert follower.check() == []


def test_whose_session_the_server_ended_writes_nothing_more(journals, url):
    sequencer, follower = journals(), journals()
    assert sequencer.take_over()
    sequencer.append(EVENTS).result()
    engine = open_engine(url)
    with engine.connect() as connection:
        holder = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database ="
        connection.execute(text(f"{holder} (SELECT oid FROM pg_database WHERE datname = current_database())"))
    engine.dispose()
    deadline = time.monotonic() + 60
    while not follower.take_over():
        assert time.monotonic() < deadline
    with pytest.raises(JournalBroken):
        sequencer.append(EVENTS[:1]).result()
    with pytest.raises(JournalBroken):
        sequencer.append(EVENTS[:1])
    assert follower.append(EVENTS[:1]).result() == len(EVENTS) + 1
    assert follower.check() == []


def test_a_writer_whose_head_has_moved_is_fenced_off_though_it_holds_the_lock(journals, url):
    sequencer = journals()
    assert sequencer.take_over()
    sequencer.append(EVENTS).result()
    engine = open_engine(url)
    with writing(engine) as connection:
        before = connection.execute(text("SELECT hash FROM head")).scalar()
        connection.execute(text("UPDATE head SET hash = :hash"), {"hash": bytes(32)})
    with pytest.raises(JournalBroken, match="another process writes"):
        sequencer.append(EVENTS[:1]).result()
    with writing(engine) as connection:
        connection.execute(text("UPDATE head SET hash = :hash"), {"hash": before})
    engine.dispose()
    assert sequencer.check() == []


def test_a_sequencer_of_its_own_choice_is_refused_where_there_is_one(journals, url):
    assert journals().take_over()
    with pytest.raises(JournalInUse, match="another process writes"):
        PostgresJournal.sequencer(url)


def test_the_password_is_in_no_message(postgres):
    url = postgres.url.replace("merit@", "merit:secret@").replace(str(postgres.port), "1")
    with pytest.raises(JournalBroken) as broken:
        PostgresJournal(url)
    assert "secret" not in str(broken.value)


def test_when_the_sequencer_is_killed_another_takes_over_and_nothing_it_told_of_is_lost(journals, url):
    told = []
    follower = journals()
    for _ in range(3):
        first, second = run(url), run(url)
        ready = first.stdout.readline()
        told += [int(ready)] + [int(first.stdout.readline()) for _ in range(30)]
        first.send_signal(signal.SIGKILL)
        told += [int(line) for line in first.stdout.read().splitlines()]
        told += [int(second.stdout.readline()) for _ in range(10)]
        second.send_signal(signal.SIGKILL)
        told += [int(line) for line in second.stdout.read().splitlines()]
        for process in (first, second):
            process.wait()
            process.stdout.close()
    assert follower.check() == []
    kept = [sequence for sequence, _ in follower.read()]
    assert set(told) <= set(kept)
    assert len(set(told)) == len(told)


def test_a_sequencer_that_stands_still_is_not_pushed_aside(journals, url):
    process = run(url)
    process.stdout.readline()
    os.kill(process.pid, signal.SIGSTOP)
    assert not journals().take_over()
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_power_cut_of_the_server_loses_nothing_it_told_of(journals, postgres):
    sequencer = journals()
    assert sequencer.take_over()
    told = [sequencer.append(EVENTS[:1]).result() for _ in range(20)]
    postgres.stop("immediate")
    with pytest.raises(JournalBroken):
        sequencer.append(EVENTS[:1]).result()
    postgres.start()
    follower = journals()
    assert follower.take_over()
    assert [sequence for sequence, _ in follower.read()] == told
    assert follower.check() == []
