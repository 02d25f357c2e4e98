"""How a machine signs in: a verifiable presentation as a JWT (ES256K), made for one server and one nonce.

The JWT is a compact JWS. Its key is not named: it is recovered from the signature, in both parities, and must be one of
those that may authenticate as the DID that issued it.
https://www.w3.org/TR/vc-data-model/#json-web-token  https://www.rfc-editor.org/rfc/rfc8812
"""

import base64
import binascii
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from coincurve import PrivateKey, PublicKey
from coincurve.utils import sha256

from identity.access_errors import MalformedSignIn, SignInRefused
from identity.address import Address
from identity.did import parse_did, to_did
from identity.errors import MalformedDid, UnknownNetwork
from identity.hashing import keccak

MOST_SECONDS = 300
"""How long a presentation may last."""

MOST_CHARACTERS = 65_536
CONTEXT = "https://www.w3.org/2018/credentials/v1"

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_BASE64URL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_MAY_HOLD = frozenset({"iss", "aud", "nonce", "exp", "iat", "nbf", "jti", "vp", "sub"})

Document = dict[str, Any]
KeysOf = Callable[[Address, int], Collection[Address]]
"""Which keys, by address, may authenticate as an identity at an instant: what its DID document says."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """What a presentation says, its signature verified: who, and for which nonce."""

    did: str
    address: Address
    nonce: str


def make(key: bytes, *, chain_id: int, audience: str, nonce: str, now: int, seconds: int = 60) -> str:
    """Return a presentation without credentials by the holder of a private key, for one server and nonce."""
    private = PrivateKey(key)
    address = Address(keccak(private.public_key.format(compressed=False)[1:])[12:])
    payload = {
        "iss": to_did(chain_id, address),
        "aud": audience,
        "nonce": nonce,
        "iat": now,
        "exp": now + seconds,
        "vp": {"@context": [CONTEXT], "type": ["VerifiablePresentation"]},
    }
    signed = f"{_encode(_json({'alg': 'ES256K', 'typ': 'JWT'}))}.{_encode(_json(payload))}"
    signature = private.sign_recoverable(signed.encode())[:64]
    return f"{signed}.{_encode(signature)}"


def read(token: str, *, chain_id: int, audience: str, now: int, ahead_seconds: int, keys_of: KeysOf) -> Presentation:
    """Read a presentation and judge it: for this server, for now, by a key of whom it says.

    Raises `MalformedSignIn` and `SignInRefused`. The nonce is judged by who gave it.
    """
    parts = token.split(".")
    if len(token) > MOST_CHARACTERS or len(parts) != 3:
        raise MalformedSignIn("it is no compact JWS of three parts")
    header, payload = _document(parts[0], "header"), _document(parts[1], "payload")
    if header.get("alg") != "ES256K" or header.get("typ", "JWT") != "JWT" or not header.keys() <= {"alg", "typ", "kid"}:
        raise MalformedSignIn("its header asks for something else than ES256K")
    did, nonce = _checked(payload, audience, now, ahead_seconds)
    identity = _identity(did, chain_id)
    allowed = keys_of(identity, now)
    for address in _signers(f"{parts[0]}.{parts[1]}".encode(), _decode(parts[2], "signature")):
        if address in allowed:
            return Presentation(did, identity, nonce)
    raise SignInRefused(f"no key that may authenticate as {did} signed it")


def _identity(did: str, chain_id: int) -> Address:
    """Return whom a DID on this chain means."""
    try:
        who = parse_did(did).canonical()
    except (MalformedDid, UnknownNetwork) as error:
        raise SignInRefused(str(error)) from error
    if who.chain_id != chain_id:
        raise SignInRefused(f"{did[:200]} is no DID on chain {chain_id}")
    return who.address


def _checked(payload: Document, audience: str, now: int, ahead: int) -> tuple[str, str]:
    """Return issuer and nonce of a payload that is for this server and this instant."""
    if not payload.keys() <= _MAY_HOLD or not payload.keys() >= {"iss", "aud", "nonce", "exp", "vp"}:
        raise MalformedSignIn("its payload holds too little, or what nobody asked for")
    did, nonce, exp, vp = (payload[name] for name in ("iss", "nonce", "exp", "vp"))
    times = [payload.get(name, exp) for name in ("exp", "iat", "nbf")]
    if not isinstance(did, str) or not isinstance(nonce, str) or any(type(time) is not int for time in times):
        raise MalformedSignIn("its issuer, nonce or times are of the wrong type")
    kinds = vp.get("type") if isinstance(vp, dict) else None
    if kinds != "VerifiablePresentation" and (not isinstance(kinds, list) or "VerifiablePresentation" not in kinds):
        raise MalformedSignIn("it is no verifiable presentation")
    if payload["aud"] not in (audience, [audience]):
        raise SignInRefused(f"it is not for {audience}")
    if not now < exp <= now + MOST_SECONDS + ahead:
        raise SignInRefused(f"its time is over, or it lasts longer than {MOST_SECONDS} s")
    if payload.get("iat", now) > now + ahead or payload.get("nbf", now) > now + ahead:
        raise SignInRefused("it is from the future")
    if payload.get("sub", did) != did:
        raise SignInRefused("its subject is not its issuer")
    return did, nonce


def _signers(signed: bytes, signature: bytes) -> list[Address]:
    """Return whose signature it may be: a signature without its parity is that of two keys, or one.

    High s is taken, for many libraries of JWT do not look: the nonce makes a signature count once, in whatever form.
    """
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(signature) != 64 or not 0 < r < _ORDER or not 0 < s < _ORDER:
        raise MalformedSignIn("its signature is not 64 bytes of r and s")
    digest, found = sha256(signed), []
    low = signature[:32] + min(s, _ORDER - s).to_bytes(32, "big")
    for parity in (b"\0", b"\1"):
        try:
            key = PublicKey.from_signature_and_message(low + parity, digest, hasher=None)
        except ValueError:  # r is the abscissa of no point
            continue
        found.append(Address(keccak(key.format(compressed=False)[1:])[12:]))
    return found


def _document(part: str, what: str) -> Document:
    try:
        document = json.loads(_decode(part, what), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise MalformedSignIn(f"its {what} is not JSON, or names something twice") from error
    if not isinstance(document, dict):
        raise MalformedSignIn(f"its {what} is no object")
    return document


def _once(pairs: list[tuple[str, Any]]) -> Document:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice")
    return document


def _decode(part: str, what: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError) as error:
        raise MalformedSignIn(f"its {what} is not base64url") from error
    if not _BASE64URL.issuperset(part) or _encode(raw) != part:
        raise MalformedSignIn(f"its {what} is not base64url in its one form")
    return raw


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _json(document: Document) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
