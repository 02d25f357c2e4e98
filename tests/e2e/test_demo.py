"""`merit demo`, whole: the same day gives the same roots and blocks, and nothing of anybody else's is removed."""

import json
import signal
import sqlite3
from contextlib import closing

import httpx2
import pytest

from tests.app.command_line import run_apart, service
from tests.e2e.day import FIRST, PERIODS, VILLAGE


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The village's day as the command line plays it: the folder, and how it ended."""
    folder = tmp_path_factory.mktemp("demo")
    return folder / "day", run_apart("demo", "--data", "day", "--community", VILLAGE, "--json", cwd=folder)


def roots(folder):
    """Every session's roots and the transaction that settled it."""
    with closing(sqlite3.connect(folder / "settlement.db")) as connection:
        return connection.execute(
            "SELECT session, part, order_root, trade_root, tx_hash, block_hash FROM batches ORDER BY id"
        ).fetchall()


def test_the_demo_ends_well_with_one_document(demo):
    _, ended = demo
    assert ended.code == 0, ended.err
    document = ended.document
    assert {*document} == {"registered", "bills", "chain", "audit", "altered", "caught"}
    assert document["registered"] == {"certified": 7, "aggregated": [], "late_order": None}
    assert document["audit"]["sound"] is True
    assert document["chain"]["sessions"] == PERIODS
    assert [bill["name"] for bill in document["bills"]] == ["utility", "consumer", "prosumer", "producer"]
    assert "trade-root" in {finding["code"] for finding in document["caught"]}


def test_nobody_pays_more_than_without_the_market(demo):
    for bill in demo[1].document["bills"][1:]:
        assert bill["bill_nano"] <= bill["without_market_nano"]


def test_what_is_paid_is_what_is_earned_and_the_fees(demo):
    document = demo[1].document
    paid = sum(bill["paid_nano"] for bill in document["bills"])
    earned = sum(bill["earned_nano"] for bill in document["bills"])
    assert paid == earned + document["chain"]["fee_nano"]
    assert earned == document["chain"]["value_nano"]


@pytest.mark.usefixtures("remembering")
def test_the_audit_after_the_demo_is_sound(demo, merit):
    ended = merit("audit", demo[0], "--json")
    assert ended.code == 0
    assert ended.document == demo[1].document["audit"]


def test_the_demo_again_replaces_the_day_with_the_same_roots_and_blocks(demo, merit):
    folder, first = demo
    before = roots(folder), (folder / "chain.jsonl").read_bytes()
    again = merit("demo", "--data", folder, "--community", VILLAGE, "--json")
    assert again.document == first.document
    assert (roots(folder), (folder / "chain.jsonl").read_bytes()) == before
    assert len(before[0]) == PERIODS


@pytest.mark.usefixtures("remembering")
def test_the_demo_plays_in_an_empty_folder_and_shows_people_bills_totals_and_what_was_caught(merit, tmp_path):
    ended = merit("demo", "--data", tmp_path, "--community", VILLAGE)
    assert ended.code == 0
    for shown in (
        "Bills of the day",
        "all homes",
        "On the chain",
        "sound: nothing was found",
        "What an auditor catches",
    ):
        assert shown in ended.out
    assert "merit audit" in ended.err


@pytest.mark.parametrize(
    "foreign",
    ["letter.txt", "exchange.json", "keyserver.txt", "journal.db.backup"],
    ids=["a letter", "an exchange in earnest", "a name that begins like ours", "a backup"],
)
def test_the_demo_leaves_a_folder_alone_that_holds_something_else(merit, tmp_path, foreign):
    (tmp_path / foreign).write_text("dear all")
    ended = merit("demo", "--data", tmp_path, "--community", VILLAGE)
    assert ended.code == 3
    assert ended.err.startswith(f"merit: {tmp_path} holds")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(foreign, "dear all")]


def test_the_demo_leaves_what_was_put_into_its_folder_alone(merit, demo):
    folder = demo[0]
    (folder / "notes.txt").write_text("mine")
    ended = merit("demo", "--data", folder, "--community", VILLAGE)
    assert (ended.code, "notes.txt" in ended.err) == (3, True)
    assert (folder / "journal.db").exists()
    (folder / "notes.txt").unlink()


def test_the_demo_does_not_replace_a_file(merit, tmp_path):
    (tmp_path / "day").write_text("mine")
    assert merit("demo", "--data", tmp_path / "day", "--community", VILLAGE).code == 3
    assert (tmp_path / "day").read_text() == "mine"


@pytest.mark.usefixtures("remembering")
def test_a_day_on_which_nobody_trades_has_nothing_to_alter(merit, tmp_path):
    (tmp_path / "village.toml").write_text(VILLAGE.read_text())
    columns = "delivery_start_seconds,consumer_load_wh,prosumer_load_wh,prosumer_pv_wh,producer_load_wh,producer_pv_wh"
    (tmp_path / "village.csv").write_text(f"{columns}\n{FIRST},0,0,0,0,0\n")
    ended = merit("demo", "--data", tmp_path / "day", "--community", tmp_path / "village.toml")
    assert (ended.code, ended.err.splitlines()[-1]) == (
        4,
        "merit: nobody traded, so there is no trade to alter",
    )


@pytest.mark.slow
def test_a_demo_that_keeps_serving_answers_until_it_is_stopped(tmp_path, merit):
    options = ("--data", "day", "--community", VILLAGE, "--serve", "--port", 0, "--rpc-port", 0)
    with service("demo", *options, cwd=tmp_path) as running:
        health = httpx2.get(f"{running.url}/v1/health").json()
        assert (health["status"], health["sessions_unsettled"]) == ("ok", 0)
        question = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
        assert int(httpx2.post(running.chain_url, json=question).json()["result"], 16) == health["chain"]["head"]
        assert (tmp_path / "day" / "keys" / "consumer.key").stat().st_mode & 0o077 == 0
        # its chain is in use, so an auditor asks the node
        assert merit("audit", tmp_path / "day").code == 3
        assert merit("audit", tmp_path / "day", "--rpc", running.chain_url).code == 0
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(90) == 130
    assert merit("audit", tmp_path / "day").code == 0


@pytest.mark.usefixtures("remembering")
def test_a_home_that_is_sold_at_noon_leaves_its_aggregator_and_trades_on(merit, tmp_path):
    story = '[demo]\naggregated = ["consumer", "producer"]\nsold = "producer"\n'
    (tmp_path / "village.toml").write_text(VILLAGE.read_text() + story)
    (tmp_path / "village.csv").write_bytes((VILLAGE.parent / "village.csv").read_bytes())
    ended = merit("demo", "--data", tmp_path / "day", "--community", tmp_path / "village.toml", "--json")
    assert ended.code == 0, ended.err
    document = ended.document
    late = document["registered"]["late_order"]
    assert late["home"] == "producer"
    assert late["by_exchange"].startswith("mandate-of-earlier-owner")
    assert late["by_contract"] == "assets: not current; orders: signer may not trade"
    assert document["audit"]["sound"] is True
    bills = {bill["name"]: bill for bill in document["bills"]}
    assert bills["producer"]["sold_wh"] > 0 < bills["newcomer"]["sold_wh"]
    assert sum(bill["paid_nano"] - bill["earned_nano"] for bill in bills.values()) == document["chain"]["fee_nano"]


@pytest.mark.parametrize("story", ['sold = "palace"', 'aggregated = ["palace"]'])
def test_a_story_about_homes_that_are_not_there_is_refused(merit, tmp_path, story):
    (tmp_path / "village.toml").write_text(f"{VILLAGE.read_text()}[demo]\n{story}\n")
    ended = merit("demo", "--data", tmp_path / "day", "--community", tmp_path / "village.toml")
    assert (ended.code, "homes that are not there" in ended.err) == (3, True)


@pytest.mark.slow
def test_the_demo_street_trades_its_whole_day_within_a_minute(tmp_path):
    ended = run_apart("demo", "--data", "day", "--json", cwd=tmp_path)
    assert ended.code == 0, ended.err
    document = ended.document
    assert document["audit"]["sound"] is True
    assert document["chain"]["sessions"] == 96
    assert len(document["bills"]) >= 13
    assert json.dumps(document["caught"]).count("clearing-trades") == 2
    assert run_apart("audit", "day", cwd=tmp_path).code == 0
