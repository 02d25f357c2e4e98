"""What disks do to a file, and people: torn pages, lost logs, no room, no permission. Always noticed, and named."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.effects.journal import SqliteJournal, check_journal, mark_path, read_journal, read_mark
from exchange.errors import JournalBroken
from tests.exchange.effects.test_journal import EVENTS, ROOT, accepted, alter, written

PAGE = 4_096
SECTOR = 512


def long_journal(path: Path) -> Path:
    """Return the path of a journal of many pages, all in one file."""
    journal = SqliteJournal(path)
    journal.append([accepted(sequence) for sequence in range(1, 41)]).result()
    journal.close()
    assert path.stat().st_size > 10 * PAGE
    return path


def events_of(path):
    return [event for _, event in read_journal(path)]


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory):
    """The folder of a journal as a killed process leaves it: what was written last is in the write-ahead log only."""
    path = tmp_path_factory.mktemp("abandoned") / "journal.db"
    program = f"""
import os
import shutil
from pathlib import Path
from exchange.effects.journal import SqliteJournal
from tests.exchange.effects.test_journal import EVENTS
journal = SqliteJournal(Path({str(path)!r}))
journal.append(EVENTS[:2]).result()
journal.close()
journal = SqliteJournal(Path({str(path)!r}))
journal.append(EVENTS[2:]).result()
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert log_of(path).stat().st_size > 0
    return path.parent


@pytest.fixture
def abandoned(left_behind, path):
    """The path of a copy of that journal."""
    shutil.copytree(left_behind, path.parent, dirs_exist_ok=True)
    return path


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def test_a_journal_whose_process_was_killed_is_whole(abandoned, path):
    assert check_journal(path) == []
    SqliteJournal(path).close()
    assert events_of(path) == EVENTS


def test_a_missing_log_is_noticed_though_what_is_left_hangs_together(abandoned, path):
    log_of(path).unlink()
    expected = "ends with entry 2, but entries up to 6 were acknowledged"
    with pytest.raises(JournalBroken, match=expected):
        SqliteJournal(path)
    assert [damage.sequence for damage in check_journal(path)] == [2]
    assert expected in check_journal(path)[0].why


@pytest.mark.parametrize("kept", [0, 31, 32 + 24 + PAGE - SECTOR, -SECTOR, -1])
def test_a_torn_log_is_noticed(abandoned, path, kept):
    """The log is cut within its header, its first page, or its last."""
    size = log_of(abandoned).stat().st_size
    os.truncate(log_of(path), kept if kept >= 0 else size + kept)
    assert check_journal(path)
    with pytest.raises(JournalBroken, match="were acknowledged"):
        SqliteJournal(path)


def test_a_flipped_byte_in_the_log_is_noticed(abandoned, path):
    content = bytearray(log_of(abandoned).read_bytes())
    content[32 + 24 + 100] ^= 1
    log_of(path).write_bytes(content)
    assert check_journal(path)
    with pytest.raises(JournalBroken, match="were acknowledged"):
        SqliteJournal(path)


def test_an_older_copy_in_the_place_of_the_journal_is_noticed(path):
    written(path)
    older = path.read_bytes()
    journal = SqliteJournal(path)
    journal.append(EVENTS).result()
    journal.close()
    path.write_bytes(older)
    with pytest.raises(JournalBroken, match="ends with entry 6, but entries up to 12"):
        SqliteJournal(path)
    mark_path(path).unlink()  # whoever means it says so
    SqliteJournal(path).close()


def test_another_journal_in_the_place_of_the_journal_is_noticed(path):
    written(path)
    mark = mark_path(path).read_bytes()
    for file in path.parent.iterdir():
        file.unlink()
    journal = SqliteJournal(path)
    journal.append(EVENTS[::-1] * 2).result()
    journal.close()
    mark_path(path).write_bytes(mark)
    with pytest.raises(JournalBroken, match="entry 6: another entry was acknowledged under this number"):
        SqliteJournal(path)
    assert [damage.sequence for damage in check_journal(path)] == [6]


def test_the_mark_names_the_last_entry_that_was_acknowledged(path):
    written(path)
    row = sqlite3.connect(path).execute("SELECT sequence, hash FROM head").fetchone()
    assert read_mark(path) == row


def test_a_mark_that_was_never_written_is_none(path):
    written(path)
    mark_path(path).write_bytes(b"")
    assert check_journal(path) == []
    SqliteJournal(path).close()


@pytest.mark.parametrize("content", [b"x", b"6", b"00000000000000000006 " + b"g" * 64 + b"\n", b"\xff" * 86])
def test_a_mark_that_is_none_is_named(path, content):
    written(path)
    mark_path(path).write_bytes(content)
    assert "does not name an entry" in check_journal(path)[0].why
    with pytest.raises(JournalBroken, match="does not name an entry"):
        SqliteJournal(path)


@pytest.mark.parametrize("kept", [0, SECTOR, PAGE - SECTOR])
def test_a_torn_page_is_noticed_wherever_it_is(path, kept):
    """Only the first sectors of a page reached the disk; the others hold nothing, or what was there before."""
    content = long_journal(path).read_bytes()
    before = events_of(path)
    for at in range(0, len(content), PAGE):
        path.write_bytes(content[: at + kept] + bytes(PAGE - kept) + content[at + PAGE :])
        found = check_journal(path)
        if not found:  # nothing stood in what was torn off
            assert events_of(path) == before
    path.write_bytes(content)
    assert check_journal(path) == []


def test_a_torn_page_of_entries_is_named_by_its_entries(path):
    content = long_journal(path).read_bytes()
    last = content.rindex(b"order-accepted")
    torn = bytearray(content)
    torn[last : last + SECTOR] = bytes(SECTOR)
    path.write_bytes(torn)
    assert [damage.sequence for damage in check_journal(path)] != []
    with pytest.raises(JournalBroken):
        events_of(path)


@pytest.mark.parametrize("pages", [1, 2, 5])
def test_a_file_that_was_cut_off_is_noticed(path, pages):
    long_journal(path)
    os.truncate(path, path.stat().st_size - pages * PAGE)
    assert check_journal(path)
    with pytest.raises(JournalBroken):
        events_of(path)


FILL = """
import resource, sys
from pathlib import Path
from exchange.effects.journal import SqliteJournal
from exchange.errors import JournalBroken
from tests.exchange.effects.test_journal import accepted
journal = SqliteJournal(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
number = 0
try:
    while True:
        number += 1
        journal.append([accepted(number)]).result()
        print(number, flush=True)
except JournalBroken as broken:
    print("refused:", broken)
try:
    journal.append([accepted(number)])
except JournalBroken:
    print("and again")
"""


def test_where_there_is_no_room_left_all_that_was_acknowledged_is_there_and_nothing_half_written(path):
    """The operating system itself refuses to let a file grow, as a full disk does."""
    ended = subprocess.run(
        [sys.executable, "-c", FILL, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    *told, refused, again = ended.stdout.splitlines()
    assert refused.startswith("refused: the journal cannot be written: ")
    assert again == "and again"
    assert len(told) > 10
    assert check_journal(path) == []
    journal = SqliteJournal(path)
    assert [event.receipt.sequence for _, event in journal.read()] == [int(number) for number in told]
    assert journal.append([accepted(len(told) + 1)]).result() == len(told) + 1
    journal.close()


class ReadOnly(sqlite3.Connection):
    """A connection to a file that may only be read, as on a disk that was mounted so."""

    def __init__(self, path, **options):
        super().__init__(f"{Path(path).as_uri()}?mode=ro", uri=True, **options)


def test_a_journal_that_cannot_be_written_is_refused_before_the_first_order(path):
    written(path)
    with pytest.raises(JournalBroken, match="readonly database"):
        SqliteJournal(path, ReadOnly)
    assert events_of(path) == EVENTS
    SqliteJournal(path).close()


def test_a_journal_that_is_altered_while_nobody_looks_is_refused_at_opening(path):
    written(path)
    alter(path, "UPDATE entries SET hash = zeroblob(32) WHERE sequence = 6")
    with pytest.raises(JournalBroken, match="not the one that the head names"):
        SqliteJournal(path)
