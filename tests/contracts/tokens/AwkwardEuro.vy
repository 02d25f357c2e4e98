# pragma version 0.4.3
# pragma evm-version london
"""
@title A token that misbehaves on demand, for tests
@license Apache-2.0
"""

interface Settlement:
    def withdraw(number: uint256): nonpayable


decimals: public(uint8)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
skims: public(bool)
refuses: public(bool)
calls_back: public(uint256)


@deploy
def __init__(decimals: uint8):
    self.decimals = decimals


@external
def misbehave(skims: bool, refuses: bool, calls_back: uint256):
    """
    @param skims Deliver one unit less than asked.
    @param refuses Return False and move nothing.
    @param calls_back In a transfer, ask the settlement to withdraw from this account again.
    """
    self.skims = skims
    self.refuses = refuses
    self.calls_back = calls_back


@external
def mint(to: address, amount: uint256):
    self.balanceOf[to] += amount


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    return True


@external
def transfer(to: address, amount: uint256) -> bool:
    if self.calls_back != 0:
        extcall Settlement(msg.sender).withdraw(self.calls_back)
    return self._move(msg.sender, to, amount)


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    return self._move(owner, to, amount)


@internal
def _move(owner: address, to: address, amount: uint256) -> bool:
    if self.refuses:
        return False
    self.balanceOf[owner] -= amount
    self.balanceOf[to] += amount - (1 if self.skims else 0)
    return True
