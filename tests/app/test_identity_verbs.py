"""The verbs of identity: what each prints, and how it ends where it is refused. The walk through all of them is in
`tests/e2e/test_identity_page.py`.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.clock import SetClock
from app.community import read_community
from app.founding import Founded, Keys, found, member_key
from contracts.devnet_server import DevnetServer
from identity.address import to_text
from identity.did import to_did
from identity.signature import address_of
from tests.actors import AGENT, PROSUMER, STRANGER
from tests.e2e.day import VILLAGE
from tests.simulators.remembering_evm import RememberingEvm

NOW = 1_782_000_000
CERTIFIER = "certifier.roles.test-village.merit"


@dataclass(frozen=True, slots=True)
class Town:
    """An exchange on a chain behind JSON-RPC; where its folder is, and key files in another."""

    folder: Path
    keys: Path
    founded: Founded
    url: str

    def key(self, name: str) -> Path:
        return self.keys / f"{name}.key"

    def asset(self, member: str, kind: str) -> str:
        return to_text(self.founded.member(member).assets[kind].identity)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    folder, keys = tmp_path_factory.mktemp("exchange"), tmp_path_factory.mktemp("keys")
    clock, duties = SetClock(NOW), Keys.devnet()
    evm = RememberingEvm(clock, genesis_time=NOW, record=folder / "chain.jsonl")
    founded = found(evm, read_community(VILLAGE), duties)
    founded.write(folder / "exchange.json")
    held = {"certifier": duties.certifier, "admin": duties.admin, "stranger": STRANGER.key, "newcomer": PROSUMER.key}
    for name, key in {**held, **{name: member_key(name) for name in ("consumer", "producer")}}.items():
        (keys / f"{name}.key").touch(mode=0o600)
        (keys / f"{name}.key").write_text(key.hex())
    with DevnetServer(evm, 0) as server:
        yield Town(folder, keys, founded, server.url)


@pytest.fixture
def run(town, merit):
    """Run a verb on this exchange; a word that ends in `.key` is a key file."""

    def run(*words: object):
        named = [town.keys / str(word) if str(word).endswith(".key") else word for word in words]
        return merit(*named, "--data", town.folder, "--rpc", town.url)

    return run


def done(ended):
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def test_assets_are_listed_for_people_and_for_programs(run, town):
    owner = to_text(address_of(member_key("producer")))
    found = done(run("asset", "list", "--owner", owner, "--json"))["assets"]
    assert {each["asset"] for each in found} == {town.asset("producer", "load"), town.asset("producer", "pv")}
    assert {each["enrolment"]["account"] for each in found} == {town.founded.member("producer").account}
    printed = run("asset", "list")
    assert (printed.code, town.asset("consumer", "load") in printed.out) == (0, True)


def test_an_asset_is_shown_by_address_and_by_did_with_nothing_but_the_contract(merit, town):
    pv, chain_id = town.asset("producer", "pv"), town.founded.deployment.chain_id
    contract = to_text(town.founded.deployment.settlement)
    by_contract = merit(
        *("asset", "show", to_did(chain_id, bytes.fromhex(pv[2:])), "--json"),
        *("--contract", contract, "--rpc", town.url),
    )
    assert done(by_contract)["claims"][0]["says"]["kind"] == "pv"
    alone = merit("asset", "show", pv, "--contract", contract)
    assert (alone.code, "--rpc" in alone.err) == (3, True)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("asset", "show", to_text(STRANGER.address)), 3),
        (("asset", "show", "roof"), 3),
        (("role", "holders", "plumber"), 3),
        (("did", "resolve", "did:key:z6Mk"), 4),
        (("did", "resolve", "did:ethr:0x1:" + to_text(AGENT.address)), 4),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_not_there_ends_with_its_own_code(run, words, code):
    ended = run(*words)
    assert (ended.code, ended.out, ended.err.startswith("merit: ")) == (code, "", True)


def test_a_did_is_resolved_in_the_words_of_the_w3c(run, town):
    did = to_did(town.founded.deployment.chain_id, AGENT.address)
    result = done(run("did", "resolve", did, "--json"))
    assert (result["didDocument"]["id"], result["didDocumentMetadata"]) == (did, {})
    assert json.loads(run("did", "resolve", did).out) == result["didDocument"]


def test_a_delegation_is_made_shown_and_ended(run, town):
    asset, agent = town.asset("consumer", "load"), to_text(AGENT.address)
    made = done(run("asset", "delegate", asset, agent, "--days", 2, "--key-file", "consumer.key", "--json"))
    assert (made["done"], made["agent"]) == ("delegated", agent)
    (current,) = done(run("asset", "show", asset, "--json"))["delegations"]
    assert (current["standing"], current["valid_to"] - current["at"]) == ("current", 2 * 86_400)
    done(run("asset", "dismiss", asset, agent, "--key-file", "consumer.key", "--json"))
    (ended,) = done(run("asset", "show", asset, "--json"))["delegations"]
    assert ended["standing"] == "ended"


def test_nobody_delegates_for_anothers_asset_and_the_reason_is_printed(run, town):
    asset = town.asset("consumer", "load")
    refused = run("asset", "delegate", asset, to_text(AGENT.address), "--key-file", "producer.key")
    assert (refused.code, "not the owner" in refused.err) == (3, True)
    purpose = ("--purpose", "merit.everything", "--key-file", "consumer.key")
    assert run("asset", "delegate", asset, to_text(AGENT.address), *purpose).code == 3


def test_an_offer_is_made_rejected_and_made_again_and_cancelled(run, town):
    asset, buyer = town.asset("producer", "load"), to_text(PROSUMER.address)
    for ending, key in (("reject", "newcomer.key"), ("cancel", "producer.key")):
        done(run("asset", "offer", asset, buyer, "--key-file", "producer.key", "--json"))
        assert done(run("asset", "show", asset, "--json"))["offer"]["to"] == buyer
        done(run("asset", ending, asset, "--key-file", key, "--json"))
        assert done(run("asset", "show", asset, "--json"))["offer"] is None
    assert run("asset", "accept", asset, "--key-file", "newcomer.key").code == 3


def test_a_device_key_is_added_and_revoked(run, town):
    asset, device = town.asset("producer", "pv"), to_text(STRANGER.address)
    done(run("asset", "device-key", asset, device, "--key-file", "producer.key", "--json"))
    assert done(run("asset", "show", asset, "--json"))["device_keys"][0]["valid"]
    done(run("asset", "device-key", asset, device, "--revoke", "--key-file", "producer.key", "--json"))
    assert not done(run("asset", "show", asset, "--json"))["device_keys"][0]["valid"]


def test_an_asset_is_created_certified_enrolled_refreshed_and_retired(run, town):
    payer = ("--payer-key-file", "certifier.key")
    created = done(run("asset", "create", "--key-file", "consumer.key", *payer, "--json"))
    asset, account = created["asset"], town.founded.member("consumer").account
    early = run("asset", "enrol", asset, account, "--key-file", "stranger.key")
    assert (early.code, "assets:" in early.err) == (3, True)
    kind = ("--kind", "storage", "--power-w", 3_000, "--capacity-wh", 9_000)
    done(
        run(
            "asset",
            "certify",
            asset,
            *kind,
            "--key-file",
            "certifier.key",
            "--owner-key-file",
            "consumer.key",
            "--json",
        )
    )
    enrolled = done(run("asset", "enrol", asset, account, "--key-file", "stranger.key", "--json"))
    refreshed = done(run("asset", "refresh", asset, "--key-file", "stranger.key", "--json"))["assets"]
    assert [each["number"] for each in refreshed] == [enrolled["number"]]
    done(run("asset", "retire", asset, "--key-file", "consumer.key", "--json"))
    printed = run("asset", "show", asset)
    assert "retired at" in printed.out


def test_a_claim_is_agreed_to_proved_and_registered_by_three_people(run, town, tmp_path):
    asset, form, proved = town.asset("producer", "pv"), tmp_path / "form.json", tmp_path / "proved.json"
    rates = ("--demand", 330_000, "--supply", 350_000)
    form.write_text(run("role", "agree", "balancingprovider", asset, *rates, "--key-file", "producer.key").out)
    assert run("role", "register", form, "--key-file", "stranger.key").code == 3, "the issuer has yet to sign"
    by_stranger = run("role", "issue", form, "--key-file", "stranger.key")
    assert (by_stranger.code, "issuer may not issue" in by_stranger.err) == (3, True)
    proved.write_text(run("role", "issue", form, "--no-send", "--key-file", "certifier.key").out)
    tampered = tmp_path / "tampered.json"
    tampered.write_text(json.dumps(json.loads(proved.read_text()) | {"data": "0x" + "00" * 31 + "01"}))
    assert run("role", "register", tampered, "--key-file", "stranger.key").code == 3
    done(run("role", "register", proved, "--key-file", "stranger.key", "--json"))
    (holder,) = done(run("role", "holders", "balancingprovider", "--json"))["holders"]
    assert (holder["subject"], holder["holds"], holder["says"]["supply_micro_per_kwh"]) == (asset, True, 350_000)
    done(run("role", "revoke", "balancingprovider", asset, "--key-file", "certifier.key", "--json"))
    (holder,) = done(run("role", "holders", "balancingprovider", "--json"))["holders"]
    assert holder["failed"]["step"] == "revoked"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"form":"merit-claim-1","form":"merit-claim-1"}'])
def test_what_is_no_form_of_a_claim_is_refused(run, tmp_path, text):
    (tmp_path / "form.json").write_text(text)
    ended = run("role", "issue", tmp_path / "form.json", "--key-file", "certifier.key")
    assert (ended.code, "not the signed form of a claim" in ended.err) == (3, True)


def test_balancing_rates_are_imported_once_every_owner_agrees(run, town, tmp_path):
    rates = tmp_path / "rates.json"
    rates.write_text('{"consumer load": [33, 35], "producer load": [10, 12.5]}')
    importing = ("role", "import", rates, "--key-file", "certifier.key", "--json")
    missing = run(*importing)
    assert (missing.code, "consumer load, producer load" in missing.err) == (3, True)
    (keys := tmp_path / "owners").mkdir()
    for name in ("consumer", "producer"):
        (keys / f"{name}.key").touch(mode=0o600)
        (keys / f"{name}.key").write_text(member_key(name).hex())
    imported = done(run(*importing, "--owner-keys", keys))
    assert [each["name"] for each in imported["registered"]] == ["consumer load", "producer load"]
    again = done(run(*importing, "--owner-keys", keys))
    assert (again["registered"], again["held_already"]) == ([], ["consumer load", "producer load"])
    rates.write_text('{"H1 General Load": [33, 35]}')
    assert run(*importing).code == 3
    (tmp_path / "names.json").write_text(json.dumps({"H1 General Load": town.asset("consumer", "load")}))
    named = done(run(*importing, "--owner-keys", keys, "--names", tmp_path / "names.json"))
    assert named["held_already"] == ["H1 General Load"]


def test_a_role_is_defined_by_the_owner_of_the_name_above(run, town):
    terms = ("--issuer", to_text(AGENT.address), "--needs", "asset", "--most-days", 30, "--ends-at-sale")
    name = "flexible.roles.test-village.merit"
    refused = run("role", "define", name, *terms, "--key-file", "stranger.key")
    assert refused.code == 3
    done(run("role", "define", name, *terms, "--key-file", "admin.key", "--json"))
    roles = {each["name"]: each for each in done(run("role", "list", "--json"))["roles"]}
    assert (roles[name]["issuers"], roles[name]["most_seconds"]) == ([to_text(AGENT.address)], 30 * 86_400)
    assert (roles[name]["prerequisites"], roles[name]["ends_at_sale"]) == (["asset.roles.test-village.merit"], True)


def test_a_credential_is_issued_and_verified_with_its_status_list(run, merit, town, tmp_path):
    credential, listed, url = tmp_path / "roof", tmp_path / "list", "https://lists.example/1"
    offline = ("--data", town.folder, "--key-file", town.key("certifier"))
    status = ("--status", url, "--index", 3)
    says = ("credential", "issue", "asset", town.asset("producer", "pv"), "--kind", "pv", "--power-w", 10_000)
    credential.write_text(merit(*says, *status, "--form", "jwt", *offline).out)
    listed.write_text(merit("credential", "status-list", url, *offline).out)
    unreachable = run("credential", "verify", credential)
    assert (unreachable.code, "status-unreachable" in unreachable.err) == (4, True)
    verdict = done(run("credential", "verify", credential, "--status", f"{url}={listed}", "--json"))
    assert (verdict["holds"], len(verdict["chain"])) == (True, 3)
    credential.write_text(merit(*says, *status, "--form", "eip712", *offline).out)
    assert done(run("credential", "verify", credential, "--status", f"{url}={listed}", "--json"))["holds"]
    listed.write_text(merit("credential", "status-list", url, "--revoke", 3, *offline).out)
    revoked = run("credential", "verify", credential, "--status", f"{url}={listed}", "--json")
    assert (revoked.code, revoked.document["failed"]["step"]) == (4, "credential-revoked")


def test_a_mandate_is_issued_by_the_owner(run, merit, town, tmp_path):
    issued = merit(
        *("credential", "issue", "mandate", to_text(AGENT.address), "--asset", town.asset("producer", "pv")),
        *("--data", town.folder, "--key-file", town.key("producer"), "--json"),
    )
    (tmp_path / "mandate").write_text(done(issued)["jwt"])
    assert done(run("credential", "verify", tmp_path / "mandate", "--json"))["chain"][0]["how"] == "owns-asset"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--kind", "windmill"), "none of"),
        ((), "--kind"),
        (("--kind", "pv", "--power-w", 1, "--status", "https://lists.example/1"), "index"),
        (("--kind", "pv", "--power-w", 1), "taken back"),
    ],
)
def test_a_credential_that_says_too_little_is_refused(merit, town, words, said):
    ended = merit(
        *("credential", "issue", "asset", to_text(AGENT.address), *words),
        *("--data", town.folder, "--key-file", town.key("certifier")),
    )
    assert (ended.code, said in ended.err) == (3, True), ended.err


@pytest.mark.usefixtures("remembering")
def test_a_chain_that_nobody_serves_may_be_read_and_not_written_to(merit, tmp_path, town):
    served = merit("asset", "list", "--data", town.folder)
    assert (served.code, "--rpc" in served.err) == (3, True), "this process has it open"
    for name in ("exchange.json", "chain.jsonl"):
        shutil.copy(town.folder / name, tmp_path / name)
    assert done(merit("asset", "list", "--data", tmp_path, "--json"))["assets"]
    acting = merit("asset", "create", "--data", tmp_path, "--key-file", town.key("consumer"))
    assert (acting.code, "--rpc" in acting.err) == (3, True)
