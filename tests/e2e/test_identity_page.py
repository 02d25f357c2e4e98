"""The walk on docs/identity.md works as it stands there, line by line, on a running exchange."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
import typer

from app.cli import app
from app.founding import Keys, member_key
from app.play import write_duty_keys, write_member_keys
from app.wiring import keeper_of
from identity.address import to_text
from identity.signature import address_of
from tests.actors import AGENT
from tests.app.command_line import ROOT
from tests.e2e.day import NEXT, running

PAGE = (ROOT / "docs" / "identity.md").read_text()
WALKS = re.findall(r"^```walk\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
OPENED = NEXT - 2_000

HOMES = {"home-02": "consumer", "home-03": "prosumer"}
"""The village's members, in the place of the street's."""


@pytest.fixture
def exchange(copy, tmp_path, monkeypatch):
    with running(copy, OPENED) as exchange:
        write_member_keys(copy / "keys", exchange.founded)
        write_duty_keys(copy / "duties", Keys.devnet())
        monkeypatch.setenv("MERIT_RPC", exchange.chain_url)
        monkeypatch.chdir(tmp_path)
        (tmp_path / "merit-data").symlink_to(copy)
        yield exchange


@dataclass
class Walker:
    """Does what a line says, in this process; between lines the exchange reads the chain and its keeper keeps."""

    exchange: object
    merit: object
    meant: dict = field(default_factory=dict)
    answer: str = ""

    def walk(self, line: str) -> None:
        if line.startswith("    "):
            assert line.strip() in self.answer, self.answer
            return
        for word, meaning in self.meant.items():
            line = line.replace(word, meaning)
        if line.startswith("curl "):
            url = line.removeprefix("curl ").replace("http://127.0.0.1:8080", self.exchange.url)
            self.answer = httpx2.get(url).text
            return
        line, _, to = line.partition(" > ")
        _, *words = shlex.split(line)
        ended = self.merit(*words, *([] if to or words[0] == "did" else ["--json"]))
        assert ended.code == 0, ended.err
        if words[:2] == ["asset", "create"]:
            self.meant["ASSET"] = ended.document["asset"]
        if to:
            Path(to).write_text(ended.out)
        house, clock = self.exchange.house, self.exchange.clock
        for _ in range(2):
            house.heartbeat.read_chain()
            clock.set(self.exchange.evm.head().timestamp + 1)  # a block a second, and time goes on
            keeper_of(house, Keys.devnet().certifier).keep_now(clock())


def test_the_walk_leads_from_nothing_to_a_certified_delegated_sold_and_retired_asset(exchange, merit):
    walker = Walker(exchange, merit, dict(HOMES))
    walker.meant |= {"AGENT": to_text(AGENT.address), "BUYER": to_text(address_of(member_key("prosumer")))}
    for walk in WALKS:
        for line in walk.splitlines():
            walker.walk(line)
    paths = [path.format(walker.meant["ASSET"]) for path in ("/v1/assets/{}", "/v1/dids/did:ethr:0x539:{}")]
    shown = [httpx2.get(exchange.url + path).json() for path in paths]
    assert (shown[0]["owner"], shown[0]["epoch"]) == (None, 2)
    exchange.house.indexer.reload()
    assert [httpx2.get(exchange.url + path).json() for path in paths] == shown, "what is on disk says the same"
    revoked = merit(
        *("credential", "status-list", "https://lists.example/1", "--revoke", 7, "--before", "list.jwt"),
        *("--key-file", "merit-data/duties/certifier.key"),
    )
    Path("later.jwt").write_text(revoked.out)
    ended = merit("credential", "verify", "roof.jwt", "--status", "https://lists.example/1=later.jwt")
    assert (ended.code, "credential-revoked" in ended.err) == (4, True)


def test_every_verb_that_the_page_names_is_there():
    verbs = typer.main.get_command(app)
    for group, verb in sorted(set(re.findall(r"`merit (asset|role|did|credential) ([a-z-]+)", PAGE))):
        assert verb in verbs.commands[group].commands, f"merit {group} {verb}"
