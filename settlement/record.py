"""What the contract keeps of a settled part: one word, the hash of everything that was committed with it."""

from identity.hashing import keccak
from identity.typed_data import word


def record_of(order_root: bytes, trade_root: bytes, parameters: bytes, parts: int) -> bytes:
    """Return keccak(abi.encode(order root, trade root, parameters, parts)), the contract's record of a part.

    The contract computes the trade root from the trades it moves money for, and hashes it in itself.
    """
    return keccak(order_root + trade_root + parameters + word(parts))
