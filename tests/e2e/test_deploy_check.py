"""`merit deploy`, and `merit deploy --check`: what stands on a chain is what this house compiles."""

import json
import sys
from contextlib import closing

import pytest

from app.community import read_community
from app.founding import Keys, found
from contracts.artifacts import DEPLOYABLE
from contracts.devnet_keys import devnet_key
from contracts.devnet_server import DevnetServer
from contracts.local_evm import LocalEvm
from contracts.rpc_evm import RpcEvm
from contracts.sent_log import SentLog
from contracts.transaction import sender_of
from identity.effects.keystore import read_key
from tests.contracts.evm.bell import Clock
from tests.e2e.day import FIRST, VILLAGE
from tests.simulators.crash import Crash, Crashing, CrashPlan

RECORD = "deployments/1337.json"

pytestmark = pytest.mark.usefixtures("remembering")  # the day's chain is opened by one test after the other


@pytest.fixture
def node():
    """A chain behind JSON-RPC; like a stranger's node, it holds nobody's keys."""
    evm = LocalEvm(Clock(FIRST - 7_200), genesis_time=FIRST - 7_200)
    with DevnetServer(evm, port=0) as server:
        yield server.url


@pytest.fixture
def foreign_node():
    """A chain nobody here knows."""
    evm = LocalEvm(Clock(FIRST - 7_200), genesis_time=FIRST - 7_200, chain_id=999)
    with DevnetServer(evm, port=0) as server:
        yield server.url


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "operator.key"
    path.touch(mode=0o600)
    path.write_text("0x" + devnet_key(0).hex())
    return path


def test_the_days_contracts_are_those_of_the_committed_artifacts(merit, copy):
    checked = merit("deploy", "--check", "--data", copy, "--against", "artifact", "--json")
    assert checked.code == 0
    assert (checked.document["same"], checked.document["differences"]) == (True, [])
    assert set(checked.document["contracts"]) == {*DEPLOYABLE}


@pytest.mark.slow  # that the source compiles to what is committed, and that a check compares, are tested by themselves
def test_the_days_contracts_are_those_of_the_source_compiled_here(merit, copy):
    checked = merit("deploy", "--check", "--data", copy)
    assert checked.code == 0
    assert "byte by byte" in checked.out


def test_a_check_without_the_compiler_is_refused_by_name(merit, copy, monkeypatch):
    monkeypatch.setitem(sys.modules, "vyper", None)
    refused = merit("deploy", "--check", "--data", copy)
    assert refused.code == 3
    assert "vyper is not installed" in refused.err


@pytest.mark.slow
def test_a_check_needs_only_a_record_and_a_node(merit, node, tmp_path):
    folder = tmp_path / "exchange"
    assert merit("deploy", "--rpc", node, "--data", folder, "--community", VILLAGE).code == 0
    published = tmp_path / "published.json"
    (folder / RECORD).rename(published)
    words = (
        "deploy",
        "--check",
        "--rpc",
        node,
        "--record",
        published,
        "--against",
        "artifact",
        "--data",
        tmp_path / "no",
    )
    assert merit(*words).code == 0


def test_a_record_that_lies_is_caught_with_every_difference(merit, copy):
    record = json.loads((copy / RECORD).read_text())
    for contract in record["contracts"]:
        contract["source_digest"] = "00"
        contract["code_digest"] = "0x" + "11" * 32
    (copy / RECORD).write_text(json.dumps(record))
    checked = merit("deploy", "--check", "--data", copy, "--against", "artifact", "--json")
    assert checked.code == 4
    assert {(each["contract"], each["what"]) for each in checked.document["differences"]} == {
        (name, what) for name in DEPLOYABLE for what in ("recorded source_digest", "code digest")
    }


def test_an_exchange_that_trades_under_another_contract_is_caught(merit, copy):
    path = copy / "exchange.json"
    document = json.loads(path.read_text())
    document["deployment"]["settlement"] = "0x" + "11" * 20
    path.write_text(json.dumps(document))
    checked = merit("deploy", "--check", "--data", copy, "--against", "artifact", "--json")
    assert checked.code == 4
    assert [each["what"] for each in checked.document["differences"]] == ["address"]


def test_a_record_that_is_none_is_refused(merit, copy):
    (copy / RECORD).write_text("{}")
    assert merit("deploy", "--check", "--data", copy).code == 3
    (copy / RECORD).unlink()
    assert merit("deploy", "--check", "--data", copy).code == 3


def test_the_node_of_another_chain_is_refused(merit, copy, foreign_node):
    refused = merit("deploy", "--check", "--data", copy, "--rpc", foreign_node, "--against", "artifact")
    assert refused.code == 5
    assert "expected chain 1337, the node serves chain 999" in refused.err


def test_public_keys_do_not_deploy_where_money_may_be_real(merit, foreign_node, tmp_path):
    refused = merit("deploy", "--rpc", foreign_node, "--data", tmp_path / "x", "--community", VILLAGE)
    assert refused.code == 3
    assert "--key-file" in refused.err


@pytest.fixture
def named_village(tmp_path):
    """The village with a holder named for every member, as a chain that is not for play asks for."""
    text = VILLAGE.read_text().replace("deposit_cents", f'holder = "0x{"07" * 20}"\ndeposit_cents')
    path = tmp_path / "named.toml"
    path.write_text(text)
    return path


def test_a_key_of_ones_own_deploys_there_as_the_settings_say(merit, foreign_node, tmp_path, key_file, named_village):
    settings = tmp_path / "settings.toml"
    settings.write_text('[chain.999]\nname = "ours"\nlegacy = true\nexplorer = "https://example.org/{tx}"\n')
    words = ("--rpc", foreign_node, "--community", named_village, "--key-file", key_file, "--chain-settings", settings)
    deployed = merit("deploy", "--data", tmp_path / "x", *words, "--json")
    assert deployed.code == 0, deployed.err
    assert "(ours)" in deployed.err
    assert deployed.document["links"]["Settlement"].startswith("https://example.org/0x")
    checked = merit("deploy", "--check", "--data", tmp_path / "x", "--against", "artifact")
    assert checked.code == 0, checked.out


def test_a_deployment_that_was_cut_short_goes_on_and_deploys_nothing_twice(
    merit, foreign_node, tmp_path, key_file, named_village
):
    data, evm, key = tmp_path / "x", RpcEvm(foreign_node), read_key(key_file)
    data.mkdir()
    with closing(SentLog(data / "founding.jsonl")) as sent, pytest.raises(Crash):
        dying = Crashing(evm, {"send_raw"}, CrashPlan(6, after=True))
        found(dying, read_community(named_village), Keys.one(key), rpc=foreign_node, sent=sent)
    before = evm.nonce(sender_of(key))
    words = ("--data", data, "--rpc", foreign_node, "--community", named_village, "--key-file", key_file)
    deployed = merit("deploy", *words, "--json")
    assert deployed.code == 0, deployed.err
    assert "7 transactions were signed before" in deployed.err
    assert deployed.document["contracts"][0]["creation"]["block"] <= before
    assert not (data / "founding.jsonl").exists()
    assert merit("deploy", *words).code == 3


def test_a_fee_cap_below_the_chains_price_deploys_nothing(merit, foreign_node, tmp_path, key_file, named_village):
    settings = tmp_path / "settings.toml"
    settings.write_text("[chain.999]\nmax_fee_cap_wei = 10\n")
    words = ("--rpc", foreign_node, "--community", named_village, "--key-file", key_file, "--chain-settings", settings)
    refused = merit("deploy", "--data", tmp_path / "x", *words)
    assert refused.code == 5
    assert "the cap is 10" in refused.err
    assert not (tmp_path / "x").exists()


def test_settings_with_a_mistake_are_refused(merit, node, tmp_path):
    settings = tmp_path / "settings.toml"
    settings.write_text("[chain.1337]\nconfirmation = 1\n")
    refused = merit("deploy", "--data", tmp_path / "x", "--rpc", node, "--chain-settings", settings)
    assert refused.code == 3
    assert "confirmation" in refused.err


def test_a_node_must_be_named_to_deploy(merit, tmp_path):
    assert merit("deploy", "--data", tmp_path / "x").code == 2
