"""Addresses and their checksum (ERC-55)."""

import pytest
from eth_utils import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from identity.address import Address, parse_address, to_address, to_text
from identity.errors import MalformedAddress

# the examples of https://eips.ethereum.org/EIPS/eip-55
CHECKSUMMED = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
addresses = st.binary(min_size=20, max_size=20).map(Address)


@pytest.mark.parametrize("text", CHECKSUMMED)
def test_the_examples_of_the_standard_are_written_as_they_are_read(text):
    assert to_text(parse_address(text)) == text


@given(addresses)
def test_the_checksum_is_that_of_eth_utils(address):
    assert to_text(address) == to_checksum_address("0x" + address.hex())


@given(addresses)
def test_an_address_is_read_back_from_its_text(address):
    text = to_text(address)
    assert parse_address(text) == parse_address(text.lower()) == parse_address("0x" + text[2:].upper()) == address


@pytest.mark.parametrize("text", [text for text in CHECKSUMMED if text[2:].upper() != text[2:] != text[2:].lower()])
def test_one_letter_in_the_wrong_case_is_refused(text):
    at = next(i for i, letter in enumerate(text) if i > 1 and letter.isalpha())
    with pytest.raises(MalformedAddress):
        parse_address(text[:at] + text[at].swapcase() + text[at + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        CHECKSUMMED[2][2:],
        "0X" + CHECKSUMMED[2][2:],
        CHECKSUMMED[2] + "0",
        CHECKSUMMED[2][:-1],
        CHECKSUMMED[2][:-1] + "g",
        CHECKSUMMED[2][:-2] + " 7",
        CHECKSUMMED[2][:-1] + "\u0667",
    ],
)
def test_text_that_is_no_address_is_refused(text):
    with pytest.raises(MalformedAddress) as refusal:
        parse_address(text)
    assert (refusal.value.code, refusal.value.text) == ("malformed-address", text)


def test_twenty_bytes_are_an_address():
    assert to_address(bytes(20)) == bytes(20)


@pytest.mark.parametrize("size", [0, 19, 21, 32])
def test_other_sizes_are_no_address(size):
    with pytest.raises(MalformedAddress):
        to_address(bytes(size))
