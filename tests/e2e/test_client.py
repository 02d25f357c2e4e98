"""The client against a real exchange: the same suite for the one that blocks and the one that awaits."""

import asyncio
import json
from dataclasses import replace

import httpx2
import pytest

from app.client.answers import Acknowledged, Expect
from app.client.async_client import AsyncMeritClient
from app.client.client import MeritClient, check_on_chain
from app.client.errors import (
    AnswerMalformed,
    ClientError,
    ExchangeUnreachable,
    ProofUnsound,
    ReceiptUnsound,
    Refused,
    WrongExchange,
)
from app.client.talk import Patience
from app.founding import member_key
from exchange.order import Side
from identity.signature import sign
from settlement.proof import OrderProof, TradeProof
from tests.e2e.day import LAST, LEAD_SECONDS, NEXT, running

OPENED = NEXT - 2_000
HASTY = Patience(tries=3, first_seconds=0.01, longest_seconds=2)


@pytest.fixture(scope="module")
def exchange(played, tmp_path_factory):
    """One for all: no test here lets time pass, and no order is in another's way."""
    with running(played.copy(tmp_path_factory.mktemp("client") / "copy"), OPENED) as exchange:
        yield exchange


class Blocking:
    """The client that awaits, called as the one that blocks."""

    def __init__(self, runner, client):
        self._runner, self._client = runner, client

    def __getattr__(self, name):
        attribute = getattr(self._client, name)
        if name == "with_key":
            return lambda key: Blocking(self._runner, attribute(key))
        if name == "events":
            return lambda *given, **named: self._iterate(attribute(*given, **named))
        return (
            (lambda *given, **named: self._runner.run(attribute(*given, **named))) if callable(attribute) else attribute
        )

    def _iterate(self, events):
        try:
            while True:
                yield self._runner.run(anext(events))
        finally:
            self._runner.run(events.aclose())


@pytest.fixture(params=["blocks", "awaits"])
def connect(request, exchange):
    """Return what makes a client of the exchange; `change` alters answers on their way, or loses them."""
    if request.param == "blocks":
        opened = []

        def make(name=None, change=None, **options):
            http = httpx2.Client(transport=Changed(change), timeout=30)
            opened.append(http)
            return MeritClient(exchange.url, name and member_key(name), patience=HASTY, http=http, **options)

        yield make
        for http in opened:
            http.close()
        return
    with asyncio.Runner() as runner:
        opened = []

        def make(name=None, change=None, **options):
            http = httpx2.AsyncClient(transport=AsyncChanged(change), timeout=30)
            opened.append(http)
            client = AsyncMeritClient(exchange.url, name and member_key(name), patience=HASTY, http=http, **options)
            return Blocking(runner, client)

        yield make
        for http in opened:
            runner.run(http.aclose())


class Changed(httpx2.HTTPTransport):
    """A network that may lose or alter an answer after it was given."""

    def __init__(self, change):
        super().__init__()
        self._change = change

    def handle_request(self, request):
        response = super().handle_request(request)
        return response if self._change is None else altered(request, response, response.read(), self._change)


class AsyncChanged(httpx2.AsyncHTTPTransport):
    """The same, awaited."""

    def __init__(self, change):
        super().__init__()
        self._change = change

    async def handle_async_request(self, request):
        response = await super().handle_async_request(request)
        return response if self._change is None else altered(request, response, await response.aread(), self._change)


def altered(request, response, body, change):
    status, document = change(request.url.path, response.status_code, json.loads(body))
    return httpx2.Response(status, json=document, headers={"Retry-After": "1"} if status == 503 else {})


# The exchange


def test_a_client_knows_the_exchange_it_expects(connect, exchange):
    domain = exchange.founded.parameters.domain
    meta = connect(expect=Expect(domain.chain_id, domain.contract)).meta()
    assert (meta.parameters, meta.now) == (exchange.founded.parameters, OPENED)
    assert NEXT in meta.open_deliveries


@pytest.mark.parametrize("expect", [Expect(chain_id=1), Expect(contract=b"\x11" * 20)])
def test_another_exchange_is_not_signed_for(connect, expect):
    client = connect("consumer", expect=expect)
    with pytest.raises(WrongExchange):
        client.order(Side.BID, 500, 250_000)


@pytest.mark.parametrize("member", ["chain_id", "contract", "domain_separator", "parameters_hash"])
def test_an_exchange_that_contradicts_itself_is_not_signed_for(connect, member):
    def lie(path, status, document):
        return status, document | {member: 7} if path == "/v1/meta" else document

    with pytest.raises(WrongExchange, match="contradicts itself"):
        connect(change=lie).meta()


def test_what_is_no_exchange_is_named_so(connect):
    with pytest.raises(AnswerMalformed):
        connect(change=lambda *_: (200, {"hello": "world"})).meta()
    with pytest.raises(AnswerMalformed):
        connect(change=lambda *_: (200, [])).get("/v1/health")


def test_the_difference_of_the_clocks_is_told(connect):
    assert abs(connect().skew()) > 1, "the exchange's day is simulated, this machine's is not"


# Orders


def test_an_order_is_made_signed_acknowledged_and_taken_back(connect, exchange):
    client = connect("consumer")
    order = client.order(Side.BID, energy_wh=500, limit_micro_per_kwh=250_000)
    assert order.delivery_start == client.meta().open_deliveries[0]
    first, again = client.submit(order), client.submit(client.sign(order))
    assert (first.new, again.new, again.receipt) == (True, False, first.receipt)
    assert client.order_state(first.digest)["status"] == "open"
    assert client.cancel(first.digest)["status"] == "cancelled"
    assert client.cancel(first.digest)["status"] == "cancelled"
    assert client.order_state(first.digest)["status"] == "cancelled"


def test_an_order_that_is_refused_tells_the_code(connect):
    client = connect("consumer")
    with pytest.raises(Refused) as refused:
        client.submit(client.order(Side.BID, 500, 250_000, delivery_start=LAST))
    assert (refused.value.code, refused.value.status) == ("gate-closed", 409)
    assert refused.value.document["closed_at"] == LAST - LEAD_SECONDS


def test_many_orders_are_answered_each_for_itself(connect, exchange):
    client = connect("consumer")
    orders = [client.order(Side.BID, 10 + number, 250_000) for number in range(5)]
    orders[2] = replace(orders[2], delivery_start=LAST, valid_until=LAST)
    meta = client.meta()
    talks = getattr(client, "_client", client)._talks
    talks.known = replace(meta, most_orders_at_once=2)
    answers = client.submit_many(orders)
    assert [type(answer) for answer in answers] == [Acknowledged, Acknowledged, Refused, Acknowledged, Acknowledged]
    assert answers[2].code == "gate-closed"
    separator = exchange.founded.parameters.domain.separator()
    assert [a.digest for a in answers if isinstance(a, Acknowledged)] == [
        order.digest(separator) for order in orders if order.delivery_start != LAST
    ]


def test_an_order_whose_answer_got_lost_counts_once(connect, exchange):
    lost = []

    def lose(path, status, document):
        if path == "/v1/orders" and not lost:
            lost.append(document["digest"])
            raise httpx2.ReadError("cut")
        return status, document

    client = connect("consumer", change=lose)
    before = exchange.house.desk.look(lambda market, _: market.next_sequence)
    acknowledged = client.submit(client.order(Side.BID, 500, 250_000))
    assert lost == ["0x" + acknowledged.digest.hex()]
    assert not acknowledged.new
    assert exchange.house.desk.look(lambda market, _: market.next_sequence) == before + 1


def test_an_exchange_nobody_reaches_is_named_so(connect):
    def lose(*_):
        raise httpx2.ConnectError("no route")

    with pytest.raises(ExchangeUnreachable, match="no route"):
        connect(change=lose).meta()


def test_an_exchange_under_pressure_is_asked_again(connect):
    busy = [1]
    client = connect(
        change=lambda _, status, document: (503, {"code": "overloaded"}) if busy and busy.pop() else (status, document)
    )
    assert client.meta().now == OPENED


def forged(path, status, document):
    """A receipt that somebody else signed."""
    if path == "/v1/orders":
        document["receipt"]["signature"] = "0x" + sign(b"\1" * 32, b"\7" * 32).hex()
    return status, document


def exchanged(path, status, document):
    """The receipt of another order."""
    if path == "/v1/orders":
        document["receipt"]["order"] = "0x" + "11" * 32
    return status, document


def unsigned(path, status, document):
    """A receipt that nobody signed."""
    if path == "/v1/orders":
        document["receipt"]["signature"] = "0x" + "00" * 64
    return status, document


@pytest.mark.parametrize("lie", [forged, exchanged, unsigned])
def test_a_receipt_that_is_worth_nothing_is_not_believed(connect, lie):
    client = connect("consumer", change=lie)
    with pytest.raises(ReceiptUnsound):
        client.submit(client.order(Side.BID, 500, 250_000))


def test_who_has_no_key_only_reads_what_is_public(connect):
    reader = connect()
    session = reader.get(f"/v1/sessions/7-spot-{LAST}")
    assert session["clearing"]["trades"]
    assert session["book"] is None
    with pytest.raises(Refused) as refused:
        reader.trades(session=f"7-spot-{LAST}")
    assert (refused.value.status, refused.value.code) == (401, "not-signed-in")
    with pytest.raises(ClientError, match="has no key"):
        reader.order(Side.BID, 500, 250_000)
    with pytest.raises(ClientError, match="has no key"):
        reader.cancel(b"\1" * 32)


def test_an_asset_of_somebody_else_is_not_ordered_for(connect, exchange):
    other = exchange.founded.member("producer").assets["pv"].identity
    with pytest.raises(ClientError, match="has the asset"):
        connect("consumer").order(Side.BID, 500, 250_000, asset="0x" + other.hex())


def test_an_asset_that_was_enrolled_since_is_found(connect, exchange):
    asked = []

    def before_it_was(path, status, document):
        if path == "/v1/accounts":
            asked.append(path)
            if len(asked) == 1:
                document["accounts"][0]["assets"] = []
        return status, document

    client = connect("consumer", before_it_was)
    with pytest.raises(ClientError, match="any asset"):
        client.order(Side.BID, 500, 250_000)
    enrolled = exchange.founded.member("consumer").assets["load"].identity
    assert [client.order(Side.BID, 500, 250_000).asset for _ in range(3)] == [enrolled] * 3
    assert len(asked) == 2, "what is known is not asked for"


def test_an_epoch_that_has_ended_since_is_asked_for_anew(connect):
    voided = []

    def ended(path, status, document):
        if path == "/v1/orders" and not voided:
            voided.append(path)
            return 403, {"code": "orders-voided", "detail": "everything signed in epoch 0 was voided"}
        if path == "/v1/accounts" and voided:
            document["accounts"][0]["epoch"] = 1
        return status, document

    client = connect("consumer", ended)
    with pytest.raises(Refused):
        client.submit(client.order(Side.BID, 500, 250_000))
    assert client.order(Side.BID, 500, 250_000).epoch == 1


def test_clients_of_several_keys_share_what_is_known(connect):
    reader = connect()
    reader.meta()
    consumer, producer = (reader.with_key(member_key(name)) for name in ("consumer", "producer"))
    assert consumer.submit(consumer.order(Side.BID, 500, 250_000)).new
    offered = producer.order(Side.OFFER, 500, 90_000)
    assert producer.submit(offered).new


# What became of it


def test_a_statement_has_all_its_lines_however_many_pages_there_are(connect, exchange):
    account = exchange.founded.member("utility").account
    client = connect("utility")
    whole = client.statement(account)
    assert len(whole["lines"]) > 10
    lines, cursor = [], {}
    while cursor is not None:
        page = client.get(f"/v1/accounts/{account}/statement", limit=3, **cursor)
        assert page["totals"] == whole["totals"]
        assert len(page["lines"]) <= 3
        lines += page["lines"]
        cursor = None if page["next"] is None else {"cursor": page["next"]}
    assert lines == whole["lines"]


@pytest.mark.parametrize("cursor", ["x", "AAAA", "=", "é", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"])
def test_a_statement_does_not_go_on_from_anywhere(connect, cursor):
    with pytest.raises(Refused) as refused:
        connect("utility").get("/v1/accounts/2/statement", cursor=cursor)
    assert refused.value.code == "malformed-cursor"


def test_trades_are_proved_and_the_chain_agrees(connect, exchange):
    client = connect("consumer")
    (account,) = client.accounts()
    trade = client.trades(account=account["account"])[0]
    proof = client.proof_of_trade(bytes.fromhex(trade["leaf"][2:]))
    assert isinstance(proof, TradeProof)
    assert proof.trade.energy == trade["energy_wh"]
    check_on_chain(proof, exchange.chain_url)
    order = client.proof_of_order(bytes.fromhex(trade["bid"][2:]))
    assert isinstance(order, OrderProof)
    check_on_chain(order, exchange.chain_url)


def test_a_proof_that_leads_elsewhere_does_not_hold_on_chain(connect, exchange):
    client = connect("utility")
    trade = client.trades(account=2)[0]
    proof = client.proof_of_trade(bytes.fromhex(trade["leaf"][2:]))
    moved = replace(proof, place=replace(proof.place, parameters=b"\1" * 32))
    with pytest.raises(ProofUnsound, match="the contract holds"):
        check_on_chain(moved, exchange.chain_url)


def more_energy(document):
    document["trade"]["energy_wh"] += 1


def other_path(document):
    document["siblings"] = ["0x" + "22" * 32, *document["siblings"][1:]]


def other_contract(document):
    document["chain_id"] += 1


def no_proof(document):
    del document["leaf"]


@pytest.mark.parametrize("lie", [more_energy, other_path, other_contract, no_proof])
def test_a_proof_that_was_changed_is_not_believed(connect, lie):
    def change(path, status, document):
        if "/proofs/" in path:
            lie(document)
        return status, document

    client = connect("utility", change=change)
    with pytest.raises(ProofUnsound):
        client.proof_of_trade(bytes.fromhex(client.trades(account=2)[0]["leaf"][2:]))


def test_the_proof_of_another_trade_is_not_believed(connect):
    first, other = connect("utility").trades(account=2)[:2]
    swapped = connect("utility").get(f"/v1/proofs/trades/{other['leaf']}")
    client = connect(
        "utility", change=lambda path, status, document: (status, swapped if "/proofs/" in path else document)
    )
    with pytest.raises(ProofUnsound, match="not of"):
        client.proof_of_trade(bytes.fromhex(first["leaf"][2:]))


def test_events_are_followed_from_where_one_was(connect):
    client = connect("utility")
    events = client.events(["trades"], after="0")
    first, second, third = (next(events) for _ in range(3))
    assert [next(client.events(["trades"], after=event.id)) for event in (first, second)] == [second, third]
    assert {first.kind, second.kind, third.kind} == {"trade"}


def test_a_stream_that_is_refused_is_not_asked_for_again(connect):
    with pytest.raises(Refused) as refused:
        next(connect().events(["weather"]))
    assert refused.value.code == "malformed-request"
