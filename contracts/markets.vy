# pragma version 0.4.3
"""
@title Markets: terms that are given once and never change
@license Apache-2.0
@notice A grid operator opens a market under a number. Other terms are another market, so a signed order cannot come to mean
    something else. Who is a grid operator, and of which market, the role registry says.
    A market is a node of a tree, which has the number of the market that was opened as its root. What lies on the way from a
    node to the root is not known here.
@dev A market is one word: fee account 32 bits (low), fee cap 48, period 32, lead 32, window 32, uniform 1, tree 32. It is
    zero only when it is not open.
"""

from . import assets
from . import escrow
from . import reasons

uses: assets
uses: escrow

interface RoleRegistry:
    def claim(subject: address, role: bytes32) -> Claim: view

struct Claim:
    version: uint256
    registered_at: uint256
    expiry: uint256
    issuer: address
    data: bytes32
    epoch: uint256
    revoked_at: uint256

grid_operator_role: public(immutable(bytes32))

markets: uint256[2**32]


event MarketOpened:
    market: indexed(uint256)
    tree: indexed(uint256)
    fee_account: indexed(uint256)
    fee_cap: uint256
    period_seconds: uint256
    lead_seconds: uint256
    window_seconds: uint256
    uniform: bool


@deploy
def __init__(role_of_grid_operators: bytes32):
    grid_operator_role = role_of_grid_operators


@external
@view
def market(number: uint32) -> (uint256, uint256, uint256, uint256, uint256, uint256, bool):
    """
    @return Tree, fee account, fee cap (micro per kWh), period, lead and window (seconds), and whether there is one price;
        zeros when the market is not open.
    """
    word: uint256 = self.markets[number]
    return (
        word >> 177,
        word & (2**32 - 1),
        word >> 32 & (2**48 - 1),
        self._period(word),
        self._lead(word),
        self._window(word),
        word >> 176 & 1 != 0,
    )


@external
def open_market(
    number: uint32,
    tree: uint32,
    fee_account: uint32,
    fee_cap: uint48,
    period_seconds: uint32,
    lead_seconds: uint32,
    window_seconds: uint32,
    uniform: bool,
):
    """
    @notice Open the market `number` for good. The sender's claim to the grid operator's role is for this market, or for any.
    @param tree The market's own number, to open a tree; or the number of a tree's root, to be one of its nodes.
    @param fee_account Receives the node's fees.
    @param fee_cap The most that the node may take of a trade, fee and congestion rent together, in micro per kWh.
    @param period_seconds Delivery periods start at its multiples.
    @param lead_seconds The gate closes this long before delivery starts.
    @param window_seconds A session may be settled until this long after delivery started.
    @param uniform Whether all trades of a session that are made at this node, as their top, have one price there.
    """
    reasons._require(assets._held(msg.sender, grid_operator_role) >= block.timestamp, "markets: not a grid operator")
    named: uint256 = convert(
        (staticcall RoleRegistry(assets.role_registry).claim(msg.sender, grid_operator_role)).data, uint256
    )
    reasons._require(named == 0 or named == convert(number, uint256), "markets: claim is for another")
    reasons._require(number != 0, "markets: number is zero")
    reasons._require(self.markets[number] == 0, "markets: open already")
    # a root is its own tree; number 0 is never open
    reasons._require(
        tree == number or (tree != 0 and self.markets[tree] >> 177 == convert(tree, uint256)),
        "markets: no such tree",
    )
    reasons._require(escrow._exists(convert(fee_account, uint256)), "markets: no such fee account")
    reasons._require(period_seconds != 0, "markets: period is zero")
    self.markets[number] = (
        convert(fee_account, uint256)
        | convert(fee_cap, uint256) << 32
        | convert(period_seconds, uint256) << 80
        | convert(lead_seconds, uint256) << 112
        | convert(window_seconds, uint256) << 144
        | convert(uniform, uint256) << 176
        | convert(tree, uint256) << 177
    )
    log MarketOpened(
        market=convert(number, uint256),
        tree=convert(tree, uint256),
        fee_account=convert(fee_account, uint256),
        fee_cap=convert(fee_cap, uint256),
        period_seconds=convert(period_seconds, uint256),
        lead_seconds=convert(lead_seconds, uint256),
        window_seconds=convert(window_seconds, uint256),
        uniform=uniform,
    )


@internal
@view
def _gate_closure(word: uint256, start: uint256) -> uint256:
    """
    @dev Refuses a session of the market `word` that may not be settled now.
    @return When its gate closed, in unix seconds, and never 0, so that what was never valid is not valid then.
    """
    assert word != 0, "markets: not open"
    assert start % self._period(word) == 0, "sessions: off the period grid"
    lead: uint256 = self._lead(word)
    assert start > lead, "sessions: start is too early"
    assert block.timestamp >= start - lead, "sessions: gate is open"
    assert block.timestamp <= start + self._window(word), "sessions: window is over"
    return start - lead


@internal
@pure
def _period(word: uint256) -> uint256:
    return word >> 80 & (2**32 - 1)


@internal
@pure
def _lead(word: uint256) -> uint256:
    return word >> 112 & (2**32 - 1)


@internal
@pure
def _window(word: uint256) -> uint256:
    return word >> 144 & (2**32 - 1)
