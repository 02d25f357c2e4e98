# pragma version 0.4.3
"""
@title What is kept of a settled session
@license Apache-2.0
@notice A session is one product of one market for one delivery period, and is settled once: in one part, or in several in order.
@dev One word a part: `record_of` its roots. A new word costs as much as settling one and a half trades, so the roots
    themselves are in the event, and whoever shows something by them shows that they hash to the record.
    Only sessions of several parts keep more.
"""

MAX_PARTS: constant(uint256) = 2**16 - 1
RATE: constant(uint256) = 2**48 - 1  # mask

# session << 16 | part -> record, zero until settled
records: HashMap[uint256, bytes32]
# of sessions of several parts, session -> parts declared (low 16 bits), parts settled 16, and a rate 48 if the next bit is set
progress: HashMap[uint256, uint256]
# of sessions of several parts, session -> keccak256(order root, parameters)
declared: HashMap[uint256, bytes32]
# of sessions of several parts, order digest -> Wh settled
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
def record(session: uint256, part: uint256) -> bytes32:
    """
    @return What the part recorded, see `record_of`; zero while it is not settled.
    """
    assert part < MAX_PARTS, "sessions: no such part"
    return self.records[session << 16 | part]


@external
@pure
def record_of(order_root: bytes32, trade_root: bytes32, parameters: bytes32, parts: uint256) -> bytes32:
    """
    @return keccak256(abi.encode(order root, trade root, parameters, parts)).
    """
    return self._record(order_root, trade_root, parameters, parts)


@external
@view
def parts_settled(session: uint256) -> (uint256, uint256):
    """
    @return How many parts are settled, and how many there are; zeros while none is settled.
    """
    word: uint256 = self.progress[session]
    if word == 0 and self.records[session << 16] != empty(bytes32):
        return 1, 1
    return word >> 16 & MAX_PARTS, word & MAX_PARTS


@internal
def _begin(session: uint256, part: uint256, parts: uint256, order_root: bytes32, parameters: bytes32):
    """
    @dev Refuses a part that is not the next one. What it writes is undone when anything after it refuses.
    """
    assert part < parts, "sessions: no such part"
    word: uint256 = self.progress[session]
    if word == 0:
        assert self.records[session << 16] == empty(bytes32), "sessions: settled already"
        assert part == 0, "sessions: part is out of order"
        if parts != 1:
            self.declared[session] = keccak256(abi_encode(order_root, parameters))
            self.progress[session] = parts | 1 << 16
    else:
        done: uint256 = word >> 16 & MAX_PARTS
        assert done != word & MAX_PARTS, "sessions: settled already"
        assert parts == word & MAX_PARTS, "sessions: other number of parts"
        assert part == done, "sessions: part is out of order"
        assert self.declared[session] == keccak256(abi_encode(order_root, parameters)), "sessions: other roots"
        # no carry: done < parts < 2**16
        self.progress[session] = unsafe_add(word, 1 << 16)


@internal
def _one_rate(session: uint256, rate: int256) -> int256:
    """
    @return The rate of the session's first trade, which is `rate` if no earlier part had a trade.
    """
    word: uint256 = self.progress[session]
    if word >> 80 == 0:
        self.progress[session] = word | (convert(convert(rate, bytes32), uint256) & RATE) << 32 | 1 << 80
        return rate
    return convert(convert(word << 176, bytes32), int256) >> 208


@internal
@pure
def _record(order_root: bytes32, trade_root: bytes32, parameters: bytes32, parts: uint256) -> bytes32:
    return keccak256(abi_encode(order_root, trade_root, parameters, parts))
