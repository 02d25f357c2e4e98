"""Machines sign in with a presentation: for one server, one nonce, a few minutes, by a key of whom it says."""

import base64
import json

import pytest
from coincurve import PrivateKey

from identity.access_errors import MalformedSignIn, SignInRefused
from identity.address import Address
from identity.assertion import authentication_signers
from identity.did import to_did
from identity.document import Change
from identity.facts import DelegateChanged, OwnerChanged
from identity.meta_transactions import name_of
from identity.presentation import MOST_SECONDS, make, read
from tests.actors import AGENT, CONSUMER, NEIGHBOUR, STRANGER

NOW = 1_782_000_000
CHAIN = 1337
HERE = "https://exchange.example"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def encoded(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def payload_of(**changes):
    payload = {
        "iss": to_did(CHAIN, CONSUMER.address),
        "aud": HERE,
        "nonce": "abc12345",
        "exp": NOW + 60,
        "vp": {"@context": ["https://www.w3.org/2018/credentials/v1"], "type": ["VerifiablePresentation"]},
    }
    return {name: value for name, value in (payload | changes).items() if value is not None}


def token_of(payload=None, header=None, *, key=CONSUMER.key, high=False):
    header = {"alg": "ES256K", "typ": "JWT"} if header is None else header
    texts = [each if isinstance(each, str) else json.dumps(each) for each in (header, payload or payload_of())]
    signed = ".".join(encoded(text.encode()) for text in texts)
    signature = PrivateKey(key).sign_recoverable(signed.encode())[:64]
    if high:
        signature = signature[:32] + (ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    return f"{signed}.{encoded(signature)}"


def keys_after(*facts):
    """The keys that may authenticate once the registry logged these facts, each in a block of its own."""
    changes = [Change(block, fact) for block, fact in enumerate(facts)]
    return lambda identity, at: authentication_signers(identity, CHAIN, lambda _: changes, at)


def read_here(token, keys_of=None, now=NOW, chain_id=CHAIN):
    keys_of = keys_of or keys_after()
    return read(token, chain_id=chain_id, audience=HERE, now=now, ahead_seconds=60, keys_of=keys_of)


def test_a_presentation_is_read_as_it_was_made():
    token = make(CONSUMER.key, chain_id=CHAIN, audience=HERE, nonce="abc12345", now=NOW)
    presented = read_here(token)
    assert (presented.address, presented.nonce) == (CONSUMER.address, "abc12345")
    assert presented.did == to_did(CHAIN, CONSUMER.address)


@pytest.mark.parametrize("salt", range(8))
def test_either_parity_and_either_half_of_s_is_taken(salt):
    for high in (False, True):
        assert read_here(token_of(payload_of(jti=str(salt)), high=high)).address == CONSUMER.address


def refused_to(actor, keys):
    with pytest.raises(SignInRefused, match="no key"):
        read_here(token_of(key=actor.key), keys)


def test_an_identity_that_said_nothing_is_its_own_key():
    assert read_here(token_of()).address == CONSUMER.address
    refused_to(STRANGER, keys_after())


def test_once_the_owner_has_changed_the_new_key_signs_in_and_the_old_one_no_more():
    later = keys_after(OwnerChanged(CONSUMER.address, NEIGHBOUR.address, NOW + 1))
    assert read_here(token_of(), later).address == CONSUMER.address
    refused_to(NEIGHBOUR, later)
    rotated = keys_after(OwnerChanged(CONSUMER.address, NEIGHBOUR.address, NOW))
    assert read_here(token_of(key=NEIGHBOUR.key), rotated).address == CONSUMER.address
    refused_to(CONSUMER, rotated)


def test_a_sigauth_delegate_signs_in_until_it_is_dismissed_and_a_verikey_delegate_never_does():
    def delegate(kind, valid_to, at=NOW - 5):
        return DelegateChanged(CONSUMER.address, name_of(kind), AGENT.address, valid_to, at)

    named = keys_after(delegate("sigAuth", NOW + 100))
    for actor in (AGENT, CONSUMER):
        assert read_here(token_of(key=actor.key), named).address == CONSUMER.address
    refused_to(AGENT, keys_after(delegate("veriKey", NOW + 100)))
    refused_to(AGENT, keys_after(delegate("sigAuth", NOW - 1)))
    refused_to(AGENT, keys_after(delegate("sigAuth", NOW + 100), delegate("sigAuth", NOW - 2, NOW - 2)))


def test_nobody_signs_in_as_an_identity_that_was_deactivated():
    gone = keys_after(OwnerChanged(CONSUMER.address, Address(bytes(20)), NOW))
    refused_to(CONSUMER, gone)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://evil.example"},
        {"aud": [HERE, "https://evil.example"]},
        {"exp": NOW},
        {"exp": NOW + MOST_SECONDS + 61},
        {"iat": NOW + 61},
        {"nbf": NOW + 61},
        {"sub": to_did(CHAIN, STRANGER.address)},
        {"iss": to_did(1, CONSUMER.address)},
        {"iss": "did:web:example.com"},
    ],
    ids=str,
)
def test_a_presentation_for_elsewhere_or_for_another_time_does_not_count(changes):
    assert read_here(token_of(payload_of(aud=[HERE], iat=NOW, nbf=NOW, sub=to_did(CHAIN, CONSUMER.address))))
    with pytest.raises(SignInRefused):
        read_here(token_of(payload_of(**changes)))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "a.b.c.d",
        token_of(header={"alg": "none", "typ": "JWT"}),
        token_of(header={"alg": "HS256", "typ": "JWT"}),
        token_of(header={"alg": "ES256K", "typ": "JWT", "jwk": {}}),
        token_of(header={"alg": "ES256K", "typ": "JOSE"}),
        token_of(header='{"alg":"none","alg":"ES256K"}'),
        token_of(payload_of(nonce=None)),
        token_of(payload_of(vp=None)),
        token_of(payload_of(vp={"type": ["VerifiableCredential"]})),
        token_of(payload_of(vp="VerifiablePresentation")),
        token_of(payload_of(exp=str(NOW + 60))),
        token_of(payload_of(exp=float(NOW + 60))),
        token_of(payload_of(exp=True)),
        token_of(payload_of(admin=True)),
        token_of("[]"),
        token_of("not json"),
        token_of() + "=",
        token_of()[:-4],
        token_of()[:-86] + encoded(bytes(64)),
        "[" * 5_000 + ".a.b",
    ],
    ids=lambda token: token[-12:] or "empty",
)
def test_what_is_no_presentation_is_refused(token):
    with pytest.raises(MalformedSignIn):
        read_here(token)


def test_a_presentation_that_was_altered_is_nobodys():
    head, body, signature = token_of().split(".")
    altered = encoded(json.dumps(payload_of(nonce="other123")).encode())
    with pytest.raises(SignInRefused):
        read_here(f"{head}.{altered}.{signature}")


@pytest.mark.parametrize(
    ("network", "chain"),
    [("0x539:", 1337), ("0x0539:", 1337), ("", 1), ("mainnet:", 1), ("0x1:", 1)],
)
def test_a_did_is_taken_however_it_is_spelled_and_on_its_own_chain_only(network, chain):
    did = f"did:ethr:{network}0x{CONSUMER.address.hex()}"
    assert read_here(token_of(payload_of(iss=did)), chain_id=chain).address == CONSUMER.address
    with pytest.raises(SignInRefused):
        read_here(token_of(payload_of(iss=did)), chain_id=5)


@pytest.mark.parametrize(
    "did", ["", "did:ethr:", "did:ethr:0x539:0x12", "did:ethr:0x539:" + "ab" * 21, "did:key:z6Mk", "did:ethr:what:0x"]
)
def test_what_is_no_did_of_an_identity_here_is_refused(did):
    with pytest.raises(SignInRefused):
        read_here(token_of(payload_of(iss=did)))
