import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from identity.errors import BadSignature
from identity.hashing import keccak
from identity.meta_transactions import (
    AddDelegate,
    ChangeOwner,
    RevokeAttribute,
    RevokeDelegate,
    SetAttribute,
    calldata,
    digest_to_sign,
    name_of,
    signed_calldata,
)
from identity.signature import Signer, recover

REGISTRY = bytes.fromhex("4826533b4897376654bb4d4ad88b7fafd0c98528")
IDENTITY, OTHER = b"\x22" * 20, b"\x33" * 20
TYPE, NAME, INBOX = name_of("veriKey"), name_of("did/svc/Inbox"), b"https://example.org/inbox"
OWNER = Signer(b"\x05" * 32)


@pytest.mark.parametrize(
    ("act", "digest"),
    [
        (ChangeOwner(OTHER), "6149979e3ea4e675984fdacd2cfdd354bd1e463e67bb80236a819740fe0e752d"),
        (AddDelegate(TYPE, OTHER, 3600), "147a6060280e2c637980d62cc0646eff568fd84b26a8f06b8c05e26e216794fa"),
        (RevokeDelegate(TYPE, OTHER), "cc62e2e599b4832035f56284a146cfcd09aff6f87b81daa437e8765c81d83fd1"),
        (SetAttribute(NAME, INBOX, 3600), "999947f0bcdc90b9c1f7c8da7a42e782758c1023b0b562ebe9e39e2f66228855"),
        (RevokeAttribute(NAME, INBOX), "634ca3410c934f80f79cb6828286c28b9797836a400155338a144994fe1a4a6d"),
    ],
)
def test_what_is_signed_is_what_the_published_controller_signs(act, digest):
    assert digest_to_sign(REGISTRY, 0, IDENTITY, act).hex() == digest
    for other in (
        digest_to_sign(OTHER, 0, IDENTITY, act),
        digest_to_sign(REGISTRY, 1, IDENTITY, act),
        digest_to_sign(REGISTRY, 0, OTHER, act),
    ):
        assert other.hex() != digest


words = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=20, max_size=20)
numbers = st.integers(0, 2**256 - 1)
values = st.binary(max_size=70)

ACTS = {
    ChangeOwner: ("changeOwner", ["address"], st.builds(ChangeOwner, addresses)),
    AddDelegate: ("addDelegate", ["bytes32", "address", "uint256"], st.builds(AddDelegate, words, addresses, numbers)),
    RevokeDelegate: ("revokeDelegate", ["bytes32", "address"], st.builds(RevokeDelegate, words, addresses)),
    SetAttribute: ("setAttribute", ["bytes32", "bytes", "uint256"], st.builds(SetAttribute, words, values, numbers)),
    RevokeAttribute: ("revokeAttribute", ["bytes32", "bytes"], st.builds(RevokeAttribute, words, values)),
}


@given(st.one_of(*(strategy for _, _, strategy in ACTS.values())))
def test_calldata_is_what_eth_abi_makes_of_it(act):
    name, types, _ = ACTS[type(act)]
    arguments = [getattr(act, field) for field in act.__slots__]
    plain = ["address", *types]
    selector = keccak(f"{name}({','.join(plain)})".encode())[:4]
    assert calldata(IDENTITY, act) == selector + encode(plain, [IDENTITY, *arguments])

    digest = digest_to_sign(REGISTRY, 7, IDENTITY, act)
    signature = OWNER.sign(digest)
    assert recover(digest, signature) == OWNER.address
    s = int.from_bytes(signature[32:], "big")
    v, s = 27 + (s >> 255), s & ((1 << 255) - 1)
    signed = ["address", "uint8", "bytes32", "bytes32", *types]
    selector = keccak(f"{name}Signed({','.join(signed)})".encode())[:4]
    expected = selector + encode(signed, [IDENTITY, v, signature[:32], s.to_bytes(32, "big"), *arguments])
    assert signed_calldata(IDENTITY, act, signature) == expected
    long_form = signature[:32] + s.to_bytes(32, "big") + bytes([v])
    assert signed_calldata(IDENTITY, act, long_form) == expected


def test_a_signature_that_is_none_is_refused():
    with pytest.raises(BadSignature):
        signed_calldata(IDENTITY, ChangeOwner(OTHER), bytes(63))


def test_a_name_fits_into_32_bytes():
    assert name_of("é" * 16) == "é".encode() * 16
    with pytest.raises(ValueError, match="32"):
        name_of("é" * 16 + "a")
