"""Words and domain separators of EIP-712, and the hash under them."""

import pytest
from eth_abi import encode
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from identity.hashing import keccak
from identity.typed_data import Domain, address_word, digest, word
from tests.strategies import addresses, digests, domains


@given(st.integers(-(1 << 255), (1 << 255) - 1))
def test_a_signed_number_is_one_abi_word(number):
    assert word(number) == encode(["int256"], [number])


@given(st.integers(0, (1 << 256) - 1))
def test_an_unsigned_number_is_one_abi_word(number):
    assert word(number) == encode(["uint256"], [number])


@given(addresses)
def test_an_address_is_one_abi_word(address):
    assert address_word(address) == encode(["address"], ["0x" + address.hex()])


@given(domains)
def test_the_domain_separator_is_that_of_eth_account(domain):
    signable = encode_typed_data(
        domain_data={
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": "0x" + domain.contract.hex(),
        },
        message_types={"Nothing": [{"name": "number", "type": "uint256"}]},
        message_data={"number": 0},
    )
    assert domain.separator() == signable.header


@given(domains, domains)
def test_two_domains_share_no_separator(one, other):
    assert (one == other) == (one.separator() == other.separator())


@given(digests, digests)
def test_the_digest_starts_with_the_version_of_the_standard(separator, struct_hash):
    assert digest(separator, struct_hash) == keccak(b"\x19\x01" + separator + struct_hash)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ],
)
def test_keccak_is_the_hash_of_the_evm_and_not_sha3(data, expected):
    assert keccak(data).hex() == expected


def test_a_domain_has_the_name_of_the_house():
    domain = Domain(1, bytes(20))
    assert (domain.name, domain.version) == ("Merit", "1")
