"""Writing to a DID registry (ERC-1056): the five acts, done by the owner itself or signed by it and sent by anybody.

What is signed is the Keccak-256 of a plain concatenation, without a prefix of EIP-191's personal kind. It holds the
registry's address and the signer's nonce, but neither a chain id nor a deadline: a registry at one address on two
chains takes the same signature on both.
https://github.com/ethereum/EIPs/issues/1056
"""

from dataclasses import dataclass

from identity.address import Address
from identity.hashing import keccak
from identity.signature import compact
from identity.typed_data import address_word, word

_MOST_NAME = 32


@dataclass(frozen=True, slots=True)
class ChangeOwner:
    """Give the identity to `owner`; the zero address deactivates it."""

    owner: Address


@dataclass(frozen=True, slots=True)
class AddDelegate:
    """Name a delegate of a 32-byte kind, for `validity` seconds from the block that takes it."""

    kind: bytes
    delegate: Address
    validity: int


@dataclass(frozen=True, slots=True)
class RevokeDelegate:
    """End the delegate's term with the block that takes this."""

    kind: bytes
    delegate: Address


@dataclass(frozen=True, slots=True)
class SetAttribute:
    """Say `value` under a 32-byte name, for `validity` seconds from the block that takes it."""

    name: bytes
    value: bytes
    validity: int


@dataclass(frozen=True, slots=True)
class RevokeAttribute:
    """Take back what was said, name and value being those that were said."""

    name: bytes
    value: bytes


Act = ChangeOwner | AddDelegate | RevokeDelegate | SetAttribute | RevokeAttribute


def name_of(text: str) -> bytes:
    """Return the 32-byte kind or name that `text` stands for; ValueError where it is longer."""
    raw = text.encode()
    if len(raw) > _MOST_NAME:
        raise ValueError(f"{text!r} has more than {_MOST_NAME} bytes")
    return raw.ljust(_MOST_NAME, b"\0")


def calldata(identity: Address, act: Act) -> bytes:
    """Return the calldata with which the owner of `identity` does `act` itself."""
    name, kinds, words, value = _parts(act)
    selector = keccak(f"{name}(address{kinds})".encode())[:4]
    return selector + _encoded([address_word(identity)], words, value)


def signed_calldata(identity: Address, act: Act, signature: bytes) -> bytes:
    """Return the calldata with which anybody brings an `act` that the owner of `identity` signed.

    `signature` is of `digest_to_sign`, in 64 or 65 bytes; refuses what is no canonical signature.
    """
    name, kinds, words, value = _parts(act)
    selector = keccak(f"{name}Signed(address,uint8,bytes32,bytes32{kinds})".encode())[:4]
    short = compact(signature)
    vs = int.from_bytes(short[32:], "big")
    signed = [word(27 + (vs >> 255)), short[:32], word(vs & ((1 << 255) - 1))]
    return selector + _encoded([address_word(identity), *signed], words, value)


def digest_to_sign(registry: Address, nonce: int, identity: Address, act: Act) -> bytes:
    """Return what the owner of `identity` signs; `nonce` is what the registry has for that owner."""
    match act:
        case ChangeOwner(owner):
            packed = b"changeOwner" + owner
        case AddDelegate(kind, delegate, validity):
            packed = b"addDelegate" + kind + delegate + word(validity)
        case RevokeDelegate(kind, delegate):
            packed = b"revokeDelegate" + kind + delegate
        case SetAttribute(name, value, validity):
            packed = b"setAttribute" + name + value + word(validity)
        case RevokeAttribute(name, value):
            packed = b"revokeAttribute" + name + value
    return keccak(b"\x19\x00" + registry + word(nonce) + identity + packed)


def _parts(act: Act) -> tuple[str, str, list[bytes | None], bytes]:
    """Return the function's name, its further types, their words, and the bytes whose place a None among them holds."""
    match act:
        case ChangeOwner(owner):
            return "changeOwner", ",address", [address_word(owner)], b""
        case AddDelegate(kind, delegate, validity):
            return "addDelegate", ",bytes32,address,uint256", [kind, address_word(delegate), word(validity)], b""
        case RevokeDelegate(kind, delegate):
            return "revokeDelegate", ",bytes32,address", [kind, address_word(delegate)], b""
        case SetAttribute(name, value, validity):
            return "setAttribute", ",bytes32,bytes,uint256", [name, None, word(validity)], value
        case RevokeAttribute(name, value):
            return "revokeAttribute", ",bytes32,bytes", [name, None], value


def _encoded(head: list[bytes], words: list[bytes | None], value: bytes) -> bytes:
    """Return the arguments by the ABI: a word each, where there are bytes their offset, and the bytes at the end."""
    offset = 32 * (len(head) + len(words))
    slots = b"".join([*head, *(word(offset) if each is None else each for each in words)])
    if None not in words:
        return slots
    return slots + word(len(value)) + value + bytes(-len(value) % 32)
