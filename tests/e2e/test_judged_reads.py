"""Who may read what over HTTP: what is public, what asks for a sign-in, what is granted, revoked, and recorded."""

import json

import httpx2
import pytest

from app.bounds import Bounds, Rate
from app.client.answers import checked_challenge
from app.client.client import MeritClient
from app.client.errors import Refused, WrongExchange
from app.client.following import Following
from app.founding import Keys, member_key
from app.registering import Registering
from app.server import Serving, create_app
from exchange.documents import hexed, order_to_document
from identity import jws
from identity.access import Role, Scope, account_scope, node_scope
from identity.address import to_text
from identity.did import to_did
from identity.energy_roles import EnergyRole, role_node
from identity.meta_transactions import ChangeOwner, calldata
from identity.presentation import make
from identity.signature import address_of
from tests.e2e.day import LAST, NEXT, operator_of, order_of, reader_of, running, signed_by, token_of

OPENED = NEXT - 2_000
STRANGER = b"\7" * 32
"""Owns nothing, and is granted nothing that the tests of this module share."""

ACCOUNTANT = b"\x0a" * 32
NIGHT_SHIFT = b"\x0b" * 32
"""Was given the role of an exchange operator, for this community, on the chain."""

ROTATED = b"\x0c" * 32
"""The key that the guardian has put in the place of its own, in the DID registry."""

SESSION = f"7-spot-{LAST}"
LABEL = "test-village"

ON_CHAIN = {
    "/v1/assets": {},
    "/v1/assets/{asset}": {},
    "/v1/roles": {},
    "/v1/roles/{name}": {},
    "/v1/delegations": {"asset": "{asset}"},
    "/v1/authority": {"asset": "{asset}", "signer": "{asset}"},
    "/v1/dids/{did}": {},
}
"""What the registries say, which anybody can read on the chain, and what is to be asked for besides the path."""

PUBLIC = {
    "/v1/meta",
    "/v1/nodes",
    "/v1/balancing",
    "/v1/nodes/{number}/terms",
    "/v1/health",
    "/v1/sessions",
    "/v1/sessions/{session}",
    "/v1/batches",
    "/v1/batches/{session}/{part}",
    "/v1/events",
    "/v1/imbalance/rules",
    "/v1/imbalance/prices",
    "/v1/imbalance/runs",
    "/v1/orders/{digest}/cancellation/typed-data",
    "/v1/grants/{digest}/revocation/typed-data",
    "/problems",
    "/problems/{code}",
    "/healthz",
    "/readyz",
    "/metrics",
    *ON_CHAIN,
}
"""What anybody may read, wholly or in part; everything else asks for a sign-in, whatever is added."""


@pytest.fixture(scope="module")
def exchange(played, tmp_path_factory):
    with running(played.copy(tmp_path_factory.mktemp("access") / "copy"), OPENED - 60) as exchange:
        keys, registering = Keys.devnet(), registering_in(exchange)
        registering.claim(
            EnergyRole.EXCHANGE_OPERATOR,
            address_of(NIGHT_SHIFT),
            label=LABEL,
            subject_key=NIGHT_SHIFT,
            issuer_key=keys.community,
            expiry=OPENED + 86_400,
        )
        rotated = calldata(address_of(keys.guardian), ChangeOwner(address_of(ROTATED)))
        registering.tell(keys.guardian, exchange.founded.deployment.did_registry, rotated)
        exchange.clock.set(OPENED)
        exchange.house.indexer.advance()
        yield exchange


def registering_in(exchange):
    return Registering(exchange.evm, exchange.founded.deployment, exchange.house.preset)


@pytest.fixture
def client(exchange):
    with httpx2.Client(base_url=exchange.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def readers(exchange):
    names = {name: reader_of(exchange.url, member_key(name)) for name in ("consumer", "producer")}
    grid = reader_of(exchange.url, Keys.devnet().grid_operator)
    return names | {"operator": operator_of(exchange.url), "grid": grid, "stranger": reader_of(exchange.url, STRANGER)}


@pytest.fixture(scope="module")
def known(exchange, readers, played):
    """A trade between the consumer and somebody else, and what else a path may name."""
    account = exchange.founded.member("consumer").account
    with httpx2.Client(base_url=exchange.url, headers=readers["consumer"]) as client:
        trade = client.get("/v1/trades", params={"account": account}).json()["trades"][0]
    asset = exchange.founded.member("consumer").assets["load"].identity
    return {
        "asset": to_text(asset),
        "did": to_did(exchange.founded.deployment.chain_id, asset),
        "name": f"asset.roles.{LABEL}.merit",
        "leaf": trade["leaf"],
        "digest": hexed(played.unmatched),
        "session": trade["session_name"],
        "number": account,
        "part": 0,
        "code": "not-granted",
    }


def code_of(answer):
    return answer.status_code, answer.json().get("code")


# What is public


def test_whatever_is_not_public_asks_for_a_sign_in(client, known):
    paths = client.get("/openapi.json").json()["paths"]
    asked = 0
    for path, operations in paths.items():
        if "get" not in operations or path == "/v1/events":
            continue
        holder = "0x" + "11" * 20
        session = {"session": 1} if path.startswith("/v1/batches") else {}
        answer = client.get(path.format(**known | session), params={"holder": holder} if path == "/v1/accounts" else {})
        if path in PUBLIC:
            assert answer.status_code not in (401, 403), path
            continue
        asked += 1
        assert code_of(answer) == (401, "not-signed-in"), path
        assert answer.headers["www-authenticate"] == 'Bearer realm="merit"'
        assert {"session": []} in operations["get"]["security"], path
    assert asked >= 10


def test_what_is_on_the_chain_anybody_may_read(client, known):
    for path, query in ON_CHAIN.items():
        asked = {name: value.format(**known) for name, value in query.items()}
        assert client.get(path.format(**known), params=asked).status_code == 200, path


def test_the_public_sees_roots_totals_and_prices_and_no_order(client, readers):
    for seen_by, sees in ((None, False), ("consumer", False), ("stranger", False), ("grid", True), ("operator", True)):
        headers = readers.get(seen_by, {})
        session = client.get(f"/v1/sessions/{SESSION}", headers=headers).json()
        assert session["clearing"]["rate_micro_per_kwh"] is not None
        assert (session["book"] is not None, session["clearing"]["lapsed"] is not None) == (sees, sees)
        batch = client.get(f"/v1/batches/{session['session']}/0", headers=headers).json()
        assert batch["order_root"]
        assert batch["tx_hash"]
        assert (batch["calldata"] is not None) == (seen_by == "operator")


def test_a_token_that_opens_nothing_is_told_so_even_for_what_is_public_in_part(client):
    for path in (f"/v1/sessions/{SESSION}", "/v1/reads"):
        answer = client.get(path, headers={"Authorization": "Bearer nobodys"})
        assert code_of(answer) == (401, "sign-in-ended")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


# What is one's own


def test_a_member_reads_its_own_and_nobody_elses(client, exchange, readers, known, played):
    own, other = (exchange.founded.member(name).account for name in ("consumer", "producer"))
    mine = (
        f"/v1/accounts/{own}",
        f"/v1/accounts/{own}/statement",
        f"/v1/trades?account={own}",
        f"/v1/trades/{known['leaf']}",
        f"/v1/proofs/trades/{known['leaf']}",
        f"/v1/orders/{known['digest']}",
        f"/v1/proofs/orders/{known['digest']}",
    )
    for path in mine:
        assert client.get(path, headers=readers["consumer"]).status_code == 200, path
        assert code_of(client.get(path, headers=readers["stranger"])) == (403, "not-granted"), path
    theirs = (f"/v1/accounts/{other}", f"/v1/trades?session={SESSION}", "/v1/trades", f"/v1/sessions/{SESSION}/book")
    for path in theirs:
        assert code_of(client.get(path, headers=readers["consumer"])) == (403, "not-granted"), path
        assert client.get(path, headers=readers["operator"]).status_code == 200, path


def test_somebody_elses_open_order_is_an_unknown_one(client, exchange, readers):
    order = signed_by(exchange.founded, "consumer", order_of(exchange.founded, "consumer", "load", 33, 9, start=NEXT))
    digest = client.post("/v1/orders", json=order_to_document(order)).json()["digest"]
    for path in (f"/v1/orders/{digest}", f"/v1/proofs/orders/{digest}"):
        assert code_of(client.get(path, headers=readers["stranger"])) == (404, "unknown-order")
        assert code_of(client.get(path, headers=readers["producer"])) == (404, "unknown-order")
    assert client.get(f"/v1/orders/{digest}", headers=readers["consumer"]).status_code == 200


# Signing in


def test_a_machine_signs_in_with_a_presentation_and_out_again(client, exchange):
    challenge = client.post("/v1/sign-in/challenge", json={}).json()
    assert challenge["message"] is None
    presentation = make(
        member_key("consumer"),
        chain_id=challenge["chain_id"],
        audience=challenge["uri"],
        nonce=challenge["nonce"],
        now=OPENED,
    )
    signed_in = client.post("/v1/sign-in", json={"presentation": presentation})
    assert signed_in.headers["cache-control"] == "no-store"
    assert signed_in.json()["did"].endswith(exchange.founded.member("consumer").holder.hex())
    assert code_of(client.post("/v1/sign-in", json={"presentation": presentation})) == (403, "sign-in-refused")
    headers = {"Authorization": f"Bearer {signed_in.json()['token']}"}
    assert client.get("/v1/sign-in", headers=headers).json()["expires_at"] == OPENED + 1_800
    assert client.delete("/v1/sign-in", headers=headers).json() == {"ended": True}
    assert code_of(client.get("/v1/sign-in", headers=headers)) == (401, "sign-in-ended")


@pytest.mark.parametrize("signed_with", ["the new key", "the old key"])
def test_only_the_keys_in_its_document_sign_in_as_an_identity(client, exchange, signed_with):
    guardian = Keys.devnet().guardian
    challenge = client.post("/v1/sign-in/challenge", json={}).json()
    did = to_did(exchange.founded.deployment.chain_id, address_of(guardian))
    payload = {
        "iss": did,
        "aud": challenge["uri"],
        "nonce": challenge["nonce"],
        "exp": OPENED + 60,
        "vp": {"type": ["VerifiablePresentation"]},
    }
    presentation = jws.encode(payload, ROTATED if signed_with == "the new key" else guardian)
    answer = client.post("/v1/sign-in", json={"presentation": presentation})
    if signed_with == "the new key":
        assert answer.json()["did"] == did
    else:
        assert code_of(answer) == (403, "sign-in-refused")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "malformed-sign-in"),
        ({"message": "hello", "signature": "0x" + "5a" * 65}, "bad-signature"),
        ({"message": "hello", "signature": "0x" + "11" * 64}, "malformed-sign-in"),
        ({"message": "hello"}, "malformed-sign-in"),
        ({"presentation": "a.b.c"}, "malformed-sign-in"),
        ({"presentation": 7}, "malformed-request"),
    ],
)
def test_what_is_no_sign_in_is_refused(client, body, code):
    assert client.post("/v1/sign-in", json=body).json()["code"] == code


def test_a_client_signs_nothing_that_would_sign_it_in_elsewhere(client, exchange):
    key = member_key("consumer")
    challenge = client.post("/v1/sign-in/challenge", json={"address": to_text(address_of(key))}).json()
    chain = exchange.founded.deployment.chain_id
    assert checked_challenge(challenge, exchange.url, address_of(key), chain) == challenge["message"]
    assert checked_challenge(challenge, exchange.url.replace("127.0.0.1", "localhost"), address_of(key), chain)
    for url, who, chain_id in (
        ("https://evil.example", address_of(key), chain),
        (exchange.url, address_of(STRANGER), chain),
        (exchange.url, address_of(key), 1),
    ):
        with pytest.raises(WrongExchange):
            checked_challenge(challenge, url, who, chain_id)


def test_a_client_signs_in_again_when_its_session_is_over(exchange):
    with MeritClient(exchange.url, member_key("consumer")) as consumer:
        (account,) = consumer.accounts()
        exchange.house.reads.sign_ins.end(consumer.sign_in())
        assert consumer.accounts() == [account]


# Granting, revoking, and what is told of it


def test_a_grant_opens_an_account_until_it_is_revoked_and_its_owner_sees_who_read(exchange, client):
    account = exchange.founded.member("consumer").account
    with MeritClient(exchange.url, member_key("consumer")) as owner, MeritClient(exchange.url, ACCOUNTANT) as auditor:
        with pytest.raises(Refused) as refused:
            auditor.statement(account)
        assert refused.value.code == "not-granted"
        kept = owner.grant(
            scope=f"account:{account}", purpose="billing", until=OPENED + 600, grantee=address_of(ACCOUNTANT)
        )
        assert auditor.statement(account)["lines"]
        assert [grant["digest"] for grant in auditor.grants()["received"]] == [kept["digest"]]
        assert kept in owner.grants()["given"]
        revoked = owner.revoke_grant(bytes.fromhex(kept["digest"][2:]))
        assert revoked["revoked_at"] == OPENED
        with pytest.raises(Refused) as refused:
            auditor.get(f"/v1/accounts/{account}")
        assert (refused.value.code, refused.value.document["grant"]) == ("grant-revoked", kept["digest"])
        read = next(read for read in owner.reads()["reads"] if read["reader"] == to_text(address_of(ACCOUNTANT)))
        assert (read["read"], read["grant"], read["purpose"]) == (f"account:{account}", kept["digest"], "billing")
        assert read["request"]
        with pytest.raises(Refused):
            auditor.reads()


def test_an_auditor_reads_what_it_was_granted(exchange, client, readers):
    with (
        MeritClient(exchange.url, Keys.devnet().operator) as operator,
        MeritClient(exchange.url, b"\x09" * 32) as auditor,
    ):
        number = client.get(f"/v1/sessions/{SESSION}").json()["session"]
        reader = address_of(b"\x09" * 32)
        operator.grant(scope=f"session:{number}", purpose="audit", until=OPENED + 600, grantee=reader)
        assert auditor.get(f"/v1/sessions/{SESSION}/book")["session"] == number
        assert auditor.trades(session=SESSION)
        other = f"7-spot-{LAST - 900}"
        with pytest.raises(Refused):
            auditor.get(f"/v1/sessions/{other}/book")
        operator.grant(scope="trail", purpose="audit", until=OPENED + 600, grantee=reader)
        assert auditor.get(f"/v1/sessions/{other}/book")
        assert auditor.trades()
        assert auditor.reads(all="true")["reads"]
        with pytest.raises(Refused):
            auditor.get("/v1/accounts/2")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({}, 403, "not-yours-to-grant"),
        ({"scope": "weather"}, 422, "malformed-grant"),
        ({"until": OPENED}, 422, "malformed-grant"),
        ({"purpose": "fun"}, 422, "malformed-request"),
        ({"role": "auditor"}, 422, "malformed-grant"),
        ({"grantor": "0x12"}, 422, "malformed-request"),
        ({"surplus": 1}, 422, "malformed-request"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_grant_of_the_signers_is_refused(client, change, status, code):
    grant = {
        "grantor": to_text(address_of(STRANGER)),
        "grantee": "0x" + "11" * 20,
        "purpose": "audit",
        "scope": "trail",
        "until": OPENED + 600,
    } | change
    from identity.effects.grant_document import grant_from_document
    from identity.signature import sign

    domain = client.get("/v1/meta").json()["domain_separator"]
    signature = b"\1" * 64
    if code == "not-yours-to-grant" or change.get("until") == OPENED:
        signature = sign(grant_from_document(grant).digest(bytes.fromhex(domain[2:])), STRANGER)
    assert code_of(client.post("/v1/grants", json=grant | {"signature": hexed(signature)})) == (status, code)


# Streams


def listening(url, query, headers, act):
    """Read a stream, calling `act` with what was read so far after each piece; until it ends."""
    text = ""
    with (
        httpx2.Client(base_url=url, timeout=30) as client,
        client.stream("GET", "/v1/events", params=query, headers=headers) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        for chunk in answer.iter_raw():
            text += chunk.decode()
            act(text)
    return text


def test_a_stream_shows_a_member_its_own_and_what_is_public(exchange, readers):
    account = exchange.founded.member("consumer").account
    queries = {name: {"after": "0"} for name in ("consumer", "stranger")}
    seen = {}
    for name, query in queries.items():
        following, events = Following((), None, None), []
        with (
            httpx2.Client(base_url=exchange.url, timeout=30) as client,
            client.stream("GET", "/v1/events", params=query, headers=readers[name]) as answer,
        ):
            for chunk in answer.iter_raw():
                events += following.feed(chunk)
                if sum(event.kind == "settlement" for event in events) == 8:
                    break
        seen[name] = events
    assert {event.kind for event in seen["stranger"]} == {
        "gate-closed",
        "session-cleared",
        "session-settled",
        "settlement",
    }
    trades = [event.data for event in seen["consumer"] if event.kind == "trade"]
    assert trades
    assert all(account in (trade["buyer"], trade["seller"]) for trade in trades)
    assert sum(event.kind == "order-accepted" for event in seen["consumer"]) >= 2


@pytest.mark.parametrize("topics", ["orders", "trades", "sessions,trades"])
def test_topics_that_are_not_public_ask_for_a_right(client, readers, topics):
    assert code_of(client.get("/v1/events", params={"topics": topics})) == (401, "not-signed-in")
    answer = client.get("/v1/events", params={"topics": topics}, headers=readers["stranger"])
    assert code_of(answer) == (403, "not-granted")
    answer = client.get("/v1/events", params={"topics": topics, "account": 3}, headers=readers["stranger"])
    assert code_of(answer) == (403, "not-granted")


ENDS = {
    "revoked": (b"\x21" * 32, "grant-revoked"),
    "signed out": (b"\x22" * 32, "sign-in-ended"),
    "without its role": (NIGHT_SHIFT, "not-granted"),
}
"""How a right is lost: who listens, and what the stream says last."""


@pytest.mark.parametrize("end", ENDS)
def test_a_stream_ends_before_anything_more_is_told_once_the_right_is_gone(exchange, end):
    listener, told = ENDS[end]
    with MeritClient(exchange.url, member_key("consumer")) as owner:
        account = exchange.founded.member("consumer").account
        if listener != NIGHT_SHIFT:
            grant = owner.grant(
                scope=f"account:{account}", purpose="support", until=OPENED + 600, grantee=address_of(listener)
            )
        headers = {"Authorization": f"Bearer {token_of(exchange.url, listener)}"}
        steps = iter(range(9))

        def act(text):
            """First an order that is heard; then the right goes, and another order."""
            step = next(steps)
            if step == 1:
                if end == "revoked":
                    owner.revoke_grant(bytes.fromhex(grant["digest"][2:]))
                elif end == "without its role":
                    node = role_node(EnergyRole.EXCHANGE_OPERATOR, LABEL)
                    registering_in(exchange).revoke(Keys.devnet().community, node, address_of(NIGHT_SHIFT))
                    exchange.house.indexer.advance()
                else:
                    httpx2.delete(f"{exchange.url}/v1/sign-in", headers=headers).raise_for_status()
            if step < 2:
                salt = 10 * listener[0] + step
                order = order_of(exchange.founded, "consumer", "load", 40 + step, 250_000, start=NEXT, salt=salt)
                owner.submit(signed_by(exchange.founded, "consumer", order))

        text = listening(exchange.url, {"topics": "orders"}, headers, act)
        assert text.count("event: order-accepted") == 1
        last = text.strip().split("\n\n")[-1]
        assert last.startswith("event: ended\ndata: ")
        assert json.loads(last.partition("data: ")[2])["code"] == told


# What it costs, roughly


def test_signing_in_too_often_is_refused(exchange):
    bounds = Bounds(address=Rate(1_000, 10_000), sign_in=Rate(1, 2))
    with (
        Serving(create_app(exchange.house, bounds)) as server,
        httpx2.Client(base_url=server.url) as client,
    ):
        answers = [client.post("/v1/sign-in/challenge", json={}) for _ in range(4)]
        assert [answer.status_code for answer in answers].count(429) >= 1
        assert client.get("/v1/meta").status_code == 200


# From a shell


@pytest.fixture
def key_file(tmp_path):
    def write(key):
        path = tmp_path / f"{key[:2].hex()}.key"
        path.write_text("0x" + key.hex() + "\n")
        path.chmod(0o600)
        return path

    return write


def test_a_token_for_curl_is_printed(exchange, client, merit, key_file):
    told = merit("sign-in", "--key-file", key_file(member_key("consumer")), "--url", exchange.url)
    assert told.code == 0, told.err
    account = exchange.founded.member("consumer").account
    headers = {"Authorization": f"Bearer {told.out.strip()}"}
    assert client.get(f"/v1/accounts/{account}", headers=headers).status_code == 200


def test_a_grant_is_given_shown_and_revoked(exchange, merit, key_file):
    account, who = exchange.founded.member("producer").account, address_of(STRANGER)
    own = ("--key-file", key_file(member_key("producer")), "--url", exchange.url)
    did = f"did:ethr:{exchange.founded.deployment.chain_id:#x}:0x{who.hex()}"
    given = merit("grant", "give", *own, "--scope", f"account:{account}", "--purpose", "research", "--to", did)
    assert given.code == 0, given.err
    digest = given.out.strip()
    listed = merit("grant", "list", *own, "--json").document
    assert [grant["digest"] for grant in listed["given"]] == [digest]
    assert listed["given"][0]["grant"]["grantee"] == to_text(who)
    assert "stands" in merit("grant", "list", *own).out
    assert merit("grant", "revoke", digest, *own).code == 0
    assert "revoked at" in merit("grant", "list", *own).out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("give", "--scope", "weather", "--purpose", "audit", "--to", "0x" + "11" * 20), 3),
        (("give", "--scope", "account:2", "--purpose", "fun", "--to", "0x" + "11" * 20), 3),
        (("give", "--scope", "account:2", "--purpose", "audit", "--to", "0x" + "11" * 20), 3),
        (("give", "--scope", "account:2", "--purpose", "audit", "--to", "did:web:a"), 3),
        (("give", "--scope", "account:2", "--purpose", "audit"), 2),
        (("revoke", "0x12"), 2),
        (("revoke", "0x" + "12" * 32), 3),
    ],
    ids=lambda value: " ".join(map(str, value))[:40] if isinstance(value, tuple) else str(value),
)
def test_what_cannot_be_granted_from_a_shell_ends_with_its_code(exchange, merit, key_file, words, code):
    assert merit("grant", *words, "--key-file", key_file(STRANGER), "--url", exchange.url).code == code


# Who is who, as the chain says it


def test_standing_follows_from_the_registries(exchange):
    standing, founded = exchange.house.reads.standing, exchange.founded
    consumer = founded.member("consumer")
    asset = consumer.assets["load"].identity
    assert standing.owner(account_scope(consumer.account), OPENED) == consumer.holder
    assert standing.owner(Scope.meter(asset), OPENED) == consumer.holder
    for scope in (account_scope(99), Scope.meter(consumer.holder), node_scope(7)):
        assert standing.owner(scope, OPENED) is None
    grid, market = address_of(Keys.devnet().grid_operator), founded.parameters.spot.number
    assert standing.holds(grid, Role.GRID_OPERATOR, OPENED)
    assert standing.holds(grid, Role.GRID_OPERATOR, OPENED, market)
    assert not standing.holds(grid, Role.GRID_OPERATOR, OPENED, market + 1)
    assert standing.holds(founded.parameters.receipts, Role.EXCHANGE_OPERATOR, OPENED)
    assert not standing.holds(consumer.holder, Role.EXCHANGE_OPERATOR, OPENED)
    assert not standing.holds(grid, Role.AUDITOR, OPENED)
    assert standing.holds(address_of(Keys.devnet().certifier), Role.CERTIFIER, OPENED)
    assert standing.is_member(consumer.holder)
    assert not standing.is_member(address_of(STRANGER))
