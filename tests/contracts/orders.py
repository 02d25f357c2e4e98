"""Orders, trades and batches as an operator's software would make them: from the standards, not from the contract."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Self

import coincurve
import sha3
from eth_abi import encode

BID, OFFER = 0, 1
SPOT, BALANCING_UP, BALANCING_DOWN = 1, 3, 4
ORDER_TYPE = (
    "Order(address asset,uint32 market,uint8 product,uint8 side,uint40 deliveryStart,uint48 energyWh,"
    "int48 limitMicroPerKwh,bytes32 preferences,uint40 validUntil,uint64 salt)"
)
DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SETTLE_TYPES = (
    "uint32", "uint8", "uint40", "uint16", "uint16", "bytes32", "bytes32",
    "(uint256,bytes32,bytes32,bytes32)[]", "uint256[]", "uint256[]",
)  # fmt: skip


def keccak(data: bytes) -> bytes:
    return sha3.keccak_256(data).digest()


def key_of(name: str) -> bytes:
    """The key of an actor, by its role's name."""
    return keccak(b"merit test key " + name.encode())


@cache
def address_of(name: str) -> bytes:
    public = coincurve.PrivateKey(key_of(name)).public_key.format(compressed=False)[1:]
    return keccak(public)[12:]


def domain(chain_id: int, contract: bytes, name: str = "Merit", version: str = "1") -> bytes:
    parts = keccak(DOMAIN_TYPE.encode()), keccak(name.encode()), keccak(version.encode()), chain_id, contract
    return keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], parts))


def sign(digest: bytes, key: bytes) -> tuple[bytes, int, bytes]:
    """Return r, parity and s."""
    signature = coincurve.PrivateKey(key).sign_recoverable(digest, hasher=None)
    return signature[:32], signature[64], signature[32:64]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a trader signs, and the two things the contract looks up: the asset's number, and who signs."""

    identity: bytes
    asset: int
    signer: str
    side: int
    energy: int
    limit: int
    market: int = 1
    product: int = SPOT
    start: int
    valid_until: int
    salt: int = 1
    preferences: bytes = bytes(32)
    domain: bytes
    high_s: bool = False
    high_bits: int = 0
    signature: bytes | None = None

    def but(self, **changes) -> Self:
        return replace(self, **changes)

    def digest(self) -> bytes:
        fields = (
            self.identity, self.market, self.product, self.side, self.start,
            self.energy, self.limit, self.preferences, self.valid_until, self.salt,
        )  # fmt: skip
        kinds = ["address", "uint32", "uint8", "uint256", "uint40", "uint48", "int48", "bytes32", "uint40", "uint64"]
        struct = keccak(keccak(ORDER_TYPE.encode()) + encode(kinds, fields))
        return keccak(b"\x19\x01" + self.domain + struct)

    def words(self) -> tuple[int, bytes, bytes, bytes]:
        terms = self.high_bits << 240 | self.asset << 208 | self.side << 200 | self.energy << 152
        terms |= (self.limit % 2**48) << 104 | self.valid_until << 64 | self.salt
        if self.signature is not None:
            return terms, self.preferences, self.signature[:32], self.signature[32:]
        r, parity, s = sign(self.digest(), key_of(self.signer))
        if self.high_s:
            parity, s = 1 - parity, (CURVE_ORDER - int.from_bytes(s)).to_bytes(32)
            if s[0] >> 7:
                parity = 0  # the parity bit's place is taken
        return terms, self.preferences, r, (parity << 255 | int.from_bytes(s)).to_bytes(32)


@dataclass(frozen=True)
class Row:
    """What nodes take of a trade: pairs of node and rate on the way from seller to buyer, and which is its top."""

    shares: tuple[tuple[int, int], ...]
    top: int

    @property
    def fee(self) -> int:
        return sum(rate for _, rate in self.shares)

    @property
    def before_top(self) -> int:
        nodes = [node for node, _ in self.shares]
        return sum(rate for _, rate in self.shares[: nodes.index(self.top)])

    def words(self) -> list[int]:
        words = [(node == self.top) << 80 | node << 48 | rate for node, rate in self.shares]
        words[-1] |= 1 << 81
        return words

    def hash(self) -> bytes:
        return keccak(b"".join(word.to_bytes(32) for word in self.words()))


@dataclass(frozen=True, kw_only=True)
class Trade:
    """`row` is what nodes take; without one, the session's market takes `fee`. `place` tells another row than that."""

    bid: int
    offer: int
    energy: int
    rate: int
    fee: int = 0
    row: Row | None = None
    place: int | None = None
    high_bits: int = 0

    def row_in(self, market: int) -> Row:
        return self.row or Row(((market, self.fee),), market)

    def word(self, place: int) -> int:
        word = self.high_bits << 176 | self.bid << 160 | self.offer << 144 | self.energy << 96
        return word | (self.rate % 2**48) << 48 | (place if self.place is None else self.place)

    def leaf(self, session: int, digests: Sequence[bytes]) -> bytes:
        kinds = ["uint256", "bytes32", "bytes32", "uint256", "int256", "bytes32"]
        fields = session, digests[self.bid], digests[self.offer], self.energy, self.rate
        return keccak(keccak(encode(kinds, (*fields, self.row_in(session >> 48).hash()))))


def session_id(market: int, product: int, start: int) -> int:
    return market << 48 | product << 40 | start


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """StandardMerkleTree's array, filled from the back (not the contract's queue)."""
    if not leaves:
        return keccak(b"")
    tree = [b""] * (len(leaves) - 1) + list(reversed(leaves))
    for i in reversed(range(len(leaves) - 1)):
        tree[i] = keccak(b"".join(sorted((tree[2 * i + 1], tree[2 * i + 2]))))
    return tree[0]


def in_order(orders: Sequence[Order], trades: Sequence[Trade]) -> tuple[list[Order], list[Trade]]:
    """Sort orders by digest, and let the trades' indices follow."""
    places = sorted(range(len(orders)), key=lambda i: orders[i].digest())
    new = {old: place for place, old in enumerate(places)}
    moved = [
        replace(trade, bid=new.get(trade.bid, trade.bid), offer=new.get(trade.offer, trade.offer)) for trade in trades
    ]
    return [orders[i] for i in places], moved


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One call of `settle`. Its rows are those of its trades, unless `fees` gives other words."""

    orders: Sequence[Order]
    trades: Sequence[Trade]
    fees: Sequence[int] | None = None
    start: int
    market: int = 1
    product: int = SPOT
    part: int = 0
    parts: int = 1
    order_root: bytes = b"\x11" * 32
    parameters: bytes = b"\x22" * 32

    def but(self, **changes) -> Self:
        return replace(self, **changes)

    @property
    def session(self) -> int:
        return session_id(self.market, self.product, self.start)

    def trade_root(self) -> bytes:
        digests = [order.digest() for order in self.orders]
        return merkle_root([trade.leaf(self.session, digests) for trade in self.trades])

    def rows(self) -> list[Row]:
        return sorted({trade.row_in(self.market) for trade in self.trades}, key=lambda row: (row.top, row.words()))

    def arguments(self) -> bytes:
        rows = self.rows()
        trades = [trade.word(rows.index(trade.row_in(self.market))) for trade in self.trades]
        fees = [word for row in rows for word in row.words()] if self.fees is None else self.fees
        fields = (
            self.market, self.product, self.start, self.part, self.parts, self.order_root, self.parameters,
            [order.words() for order in self.orders], trades, fees,
        )  # fmt: skip
        return encode(SETTLE_TYPES, fields)
