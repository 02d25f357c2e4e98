# pragma version 0.4.3
"""
@title What is kept of a settled session
@license Apache-2.0
@notice A session is one product of one market for one delivery period, and is settled once: in one part, or in several in order.
@dev One word a session and one a part, since each new word costs 22,100 gas. A session's word: settled-at 40 bits (low), parts 16,
    parts settled 16, and above them the first 23 bytes of keccak256(order root, parameters). The event has both in full.
"""

COMMITMENT: constant(uint256) = (2**184 - 1) << 72  # mask

# session -> word, zero until its first part is settled
sessions: HashMap[uint256, uint256]
# session << 16 | part -> root
trade_roots: HashMap[uint256, bytes32]
# Kept only for sessions of several parts; elsewhere no order outlives its batch.
# session -> 1 in bit 48 and the one rate below it
rates: HashMap[uint256, uint256]
# order digest -> Wh settled in earlier parts
filled: public(HashMap[bytes32, uint256])


event Settled:
    session: indexed(uint256)
    part: uint256
    parts: uint256
    order_root: bytes32
    trade_root: bytes32
    parameters: bytes32
    orders: uint256
    trades: uint256
    energy_wh: uint256
    value_nano: int256
    fee_nano: uint256


@external
@view
def trade_root(session: uint256, part: uint256) -> bytes32:
    """
    @return Root of the trades that part moved money for; zero when it is not settled.
    """
    assert part < 2**16, "sessions: no such part"
    return self.trade_roots[session << 16 | part]


@external
@view
def session(session: uint256) -> (uint256, uint256, uint256, bytes23):
    """
    @return When its latest part was settled (unix seconds), its parts, how many of them are settled, and its commitment:
        the first 23 bytes of keccak256(order root, parameters).
    """
    word: uint256 = self.sessions[session]
    return (
        word & (2**40 - 1),
        word >> 40 & (2**16 - 1),
        word >> 56 & (2**16 - 1),
        convert(convert(word & COMMITMENT, bytes32), bytes23),
    )


@internal
def _begin(session: uint256, part: uint256, parts: uint256, order_root: bytes32, parameters: bytes32):
    """
    @dev Refuses a part that is not the next one, and writes the session's word.
    """
    word: uint256 = self.sessions[session]
    commitment: uint256 = convert(keccak256(abi_encode(order_root, parameters)), uint256) & COMMITMENT
    assert part < parts, "sessions: no such part"
    if word != 0:
        done: uint256 = word >> 56 & (2**16 - 1)
        declared: uint256 = word >> 40 & (2**16 - 1)
        assert done != declared, "sessions: settled already"
        assert parts == declared, "sessions: other number of parts"
        assert part == done, "sessions: part is out of order"
        assert word & COMMITMENT == commitment, "sessions: other roots"
    else:
        assert part == 0, "sessions: part is out of order"
    # no overflow: part < parts < 2**16
    self.sessions[session] = commitment | unsafe_add(part, 1) << 56 | parts << 40 | block.timestamp
