# pragma version 0.4.3
"""
@title Fee rows: what the nodes between a seller and a buyer take of a trade
@license Apache-2.0
@notice A row is one word a node, in the order of the way from the seller's node to the buyer's. From the high bits:
    174 zero bits, last 1, top 1, node 32, rate 48. `last` ends the row; `top` marks the deepest node above both, once.
    A node is a market of the session's tree, takes no more than its cap, and stands in a row once. Rows ascend by top.
@dev Which nodes lie on the way is not checked, nor is the order of rows with one top: no money hangs on it that the buyer's
    limit and the caps do not hold; the audit checks both.
    A row is read twice, once to know what it comes to, and once, when that is known how much energy it is for, to pay. What is
    known of it in between is one word: what all its nodes take 64 bits (low), energy 64, and of the rates traded, the bits that
    were set in one of them 48, and those that were not 48; so there was one rate if no bit is in both.
    Bounds: 31 rates of 48 bits are within 53; 512 energies of 48 bits within 57.
"""

from . import escrow
from . import markets
from . import reasons
from . import sessions

uses: escrow
uses: markets
uses: sessions

MAX_ROWS: constant(uint256) = 128
MAX_NODES: constant(uint256) = 31  # there and back again, in a tree of 16 levels
U32: constant(uint256) = 2**32 - 1  # masks
U48: constant(uint256) = 2**48 - 1
U64: constant(uint256) = 2**64 - 1


@internal
@view
def _read(start: uint256, end: uint256) -> (uint256, bytes32, uint256):
    """
    @param start Where in the calldata the row begins; `end` is where the last one ends.
    @return What its nodes take together, its hash, and where it ends.
    """
    words: uint256[MAX_NODES] = empty(uint256[MAX_NODES])
    total: uint256 = 0
    cursor: uint256 = start
    for i: uint256 in range(MAX_NODES):
        if cursor >= end:
            reasons._refuse("fees: last row is open")
        word: uint256 = self._word(cursor)
        if word >> 82 != 0:
            reasons._refuse("fees: unused bits are set")
        for j: uint256 in range(i, bound=MAX_NODES):
            if (words[j] ^ word) >> 48 & U32 == 0:
                reasons._refuse("fees: node is there twice")
        words[i] = word
        total = unsafe_add(total, word & U48)
        cursor = unsafe_add(cursor, 32)
        if word >> 81 != 0:
            return total, keccak256(slice(abi_encode(words), 0, unsafe_sub(cursor, start))), cursor
    reasons._refuse("fees: row is too long")
    return 0, empty(bytes32), 0  # never


@internal
def _pay(
    session: uint256, several: bool, tree: uint256, row: uint256, start: uint256, top_before: uint256, price_before: int256
) -> (uint256, uint256, int256):
    """
    @notice Pay the nodes of a row, and see to it that a top which promises one price has one.
    @param row What is known of it, see above; `several` is whether the session has several parts.
    @param top_before Of the row before this one, with its price.
    @return Where the row ends, its top, and the price there: what a seller gets, and the nodes before the top take.
    """
    energy: uint256 = row >> 64 & U64
    if energy == 0:
        reasons._refuse("fees: row is not used")
    top: uint256 = 0
    uniform: bool = False
    price: int256 = convert(convert(row << 80, bytes32), int256) >> 208
    cursor: uint256 = start
    for i: uint256 in range(MAX_NODES):
        word: uint256 = self._word(cursor)
        cursor = unsafe_add(cursor, 32)
        node: uint256 = word >> 48 & U32
        terms: uint256 = markets.markets[node]
        if terms >> 177 != tree:
            reasons._refuse("fees: not of this tree")
        if word & U48 > terms >> 32 & U48:
            reasons._refuse("fees: above the cap")
        if word >> 80 & 1 != 0:
            if top != 0:
                reasons._refuse("fees: row has two tops")
            top = node
            uniform = terms >> 176 & 1 != 0
        elif top == 0:
            price = unsafe_add(price, convert(word & U48, int256))
        account: uint256 = escrow.accounts[terms & U32]
        credit: uint256 = unsafe_add(account >> 160 & U64, unsafe_mul(energy, word & U48))
        if credit > U64:
            reasons._refuse("money: credit is too large")
        escrow.accounts[terms & U32] = unsafe_add(account, unsafe_mul(energy, word & U48) << 160)
        if word >> 81 != 0:
            break
    if top == 0:
        reasons._refuse("fees: row has no top")
    if top < top_before:
        reasons._refuse("fees: out of order")
    if uniform:
        if row >> 128 & row >> 176 & U48 != 0:
            reasons._refuse("trades: two rates")
        if top == top_before:
            if price != price_before:
                reasons._refuse("trades: two rates")
        elif several:
            sessions._one_price(session << 32 | top, price)
    return cursor, top, price


@internal
@view
def _word(at: uint256) -> uint256:
    return extract32(slice(msg.data, at, 32), 0, output_type=uint256)
