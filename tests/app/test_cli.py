"""The verbs of the command line: how each ends, what it prints, and what it costs to ask for help."""

import re
import signal
import socket
import subprocess
import sys

import pytest

from app.cli import Fork
from contracts.devnet_server import DevnetServer
from contracts.local_chain import FORKS
from contracts.local_evm import LocalEvm
from tests.app.command_line import ROOT, environment, run_apart, service
from tests.e2e.day import VILLAGE

VERBS = (
    "demo",
    "serve",
    "devnet",
    "deploy",
    "audit",
    "verify",
    "export",
    "version",
    "asset",
    "role",
    "credential",
    "did",
)
SLOW_TO_IMPORT = {"web3", "fastapi", "numpy", "eth_account", "pydantic", "coincurve", "eth", "uvicorn", "httpx2"}
GENESIS = 1_782_000_000


@pytest.fixture(scope="module")
def node():
    """A local chain behind JSON-RPC."""
    evm = LocalEvm(lambda: GENESIS, genesis_time=GENESIS)
    with DevnetServer(evm, 0) as server:
        yield server.url


@pytest.fixture
def nobody():
    """The URL of a node that does not answer."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(scope="module")
def deployed(node, tmp_path_factory):
    """An exchange founded behind JSON-RPC: its folder, and how `merit deploy --json` ended."""
    folder = tmp_path_factory.mktemp("deploy")
    options = ("--rpc", node, "--data", "data", "--community", VILLAGE, "--chain-id", 1337, "--json")
    return folder / "data", run_apart("deploy", *options, cwd=folder)


@pytest.mark.parametrize("arguments", [["--help"], *([verb, "--help"] for verb in VERBS)], ids=" ".join)
def test_help_is_given_without_importing_what_is_slow(arguments):
    asked = [sys.executable, "-X", "importtime", "-m", "app", *arguments]
    ended = subprocess.run(asked, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert (ended.returncode, "Usage: " in ended.stdout) == (0, True)
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in ended.stderr.splitlines()}
    assert "typer" in imported, "the list of imports was read"
    # Typer itself needs pydantic to describe the options of a verb
    assert not imported & (SLOW_TO_IMPORT - ({"pydantic"} if len(arguments) > 1 else set()))


def test_help_names_every_verb_and_the_exit_codes(merit):
    ended = merit("--help")
    assert ended.code == 0
    listed = re.findall(r"^  ([a-z]+) ", ended.out[ended.out.index("Commands:") :], re.MULTILINE)
    assert {*VERBS} <= {*listed}
    assert "4 verification failed" in " ".join(ended.out.split())


def test_the_version_is_told(merit):
    ended = merit("version")
    assert ended.code == 0
    assert re.fullmatch(r"Merit \d+(\.\d+)*\n", ended.out)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["--dance"],
        ["audit"],
        ["audit", "/nowhere/at/all"],
        ["audit", "--json", "--rpc"],
        ["verify"],
        ["verify", "proof.json"],
        ["export", "/tmp"],
        ["export", "/nowhere/at/all", "/tmp/to"],
        ["deploy"],
        ["deploy", "--rpc", "http://127.0.0.1:1", "--chain-id", "one"],
        ["serve", "--port", "http"],
        ["serve", "--confirmations", "-1"],
        ["devnet", "--fork", "paris"],
        ["demo", "--port", "x"],
        ["version", "please"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(merit, arguments):
    ended = merit(*arguments)
    assert ended.code == 2
    assert re.search("Usage: |Error: ", ended.out + ended.err)


def test_the_forks_that_can_be_asked_for_are_those_there_are():
    assert {fork.value for fork in Fork} == set(FORKS)


# Invalid input: 3


def test_a_folder_without_an_exchange_cannot_be_audited_or_exported(merit, tmp_path):
    for arguments in (["audit", tmp_path], ["export", tmp_path, tmp_path / "to"]):
        ended = merit(*arguments)
        assert (ended.code, ended.out) == (3, "")
        assert ended.err.splitlines()[-1].startswith(f"merit: {tmp_path}/exchange.json: ")
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"deployment": {}, "members": []}', "[" * 100_000, "\udcff"],
    ids=["empty", "half", "a list", "null", "nothing in it", "little in it", "deep", "not UTF-8"],
)
def test_an_exchange_file_that_is_damaged_is_refused(merit, tmp_path, text):
    (tmp_path / "exchange.json").write_bytes(text.encode(errors="surrogateescape"))
    for arguments in (["audit", tmp_path], ["serve", "--data", tmp_path, "--community", VILLAGE]):
        ended = merit(*arguments)
        assert ended.code == 3
        assert "does not describe an exchange" in ended.err


def test_a_file_is_not_a_folder_of_an_exchange(merit, tmp_path):
    (tmp_path / "file").write_text("")
    assert merit("audit", tmp_path / "file").code == 3
    assert merit("serve", "--data", tmp_path / "file").code == 2


@pytest.mark.parametrize("verb", ["demo", "serve", "deploy"])
def test_a_community_that_is_not_there_is_refused(merit, node, tmp_path, verb):
    rpc = ["--rpc", node] if verb == "deploy" else []
    ended = merit(verb, *rpc, "--data", tmp_path / "data", "--community", tmp_path / "nowhere.toml")
    assert (ended.code, "nowhere.toml: No such file" in ended.err) == (3, True)


def test_a_folder_with_something_else_is_not_served(merit, tmp_path):
    (tmp_path / "letter.txt").write_text("dear all")
    ended = merit("serve", "--data", tmp_path, "--community", VILLAGE)
    assert (ended.code, "something else" in ended.err) == (3, True)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_taken_port_is_refused(merit, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert merit("devnet", "--port", port).code == 3
        served = run_apart(
            "serve", "--data", "data", "--community", VILLAGE, "--port", port, "--rpc-port", 0, cwd=tmp_path
        )
    assert served.code == 3
    assert "is the port taken?" in served.err


def test_a_devnet_of_a_folder_without_a_chain_is_refused(merit, tmp_path):
    assert merit("devnet", "--data", tmp_path, "--port", 0).code == 3


# Deploying


def test_deploying_prints_the_deployment_as_one_document(deployed):
    folder, ended = deployed
    assert ended.code == 0, ended.err
    assert ended.document["chain_id"] == 1337
    assert (folder / "exchange.json").exists()


def test_deploying_into_the_folder_of_an_exchange_is_refused(merit, deployed, node):
    before = (deployed[0] / "exchange.json").read_bytes()
    ended = merit("deploy", "--rpc", node, "--data", deployed[0], "--community", VILLAGE)
    assert (ended.code, "is there already" in ended.err) == (3, True)
    assert (deployed[0] / "exchange.json").read_bytes() == before


def test_deploying_to_another_chain_than_expected_ends_with_5(merit, node, tmp_path):
    ended = merit("deploy", "--rpc", node, "--data", tmp_path, "--community", VILLAGE, "--chain-id", 1)
    assert (ended.code, "expected chain 1" in ended.err) == (5, True)
    assert not list(tmp_path.iterdir())


def test_deploying_to_a_node_that_does_not_answer_ends_with_5(merit, nobody, tmp_path):
    assert merit("deploy", "--rpc", nobody, "--data", tmp_path, "--community", VILLAGE).code == 5


def test_deploying_to_a_real_chain_needs_a_key_of_ones_own(merit, tmp_path):
    evm = LocalEvm(lambda: GENESIS, genesis_time=GENESIS, chain_id=246)
    with DevnetServer(evm, 0) as server:
        ended = merit("deploy", "--rpc", server.url, "--data", tmp_path, "--community", VILLAGE)
    assert (ended.code, "--key-file" in ended.err) == (3, True)


@pytest.mark.parametrize(
    ("option", "text"), [("--key-file", "0x" + "11" * 32), ("--token", "0x12")], ids=["a key for all", "no address"]
)
def test_a_bad_option_of_deploying_is_refused(merit, node, tmp_path, option, text):
    value = text
    if option == "--key-file":
        value = tmp_path / "key"
        value.write_text(text)
        value.chmod(0o644)
    ended = merit("deploy", "--rpc", node, "--data", tmp_path / "data", "--community", VILLAGE, option, value)
    assert ended.code == 3
    assert not (tmp_path / "data").exists()


def test_an_exchange_on_a_chain_for_real_is_not_served_without_a_key(merit, deployed, tmp_path):
    settings = tmp_path / "chains.toml"
    settings.write_text("[chain.1337]\nplay = false\n")
    ended = merit("serve", "--data", deployed[0], "--community", VILLAGE, "--chain-settings", settings)
    assert (ended.code, "--key-file" in ended.err) == (3, True)


# The chain: 5


def test_an_audit_asks_the_chain_the_exchange_was_founded_on(merit, deployed):
    ended = merit("audit", deployed[0], "--json")
    assert ended.code == 0
    assert (ended.document["sound"], ended.document["sessions"]) == (True, 0)


def test_an_audit_against_a_node_that_does_not_answer_ends_with_5(merit, deployed, nobody):
    ended = merit("audit", deployed[0], "--rpc", nobody)
    assert (ended.code, "does not answer" in ended.err) == (5, True)


def test_an_audit_against_another_chain_ends_with_5(merit, deployed):
    evm = LocalEvm(lambda: GENESIS, genesis_time=GENESIS, chain_id=246)
    with DevnetServer(evm, 0) as server:
        assert merit("audit", deployed[0], "--rpc", server.url).code == 5


def test_an_audit_against_a_chain_without_the_contract_is_refused(merit, deployed):
    evm = LocalEvm(lambda: GENESIS, genesis_time=GENESIS)
    with DevnetServer(evm, 0) as server:
        ended = merit("audit", deployed[0], "--rpc", server.url)
    assert (ended.code, "does not answer" in ended.err) == (3, True)


# What serves until it is stopped


def test_a_devnet_ends_with_130_when_it_is_interrupted(tmp_path):
    with service("devnet", "--port", 0, "--fork", "prague", cwd=tmp_path) as running:
        assert "chain 1337 at http://127.0.0.1:" in running.said[0]
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(90) == 130
