# pragma version 0.4.3
"""
@title What is kept of a settled session
@license Apache-2.0
@notice A session is one product of one market for one delivery period, and is settled once: in one part, or in several in order.
@dev One word a part: `record_of` its roots. A new word costs as much as settling one and a half trades, so the roots
    themselves are in the event, and whoever shows something by them shows that they hash to the record.
    Only sessions of several parts keep more.
"""

from . import reasons

MAX_PARTS: constant(uint256) = 2**16 - 1
PRICED: constant(uint256) = 2**255  # a price is far below it, so no word of a price is zero

# session << 16 | part -> record, zero until settled
records: HashMap[uint256, bytes32]
# of sessions of several parts, session -> parts declared (low 16 bits), parts settled 16
progress: HashMap[uint256, uint256]
# of sessions of several parts, session -> keccak256(order root, parameters)
declared: HashMap[uint256, bytes32]
# of sessions of several parts, order digest -> Wh settled
filled: public(HashMap[bytes32, uint256])
# of sessions of several parts, session << 32 | node -> the one price there, in micro per kWh, offset by PRICED; zero before it is known
prices: HashMap[uint256, uint256]


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
    reasons._require(part < MAX_PARTS, "sessions: no such part")
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
        reasons._require(done != word & MAX_PARTS, "sessions: settled already")
        reasons._require(parts == word & MAX_PARTS, "sessions: other number of parts")
        reasons._require(part == done, "sessions: part is out of order")
        reasons._require(
            self.declared[session] == keccak256(abi_encode(order_root, parameters)), "sessions: other roots"
        )
        # no carry: done < parts < 2**16
        self.progress[session] = unsafe_add(word, 1 << 16)


@internal
def _one_price(key: uint256, price: int256):
    """
    @dev Refuses another price than that of the session's earlier parts at the same node; `key` is of `prices`.
    """
    word: uint256 = convert(convert(price, bytes32), uint256) ^ PRICED
    known: uint256 = self.prices[key]
    if known == 0:
        self.prices[key] = word
    else:
        reasons._require(known == word, "trades: two rates")


@internal
@pure
def _record(order_root: bytes32, trade_root: bytes32, parameters: bytes32, parts: uint256) -> bytes32:
    return keccak256(abi_encode(order_root, trade_root, parameters, parts))
