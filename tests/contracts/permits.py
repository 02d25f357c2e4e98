"""EIP-2612 permits for the test euro."""

from eth_abi import encode

from tests.contracts.machine import CHAIN_ID
from tests.contracts.orders import address_of, domain, keccak, key_of, sign

PERMIT_TYPE = b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"


def permit(
    token: bytes, *, owner: str, spender: bytes, units: int, nonce: int, deadline: int, signer: str | None = None
) -> tuple[int, int, bytes, bytes]:
    """Return deadline, v, r and s."""
    kinds = ["bytes32", "address", "address", "uint256", "uint256", "uint256"]
    struct = keccak(encode(kinds, [keccak(PERMIT_TYPE), address_of(owner), spender, units, nonce, deadline]))
    r, parity, s = sign(keccak(b"\x19\x01" + domain(CHAIN_ID, token, "Test Euro") + struct), key_of(signer or owner))
    return deadline, 27 + parity, r, s
