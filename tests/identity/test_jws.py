"""Tokens: signed without randomness, read back to whose they are, and refused in every other form."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.errors import MalformedCredential
from identity.jws import encode, read
from tests.actors import PRODUCER

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
TOKEN = encode({"iss": "somebody", "exp": 9}, PRODUCER.key)


def base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def with_part(place: int, part: bytes | str) -> str:
    parts = TOKEN.split(".")
    parts[place] = base64(part) if isinstance(part, bytes) else part
    return ".".join(parts)


def signature() -> bytes:
    return urlsafe_b64decode(TOKEN.split(".")[2] + "==")


@settings(max_examples=25)
@given(st.dictionaries(st.text(max_size=5), st.integers(0, 1 << 60) | st.text(max_size=9), max_size=4))
def test_a_token_says_what_it_was_made_of_and_its_maker_is_among_the_candidates(payload):
    try:
        token = encode(payload, PRODUCER.key)
    except UnicodeEncodeError:  # half a surrogate pair is no text
        return
    found = read(token)
    assert found.payload == payload
    assert PRODUCER.address in found.signers
    assert len(found.signers) <= 2


def test_the_same_payload_and_key_give_the_same_token():
    assert encode({"iss": "somebody", "exp": 9}, PRODUCER.key) == TOKEN
    assert json.loads(urlsafe_b64decode(TOKEN.split(".")[0] + "==")) == {"alg": "ES256K", "typ": "JWT"}


def test_what_we_sign_has_s_in_the_lower_half_and_the_upper_is_taken_from_others():
    r, s = signature()[:32], int.from_bytes(signature()[32:], "big")
    assert s <= ORDER >> 1
    high = read(with_part(2, r + (ORDER - s).to_bytes(32, "big")))
    assert PRODUCER.address in high.signers


def test_a_token_over_other_content_is_not_its_makers():
    changed = read(with_part(1, json.dumps({"iss": "somebody", "exp": 10}).encode()))
    assert PRODUCER.address not in changed.signers


@pytest.mark.parametrize(
    ("wrong", "token"),
    [
        ("no signature at all", with_part(0, b'{"alg":"none","typ":"JWT"}')),
        ("a key that both know", with_part(0, b'{"alg":"HS256","typ":"JWT"}')),
        ("another curve", with_part(0, b'{"alg":"ES256","typ":"JWT"}')),
        ("a key of its own", with_part(0, b'{"alg":"ES256K","typ":"JWT","jwk":{}}')),
        ("something critical", with_part(0, b'{"alg":"ES256K","typ":"JWT","crit":["b64"]}')),
        ("no type", with_part(0, b'{"alg":"ES256K"}')),
        ("two algorithms", with_part(0, b'{"alg":"none","alg":"ES256K","typ":"JWT"}')),
        ("a payload that is a list", with_part(1, b"[]")),
        ("a payload that says two things", with_part(1, b'{"iss":"a","iss":"b"}')),
        ("a payload with a fraction", with_part(1, b'{"exp":1.5}')),
        ("a payload that is no text", with_part(1, b'\xff{"exp":1}')),
        ("a recoverable signature", with_part(2, signature() + b"\0")),
        ("an empty signature", with_part(2, "")),
        ("a zero signature", with_part(2, bytes(64))),
        ("padding", with_part(2, base64(signature()) + "==")),
        ("foreign letters", with_part(2, base64(signature())[:-1] + "!A")),
        ("two parts", TOKEN.rpartition(".")[0]),
        ("four parts", TOKEN + ".AA"),
        ("not ASCII", TOKEN + "é"),
        ("too long", "A" * 600_000),
        ("nothing", ""),
    ],
    ids=lambda value: value if len(value) < 40 else "",
)
def test_what_is_no_token_of_this_kind_is_refused(wrong, token):
    with pytest.raises(MalformedCredential) as refused:
        read(token)
    assert refused.value.code == "malformed-credential"
