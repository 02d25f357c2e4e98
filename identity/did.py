"""DIDs of the method ethr: reading them, and the one form in which two of them are compared.

`did:ethr[:<network>]:<id>`. The network is a name, which may hold colons, or the chain id in hex; none means mainnet.
The id is an address or a compressed secp256k1 key. One identity is thus spelled in many ways, so DIDs are compared as
(chain id, address) only: that is `CanonicalDid`.
https://github.com/decentralized-identity/ethr-did-resolver/blob/master/doc/did-method-spec.md
"""

from collections.abc import Mapping
from dataclasses import dataclass

from coincurve import PublicKey

from identity.address import Address, parse_address
from identity.errors import MalformedAddress, MalformedDid, UnknownNetwork
from identity.hashing import keccak

NETWORKS: Mapping[str, int] = {"mainnet": 1, "sepolia": 11_155_111, "ewc": 246, "volta": 73_799}
"""The networks that everybody calls by these names, with their chain ids; the last two are Energy Web's."""

_MAINNET = "mainnet"
_PREFIX = "did:ethr:"
_HEX = frozenset("0123456789abcdefABCDEF")
_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
_MOST_CHARACTERS = 512
_MOST_HEX_DIGITS = 64  # a chain id is a word of the EVM
_MOST_VERSION_DIGITS = 18


@dataclass(frozen=True, slots=True, order=True)
class CanonicalDid:
    """Who is meant: an address on a chain, however the DID was spelled."""

    chain_id: int
    address: Address

    def __str__(self) -> str:
        """Return the spelling that every verifier takes: hex chain id, lower-case address."""
        return f"{_PREFIX}0x{self.chain_id:x}:0x{self.address.hex()}"


@dataclass(frozen=True, slots=True)
class Did:
    """A DID as it was written. `address` belongs to `public_key` (33 bytes) where the DID was written with a key."""

    text: str
    network: str
    address: Address
    public_key: bytes | None = None

    def canonical(self, networks: Mapping[str, int] = NETWORKS) -> CanonicalDid:
        """Return who is meant, where `networks` gives chain ids to names; refuses a network it does not name."""
        if self.network[:2] == "0x" and _is_hex(self.network[2:]):
            chain_id = int(self.network, 16)
        elif self.network in networks:
            chain_id = networks[self.network]
        else:
            raise UnknownNetwork(self.network)
        return CanonicalDid(chain_id, self.address)


@dataclass(frozen=True, slots=True)
class DidUrl:
    """A DID, of which version (a block number; none means the newest), and which part of its document."""

    did: Did
    version: int | None = None
    fragment: str | None = None


def parse_did(text: str) -> Did:
    """Read a DID; an address in mixed case must have a right checksum, a key must be a point of the curve."""
    if text[: len(_PREFIX)] != _PREFIX:
        raise MalformedDid(text, "it does not begin with did:ethr:")
    if len(text) > _MOST_CHARACTERS:
        raise MalformedDid(text, f"it is longer than {_MOST_CHARACTERS} characters")
    network, colon, name = text[len(_PREFIX) :].rpartition(":")
    if colon and not all(_is_id(part) for part in network.split(":")):
        raise MalformedDid(text, "its network is no name")
    if network[:2] == "0x" and _is_hex(network[2:]) and not 0 < int(network, 16) < 1 << 4 * _MOST_HEX_DIGITS:
        raise MalformedDid(text, "its network is no chain id")
    if len(name) == 68:
        key = _public_key(text, name)
        return Did(text, network or _MAINNET, _address_of(key), key)
    try:
        return Did(text, network or _MAINNET, parse_address(name))
    except MalformedAddress as error:
        raise MalformedDid(text, "it ends in neither an address nor a compressed key") from error


def parse_did_url(text: str) -> DidUrl:
    """Read a DID URL: a DID, perhaps `?versionId=` with a block number, perhaps a fragment.

    Paths and other parameters mean nothing here; they are refused rather than passed over, because whoever asks for
    the state at `versionTime`, say, must not be given another.
    """
    rest, hash_sign, fragment = text.partition("#")
    did, question_mark, query = rest.partition("?")
    return DidUrl(
        parse_did(did),
        _version(text, query) if question_mark else None,
        _fragment(text, fragment) if hash_sign else None,
    )


def to_did(chain_id: int, address: Address) -> str:
    """Return the DID of an address on a chain, in canonical spelling."""
    return str(CanonicalDid(chain_id, address))


def _public_key(text: str, name: str) -> bytes:
    if name[:2] != "0x" or not _is_hex(name[2:]):
        raise MalformedDid(text, "it ends in neither an address nor a compressed key")
    key = bytes.fromhex(name[2:])
    try:
        PublicKey(key)
    except ValueError as error:  # what coincurve raises for bytes that are no point
        raise MalformedDid(text, "the key is no point of secp256k1") from error
    return key


def _address_of(key: bytes) -> Address:
    return Address(keccak(PublicKey(key).format(compressed=False)[1:])[12:])


def _version(text: str, query: str) -> int:
    name, _, value = query.partition("=")
    if name != "versionId":
        raise MalformedDid(text, "versionId is the only parameter known here")
    if not (value.isascii() and value.isdigit()) or len(value) > _MOST_VERSION_DIGITS:
        raise MalformedDid(text, "versionId is no block number")
    return int(value)


def _fragment(text: str, fragment: str) -> str:
    if not fragment or not all(letter in _ID_CHARACTERS or letter in ":/?@!$&'()*+,;=~%" for letter in fragment):
        raise MalformedDid(text, "its fragment is none")
    return fragment


def _is_id(part: str) -> bool:
    return bool(part) and _ID_CHARACTERS.issuperset(part)


def _is_hex(digits: str) -> bool:
    return bool(digits) and _HEX.issuperset(digits)
