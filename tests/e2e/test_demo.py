"""`merit demo`, whole: the same day gives the same roots and blocks, and nothing of anybody else's is removed."""

import json
import signal
import sqlite3
from contextlib import closing

import httpx2
import pytest

from app.auditing import gather
from app.example_communities import street_file
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
    assert {*document} == {*("registered", "tariffs", "bills", "nodes", "without_limits", "chain", "audit", "caught")}
    assert document["registered"] == {"certified": 7, "aggregated": [], "late_order": None}
    assert document["audit"]["sound"] is True
    assert document["chain"]["sessions"] == PERIODS
    assert [bill["name"] for bill in document["bills"]] == ["utility", "consumer", "prosumer", "producer"]
    (caught,) = document["caught"]  # with one node there is no other that a fee could go to
    assert "trade-root" in {finding["code"] for finding in caught["findings"]}


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


HAMLETS = """
[[nodes]]
name = "road"
fee_micro_per_kwh = 10_000
fee_cap_micro_per_kwh = 40_000
export_limit_wh = 300

[[nodes]]
name = "upper"
parent = "road"
fee_micro_per_kwh = 2_000

[[nodes]]
name = "lower"
parent = "road"
fee_micro_per_kwh = 1_000

[demo]
aggregated = ["consumer", "producer"]
sold = "producer"

[[demo.tariffs]]
node = "road"
since = "00:45"
fee_micro_per_kwh = 30_000

[[demo.tariffs]]
node = "road"
since = "01:15"
fee_micro_per_kwh = 5_000

[[demo.tariffs]]
node = "road"
since = "99:00"
fee_micro_per_kwh = 1
"""
"""The village's homes in two hamlets by a road that lets out little, and whose fee changes twice on the day."""


@pytest.fixture(scope="module")
def hamlets(tmp_path_factory):
    """The folder of the hamlets' day, and what the command said of it."""
    folder = tmp_path_factory.mktemp("hamlets")
    text = VILLAGE.read_text()
    for home, node in (("consumer", "upper"), ("prosumer", "upper"), ("producer", "lower")):
        text = text.replace(f'name = "{home}"\n', f'name = "{home}"\nnode = "{node}"\n')
    (folder / "hamlets.toml").write_text(text + HAMLETS)
    (folder / "village.csv").write_bytes((VILLAGE.parent / "village.csv").read_bytes())
    ended = run_apart("demo", "--data", "day", "--community", "hamlets.toml", "--json", cwd=folder)
    assert ended.code == 0, ended.err
    return folder / "day", ended.document


def test_a_home_that_is_sold_at_noon_leaves_its_aggregator_and_trades_on(hamlets):
    document = hamlets[1]
    late = document["registered"]["late_order"]
    assert late["home"] == "producer"
    assert late["by_exchange"].startswith("mandate-of-earlier-owner")
    assert late["by_contract"] == "assets: not current; orders: signer may not trade"
    assert document["audit"]["sound"] is True
    bills = {bill["name"]: bill for bill in document["bills"]}
    assert bills["producer"]["sold_wh"] > 0 < bills["newcomer"]["sold_wh"]
    assert sum(bill["paid_nano"] - bill["earned_nano"] for bill in bills.values()) == document["chain"]["fee_nano"]


def test_tariffs_change_during_the_day_for_the_deliveries_they_are_for(hamlets):
    folder, document = hamlets
    assert [(change["fee_micro_per_kwh"], change["delivery_start"] - FIRST) for change in document["tariffs"]] == [
        (30_000, 2_700),
        (5_000, 4_500),
    ]
    road = next(node["node"] for node in document["nodes"] if node["name"] == "road")
    fees = [
        {share.rate for trade in book.cleared.clearing.trades for share in trade.fees.shares if share.node == road}
        for book in gather(folder).books
    ]
    assert fees == [*[{10_000}] * 3, *[{30_000}] * 2, *[{5_000}] * 3]


def test_the_day_in_a_tree_adds_up_by_node(hamlets):
    document = hamlets[1]
    nodes = {node["name"]: node for node in document["nodes"]}
    assert list(nodes) == ["village", "road", "upper", "lower"]
    assert sum(node["traded_wh"] for node in nodes.values()) == document["chain"]["energy_wh"]
    assert sum(node["fee_nano"] for node in nodes.values()) == document["chain"]["fee_nano"]
    homes = sum(bill["bought_wh"] for bill in document["bills"] if bill["name"] != "utility")
    assert sum(node["homes_bought_wh"] for node in nodes.values()) == homes


def test_a_limit_that_binds_holds_energy_back_and_the_day_says_what_it_cost(hamlets):
    document = hamlets[1]
    nodes = {node["name"]: node for node in document["nodes"]}
    assert nodes["road"]["held_wh"] > 0 < nodes["road"]["full_sessions"] < PERIODS
    assert nodes["upper"]["held_wh"] == nodes["lower"]["held_wh"] == 0
    cost = document["without_limits"]
    assert cost["traded_wh"] == nodes["road"]["held_wh"]
    assert cost["homes_nano"] > 0 > cost["utility_nano"]
    assert cost["homes_nano"] + cost["nodes_nano"] + cost["utility_nano"] == 0


def test_nobody_in_the_tree_pays_more_than_without_the_market(hamlets):
    bills = [bill for bill in hamlets[1]["bills"] if bill["without_market_nano"] is not None]
    assert len(bills) == 4
    for bill in bills:
        assert bill["bill_nano"] <= bill["without_market_nano"]


def test_an_auditor_catches_more_energy_and_a_fee_for_another_node(hamlets):
    of_energy, of_fees = hamlets[1]["caught"]
    assert {"trade-beyond-limit", "trade-root"} <= {finding["code"] for finding in of_energy["findings"]}
    assert {"trade-fee", "trade-root"} <= {finding["code"] for finding in of_fees["findings"]}
    assert of_energy["session"] != of_fees["session"]


def test_the_audit_after_a_day_of_changing_tariffs_is_sound(hamlets, merit):
    folder, document = hamlets
    assert merit("audit", folder, "--json").document == document["audit"]


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ('node = "road"\nsince = "00:45"', 'node = "lane"\nsince = "00:45"', "no node called lane"),
        ("fee_micro_per_kwh = 30_000", "fee_micro_per_kwh = 40_001", "at most its cap"),
        ('since = "00:45"', 'since = "noon"', "demo.tariffs.0.since"),
    ],
    ids=["a tariff of no node", "a fee above the cap", "a time that is none"],
)
def test_a_tariff_that_cannot_be_is_refused(merit, tmp_path, before, after, why):
    assert before in HAMLETS
    (tmp_path / "hamlets.toml").write_text(VILLAGE.read_text() + HAMLETS.replace(before, after))
    ended = merit("demo", "--data", tmp_path / "day", "--community", tmp_path / "hamlets.toml")
    assert (ended.code, why in ended.err) == (3, True), ended.err


@pytest.mark.parametrize("story", ['sold = "palace"', 'aggregated = ["palace"]'])
def test_a_story_about_homes_that_are_not_there_is_refused(merit, tmp_path, story):
    (tmp_path / "village.toml").write_text(f"{VILLAGE.read_text()}[demo]\n{story}\n")
    ended = merit("demo", "--data", tmp_path / "day", "--community", tmp_path / "village.toml")
    assert (ended.code, "homes that are not there" in ended.err) == (3, True)


@pytest.mark.slow
def test_the_demo_neighbourhood_trades_its_whole_day_within_a_minute(tmp_path):
    ended = run_apart("demo", "--data", "day", "--json", cwd=tmp_path)
    assert ended.code == 0, ended.err
    document = ended.document
    assert document["audit"]["sound"] is True
    assert document["chain"]["sessions"] == 96
    assert len(document["bills"]) >= 13
    assert json.dumps(document["caught"]).count("clearing-trades") == 4
    feeder = next(node for node in document["nodes"] if node["name"] == "feeder")
    assert feeder["full_sessions"] > 0 < document["without_limits"]["traded_wh"]
    for bill in document["bills"][1:]:
        assert bill["bill_nano"] <= bill["without_market_nano"]
    assert run_apart("audit", "day", cwd=tmp_path).code == 0


@pytest.mark.slow
def test_the_demo_street_trades_its_whole_day_too(tmp_path):
    ended = run_apart("demo", "--data", "day", "--community", street_file(), "--json", cwd=tmp_path)
    assert (ended.code, ended.document["audit"]["sound"]) == (0, True), ended.err
