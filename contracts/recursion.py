"""How deep Python may call itself.

py-ecc, which web3, eth-account and py-evm all import, allows a hundred thousand frames. At that limit a deeply nested
JSON text, from anywhere, overruns the C stack on Python 3.11 and kills the process, where it should be refused.
"""

import sys

LIMIT = 12 * 1024
"""What py-evm needs for calls 1,024 deep; a thread's stack holds three times as much."""


def bound_recursion() -> None:
    """Take back what an import of py-ecc allowed; to be called after whatever may have been the first."""
    sys.setrecursionlimit(LIMIT)
