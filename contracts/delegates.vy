# pragma version 0.4.3
"""
@title Who may sign for an asset, and since when an account's old orders are void
@license Apache-2.0
@notice The holder of the asset's account signs, or a trade delegate that the asset has in the DID registry (ERC-1056), for the
    ownership epoch it was enrolled in. All authority is judged as of gate closure: what was signed in force when the gate closed
    is settled even if its signer is dismissed, or its epoch voided, a moment later.
@dev Delegations are not cached: the DID registry is asked at each settlement. It keeps until when a delegation lasts, and on
    revocation when that was, so "later than gate closure" is the state at gate closure, whenever it is asked.
"""

from . import assets
from . import escrow
from . import reasons

uses: assets
uses: escrow

interface DidRegistry:
    def delegates(identity: address, kind: bytes32, delegate: address) -> uint256: view

TRADE: constant(bytes32) = keccak256("merit.trade.v1")

did_registry: public(immutable(address))

# account -> epoch -> when it was ended, in unix seconds; zero for the present one
epoch_ended: public(HashMap[uint256, HashMap[uint256, uint256]])


event OrdersVoided:
    account: indexed(uint256)
    epoch: uint256


@deploy
def __init__(registry_of_dids: address):
    """
    @param registry_of_dids Any ERC-1056 registry.
    """
    assert registry_of_dids.is_contract, "delegates: registry has no code"
    did_registry = registry_of_dids


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
def _check(signed: uint256, number: uint256, asset: uint256, gate_closure: uint256):
    """
    @notice Refuse an order for the asset `number` that neither the holder in the present epoch, nor a delegate, has signed.
    @dev The slow path: the caller has found that signer and epoch (in `signed`) are not those of the account in `asset`.
    """
    held_by: uint256 = asset >> 160 & assets.U32
    account: uint256 = escrow.accounts[held_by]
    if signed >> 224 != account >> 224:
        # an epoch that never was has ended at zero, before any gate closed
        reasons._require(gate_closure <= self.epoch_ended[held_by][signed >> 224], "orders: epoch is void")
    signer: address = convert(signed & escrow.HOLDER, address)
    if signer != escrow._holder(account):
        # nobody signs by what is no signature, even where the registry has nobody as a delegate
        reasons._require(signer != empty(address), "orders: signer may not trade")
        # the registry files a delegation under the hash of its kind
        filed: bytes32 = keccak256(abi_encode(keccak256(abi_encode(TRADE, assets.epoch_of[number]))))
        valid_to: uint256 = staticcall DidRegistry(did_registry).delegates(
            convert(asset & assets.IDENTITY, address), filed, signer
        )
        reasons._require(valid_to > gate_closure, "orders: signer may not trade")
