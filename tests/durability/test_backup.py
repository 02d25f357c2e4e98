"""A copy that is taken while the exchange runs is an exchange."""

import httpx2
import pytest

from app.auditing import audit_folder
from app.founding import Founded
from app.storage import storage_of
from app.wiring import Places
from bench.kill import STREET, Load, Server, Told, check_folder, wait_until_settled
from exchange.events import OrderAccepted
from tests.app.command_line import run_apart


@pytest.mark.slow
def test_a_backup_taken_under_load_is_sound_and_goes_on_where_it_was_taken(tmp_path, request):
    (tmp_path / "street.toml").write_text(STREET)
    told, data = Told(), tmp_path / "data"
    server = Server(tmp_path, data)
    request.addfinalizer(server.kill)
    url = server.url()
    load = Load(Founded.read(Places(data).exchange), told, 3, 60)
    load.start(url)
    for number in range(4):
        copy = tmp_path / f"copy-{number}"
        before = set(told.receipts)
        done = run_apart("backup", data, copy, cwd=tmp_path)
        assert done.code == 0, done.err
        journal = storage_of(None, copy).open_journal()
        held = {"0x" + event.digest.hex() for _, event in journal.read() if isinstance(event, OrderAccepted)}
        journal.close()
        assert before <= held
        # the journal is copied last: what was cleared in the meantime is not on the copied chain yet, and will be
        assert {finding.code for finding in audit_folder(copy).findings} <= {"not-on-chain"}
    load.stop()
    server.stop()

    # what the last copy holds is carried on from there
    held_told = Told({digest: told.receipts[digest] for digest in held & set(told.receipts)})
    held_told.sessions = told.sessions
    again = Server(tmp_path, copy)
    request.addfinalizer(again.kill)
    wait_until_settled_or_unknown(again.url(), held_told)
    again.stop()
    held_told.sessions = set()
    assert check_folder(copy, held_told)["sessions_settled"] > 0


def wait_until_settled_or_unknown(url, told):
    """Wait for the sessions that the copy knows."""
    with httpx2.Client(base_url=url) as http:
        told.sessions = {name for name in told.sessions if http.get(f"/v1/sessions/{name}").status_code == 200}
    wait_until_settled(url, told, 120)


def test_what_is_no_exchange_is_not_copied(merit, tmp_path):
    (tmp_path / "data").mkdir()
    done = merit("backup", tmp_path / "data", tmp_path / "copy")
    assert done.code == 3
    assert "exchange.json" in done.err
    assert not (tmp_path / "copy").exists()
