# pragma version 0.4.3
"""
@title A pause that stops new commitments and never traps money
@license Apache-2.0
@notice A guardian pauses, the admin lifts. Settling and depositing ask `_only_running`; withdrawing never does.
"""

from . import roles

uses: roles

paused: public(bool)


event Paused:
    guardian: indexed(address)


event Unpaused:
    admin: indexed(address)


@external
def pause():
    """
    @notice Stop new commitments. Pausing twice changes nothing.
    """
    assert roles._has(roles.GUARDIAN), "roles: not a guardian"
    self.paused = True
    log Paused(guardian=msg.sender)


@external
def unpause():
    """
    @notice Take new commitments again.
    """
    roles._only_admin()
    self.paused = False
    log Unpaused(admin=msg.sender)


@internal
@view
def _only_running():
    assert not self.paused, "pause: paused"
