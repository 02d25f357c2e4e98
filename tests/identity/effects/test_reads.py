"""Sessions, grants and the record of reads: kept by one process, learnt by another, and refused where they fail."""

import time
from contextlib import closing

import pytest
from starlette.requests import HTTPConnection

from identity.access import TRAIL, By, Item, Permission, Purpose, account_scope, session_scope
from identity.access_errors import AccessStoreBroken, GrantRevoked, NotGranted, NotSignedIn, SignInEnded, SignInRefused
from identity.effects.access_store import AccessStore, Read
from identity.effects.reads import JudgedReads
from identity.effects.sign_ins import NONCE_SECONDS, SIGNED_IN_SECONDS, SignIns
from identity.grants import Grant, revocation_digest
from identity.presentation import make
from identity.siwe import Here, personal_digest
from tests.actors import CONSUMER, CONTRACT, NEIGHBOUR, STRANGER
from tests.identity.standing import Said
from tests.storage_kinds import KINDS

CHAIN = 1337
HERE = Here(domain="exchange.example", uri="https://exchange.example", chain_id=CHAIN)
HOME = account_scope(7)
SEPARATOR = CONTRACT.key


def own_key(identity, _at):
    return (identity,)


class Clock:
    def __init__(self):
        self.now = 1_782_000_000

    def __call__(self):
        return self.now


@pytest.fixture(params=KINDS)
def url(request, tmp_path):
    if request.param == "postgres":
        return request.getfixturevalue("postgres").new_schema()
    return f"sqlite:///{tmp_path / 'access.db'}"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def said():
    said = Said()
    said.owners = {HOME: CONSUMER.address}
    return said


@pytest.fixture
def start(url, clock, said):
    """Start a process of the exchange on the same database."""
    started = []

    def begin():
        store = AccessStore(url)
        reads = JudgedReads(store, SignIns(store, CHAIN, clock, own_key), said, clock)
        started.append((reads, store))
        return reads

    yield begin
    for reads, store in started:
        reads.close()
        store.close()


def signed_in(reads, actor):
    text = reads.sign_ins.message(actor.address, HERE).text()
    return reads.sign_ins.by_message(text, actor.sign(personal_digest(text)), HERE)[0]


def asking(token=None, name="req-1"):
    headers = [] if token is None else [(b"authorization", b"Bearer " + token.encode())]
    return HTTPConnection({"type": "http", "headers": headers, "request_id": name})


def grant_of(clock, **changes):
    fields = {"grantor": CONSUMER.address, "grantee": STRANGER.address, "role": None, "purpose": Purpose.BILLING}
    return Grant(**fields, scope=HOME, until=clock() + 9_000, **changes)


def given(reads, clock, **changes):
    grant = grant_of(clock, **changes)
    return reads.give(grant, CONSUMER.sign(grant.digest(SEPARATOR)), SEPARATOR)


def until(holds):
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# Signing in


def test_who_signed_in_is_known_by_the_token_until_its_time_is_over(start, clock):
    reads = start()
    token = signed_in(reads, CONSUMER)
    assert reads.reader(asking(token)) == CONSUMER.address
    clock.now += SIGNED_IN_SECONDS - 1
    assert reads.reader(asking(token)) == CONSUMER.address
    clock.now += 1
    with pytest.raises(SignInEnded):
        reads.reader(asking(token))
    assert not reads.sign_ins.is_open(token)


@pytest.mark.parametrize("token", ["x", "a" * 43, "ü", " "])
def test_a_token_nobody_was_given_opens_nothing(start, token):
    headers = [(b"authorization", b"Bearer " + token.encode())]
    with pytest.raises((SignInEnded, NotSignedIn)):
        start().reader(HTTPConnection({"type": "http", "headers": headers}))


@pytest.mark.parametrize("header", [b"", b"Bearer", b"Bearer ", b"Basic abc", b"bearer\tx"])
def test_without_a_bearer_token_nobody_is_signed_in(start, header):
    with pytest.raises(NotSignedIn):
        start().reader(HTTPConnection({"type": "http", "headers": [(b"authorization", header)]}))


def test_a_nonce_counts_once_even_in_another_process(start):
    first, second = start(), start()
    text = first.sign_ins.message(CONSUMER.address, HERE).text()
    signature = CONSUMER.sign(personal_digest(text))
    assert second.sign_ins.by_message(text, signature, HERE)
    for reads in (first, second):
        with pytest.raises(SignInRefused, match="used before"):
            reads.sign_ins.by_message(text, signature, HERE)


def test_a_nonce_ends(start, clock):
    reads = start()
    nonce, ends = reads.sign_ins.nonce()
    assert ends == clock() + NONCE_SECONDS
    clock.now = ends - 1
    token = make(CONSUMER.key, chain_id=CHAIN, audience=HERE.uri, nonce=nonce, now=clock())
    assert reads.sign_ins.by_presentation(token, HERE)[1].address == CONSUMER.address
    nonce, ends = reads.sign_ins.nonce()
    clock.now = ends
    token = make(CONSUMER.key, chain_id=CHAIN, audience=HERE.uri, nonce=nonce, now=clock())
    with pytest.raises(SignInRefused, match="nonce ended"):
        reads.sign_ins.by_presentation(token, HERE)


@pytest.mark.parametrize("change", [lambda nonce: "f" * len(nonce), lambda nonce: nonce[:-1], lambda _: "x"])
def test_a_nonce_that_this_server_did_not_give_does_not_count(start, clock, change):
    reads = start()
    nonce = change(reads.sign_ins.nonce()[0])
    token = make(CONSUMER.key, chain_id=CHAIN, audience=HERE.uri, nonce=nonce, now=clock())
    with pytest.raises(SignInRefused, match="not given by this server"):
        reads.sign_ins.by_presentation(token, HERE)


def test_a_session_that_was_ended_is_over_here_at_once_and_elsewhere_soon(start):
    first, second = start(), start()
    token = signed_in(first, CONSUMER)
    assert second.reader(asking(token)) == CONSUMER.address
    first.sign_ins.end(token)
    first.sign_ins.end(token)
    with pytest.raises(SignInEnded):
        first.reader(asking(token))
    until(lambda: not second.sign_ins.is_open(token))
    with pytest.raises(SignInEnded):
        second.reader(asking(token))


def test_no_token_stands_in_the_database(start, url, tmp_path):
    token = signed_in(start(), CONSUMER)
    if url.startswith("sqlite"):
        held = b"".join(path.read_bytes() for path in tmp_path.glob("access.db*"))
        assert CONSUMER.address in held
        assert token.encode() not in held


# Granting


def test_a_grant_outlives_a_restart_and_reaches_another_process(start, clock):
    first, second = start(), start()
    kept, new = given(first, clock)
    assert (new, given(first, clock)) == (True, (kept, False))
    assert start().permission(STRANGER.address, Item((HOME,)), clock()).grant == kept.digest
    until(lambda: kept.digest in second.grants)
    signature = CONSUMER.sign(revocation_digest(kept.digest, SEPARATOR))
    assert first.take_back(kept.digest, signature, SEPARATOR) == first.take_back(kept.digest, signature, SEPARATOR)
    for reads in (first, start()):
        with pytest.raises(GrantRevoked):
            reads.permission(STRANGER.address, Item((HOME,)), clock())
    until(lambda: second.grants.find(kept.digest).revoked_at is not None)


def test_an_expired_grant_that_is_sent_again_is_told_and_not_refused(start, clock):
    reads = start()
    grant = grant_of(clock)
    signature = CONSUMER.sign(grant.digest(SEPARATOR))
    reads.give(grant, signature, SEPARATOR)
    clock.now = grant.until + 1
    assert reads.give(grant, signature, SEPARATOR)[1] is False


# The record


def test_every_read_is_recorded_with_whose_it_was_and_by_what(start, clock, said):
    reads = start()
    kept, _ = given(reads, clock)
    reads.judge(asking(signed_in(reads, CONSUMER), "own"), Item((HOME,)))
    reads.judge(asking(signed_in(reads, STRANGER), "granted"), Item((HOME, session_scope(3))))
    with pytest.raises(NotGranted):
        reads.judge(asking(signed_in(reads, NEIGHBOUR)), Item((HOME,)))
    (_, granted), (_, own) = reads.record_of(CONSUMER.address, None, 10)
    assert own == Read(CONSUMER.address, HOME, CONSUMER.address, Permission(By.OWN, HOME), clock(), "own")
    permission = Permission(By.GRANT, HOME, grant=kept.digest, purpose=Purpose.BILLING)
    assert granted == Read(STRANGER.address, HOME, CONSUMER.address, permission, clock(), "granted")
    assert reads.record_of(NEIGHBOUR.address, None, 10) == []


def test_a_trade_is_recorded_for_both_parties(start, said):
    said.owners[account_scope(8)] = NEIGHBOUR.address
    reads = start()
    reads.judge(asking(signed_in(reads, CONSUMER)), Item((HOME, account_scope(8), session_scope(3))))
    for owner, scope in ((CONSUMER, HOME), (NEIGHBOUR, account_scope(8))):
        ((_, read),) = reads.record_of(owner.address, None, 10)
        assert (read.read, read.reader, read.owner) == (scope, CONSUMER.address, owner.address)


def test_either_all_of_a_request_is_read_or_nothing_is_recorded(start):
    reads = start()
    token = signed_in(reads, CONSUMER)
    with pytest.raises(NotGranted):
        reads.judge(asking(token), Item((HOME,)), Item((TRAIL,)))
    assert reads.record_of(None, None, 10) == []
    assert not reads.may(asking(token), Item((TRAIL,)))
    assert not reads.may(asking(), Item((HOME,)))
    assert reads.may(asking(token), Item((HOME,)))
    with pytest.raises(SignInEnded):
        reads.may(asking("gone"), Item((HOME,)))


def test_the_record_goes_on_page_by_page(start):
    reads = start()
    token = signed_in(reads, CONSUMER)
    for number in range(7):
        reads.judge(asking(token, str(number)), Item((HOME,)))
    found, before = [], None
    while page := reads.record_of(CONSUMER.address, before, 3):
        found += [read.request for _, read in page]
        before = page[-1][0]
    assert found == list("6543210")


def test_what_was_read_is_written_down_when_the_process_ends(url, clock, said):
    with closing(AccessStore(url)) as store:
        reads = JudgedReads(store, SignIns(store, CHAIN, clock, own_key), said, clock)
        reads.judge(asking(signed_in(reads, CONSUMER)), Item((HOME,)))
        reads.close()
        reads.close()
        assert store.count_reads() == 1


def test_what_cannot_be_recorded_is_not_shown(start, monkeypatch):
    reads = start()
    token = signed_in(reads, CONSUMER)
    assert reads.may(asking(token), Item((HOME,)))
    monkeypatch.setattr("identity.effects.reads._MOST_WAITING", 0)
    for ask in (reads.judge, reads.may):
        with pytest.raises(AccessStoreBroken):
            ask(asking(token), Item((HOME,)))


def test_where_news_cannot_be_heard_for_long_nothing_is_shown(start, monkeypatch):
    reads = start()
    token = signed_in(reads, CONSUMER)
    monkeypatch.setattr("identity.effects.reads._SILENT_SECONDS", -1.0)
    with pytest.raises(AccessStoreBroken):
        reads.judge(asking(token), Item((HOME,)))


def test_a_database_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "access.db").write_bytes(b"no database" * 100)
    with pytest.raises(AccessStoreBroken):
        AccessStore(f"sqlite:///{tmp_path / 'access.db'}")
