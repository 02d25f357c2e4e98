"""EIP-712: how structured data is hashed before it is signed.

A struct is hashed as its type hash followed by one 32-byte word a field; every struct of this house has static
fields only, so the encoding is a concatenation. Tests hold it against eth-account on generated input.
https://eips.ethereum.org/EIPS/eip-712
"""

from dataclasses import dataclass

from identity.address import Address
from identity.hashing import keccak

_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_MODULUS = 1 << 256


def word(number: int) -> bytes:
    """Return `number` as one ABI word; negative numbers in two's complement."""
    return (number % _MODULUS).to_bytes(32, "big")


def address_word(address: Address) -> bytes:
    """Return `address` as one ABI word."""
    return b"\0" * 12 + address


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a signature counts: one contract on one chain."""

    chain_id: int
    contract: Address
    name: str = "Merit"
    version: str = "1"

    def separator(self) -> bytes:
        """Return the 32-byte domain separator."""
        return keccak(
            keccak(_DOMAIN_TYPE)
            + keccak(self.name.encode())
            + keccak(self.version.encode())
            + word(self.chain_id)
            + address_word(self.contract)
        )


def digest(separator: bytes, struct_hash: bytes) -> bytes:
    """Return what is signed: the digest of a struct under a domain separator."""
    return keccak(b"\x19\x01" + separator + struct_hash)
