"""The token in escrow: what an ERC-20 with EIP-2612 permits can be told and asked. Amounts are in its own units."""

from dataclasses import dataclass
from typing import Any

from contracts.abi import abi_of
from contracts.evm import Evm
from identity.address import Address
from identity.hashing import keccak
from identity.signature import sign
from identity.typed_data import address_word, digest, word

_PERMIT_TYPE_HASH = keccak(b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)")
_PARITY = 1 << 255


def approve(spender: Address, token_units: int) -> bytes:
    """Let `spender` take up to `token_units` from the sender."""
    return abi_of("TestEuro").calldata("approve", spender, token_units)


def mint(to: Address, token_units: int) -> bytes:
    """Make new test euro for `to`, as their minter."""
    return abi_of("TestEuro").calldata("mint", to, token_units)


def transfer(to: Address, token_units: int) -> bytes:
    """Send tokens from the sender to `to`."""
    return abi_of("TestEuro").calldata("transfer", to, token_units)


@dataclass(frozen=True, slots=True)
class Permit:
    """A signed approval (EIP-2612): `deadline` in unix seconds, and the signature in its 65-byte form's parts."""

    deadline: int
    v: int
    r: bytes
    s: bytes


class EscrowToken:
    """The token at `address`. Every question may raise an `EvmError` or `NoSuchContract`."""

    def __init__(self, evm: Evm, address: Address) -> None:
        self.evm = evm
        self.address = address

    def balance_of(self, owner: Address, block: int | None = None) -> int:
        """Return the token units `owner` has."""
        return self._number("balanceOf", owner, block=block)

    def allowance(self, owner: Address, spender: Address, block: int | None = None) -> int:
        """Return how much `spender` may take from `owner`."""
        return self._number("allowance", owner, spender, block=block)

    def decimals(self) -> int:
        """Return how many decimals the token has."""
        return self._number("decimals")

    def permit(self, key: bytes, owner: Address, spender: Address, token_units: int, deadline: int) -> Permit:
        """Sign with the owner's `key` that `spender` may take `token_units` until `deadline`."""
        separator: bytes = self._ask("DOMAIN_SEPARATOR")[0]
        struct = address_word(owner) + address_word(spender)
        struct += word(token_units) + word(self._number("nonces", owner)) + word(deadline)
        signature = sign(digest(separator, keccak(_PERMIT_TYPE_HASH + struct)), key)
        vs = int.from_bytes(signature[32:])
        return Permit(deadline, 27 + (vs >> 255), signature[:32], word(vs & (_PARITY - 1)))

    def _number(self, name: str, *arguments: object, block: int | None = None) -> int:
        number: int = self._ask(name, *arguments, block=block)[0]
        return number

    def _ask(self, name: str, *arguments: object, block: int | None = None) -> tuple[Any, ...]:
        return abi_of("TestEuro").ask(self.evm, self.address, name, *arguments, block=block)
