"""The keys that own money on a local chain.

**Public**: anybody can derive them, so never use one where money is real.
"""

from sha3 import keccak_256

_SEED = b"merit devnet key"
DEVNET_KEY_COUNT = 20


def devnet_key(index: int) -> bytes:
    """Return the 32-byte private key number `index`: keccak256("merit devnet key" and the index in four bytes)."""
    digest: bytes = keccak_256(_SEED + index.to_bytes(4)).digest()
    return digest


DEVNET_KEYS = tuple(devnet_key(index) for index in range(DEVNET_KEY_COUNT))
