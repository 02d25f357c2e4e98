"""Who signed a digest: secp256k1 with public-key recovery, in the 64-byte form of EIP-2098.

Only low-s signatures count, so that a signature cannot be changed into another valid one.
https://eips.ethereum.org/EIPS/eip-2098
"""

from coincurve import PrivateKey, PublicKey

from identity.address import Address
from identity.errors import BadSignature
from identity.hashing import keccak

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_HALF_ORDER = _ORDER >> 1
_PARITY = 1 << 255


def compact(signature: bytes) -> bytes:
    """Return a 64- or 65-byte signature in its 64-byte form; refuses high s and unknown v."""
    if len(signature) == 65:
        v = signature[64]
        if v not in (0, 1, 27, 28):
            raise BadSignature(f"v is {v}")
        s = int.from_bytes(signature[32:64], "big")
        if s > _HALF_ORDER:
            raise BadSignature("s is in the upper half")
        parity = v if v < 27 else v - 27
        return signature[:32] + (s | (parity << 255)).to_bytes(32, "big")
    if len(signature) != 64:
        raise BadSignature(f"{len(signature)} bytes long")
    if int.from_bytes(signature[32:], "big") & (_PARITY - 1) > _HALF_ORDER:
        raise BadSignature("s is in the upper half")
    return signature


def extended(signature: bytes) -> bytes:
    """Return a compact signature in the 65-byte form of wallets: r, s, v, where v is 27 or 28."""
    vs = int.from_bytes(signature[32:], "big")
    return signature[:32] + (vs & (_PARITY - 1)).to_bytes(32, "big") + bytes((27 + (vs >> 255),))


def recover(digest: bytes, signature: bytes) -> Address:
    """Return the address whose key made the compact `signature` of `digest`.

    Raises `BadSignature` where the bytes are no canonical signature of anything.
    """
    if len(signature) != 64:
        raise BadSignature(f"{len(signature)} bytes long")
    vs = int.from_bytes(signature[32:], "big")
    s = vs & (_PARITY - 1)
    if s > _HALF_ORDER:
        raise BadSignature("s is in the upper half")
    plain = signature[:32] + s.to_bytes(32, "big") + bytes((vs >> 255,))
    try:
        key = PublicKey.from_signature_and_message(plain, digest, hasher=None)
    except ValueError as error:  # what coincurve raises where r and s are no point or no scalar
        raise BadSignature("no key fits it") from error
    return Address(keccak(key.format(compressed=False)[1:])[12:])


class Signer:
    """A private key ready to sign often: preparing it costs as much as a signature."""

    __slots__ = ("_blinding", "_key", "address")

    def __init__(self, key: bytes) -> None:
        self._key = PrivateKey(key)
        self._blinding = keccak(b"merit blind" + key)
        self.address = Address(keccak(self._key.public_key.format(compressed=False)[1:])[12:])

    def sign(self, digest: bytes) -> bytes:
        """Return the compact signature of `digest` (RFC 6979: no randomness)."""
        return compact(self._key.sign_recoverable(digest, hasher=None))

    def blind(self, name: bytes) -> bytes:
        """Return 32 bytes that only who has the key can make, always the same for `name`: they keep a hash secret."""
        return keccak(self._blinding + name)


def sign(digest: bytes, key: bytes) -> bytes:
    """Return the compact signature of `digest` by the 32-byte private `key`."""
    return compact(PrivateKey(key).sign_recoverable(digest, hasher=None))


def address_of(key: bytes) -> Address:
    """Return the address of the 32-byte private `key`."""
    return Signer(key).address
