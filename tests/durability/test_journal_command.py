"""`merit journal` names what is damaged, and shows what is there."""

import json

import pytest

from tests.exchange.effects.test_journal import EVENTS, alter, written


@pytest.fixture
def folder(tmp_path):
    written(tmp_path / "journal.db")
    return tmp_path


def test_a_sound_journal_passes(merit, folder):
    done = merit("journal", "check", folder, "--json")
    assert (done.code, done.document) == (0, {"sound": True, "damages": []})


def test_every_damage_is_named_and_the_exit_code_says_so(merit, folder):
    alter(folder / "journal.db", "UPDATE entries SET body = body || ' ' WHERE sequence IN (2, 5)")
    done = merit("journal", "check", folder)
    assert done.code == 4
    assert [line.split(":")[0] for line in done.out.splitlines()] == ["entry 2", "entry 5"]


def test_a_folder_without_a_journal_is_refused(merit, tmp_path):
    done = merit("journal", "check", tmp_path)
    assert done.code == 3
    assert "there is no journal" in done.err


def test_entries_are_shown_as_they_stand(merit, folder):
    done = merit("journal", "show", folder, "--from", "2", "--most", "3")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [(line["entry"], line["event"]) for line in lines] == [
        (2, "order-accepted"),
        (3, "order-accepted"),
        (4, "order-cancelled"),
    ]
    assert len(merit("journal", "show", folder).out.splitlines()) == len(EVENTS)


@pytest.mark.parametrize("url", ["letters", "sqlite:///nowhere/at/all", "postgresql://user:secret@host/database"])
def test_a_storage_that_is_none_is_refused_without_its_password(merit, folder, url):
    done = merit("journal", "check", folder, "--storage", url)
    assert done.code == 3
    assert "storage is sqlite:///folder or postgresql" in done.err or "is not a folder" in done.err
    assert "secret" not in done.err
