# pragma version 0.4.3
"""
@title One other contract that may move credit between accounts
@license Apache-2.0
@notice What comes after delivery is cleared by a contract of its own, the clearer. The admin names it once, and it is never
    replaced. It moves credit between accounts and nothing else: debits are credits, nobody falls below zero, and no token
    leaves. Who does not trust it has twice the withdrawal delay to leave: one to notice, one to be paid.
@dev The clearer is one word: address 160 bits (low), and above it from when on it may move credit.
"""

from . import escrow
from . import pause
from . import reasons
from . import roles

uses: escrow
uses: pause
uses: roles

MAX_ENTRIES: constant(uint256) = 515  # 512 charges, a counterpart, and a bond's way back

clearer: public(uint256)


event ClearerNamed:
    clearer: indexed(address)
    since: uint256


event Moved:
    entries: DynArray[uint256, MAX_ENTRIES]


@external
def name_clearer(named: address):
    """
    @notice Name the clearer, once and for good, as the admin. While the escrow is empty there is nobody to wait for.
    """
    roles._only_admin()
    reasons._require(self.clearer == 0, "clearing: named already")
    reasons._require(named.is_contract, "clearing: clearer has no code")
    since: uint256 = block.timestamp
    if escrow.tokens_held != 0:
        since += 2 * escrow.WITHDRAWAL_DELAY
    self.clearer = convert(named, uint256) | since << 160
    log ClearerNamed(clearer=named, since=since)


@external
def move(entries: DynArray[uint256, MAX_ENTRIES]):
    """
    @notice Move credit, as the clearer: wholly or not at all, one entry after the other.
    @param entries From the high bits: account 160, and the change of its credit in nano, two's complement, 96.
    """
    pause._only_running()
    word: uint256 = self.clearer
    reasons._require(
        word & escrow.HOLDER == convert(msg.sender, uint256) and block.timestamp >= word >> 160, "clearing: not the clearer"
    )
    total: int256 = 0
    for entry: uint256 in entries:
        account: uint256 = escrow.accounts[entry >> 96]
        nano: int256 = convert(convert(entry << 160, bytes32), int256) >> 160
        # what is short is below zero here; what is too large was never there to be moved
        if unsafe_add(convert(escrow._credit(account), int256), nano) >> 64 != 0:
            reasons._refuse("money: credit is short")
        if account & escrow.HOLDER == 0:
            reasons._refuse("escrow: no such account")
        # the credit stays within its 64 bits, so holder and epoch beside it stay as they are
        escrow.accounts[entry >> 96] = unsafe_add(account, entry << 160)
        total = unsafe_add(total, nano)
    reasons._require(total == 0, "clearing: debits are not credits")
    log Moved(entries=entries)
