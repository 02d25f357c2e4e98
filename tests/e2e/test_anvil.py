"""The whole story on a node that is not ours: founded, traded, settled, audited and proved over JSON-RPC."""

import json
from dataclasses import dataclass

import pytest
from httpx2 import Client

from app.clock import SetClock
from app.founding import Founded, Keys
from app.server import Serving, create_app
from app.wiring import House, Places, build
from contracts.rpc_evm import RpcEvm
from exchange.effects.taken import Taken
from settlement.lifecycle import State
from tests.contracts.evm.anvil import CHAIN_ID, FORKS, running_anvil
from tests.contracts.evm.bell import ask
from tests.e2e.day import FIRST, LEAD_SECONDS, PERIOD_SECONDS, VILLAGE, operator_of, order_of, signed_by

pytestmark = pytest.mark.anvil

SESSIONS = 3
CONFIRMATIONS = 2
SETTINGS = f"""
[chain.{CHAIN_ID}]
confirmations = {CONFIRMATIONS}
explorer = "http://127.0.0.1:5100/tx/{{tx}}"
"""
DEEP_ENOUGH = 8
"""Beats and blocks after which everything is final."""


@pytest.fixture(params=FORKS)
def url(request):
    """An anvil whose time begins two hours before the village's day."""
    with running_anvil("--timestamp", str(FIRST - 7_200), *FORKS[request.param]) as url:
        yield url


@dataclass
class Village:
    """The village's exchange on anvil, which mines when it gets a transaction or is told to."""

    url: str
    founded: Founded
    house: House
    clock: SetClock

    def pass_time(self, now: int) -> None:
        """Let the chain and the exchange come to `now`, and do what is due."""
        self.clock.set(now)
        ask(self.url, "evm_setNextBlockTimestamp", now)
        ask(self.url, "evm_mine")
        self.house.heartbeat.beat(now)

    def trade(self, start: int) -> bytes:
        """Let one session be traded and settled; return the leaf of a trade."""
        desk, closure = self.house.desk, start - LEAD_SECONDS
        self.pass_time(closure - 600)
        wanted = [
            ("consumer", "load", 310, 290_000),
            ("prosumer", "load", 120, 280_000),
            ("producer", "pv", 400, 90_000),
            ("utility", "sell", 20_000, 300_000),
        ]
        orders = [
            signed_by(self.founded, who, order_of(self.founded, who, *terms, start=start)) for who, *terms in wanted
        ]
        assert all(isinstance(result, Taken) for result in desk.submit(orders))
        self.pass_time(closure + 10)
        for step in range(DEEP_ENOUGH):
            self.pass_time(closure + 20 + 2 * step)
        (book,) = [book for book in self._books() if book.key.delivery_start == start]
        return book.cleared.clearing.trades[0].leaf()

    def _books(self):
        desk = self.house.desk
        return [desk.book(key) for key in desk.look(lambda market, _: sorted(market.sessions))]


@pytest.fixture
def village(url, tmp_path, merit):
    """Founded by the command, then built as `merit serve` does."""
    folder = tmp_path / "village"
    deployed = merit("deploy", "--rpc", url, "--data", folder, "--community", VILLAGE, "--chain-id", CHAIN_ID)
    assert deployed.code == 0, deployed.err
    (folder / "chains.toml").write_text(SETTINGS)
    places, founded, clock = Places(folder), Founded.read(folder / "exchange.json"), SetClock(FIRST - 4_000)
    evm = RpcEvm(url, timeout=10, expected_chain_id=founded.deployment.chain_id)
    with build(places, founded, Keys.devnet(), clock, evm) as house:
        yield Village(url, founded, house, clock)


def test_a_village_is_founded_trades_settles_and_is_audited_and_proved_over_json_rpc(village, url, tmp_path, merit):
    leaves = [village.trade(FIRST + index * PERIOD_SECONDS) for index in range(SESSIONS)]
    batches = village.house.store.batches()
    assert len(batches) == SESSIONS
    assert {batch.state for batch in batches} == {State.FINAL}
    head = village.house.evm.head().number
    assert all(head - batch.block_number >= CONFIRMATIONS for batch in batches)

    with Serving(create_app(village.house)) as server, Client(base_url=server.url) as client:
        (listed, *_) = client.get("/v1/batches").json()["batches"]
        assert listed["tx_link"] == f"http://127.0.0.1:5100/tx/{listed['tx_hash']}"
        proof = client.get(f"/v1/proofs/trades/0x{leaves[-1].hex()}", headers=operator_of(server.url)).json()
    village.house.close()

    audited = merit("audit", tmp_path / "village", "--rpc", url, "--json")
    assert audited.code == 0, audited.out
    assert (audited.document["sound"], audited.document["sessions"]) == (True, SESSIONS)
    assert audited.document["trades"] > 0

    (tmp_path / "proof.json").write_text(json.dumps(proof))
    verified = merit("verify", tmp_path / "proof.json", "--rpc", url)
    assert verified.code == 0, verified.out
    assert "verified" in verified.out

    checked = merit("deploy", "--check", "--data", tmp_path / "village", "--against", "artifact", "--json")
    assert checked.code == 0, checked.out
    assert checked.document["same"]


def test_a_batch_is_not_final_before_it_is_confirmed(village):
    closure = FIRST - LEAD_SECONDS
    village.pass_time(closure - 600)
    order = order_of(village.founded, "consumer", "load", 100, 290_000, start=FIRST)
    offer = order_of(village.founded, "utility", "sell", 100, 280_000, start=FIRST)
    taken = village.house.desk.submit(
        [signed_by(village.founded, "consumer", order), signed_by(village.founded, "utility", offer)]
    )
    assert all(isinstance(result, Taken) for result in taken)
    states = []
    for step in range(2 * DEEP_ENOUGH):
        village.pass_time(closure + 10 + 2 * step)
        states += [batch.state for batch in village.house.store.batches()]
    assert State.MINED in states
    assert states[-1] is State.FINAL
    assert states.index(State.FINAL) - states.index(State.MINED) >= CONFIRMATIONS - 1


def test_a_chain_on_which_nobody_mines_is_sent_something_where_a_block_is_waited_for(village):
    closure = FIRST - LEAD_SECONDS
    village.pass_time(closure - 600)
    orders = [("consumer", "load", 290_000), ("utility", "sell", 280_000)]
    signed = [
        signed_by(village.founded, who, order_of(village.founded, who, kind, 100, limit, start=FIRST))
        for who, kind, limit in orders
    ]
    assert all(isinstance(result, Taken) for result in village.house.desk.submit(signed))
    for step in range(4 * DEEP_ENOUGH):
        now = closure + 10 + 4 * step
        village.clock.set(now)
        ask(village.url, "evm_setNextBlockTimestamp", now)  # of the next block, should one come
        village.house.heartbeat.beat(now)
    assert [batch.state for batch in village.house.store.batches()] == [State.FINAL]


def test_another_chain_at_the_same_url_is_refused(village, tmp_path, merit):
    path = tmp_path / "village" / "exchange.json"
    path.write_text(path.read_text().replace(f'"chain_id": {CHAIN_ID}', '"chain_id": 246'))
    refused = merit("audit", tmp_path / "village")
    assert refused.code == 5
    assert "246" in refused.err


def test_a_contract_that_was_replaced_is_caught(village, url, tmp_path, merit):
    settlement = "0x" + village.founded.deployment.settlement.hex()
    code = ask(url, "eth_getCode", settlement, "latest")["result"]
    ask(url, "anvil_setCode", settlement, code[:200] + ("00" if code[200:202] != "00" else "01") + code[202:])
    checked = merit("deploy", "--check", "--data", tmp_path / "village", "--against", "artifact", "--json")
    assert checked.code == 4
    assert {each["what"] for each in checked.document["differences"]} == {"code digest", "runtime code"}
