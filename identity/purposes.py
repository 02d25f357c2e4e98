"""What somebody can be named for on behalf of an asset, and the delegate type that says so in the DID registry.

A delegate type of ERC-1056 is 32 bytes. Ours binds a purpose to one ownership epoch of the asset, so that a sale ends
every delegation of the seller at once, without a list to clear. Resolvers that know no such type pass it over.
"""

from functools import lru_cache

from identity.hashing import keccak
from identity.typed_data import word

TRADE = keccak(b"merit.trade.v1")
"""Signing orders for the asset, and taking them back."""

METER_DATA = keccak(b"merit.data.meter.v1")
"""Reading what the asset's meter said."""

METER = keccak(b"merit.meter.v1")
"""Signing what the asset's meter reads: the key lies in the meter, and is for nothing else."""

PURPOSES = {"merit.trade.v1": TRADE, "merit.data.meter.v1": METER_DATA, "merit.meter.v1": METER}
"""The purposes this house knows, by name."""


@lru_cache(maxsize=1024)
def delegate_type(purpose: bytes, epoch: int) -> bytes:
    """Return the delegate type for a purpose in an ownership epoch: the hash of `abi.encode(purpose, epoch)`."""
    return keccak(purpose + word(epoch))
