"""Machines sign in with a presentation: for one server, one nonce, a few minutes, by a key of whom it says."""

import base64
import json

import pytest
from coincurve import PrivateKey

from identity.access_errors import MalformedSignIn, SignInRefused
from identity.presentation import MOST_SECONDS, address_of_did, did_of, make, own_key, read
from tests.actors import AGENT, CONSUMER, STRANGER

NOW = 1_782_000_000
CHAIN = 1337
HERE = "https://exchange.example"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def encoded(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def payload_of(**changes):
    payload = {
        "iss": did_of(CHAIN, CONSUMER.address),
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


def read_here(token, keys_of=None, now=NOW):
    return read(token, chain_id=CHAIN, audience=HERE, now=now, ahead_seconds=60, keys_of=keys_of or own_key(CHAIN))


def test_a_presentation_is_read_as_it_was_made():
    token = make(CONSUMER.key, chain_id=CHAIN, audience=HERE, nonce="abc12345", now=NOW)
    presented = read_here(token)
    assert (presented.address, presented.nonce) == (CONSUMER.address, "abc12345")
    assert presented.did == did_of(CHAIN, CONSUMER.address)


@pytest.mark.parametrize("salt", range(8))
def test_either_parity_and_either_half_of_s_is_taken(salt):
    for high in (False, True):
        assert read_here(token_of(payload_of(jti=str(salt)), high=high)).address == CONSUMER.address


def test_a_key_that_the_did_names_may_sign_and_a_key_it_does_not_name_may_not():
    named = lambda _did, _at: (AGENT.address,)  # noqa: E731
    assert read_here(token_of(key=AGENT.key), named).address == CONSUMER.address
    with pytest.raises(SignInRefused, match="no key"):
        read_here(token_of(key=CONSUMER.key), named)
    with pytest.raises(SignInRefused, match="no key"):
        read_here(token_of(key=STRANGER.key))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://evil.example"},
        {"aud": [HERE, "https://evil.example"]},
        {"exp": NOW},
        {"exp": NOW + MOST_SECONDS + 61},
        {"iat": NOW + 61},
        {"nbf": NOW + 61},
        {"sub": did_of(CHAIN, STRANGER.address)},
        {"iss": did_of(1, CONSUMER.address)},
        {"iss": "did:web:example.com"},
    ],
    ids=str,
)
def test_a_presentation_for_elsewhere_or_for_another_time_does_not_count(changes):
    assert read_here(token_of(payload_of(aud=[HERE], iat=NOW, nbf=NOW, sub=did_of(CHAIN, CONSUMER.address))))
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
    ("did", "chain"),
    [
        ("did:ethr:0x539:0x" + "ab" * 20, 1337),
        ("did:ethr:1337:0x" + "AB" * 20, 1337),
        ("did:ethr:0x" + "ab" * 20, 1),
        ("did:ethr:mainnet:0x" + "ab" * 20, 1),
    ],
)
def test_a_did_names_an_address_on_its_chain_only(did, chain):
    assert address_of_did(did, chain) == b"\xab" * 20
    with pytest.raises(SignInRefused):
        address_of_did(did, 5)


@pytest.mark.parametrize("did", ["", "did:ethr:", "did:ethr:0x539:0x12", "did:ethr:0x539:" + "ab" * 21, "did:key:z6Mk"])
def test_what_is_no_did_of_an_address_is_refused(did):
    with pytest.raises(SignInRefused):
        address_of_did(did, 1337)
