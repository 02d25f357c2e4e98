"""Status lists: the bit layout of the W3C, and bounds."""

import gzip
from base64 import b64decode, b64encode, urlsafe_b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.errors import MalformedStatusList
from identity.status_list import LEAST_BITS, MOST_BITS, StatusList, read_status_list


def packed(bits: bytes) -> str:
    return b64encode(gzip.compress(bits, mtime=0)).decode()


@pytest.mark.parametrize(("index", "byte", "value"), [(0, 0, 0x80), (7, 0, 0x01), (8, 1, 0x80), (131_071, -1, 0x01)])
def test_bit_0_is_the_most_significant_bit_of_the_first_byte(index, byte, value):
    bits = StatusList().with_set(index).bits
    assert bits[byte] == value
    assert sum(bits) == value


def test_the_empty_list_of_the_standard_is_read():
    """The example of the specification's appendix: 131,072 bits, none set."""
    text = "H4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA"
    listed = read_status_list(text)
    assert (listed.size, any(listed.bits)) == (131_072, False)


@settings(max_examples=20)
@given(st.sets(st.integers(0, LEAST_BITS - 1), max_size=8))
def test_what_is_set_is_set_and_nothing_else_after_writing_and_reading(indices):
    listed = StatusList()
    for index in sorted(indices):
        listed = listed.with_set(index)
    read = read_status_list(listed.encode())
    assert read == listed
    assert {index for index in range(LEAST_BITS) if read.bits[index >> 3] and read.is_set(index)} == indices


def test_the_list_is_gzip():
    assert gzip.decompress(b64decode(StatusList().encode())) == bytes(LEAST_BITS >> 3)


def test_a_list_in_base64url_without_padding_is_read_too():
    raw = gzip.compress(StatusList().with_set(9).bits)
    assert read_status_list(urlsafe_b64encode(raw).rstrip(b"=").decode()).is_set(9)


@pytest.mark.parametrize("index", [-1, LEAST_BITS])
def test_an_index_outside_the_list_is_refused(index):
    with pytest.raises(MalformedStatusList):
        StatusList().is_set(index)
    with pytest.raises(MalformedStatusList):
        StatusList().with_set(index)


def test_one_byte_for_one_credential_is_no_list():
    """The list that Energy Web's server makes: gzip of a single byte 1, read by bytes."""
    with pytest.raises(MalformedStatusList, match="8 bits"):
        read_status_list(packed(b"\1"))


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ("one bit too few", packed(bytes((LEAST_BITS >> 3) - 1))),
        ("a bomb", packed(bytes((MOST_BITS >> 3) + 1))),
        ("not gzip", b64encode(bytes(LEAST_BITS >> 3)).decode()),
        ("not base64", "!" * 40),
        ("not ASCII", "é" * 40),
        ("cut short", packed(bytes(LEAST_BITS >> 3))[:40]),
        ("something behind it", b64encode(gzip.compress(bytes(LEAST_BITS >> 3)) + b"more").decode()),
        ("nothing", ""),
    ],
    ids=lambda value: value if len(value) < 30 else "",
)
def test_what_is_no_list_is_refused(wrong, text):
    with pytest.raises(MalformedStatusList) as refused:
        read_status_list(text)
    assert refused.value.code == "malformed-status-list"
