"""JSON Web Signatures of the one kind used here: compact, ES256K (secp256k1 over SHA-256), made without randomness.

Verifying means finding out whose signature it is: a did:ethr document names addresses rather than keys, and 64 bytes
fit two keys, so a token has up to two candidates, of which the issuer's document must name one. A signature with s in
the upper half is taken too, since other people's libraries make such; what is made here has it in the lower.
https://www.rfc-editor.org/rfc/rfc7515, https://www.rfc-editor.org/rfc/rfc8812
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from coincurve import PrivateKey, PublicKey

from identity.address import Address
from identity.errors import MalformedCredential
from identity.hashing import keccak
from identity.strict_json import NotStrict, parse_object

ALGORITHM = "ES256K"
HEADER = {"alg": ALGORITHM, "typ": "JWT"}

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_HALF_ORDER = _ORDER >> 1
_MOST_LETTERS = 1 << 19


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it was read: its payload, and the addresses of which one made the signature."""

    payload: Mapping[str, Any]
    signers: tuple[Address, ...]


def encode(payload: Mapping[str, Any], key: bytes) -> str:
    """Return the token that says `payload`, signed with the 32-byte private `key` (RFC 6979)."""
    signed = f"{_base64(_json(HEADER))}.{_base64(_json(payload))}"
    signature = PrivateKey(key).sign_recoverable(signed.encode(), hasher=_sha256)[:64]
    return f"{signed}.{_base64(signature)}"


def read(token: str) -> Token:
    """Read a token; whose it must be is for the caller to compare with `signers`."""
    if len(token) > _MOST_LETTERS or not token.isascii():
        raise MalformedCredential("token", f"not ASCII, or longer than {_MOST_LETTERS} letters")
    parts = token.split(".")
    if len(parts) != 3:
        raise MalformedCredential("token", "not of three parts")
    if _object(parts[0], "header") != HEADER:
        raise MalformedCredential("header", f"not exactly {json.dumps(HEADER)}")
    payload = _object(parts[1], "payload")
    signature = _unbase64(parts[2], "signature")
    return Token(payload, _signers(f"{parts[0]}.{parts[1]}".encode(), signature))


def _signers(signed: bytes, signature: bytes) -> tuple[Address, ...]:
    if len(signature) != 64:
        raise MalformedCredential("signature", f"{len(signature)} bytes long, not 64")
    s = int.from_bytes(signature[32:], "big")
    if s > _HALF_ORDER and s < _ORDER:
        signature = signature[:32] + (_ORDER - s).to_bytes(32, "big")
    found = []
    for parity in (b"\0", b"\1"):
        try:
            key = PublicKey.from_signature_and_message(signature + parity, signed, hasher=_sha256)
        except ValueError:  # what coincurve raises where r and s are no point or no scalar
            continue
        found.append(Address(keccak(key.format(compressed=False)[1:])[12:]))
    if not found:
        raise MalformedCredential("signature", "no key fits it")
    return tuple(found)


def _sha256(data: bytes) -> bytes:
    return sha256(data).digest()


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _unbase64(text: str, where: str) -> bytes:
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise MalformedCredential(where, "not base64url") from error
    if _base64(data) != text:  # Python's reader passes over foreign letters, and over bits that stand for nothing
        raise MalformedCredential(where, "not base64url in its one form")
    return data


def _object(part: str, where: str) -> dict[str, Any]:
    try:
        return parse_object(_unbase64(part, where).decode())
    except (NotStrict, UnicodeDecodeError) as error:
        raise MalformedCredential(where, str(error)) from error
