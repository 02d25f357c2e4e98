"""The journal in a SQLite file. What every journal must do stands in test_journal_port.py."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.effects.entries import GENESIS, body_of, entry_hash
from exchange.effects.journal import SqliteJournal, check_journal, read_journal
from exchange.errors import JournalBroken, JournalInUse
from exchange.events import GateClosed, OrderAccepted, OrderCancelled, ParametersSet, SessionSettled
from tests.exchange import street
from tests.simulators.failing_disk import failing_disk

ROOT = Path(__file__).parents[3]
COLUMNS = ("sequence", "previous", "hash", "body")


def accepted(sequence: int) -> OrderAccepted:
    """Return an acceptance as a desk would write it."""
    signed = street.bid(salt=sequence)
    digest = street.digest_of(signed)
    return OrderAccepted(
        digest=digest,
        signed=signed,
        receipt=street.receipt(digest, sequence, street.CLOSURE - 10),
        signer=bytes(20),
        account=2,
        asset=2,
        free=7,
    )


EVENTS = [
    ParametersSet(parameters=street.PARAMETERS, at=1),
    accepted(1),
    accepted(2),
    OrderCancelled(digest=accepted(2).digest, session=street.SESSION, signature=bytes(64), at=3),
    GateClosed(session=street.SESSION, at=4),
    SessionSettled(session=street.SESSION, at=5),
]


def written(path: Path) -> Path:
    """Return the path of a journal that holds `EVENTS`."""
    journal = SqliteJournal(path)
    journal.append(EVENTS).result()
    journal.close()
    return path


def alter(path: Path, statement: str, *values: object) -> None:
    """Change a journal behind its back."""
    connection = sqlite3.connect(path)
    connection.execute(statement, values)
    connection.commit()
    connection.close()


def test_a_reopened_journal_goes_on_where_it_ended(path):
    written(path)
    journal = SqliteJournal(path)
    assert journal.append([EVENTS[1]]).result() == len(EVENTS) + 1
    journal.close()
    assert [event for _, event in read_journal(path)] == [*EVENTS, EVENTS[1]]


def test_entries_are_linked_by_their_hashes(path):
    rows = sqlite3.connect(written(path)).execute("SELECT * FROM entries ORDER BY sequence").fetchall()
    before = GENESIS
    for (sequence, previous, digest, body), event in zip(rows, EVENTS, strict=True):
        assert body == body_of(event)
        assert (previous, digest) == (before, entry_hash(previous, sequence, body.encode()))
        before = digest


def test_many_callers_share_a_commit(path):
    commits = []

    class CountingConnection(sqlite3.Connection):
        def execute(self, statement, *values):
            if statement == "COMMIT":
                commits.append(statement)
            return super().execute(statement, *values)

    journal = SqliteJournal(path, CountingConnection)
    futures = [journal.append([EVENTS[1]]) for _ in range(300)]
    assert sorted(future.result() for future in futures) == list(range(1, 301))
    assert len(commits) < 300
    journal.close()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_flipped_bit_in_any_column_is_found_and_named(tmp_path_factory, data):
    path = written(tmp_path_factory.mktemp("journal") / "journal.db")
    column = data.draw(st.sampled_from(COLUMNS))
    entry = data.draw(st.integers(1, len(EVENTS)))
    connection = sqlite3.connect(path)
    connection.text_factory = bytes
    (value,) = connection.execute(f"SELECT {column} FROM entries WHERE sequence = ?", (entry,)).fetchone()
    connection.close()
    if column == "sequence":
        changed = value ^ (1 << data.draw(st.integers(4, 62)))
        alter(path, "UPDATE entries SET sequence = ? WHERE sequence = ?", changed, entry)
    else:
        bit = data.draw(st.integers(0, 8 * len(value) - 1))
        changed = bytearray(value)
        changed[bit >> 3] ^= 1 << (bit & 7)
        kind = "CAST(? AS TEXT)" if column == "body" else "?"
        alter(path, f"UPDATE entries SET {column} = {kind} WHERE sequence = ?", bytes(changed), entry)
    assert entry in {damage.sequence for damage in check_journal(path)}
    if column in {"previous", "body"}:
        assert [damage.sequence for damage in check_journal(path)] == [entry]
    with pytest.raises(JournalBroken) as broken:
        list(read_journal(path))
    assert broken.value.sequence == entry


def test_a_body_that_is_no_event_is_found_though_its_hash_is_right(path):
    journal = SqliteJournal(path)
    journal.append(EVENTS[:1]).result()
    journal.close()
    connection = sqlite3.connect(path)
    (before,) = connection.execute("SELECT hash FROM head").fetchone()
    body = '{"event":"order-eaten"}'
    digest = entry_hash(before, 2, body.encode())
    connection.execute("INSERT INTO entries VALUES (2, ?, ?, ?)", (before, digest, body))
    connection.execute("UPDATE head SET sequence = 2, hash = ?", (digest,))
    connection.commit()
    connection.close()
    assert [damage.sequence for damage in check_journal(path)] == [2]
    with pytest.raises(JournalBroken, match="entry 2: the body is no event: no event is called 'order-eaten'"):
        list(read_journal(path))


@pytest.mark.parametrize("missing", range(1, len(EVENTS) + 1))
def test_a_missing_entry_is_noticed_wherever_it_stood(path, missing):
    written(path)
    alter(path, "DELETE FROM entries WHERE sequence = ?", missing)
    assert len(check_journal(path)) == 1
    with pytest.raises(JournalBroken):
        list(read_journal(path))


def test_entries_cut_off_at_the_end_are_noticed_at_opening(path):
    written(path)
    alter(path, "DELETE FROM entries WHERE sequence > 4")
    with pytest.raises(JournalBroken, match="head"):
        SqliteJournal(path)
    assert check_journal(path) == [(4, "the journal ends with entry 4, and says that it ends with 6")]


def test_a_truncated_file_is_noticed(path):
    written(path)
    os.truncate(path, path.stat().st_size - 5_000)
    assert check_journal(path)
    with pytest.raises(JournalBroken):
        list(read_journal(path))


def test_a_file_that_is_no_journal_is_refused_and_left_as_it_was(path):
    path.write_bytes(b"somebody's letters" * 100)
    with pytest.raises(JournalBroken):
        SqliteJournal(path)
    assert path.read_bytes() == b"somebody's letters" * 100
    assert check_journal(path)


def test_another_programs_database_is_refused(path):
    alter(path, "CREATE TABLE letters(body TEXT)")
    with pytest.raises(JournalBroken, match="not a journal that this program can write"):
        SqliteJournal(path)


def test_a_journal_in_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(JournalBroken, match="cannot be opened"):
        SqliteJournal(tmp_path / "nowhere" / "journal.db")


def test_a_journal_that_does_not_exist_cannot_be_read(tmp_path):
    with pytest.raises(JournalBroken):
        list(read_journal(tmp_path / "journal.db"))
    assert check_journal(tmp_path / "journal.db")


def test_a_second_writer_is_refused_and_a_reader_is_not(journal, path):
    journal.append(EVENTS).result()
    with pytest.raises(JournalInUse, match="another process writes"):
        SqliteJournal(path)
    assert [event for _, event in read_journal(path)] == EVENTS


def test_a_journal_written_before_there_were_version_tables_goes_on(path):
    written(path)
    alter(path, "DROP TABLE journal_version")
    alter(path, "PRAGMA user_version = 1")
    assert [event for _, event in read_journal(path)] == EVENTS
    journal = SqliteJournal(path)
    assert journal.append(EVENTS[:1]).result() == len(EVENTS) + 1
    journal.close()
    assert check_journal(path) == []


def test_a_journal_of_a_later_version_is_refused_and_left_as_it_was(path):
    written(path)
    alter(path, "UPDATE journal_version SET version_num = '0099'")
    before = path.read_bytes()
    with pytest.raises(JournalBroken, match="version 0099"):
        SqliteJournal(path)
    assert path.read_bytes() == before


OPEN = """
import sys
from pathlib import Path
from exchange.effects.journal import SqliteJournal
SqliteJournal(Path(sys.argv[1]))
"""


def test_a_second_process_is_refused(journal, path):
    program = [sys.executable, "-c", OPEN, str(path)]
    ended = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "JournalInUse: another process writes to the journal" in ended.stderr


def test_a_closed_journal_takes_nothing_and_can_be_opened_again(path):
    journal = SqliteJournal(path)
    future = journal.append(EVENTS)
    journal.close()
    assert future.result() == len(EVENTS)
    journal.close()
    with pytest.raises(JournalBroken, match="closed"):
        journal.append(EVENTS)
    SqliteJournal(path).close()


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "INSERT", "UPDATE", "COMMIT"])
def test_a_failing_disk_fails_everybody_who_waits_and_leaves_nothing_half_written(path, statement):
    disk = failing_disk()
    journal = SqliteJournal(path, disk)
    journal.append(EVENTS[:2]).result()
    disk.fail_at = statement
    futures = []
    with pytest.raises(JournalBroken):
        for event in EVENTS[2:]:
            futures.append(journal.append([event]))
        futures[0].result()
    for future in futures:
        assert isinstance(future.exception(), JournalBroken)
    disk.fail_at = None
    with pytest.raises(JournalBroken, match="disk is full"):
        journal.append(EVENTS)
    journal.close()
    assert [event for _, event in read_journal(path)] == EVENTS[:2]
    assert check_journal(path) == []


WRITE_AND_TELL = """
import sys
from pathlib import Path
from exchange.effects.journal import SqliteJournal
from tests.exchange.effects.test_journal import accepted
journal = SqliteJournal(Path(sys.argv[1]))
for number in range(1, 10_000):
    journal.append([accepted(number)]).result()
    print(number, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(path):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_AND_TELL, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    told += [int(line) for line in process.stdout.read().splitlines()]
    process.wait()
    process.stdout.close()
    assert check_journal(path) == []
    kept = [event.receipt.sequence for _, event in read_journal(path)]
    assert kept[: len(told)] == told
    SqliteJournal(path).close()
