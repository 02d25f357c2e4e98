from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.address import to_text
from identity.did import CanonicalDid, parse_did, parse_did_url, to_did
from identity.errors import MalformedDid, UnknownNetwork
from identity.signature import Signer

ADDRESS = bytes.fromhex("70997970c51812dc3a010c7d01b50e0d17dc79c8")
LOWER, MIXED = "0x" + ADDRESS.hex(), to_text(ADDRESS)
KEY = "0x0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"  # of the private key 1
KEYS_ADDRESS = Signer((1).to_bytes(32, "big")).address


@pytest.mark.parametrize(
    ("text", "chain_id"),
    [
        (f"did:ethr:{LOWER}", 1),
        (f"did:ethr:mainnet:{LOWER}", 1),
        (f"did:ethr:0x1:{MIXED}", 1),
        (f"did:ethr:volta:{MIXED}", 73_799),
        (f"did:ethr:0x12047:{LOWER}", 73_799),
        (f"did:ethr:0x012047:0x{LOWER[2:].upper()}", 73_799),
        (f"did:ethr:ewc:{LOWER}", 246),
        (f"did:ethr:0xF6:{LOWER}", 246),
    ],
)
def test_every_spelling_means_one_identity(text, chain_id):
    did = parse_did(text)
    assert did.text == text, "a document names the DID as it was asked for"
    assert did.canonical() == CanonicalDid(chain_id, ADDRESS)
    assert str(did.canonical()) == to_did(chain_id, ADDRESS) == f"did:ethr:0x{chain_id:x}:{LOWER}"


def test_a_name_counts_where_it_is_configured():
    did = parse_did(f"did:ethr:street:north:{LOWER}")
    assert did.network == "street:north"
    assert did.canonical({"street:north": 1337}) == CanonicalDid(1337, ADDRESS)
    with pytest.raises(UnknownNetwork):
        did.canonical()


def test_a_key_stands_for_its_address():
    did = parse_did(f"did:ethr:0x539:{KEY}")
    assert did.public_key == bytes.fromhex(KEY[2:])
    assert did.canonical() == CanonicalDid(1337, KEYS_ADDRESS)
    assert parse_did(f"did:ethr:{LOWER}").public_key is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begin"),
        (f"did:web:{LOWER}", "begin"),
        (f"DID:ethr:{LOWER}", "begin"),
        ("did:ethr:", "neither"),
        (f"did:ethr:{LOWER[:-1]}", "neither"),
        (f"did:ethr:{LOWER}0", "neither"),
        (f"did:ethr:{LOWER[2:]}", "neither"),
        (f"did:ethr:0X{LOWER[2:]}", "neither"),
        (f"did:ethr:{MIXED[:-1]}9", "neither"),
        (f"did:ethr:{MIXED[:4]}{MIXED[4:].swapcase()}", "neither"),
        (f"did:ethr:volta{LOWER}", "neither"),
        (f"did:ethr::{LOWER}", "network"),
        (f"did:ethr:a::{LOWER}", "network"),
        (f"did:ethr:a b:{LOWER}", "network"),
        (f"did:ethr:é:{LOWER}", "network"),
        (f"did:ethr:0x0:{LOWER}", "chain id"),
        (f"did:ethr:0x1{64 * '0'}:{LOWER}", "chain id"),
        (f"did:ethr:{'a' * 600}:{LOWER}", "longer"),
        (f"did:ethr:0x05{KEY[4:]}", "no point"),
        (f"did:ethr:0x02{'f' * 64}", "no point"),
        (f"did:ethr:0y{KEY[2:]}", "neither"),
        (f"did:ethr:{LOWER}\n", "neither"),
    ],
)
def test_what_is_no_did_is_refused(text, why):
    with pytest.raises(MalformedDid, match=why) as refused:
        parse_did(text)
    assert refused.value.code == "malformed-did"


@pytest.mark.parametrize(
    ("ending", "version", "fragment"),
    [
        ("", None, None),
        ("#controller", None, "controller"),
        ("?versionId=0", 0, None),
        ("?versionId=12#delegate-1", 12, "delegate-1"),
    ],
)
def test_a_did_url_names_version_and_part(ending, version, fragment):
    url = parse_did_url(f"did:ethr:{LOWER}{ending}")
    assert (url.did, url.version, url.fragment) == (parse_did(f"did:ethr:{LOWER}"), version, fragment)


@pytest.mark.parametrize(
    "ending",
    [
        "?",
        "?versionId",
        "?versionId=",
        "?versionId=-1",
        "?versionId=0x10",
        "?versionId=12abc",
        "?versionId=٣",
        "?versionId=1&versionId=2",
        f"?versionId={10**18}",
        "?versionTime=2026-06-21T12:00:00Z",
        "?service=inbox",
        "/path",
        ";service=inbox",
        "#",
        "#a b",
        "#a#b",
    ],
)
def test_a_did_url_that_asks_for_what_is_not_answered_here_is_refused(ending):
    with pytest.raises(MalformedDid):
        parse_did_url(f"did:ethr:{LOWER}{ending}")


@given(st.integers(1, 2**256 - 1), st.binary(min_size=20, max_size=20))
def test_the_canonical_spelling_reads_back(chain_id, address):
    assert parse_did(to_did(chain_id, address)).canonical() == CanonicalDid(chain_id, address)


@given(st.text(max_size=90))
def test_any_text_is_read_or_refused(text):
    for candidate in (text, f"did:ethr:{text}", f"did:ethr:{LOWER}{text}"):
        with suppress(MalformedDid):
            assert candidate.startswith(parse_did_url(candidate).did.text)
