# pragma version 0.4.3
# pragma evm-version london
"""
@title Test euro: an ERC-20 of six decimals with EIP-2612 permits, minted at will
@license Apache-2.0
@notice For test chains only: whoever deployed it makes money out of nothing.
"""

from ethereum.ercs import IERC20

implements: IERC20

name: public(constant(String[9])) = "Test Euro"
symbol: public(constant(String[5])) = "tEUR"
decimals: public(constant(uint8)) = 6
version: public(constant(String[1])) = "1"

DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
PERMIT_TYPE: constant(bytes32) = keccak256(
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)
# half of secp256k1's order: of the two forms of a signature only the lower counts
HALF_ORDER: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168

minter: public(immutable(address))

totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
nonces: public(HashMap[address, uint256])


@deploy
def __init__():
    minter = msg.sender


@external
def mint(to: address, amount: uint256):
    """
    @notice Give `to` new tokens (units of a millionth).
    """
    assert msg.sender == minter, "euro: not the minter"
    assert to != empty(address), "euro: nobody to receive"
    self.totalSupply += amount
    self.balanceOf[to] += amount
    log IERC20.Transfer(sender=empty(address), receiver=to, value=amount)


@external
def transfer(to: address, amount: uint256) -> bool:
    self._transfer(msg.sender, to, amount)
    return True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    """
    @dev An allowance of the largest number never runs down.
    """
    allowed: uint256 = self.allowance[owner][msg.sender]
    if allowed != max_value(uint256):
        assert allowed >= amount, "euro: allowance is short"
        self.allowance[owner][msg.sender] = allowed - amount
    self._transfer(owner, to, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    self._approve(msg.sender, spender, amount)
    return True


@external
def permit(owner: address, spender: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Approve by signature (EIP-2612).
    """
    assert block.timestamp <= deadline, "euro: permit expired"
    assert convert(s, uint256) <= HALF_ORDER, "euro: s is high"
    nonce: uint256 = self.nonces[owner]
    digest: bytes32 = keccak256(
        concat(
            b"\x19\x01",
            self._domain(),
            keccak256(abi_encode(PERMIT_TYPE, owner, spender, amount, nonce, deadline)),
        )
    )
    signer: address = ecrecover(digest, v, r, s)
    assert signer != empty(address) and signer == owner, "euro: not the owner's permit"
    self.nonces[owner] = nonce + 1
    self._approve(owner, spender, amount)


@external
@view
def DOMAIN_SEPARATOR() -> bytes32:
    return self._domain()


@internal
@view
def _domain() -> bytes32:
    return keccak256(abi_encode(DOMAIN_TYPE, keccak256(name), keccak256(version), chain.id, self))


@internal
def _approve(owner: address, spender: address, amount: uint256):
    self.allowance[owner][spender] = amount
    log IERC20.Approval(owner=owner, spender=spender, value=amount)


@internal
def _transfer(owner: address, to: address, amount: uint256):
    assert to != empty(address), "euro: nobody to receive"
    held: uint256 = self.balanceOf[owner]
    assert held >= amount, "euro: balance is short"
    self.balanceOf[owner] = held - amount
    self.balanceOf[to] += amount
    log IERC20.Transfer(sender=owner, receiver=to, value=amount)
