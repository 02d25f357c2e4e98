"""An exchange over HTTP, from a signed order to the money that moved, and everything still there after a restart."""

import json
from pathlib import Path

import httpx2
import pytest

from app.founding import Keys, member_key
from app.server import Serving, create_app
from contracts.transacting import transact
from exchange.documents import hexed, order_to_document, receipt_from_document
from identity.address import to_text
from identity.signature import address_of, recover
from settlement.effects import escrow_token, settlement_contract
from tests.e2e.day import (
    LAST,
    LEAD_SECONDS,
    NEXT,
    PERIOD_SECONDS,
    PERIODS,
    cancellation_of,
    operator_of,
    order_of,
    reader_of,
    running,
    signed_by,
)

OPENED = NEXT - 2_000
CLOSED = NEXT - LEAD_SECONDS + 1


@pytest.fixture
def exchange(copy):
    with running(copy, OPENED) as exchange:
        yield exchange


@pytest.fixture
def client(exchange):
    with httpx2.Client(base_url=exchange.url, timeout=30, headers=operator_of(exchange.url)) as client:
        yield client


@pytest.fixture(scope="module")
def standing(played, tmp_path_factory):
    """An exchange that is only looked at."""
    with running(played.copy(tmp_path_factory.mktemp("standing") / "copy"), OPENED) as exchange:
        yield exchange


@pytest.fixture
def reader(standing):
    """The operator, who may read all of it."""
    with httpx2.Client(base_url=standing.url, timeout=30, headers=operator_of(standing.url)) as client:
        yield client


def document(founded, name, kind, energy, limit, *, start=NEXT, salt=7):
    return order_to_document(
        signed_by(founded, name, order_of(founded, name, kind, energy, limit, start=start, salt=salt))
    )


def got(client, path, **parameters):
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer, status, code):
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


# From an order to the money


def test_an_order_is_taken_cleared_settled_and_proved(exchange, client):
    founded = exchange.founded
    consumer, producer = founded.member("consumer").account, founded.member("producer").account
    before = {account: got(client, f"/v1/accounts/{account}") for account in (1, consumer, producer)}

    taken = client.post("/v1/orders", json=document(founded, "consumer", "load", 800, 250_000))
    assert taken.status_code == 201
    bid, receipt = taken.json()["digest"], taken.json()["receipt"]
    separator = founded.parameters.domain.separator()
    given = receipt_from_document(receipt)
    assert hexed(given.order) == bid
    assert recover(given.digest(separator), given.signature) == founded.parameters.receipts
    held = got(client, f"/v1/accounts/{consumer}")
    assert held["reserved_nano"] == 800 * 250_000
    assert held["free_nano"] == before[consumer]["free_nano"] - 800 * 250_000

    again = client.post("/v1/orders", json=document(founded, "consumer", "load", 800, 250_000))
    assert (again.status_code, again.json()["receipt"]) == (200, receipt)

    bad = document(founded, "prosumer", "load", 100, 250_000) | {"signature": "0x" + "11" * 64}
    bulk = [document(founded, "producer", "pv", 500, 90_000), bad, document(founded, "prosumer", "load", 40, 50_000)]
    results = client.post("/v1/orders/batch", json={"orders": bulk}).json()["results"]
    assert [result["status"] for result in results] == [201, 403, 201]
    assert results[1]["problem"]["code"] in ("bad-signature", "not-authorised")

    regretted = client.post("/v1/orders", json=document(founded, "consumer", "load", 70, 290_000)).json()["digest"]
    signature = hexed(cancellation_of(founded, "consumer", bytes.fromhex(regretted[2:])))
    cancelled = client.request("DELETE", f"/v1/orders/{regretted}", json={"signature": signature})
    assert (cancelled.status_code, cancelled.json()["digest"]) == (200, regretted)

    exchange.beat(CLOSED)
    matched, unmatched = got(client, f"/v1/orders/{bid}"), got(client, f"/v1/orders/{results[2]['digest']}")
    assert matched["status"] == "settled"
    assert (matched["outcome"]["code"], matched["outcome"]["filled_wh"]) == ("partly-filled", 500)
    assert [step["step"] for step in matched["trail"]][-2:] == ["matched", "settled"]
    assert (unmatched["outcome"]["code"], unmatched["outcome"]["filled_wh"]) == ("not-matched-limit", 0)
    assert unmatched["outcome"]["sentence"]
    assert got(client, f"/v1/orders/{regretted}")["status"] == "cancelled"

    (trade,) = got(client, "/v1/trades", session=matched["session_name"])["trades"]
    assert (trade["energy_wh"], trade["buyer"], trade["seller"]) == (500, consumer, producer)
    moves = {consumer: -trade["cost_nano"], producer: trade["value_nano"], 1: trade["fee_nano"]}
    assert sum(moves.values()) == 0
    for account, moved in moves.items():
        now = got(client, f"/v1/accounts/{account}")
        assert now["credit_nano"] - before[account]["credit_nano"] == moved
        assert now["reserved_nano"] == 0
        assert got(client, f"/v1/accounts/{account}/statement", **{"from": NEXT})["totals"]["balance_nano"] == moved

    session = got(client, f"/v1/sessions/{matched['session_name']}")
    assert (session["state"], session["clearing"]["trades"], len(session["book"]["bids"])) == ("settled", 1, 2)
    (batch,) = session["settlement"]["batches"]
    assert batch["state"] == "final"
    listed = got(client, f"/v1/batches/{session['session']}/0")
    assert listed["tx_hash"] == batch["tx_hash"]
    assert bytes.fromhex(listed["calldata"][2:]) == exchange.evm.calldata(bytes.fromhex(listed["tx_hash"][2:]))
    proof = got(client, f"/v1/proofs/trades/{trade['leaf']}")
    assert (proof["leaf"], proof["transaction"]) == (trade["leaf"], batch["tx_hash"])
    assert got(client, f"/v1/proofs/orders/{regretted}")["cancelled"] is True


def test_every_statement_adds_up_to_the_credit_on_the_ledger(standing, reader):
    for member in standing.founded.members:
        account = got(reader, f"/v1/accounts/{member.account}")
        totals = got(reader, f"/v1/accounts/{member.account}/statement")["totals"]
        assert totals["balance_nano"] == account["credit_nano"]
        parts = totals["deposited_nano"] - totals["withdrawn_nano"] + totals["earned_nano"] - totals["paid_nano"]
        assert totals["balance_nano"] == parts


def test_a_holder_finds_its_accounts(standing, reader):
    member = standing.founded.member("prosumer")
    (account,) = got(reader, "/v1/accounts", holder=to_text(member.holder))["accounts"]
    assert (account["account"], len(account["assets"])) == (member.account, 2)
    refused(reader.get("/v1/accounts", params={"holder": "0x" + "11" * 20}), 403, "not-granted")
    own = reader_of(standing.url, member_key("prosumer"))
    (same,) = httpx2.get(f"{standing.url}/v1/accounts?holder={to_text(member.holder)}", headers=own).json()["accounts"]
    assert same == account
    key = b"\7" * 32
    who = to_text(address_of(key))
    empty = httpx2.get(f"{standing.url}/v1/accounts?holder={who}", headers=reader_of(standing.url, key)).json()
    assert empty == {"accounts": [], "next": None}


def test_batches_are_listed_page_by_page(reader):
    everything = got(reader, "/v1/batches")["batches"]
    assert len(everything) == PERIODS
    found, cursor = [], 0
    while cursor is not None:
        page = got(reader, "/v1/batches", limit=3, cursor=cursor)
        found, cursor = found + page["batches"], page["next"]
    assert found == everything


def test_a_service_in_good_health_says_so(standing, reader):
    health = got(reader, "/v1/health")
    assert (health["status"], health["chain"]["answers"]) == ("ok", True)
    assert health["chain"]["head"] == standing.evm.head().number
    assert (health["unfinished_batches"], health["sessions_unsettled"], health["last_error"]) == (0, 0, None)


# Refusals


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/batches/1/0", 404, "unknown-batch"),
        ("/v1/accounts/99", 404, "unknown-account"),
        ("/v1/accounts/99/statement", 404, "unknown-account"),
        ("/v1/accounts/0", 422, "malformed-request"),
        ("/v1/accounts?holder=0x12", 422, "malformed-address"),
        ("/v1/accounts", 422, "malformed-request"),
        ("/v1/accounts/1/statement?from=-1", 422, "malformed-request"),
        ("/v1/proofs/trades/0x" + "11" * 32, 404, "unknown-trade"),
        ("/v1/proofs/orders/0x" + "11" * 32, 404, "unknown-order"),
        ("/v1/proofs/orders/0x11", 422, "malformed-request"),
        ("/v1/orders/0x" + "11" * 32, 404, "unknown-order"),
        (f"/v1/sessions/7-spot-{NEXT + 9_000}", 404, "unknown-session"),
        ("/v1/batches?limit=0", 422, "malformed-request"),
        ("/v1/nothing", 404, "not-found"),
    ],
)
def test_what_is_not_there_is_a_problem_with_its_code(reader, path, status, code):
    body = refused(reader.get(path), status, code)
    assert reader.get(body["type"]).json()["code"] == code


def test_a_proof_waits_until_the_session_is_cleared_and_settled(exchange, client):
    taken = client.post("/v1/orders", json=document(exchange.founded, "consumer", "load", 80, 250_000)).json()
    refused(client.get(f"/v1/proofs/orders/{taken['digest']}"), 409, "session-not-cleared")
    exchange.clock.set(CLOSED)
    exchange.house.desk.close_and_clear(CLOSED)
    refused(client.get(f"/v1/proofs/orders/{taken['digest']}"), 409, "not-settled-yet")
    exchange.beat(CLOSED + 1)
    assert client.get(f"/v1/proofs/orders/{taken['digest']}").status_code == 200


def test_orders_are_refused_with_the_reason(standing, reader):
    founded = standing.founded
    late = document(founded, "consumer", "load", 80, 250_000, start=LAST)
    refused(reader.post("/v1/orders", json=late), 409, "gate-closed")
    early = document(founded, "consumer", "load", 80, 250_000, start=NEXT + 40 * PERIOD_SECONDS)
    refused(reader.post("/v1/orders", json=early), 409, "gate-not-open")
    dear = document(founded, "consumer", "load", 1_000_000, 250_000)
    refused(reader.post("/v1/orders", json=dear), 409, "short-of-collateral")


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 40_000, b"[" * 20 + b"]" * 20, b"\xff", b"9" * 10_000])
def test_a_body_that_is_bad_on_purpose_does_not_end_the_server(reader, body):
    for path in ("/v1/orders", "/v1/orders/batch", "/v1/orders/typed-data"):
        answer = reader.post(path, content=body, headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500
        assert answer.headers["content-type"] == "application/problem+json"
    assert got(reader, "/v1/health")["status"] == "ok"


# A restart in between


def everything(client: httpx2.Client, members) -> dict[str, object]:
    """Whatever the server says that does not tell the time."""
    paths = ["/v1/sessions", "/v1/trades", "/v1/batches"]
    for member in members:
        paths += [f"/v1/accounts/{member.account}", f"/v1/accounts/{member.account}/statement"]
    said = {path: got(client, path) for path in paths}
    for session in said["/v1/sessions"]["sessions"]:
        said |= {path: got(client, path) for path in (f"/v1/sessions/{session['name']}",)}
        if session["state"] not in ("open", "closed"):
            said[session["name"]] = got(client, f"/v1/sessions/{session['name']}/book")
    for trade in said["/v1/trades"]["trades"]:
        path = f"/v1/proofs/trades/{trade['leaf']}"
        said[path] = got(client, path)
    return said


def served(folder: Path, now: int, act=lambda _exchange, _client: None) -> dict[str, object]:
    with (
        running(folder, now) as exchange,
        httpx2.Client(base_url=exchange.url, timeout=30, headers=operator_of(exchange.url)) as client,
    ):
        act(exchange, client)
        return everything(client, exchange.founded.members)


def pay_in(exchange, account, units):
    keys, deployment = Keys.devnet(), exchange.founded.deployment
    for to, data in (
        (deployment.token, escrow_token.mint(address_of(keys.admin), units)),
        (deployment.token, escrow_token.approve(exchange.house.contract.address, units)),
        (deployment.settlement, settlement_contract.deposit(account, units)),
    ):
        transact(exchange.evm, keys.admin, to, data)


def test_a_restart_changes_nothing_that_anybody_is_told(copy):
    def trade_and_pay_in(exchange, client):
        founded = exchange.founded
        orders = [
            document(founded, "consumer", "load", 800, 250_000),
            document(founded, "producer", "pv", 500, 90_000),
            document(founded, "consumer", "load", 30, 250_000, start=NEXT + PERIOD_SECONDS),
        ]
        for order in orders:
            assert client.post("/v1/orders", json=order).status_code == 201
        pay_in(exchange, founded.member("consumer").account, 1_000_000)
        exchange.beat(CLOSED)

    before = served(copy, OPENED, trade_and_pay_in)
    after = served(copy, CLOSED)
    assert json.loads(json.dumps(after)) == before
    assert sum(line["kind"] == "deposit" for line in before["/v1/accounts/3/statement"]["lines"]) == 2
    states = [session["state"] for session in before["/v1/sessions"]["sessions"]]
    assert states == ["settled"] * (PERIODS + 1) + ["open"]


def test_the_open_orders_of_before_a_restart_trade_after_it(copy):
    def bid(exchange, client):
        client.post("/v1/orders", json=document(exchange.founded, "consumer", "load", 800, 250_000)).raise_for_status()

    def offer(exchange, client):
        held = client.post("/v1/orders", json=document(exchange.founded, "consumer", "load", 800, 250_000))
        assert held.status_code == 200, "it is held from before"
        client.post("/v1/orders", json=document(exchange.founded, "producer", "pv", 500, 90_000)).raise_for_status()
        exchange.beat(CLOSED)

    served(copy, OPENED, bid)
    sessions = served(copy, OPENED + 60, offer)["/v1/sessions"]["sessions"]
    assert (sessions[-1]["state"], sessions[-1]["energy_wh"]) == ("settled", 500)


def test_a_port_that_is_taken_is_an_error(standing):
    port = int(standing.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="is the port taken"), Serving(create_app(standing.house), port=port):
        pass
