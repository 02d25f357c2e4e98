# pragma version 0.4.3
"""
@title One role, one duty, and an admin that is handed over in two steps
@license Apache-2.0
@notice The admin grants and revokes the roles of this contract's own running, and lifts a pause. It cannot settle, enrol, open
    a market or touch money. Who trades, balances and opens markets is the registries' to say, not the admin's.
@dev A role is one bit; what an address may do is the sum of its bits.
"""

from . import reasons

OPERATOR: constant(uint256) = 1  # settles
GUARDIAN: constant(uint256) = 2  # pauses
ALL_ROLES: constant(uint256) = 3

admin: public(address)
proposed_admin: public(address)
roles_of: public(HashMap[address, uint256])


event AdminProposed:
    proposed: indexed(address)


event AdminChanged:
    previous: indexed(address)
    current: indexed(address)


event RoleGranted:
    role: indexed(uint256)
    member: indexed(address)


event RoleRevoked:
    role: indexed(uint256)
    member: indexed(address)


@deploy
def __init__(admin: address):
    """
    @param admin Who grants the first roles.
    """
    assert admin != empty(address), "roles: admin is nobody"
    self.admin = admin
    log AdminChanged(previous=empty(address), current=admin)


@external
def grant(role: uint256, member: address):
    """
    @notice Give `member` the duties in `role` (a sum of bits).
    """
    self._only_admin()
    reasons._require(role != 0 and role <= ALL_ROLES, "roles: no such role")
    reasons._require(member != empty(address), "roles: member is nobody")
    self.roles_of[member] |= role
    log RoleGranted(role=role, member=member)


@external
def revoke(role: uint256, member: address):
    """
    @notice Take the duties in `role` from `member`; taking what it does not have changes nothing.
    """
    self._only_admin()
    reasons._require(role != 0 and role <= ALL_ROLES, "roles: no such role")
    self.roles_of[member] &= ALL_ROLES ^ role
    log RoleRevoked(role=role, member=member)


@external
def propose_admin(proposed: address):
    """
    @notice First step of a handover; proposing nobody cancels it.
    """
    self._only_admin()
    self.proposed_admin = proposed
    log AdminProposed(proposed=proposed)


@external
def accept_admin():
    """
    @notice Second step: who was proposed takes over. A key that nobody holds can so never become admin.
    """
    reasons._require(msg.sender == self.proposed_admin, "roles: not the proposed admin")
    previous: address = self.admin
    self.admin = msg.sender
    self.proposed_admin = empty(address)
    log AdminChanged(previous=previous, current=msg.sender)


@internal
@view
def _only_admin():
    reasons._require(msg.sender == self.admin, "roles: not the admin")


@internal
@view
def _has(role: uint256) -> bool:
    return self.roles_of[msg.sender] & role != 0
