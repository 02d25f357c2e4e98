"""Signatures: made and recovered as eth-account does it, and everything that is not canonical refused."""

import pytest
from eth_account import Account
from eth_keys import keys
from hypothesis import given
from hypothesis import strategies as st

from identity.errors import BadSignature
from identity.hashing import keccak
from identity.signature import address_of, compact, recover, sign
from tests.actors import CONSUMER, PRODUCER, STRANGER
from tests.strategies import digests

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
DIGEST = keccak(b"an order")
private_keys = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32, "big"))


def parts(signature: bytes) -> tuple[int, int, int]:
    """Return r, s and parity of a compact signature."""
    vs = int.from_bytes(signature[32:], "big")
    return int.from_bytes(signature[:32], "big"), vs % (1 << 255), vs >> 255


def compacted(r: int, s: int, parity: int) -> bytes:
    return r.to_bytes(32, "big") + (s | parity << 255).to_bytes(32, "big")


@given(private_keys, digests)
def test_the_signer_is_recovered(key, digest):
    assert recover(digest, sign(digest, key)) == address_of(key)


@given(private_keys)
def test_the_address_of_a_key_is_that_of_eth_account(key):
    assert "0x" + address_of(key).hex() == Account.from_key(key).address.lower()


@given(private_keys, digests)
def test_eth_account_makes_the_same_signature(key, digest):
    assert compact(bytes(Account.unsafe_sign_hash(digest, key).signature)) == sign(digest, key)


@given(private_keys, digests)
def test_eth_keys_recovers_the_same_signer(key, digest):
    r, s, parity = parts(sign(digest, key))
    public = keys.Signature(vrs=(parity, r, s)).recover_public_key_from_msg_hash(digest)
    assert public.to_canonical_address() == address_of(key)


def test_a_signature_of_something_else_names_somebody_else():
    signature = PRODUCER.sign(DIGEST)
    assert recover(DIGEST, signature) == PRODUCER.address
    assert recover(keccak(b"another order"), signature) != PRODUCER.address


def test_roles_have_different_addresses():
    assert len({PRODUCER.address, CONSUMER.address, STRANGER.address}) == 3


@given(private_keys, digests)
def test_every_signature_made_here_has_a_low_s(key, digest):
    assert 0 < parts(sign(digest, key))[1] <= ORDER // 2


def test_the_same_signature_with_high_s_is_refused_in_the_65_byte_form():
    r, s, parity = parts(PRODUCER.sign(DIGEST))
    low = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((27 + parity,))
    high = r.to_bytes(32, "big") + (ORDER - s).to_bytes(32, "big") + bytes((28 - parity,))
    assert recover(DIGEST, compact(low)) == PRODUCER.address
    with pytest.raises(BadSignature, match="upper half"):
        compact(high)


def test_an_s_in_the_upper_half_is_refused_in_the_64_byte_form():
    r, _, parity = parts(PRODUCER.sign(DIGEST))
    assert recover(DIGEST, compacted(r, ORDER // 2, parity))
    high = compacted(r, ORDER // 2 + 1, parity)
    for refuse in (compact, lambda signature: recover(DIGEST, signature)):
        with pytest.raises(BadSignature, match="upper half"):
            refuse(high)


@pytest.mark.parametrize("v", [0, 1, 27, 28])
def test_every_usual_v_is_taken(v):
    signature = PRODUCER.sign(DIGEST)
    r, s, _ = parts(signature)
    full = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((v,))
    assert compact(full) == compacted(r, s, v % 27)


@pytest.mark.parametrize("v", [2, 26, 29, 35, 255])
def test_any_other_v_is_refused(v):
    r, s, _ = parts(PRODUCER.sign(DIGEST))
    with pytest.raises(BadSignature, match=f"v is {v}"):
        compact(r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((v,)))


def test_a_compact_signature_stays_as_it_is():
    signature = PRODUCER.sign(DIGEST)
    assert compact(signature) == signature


@pytest.mark.parametrize("size", [0, 1, 63, 66, 128])
def test_bytes_of_another_length_are_no_signature(size):
    for refuse in (compact, lambda signature: recover(DIGEST, signature)):
        with pytest.raises(BadSignature, match="bytes long"):
            refuse(b"\1" * size)


def test_only_the_compact_form_is_recovered():
    with pytest.raises(BadSignature, match="65 bytes long"):
        recover(DIGEST, PRODUCER.sign(DIGEST) + b"\0")


@pytest.mark.parametrize(
    ("r", "s"),
    [(0, 1), (1, 0), (0, 0), (ORDER, 1), ((1 << 256) - 1, 1), (5, 1)],
    ids=["r zero", "s zero", "both zero", "r the group order", "r too large", "r on no point of the curve"],
)
@pytest.mark.parametrize("parity", [0, 1])
def test_garbage_is_refused(r, s, parity):
    with pytest.raises(BadSignature, match="no key fits") as refusal:
        recover(DIGEST, compacted(r, s, parity))
    assert refusal.value.code == "bad-signature"


@given(st.binary(min_size=64, max_size=64), digests)
def test_random_bytes_name_somebody_or_are_refused_and_nothing_else(signature, digest):
    try:
        signer = recover(digest, signature)
    except BadSignature:
        return
    assert len(signer) == 20
