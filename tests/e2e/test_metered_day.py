"""From a meter to the money: keys named on the chain, files imported, runs made, and everybody shown what is theirs."""

import json

import httpx2
import pytest

from app.founding import member_key
from app.registering import Registering
from contracts.devnet_keys import DEVNET_KEYS
from contracts.transacting import transact
from identity.address import to_text
from identity.purposes import METER
from identity.signature import address_of
from settlement.contracted import contracted
from settlement.run_document import run_from_document
from tests.e2e.day import FIRST, LAST, NEXT, PERIOD_SECONDS, operator_of, reader_of, running

DEVICE, LATER = b"\x21" * 32, NEXT + 86_400
RULES = "short_micro_per_kwh = 400_000\nlong_micro_per_kwh = 50_000\nwaiting_seconds = 3_600\n"


@pytest.fixture
def exchange(copy):
    (copy / "imbalance.toml").write_text(RULES)
    with running(copy, NEXT) as exchange:
        registering = Registering(exchange.evm, exchange.founded.deployment, exchange.house.preset)
        for name, kind in (("consumer", "load"), ("producer", "pv")):
            asset = exchange.founded.member(name).assets[kind].identity
            holder, preset = address_of(member_key(name)), exchange.house.preset
            transact(exchange.evm, DEVNET_KEYS[-1], holder, b"", value=10**18, preset=preset)
            registering.delegate(member_key(name), asset, address_of(DEVICE), 86_400 * 365, METER)
        exchange.beat(NEXT)
        (copy / "meter.key").write_text(DEVICE.hex())
        (copy / "meter.key").chmod(0o600)
        yield exchange


def agreed(exchange, asset) -> dict[int, int]:
    desk = exchange.house.desk
    keys = desk.look(lambda market, _: [*market.sessions])
    books = [desk.book(key) for key in keys if key.delivery_start <= LAST]
    return {start: net for (whose, start), net in contracted(books).items() if whose == asset}


def test_a_day_is_metered_settled_corrected_and_shown(exchange, merit, tmp_path):
    consumer = exchange.founded.member("consumer")
    asset = consumer.assets["load"].identity
    promised = agreed(exchange, asset)
    assert len(promised) > 2
    # what it was to draw, but for 10 Wh more in the first slot; the register is read at each slot's begin
    drawn, rows = 5_000, [f"{to_text(asset)},{FIRST},5000,0"]
    for start in range(FIRST, LAST + 1, PERIOD_SECONDS):
        drawn += -promised.get(start, 0) + (10 if start == FIRST else 0)
        rows.append(f"{to_text(asset)},{start + PERIOD_SECONDS},{drawn},0")
    path = tmp_path / "register.csv"
    path.write_text("asset,at,drawn_wh,fed_in_wh\n" + "\n".join(rows) + "\n")
    importing = ("meter", "import", path, "--key-file", exchange.folder / "meter.key", "--url", exchange.url, "--json")
    first, again = merit(*importing), merit(*importing)
    assert first.code == 0, first.err
    assert (first.code, first.document["taken"], first.document["refused"]) == (0, 8, [])
    assert (again.document["taken"], again.document["held_before"]) == (0, 8)

    run = ("imbalance", "run", "--data", exchange.folder, "--json")
    made = merit(*run, "--as-of", NEXT + 7_200)
    assert made.code == 0, made.err
    document = made.document
    hash_of_it = document.pop("hash")
    settled = run_from_document(document)
    own = [posting for posting in settled.postings if posting.account == consumer.account]
    assert [(posting.start, posting.amount) for posting in own] == [(FIRST, -10 * 400_000)]
    assert sum(posting.amount for posting in settled.postings) == 0
    silent = [line for line in settled.lines if line.estimate is not None]
    assert silent, "the other meters said nothing"
    assert not any(line.charged for line in silent)

    # next day the meter corrects itself
    exchange.clock.set(LATER)
    path.write_text(f"asset,start,net_wh,version\n{to_text(asset)},{FIRST},{promised[FIRST]},2\n")
    assert merit(*importing).document["taken"] == 1
    second = run_from_document({key: value for key, value in merit(*run).document.items() if key != "hash"})
    assert "0x" + second.previous.hex() == hash_of_it
    assert {posting.account: posting.amount for posting in second.postings}[consumer.account] == 10 * 400_000

    shown = merit("imbalance", "show", "--data", exchange.folder, "--json").document["runs"]
    assert [one["run"] for one in shown] == [1, 2]
    assert "Imbalance run 1" in merit("imbalance", "show", 1, "--data", exchange.folder).out
    mine = reader_of(exchange.url, member_key("consumer"))
    with httpx2.Client(base_url=exchange.url, headers=mine, timeout=30) as client:
        lines = client.get(f"/v1/assets/{to_text(asset)}/deviations").raise_for_status().json()["deviations"]
        assert lines[0]["deviation_wh"] == 0
        versions = client.get(f"/v1/assets/{to_text(asset)}/readings").raise_for_status().json()["readings"]
        assert [one["version"] for one in versions if one["start"] == FIRST] == [1, 2]
        listed = client.get("/v1/imbalance/runs").raise_for_status().json()["runs"]
        assert listed == shown
    with httpx2.Client(base_url=exchange.url, headers=operator_of(exchange.url), timeout=30) as client:
        assert run_from_document(client.get("/v1/imbalance/runs/2").raise_for_status().json()) == second


def test_what_a_meter_cannot_have_read_is_named_and_the_command_says_so(exchange, merit, tmp_path):
    asset = to_text(exchange.founded.member("producer").assets["pv"].identity)
    path = tmp_path / "deltas.csv"
    path.write_text(f"asset,start,net_wh\n{asset},{FIRST},10\n{asset},{FIRST + PERIOD_SECONDS},-10\n")
    ended = merit("meter", "import", path, "--key-file", exchange.folder / "meter.key", "--url", exchange.url, "--json")
    assert (ended.code, json.loads(ended.out)["taken"]) == (4, 1)
    assert [one["code"] for one in ended.document["refused"]] == ["reading-implausible"]


def test_prices_are_published_with_a_run_and_backed_up_with_the_rest(exchange, merit, tmp_path):
    prices = tmp_path / "prices.csv"
    prices.write_text(f"start,short_micro_per_kwh,long_micro_per_kwh\n{FIRST},900000,-1\n")
    assert merit("imbalance", "run", "--data", exchange.folder, "--prices", prices).code == 0
    with httpx2.Client(base_url=exchange.url, timeout=30) as client:
        assert client.get("/v1/imbalance/prices").json()["prices"][0]["short_micro_per_kwh"] == 900_000
        assert client.get("/v1/imbalance/rules").json()["rules"]["short_micro_per_kwh"] == 400_000
    prices.write_text(f"start,short_micro_per_kwh,long_micro_per_kwh\n{FIRST},1,1\n")
    refused = merit("imbalance", "run", "--data", exchange.folder, "--prices", prices)
    assert (refused.code, "other prices" in refused.err) == (3, True)
    assert merit("backup", exchange.folder, tmp_path / "backup").code == 0
    shown = merit("imbalance", "show", "--data", tmp_path / "backup", "--json").document["runs"]
    assert [one["run"] for one in shown] == [1]
    assert (tmp_path / "backup" / "imbalance.toml").read_text() == RULES
