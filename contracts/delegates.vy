# pragma version 0.4.3
"""
@title Who may sign for an account, and since when its old orders are void
@license Apache-2.0
@notice The holder signs, or an agent the holder named until a time. All authority is judged as of gate closure: what was signed
    in force when the gate closed is settled even if its signer is dismissed, or its epoch voided, a moment later.
@dev So no call here may reach back: a delegation is never shortened to a time before now.
"""

from . import escrow

uses: escrow

# account -> agent -> last second of the delegation
agent_until: public(HashMap[uint256, HashMap[address, uint256]])
# account -> epoch -> when it was ended, in unix seconds; zero for the present one
epoch_ended: public(HashMap[uint256, HashMap[uint256, uint256]])


event AgentNamed:
    account: indexed(uint256)
    agent: indexed(address)
    until: uint256


event AgentRevoked:
    account: indexed(uint256)
    agent: indexed(address)
    until: uint256


event OrdersVoided:
    account: indexed(uint256)
    epoch: uint256


@external
def name_delegate(number: uint256, agent: address, until: uint40):
    """
    @notice Let `agent` sign orders for all assets of the account up to the second `until`.
    """
    escrow._only_holder(number)
    assert agent != empty(address), "delegates: agent is nobody"
    last: uint256 = convert(until, uint256)
    assert last >= block.timestamp, "delegates: until is past"
    self.agent_until[number][agent] = last
    log AgentNamed(account=number, agent=agent, until=last)


@external
def revoke_delegate(number: uint256, agent: address):
    """
    @notice End a delegation now. What it signed for gates that closed before now is still settled.
    """
    escrow._only_holder(number)
    until: uint256 = min(self.agent_until[number][agent], block.timestamp - 1)
    self.agent_until[number][agent] = until
    log AgentRevoked(account=number, agent=agent, until=until)


@external
def void_orders(number: uint256):
    """
    @notice Begin a new epoch: every order signed for an earlier one is void in sessions whose gate closes from now on.
    @dev The addition is checked, so the 2**32nd epoch is never passed.
    """
    escrow._only_holder(number)
    ended: uint256 = escrow.accounts[number] >> 224
    word: uint256 = escrow.accounts[number] + escrow.EPOCH
    escrow.accounts[number] = word
    self.epoch_ended[number][ended] = block.timestamp
    log OrdersVoided(account=number, epoch=word >> 224)


@internal
@view
def _check(signed: uint256, number: uint256, gate_closure: uint256):
    """
    @notice Refuse an order that neither the holder in the present epoch, nor whom it let, has signed.
    @dev The slow path: the caller has found that signer and epoch (in `signed`) are not the account's.
    """
    account: uint256 = escrow.accounts[number]
    epoch: uint256 = account >> 224
    if signed >> 224 != epoch:
        # an epoch that never was has ended at zero, before any gate closed
        assert gate_closure <= self.epoch_ended[number][signed >> 224], "orders: epoch is void"
    signer: address = convert(signed & escrow.HOLDER, address)
    if signer != escrow._holder(account):
        assert (
            signer != empty(address) and self.agent_until[number][signer] >= gate_closure
        ), "orders: signer may not trade"
