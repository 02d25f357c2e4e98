"""A batch as the calldata of `settle`, and back. One batch has one encoding; every other one is refused.

The words are those of the contract's ABI, orders and trades packed, high bits to low:

    order:  zeros 16 | asset number 32 | side 8 | energy 48 | limit 48 | valid until 40 | salt 64, preferences, r, vs
    trade:  zeros 80 | bid index 16 | offer index 16 | energy 48 | rate 48 | place of its fee row 48
    fees:   the rows of all trades, a word a node (`fee_words.py`)

Limits and rates are two's complement. https://docs.soliditylang.org/en/latest/abi-spec.html
"""

from collections.abc import Iterator
from dataclasses import dataclass

from exchange.delivery import Product, SessionKey
from exchange.fee_row import FeeRow, rows_of
from exchange.order import Order, Side
from exchange.trade import Trade
from exchange.units import MicroPerKwh, Wh
from identity.hashing import keccak
from identity.registry import Registry
from identity.typed_data import word
from settlement.batch import Batch, SealedOrder
from settlement.errors import BookUnsound, CalldataMalformed
from settlement.fee_words import MAX_NODES, MAX_ROWS, nodes_in, row_count, rows_in, words_of
from settlement.parts import MAX_ORDERS, MAX_TRADES, estimated_gas

SETTLE = "settle(uint32,uint8,uint40,uint16,uint16,bytes32,bytes32,uint256,uint256[],uint256)"
SELECTOR = keccak(SETTLE.encode())[:4]

_HEAD_WORDS = 10
_ORDER_WORDS = 4
_MOST_FEE_WORDS = MAX_ROWS * MAX_NODES


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedOrder:
    """An order as four words: its terms, the hash of its preferences, and its signature (r and vs)."""

    terms: int
    preferences: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleCall:
    """The arguments of one call of `settle`, packed as they travel."""

    market: int
    product: int
    delivery_start: int
    part: int
    parts: int
    order_root: bytes
    parameters: bytes
    orders: tuple[PackedOrder, ...]
    trades: tuple[int, ...]
    fees: tuple[int, ...]

    @property
    def session(self) -> int:
        """The session's number on the chain."""
        return self.market << 48 | self.product << 40 | self.delivery_start

    @property
    def estimated_gas(self) -> int:
        """An upper bound of what the call costs, everything included."""
        return estimated_gas(
            len(self.orders),
            len(self.trades),
            self.parts,
            rows=row_count(self.fees),
            shares=len(self.fees),
            nodes=len(nodes_in(self.fees)),
        )


def settle_calldata(batch: Batch) -> bytes:
    """Return the calldata that settles `batch`; raises `BookUnsound` where a value fits no field."""
    return encode(pack(batch))


def read_settle(calldata: bytes, registry: Registry, separator: bytes) -> Batch:
    """Return the batch in the calldata of `settle`.

    `registry` says which identities the asset numbers stand for, and `separator` is that of the domain the orders were
    signed in. Raises `CalldataMalformed`.
    """
    return unpack(decode(calldata), registry, separator)


def pack(batch: Batch) -> SettleCall:
    """Return a batch as the arguments of `settle`; raises `BookUnsound` where a value fits no field."""
    places = {sealed.digest: index for index, sealed in enumerate(batch.orders)}
    rows = rows_of(trade.fees for trade in batch.trades)
    if len(rows) > MAX_ROWS or any(len(row.shares) > MAX_NODES for row in rows):
        raise BookUnsound(f"{len(rows)} rows of fees, or one of them, do not fit in a call")
    return SettleCall(
        market=batch.session.market,
        product=batch.session.product,
        delivery_start=batch.session.delivery_start,
        part=batch.part,
        parts=batch.parts,
        order_root=batch.order_root,
        parameters=batch.parameters,
        orders=tuple(
            PackedOrder(terms=_terms(sealed), preferences=sealed.order.preferences, signature=sealed.signature)
            for sealed in batch.orders
        ),
        trades=tuple(
            _field(places[trade.bid], 16, "a bid's place") << 160
            | _field(places[trade.offer], 16, "an offer's place") << 144
            | _field(trade.energy, 48, "a trade's energy") << 96
            | _signed_field(trade.rate, "a trade's rate") << 48
            | rows[trade.fees]
            for trade in batch.trades
        ),
        fees=words_of(rows),
    )


def unpack(call: SettleCall, registry: Registry, separator: bytes) -> Batch:
    """Return the batch that a call settles; raises `CalldataMalformed` for what stands for nothing."""
    try:
        session = SessionKey(call.market, Product(call.product), call.delivery_start)
    except ValueError as error:
        raise CalldataMalformed(f"there is no product {call.product}") from error
    orders = tuple(_sealed(packed, session, registry, separator) for packed in call.orders)
    rows = rows_in(call.fees)
    trades = tuple(_trade(packed, session, orders, rows) for packed in call.trades)
    if len({trade.fees for trade in trades}) != len(rows):
        raise CalldataMalformed("a fee row is no trade's")
    return Batch(
        session=session,
        part=call.part,
        parts=call.parts,
        order_root=call.order_root,
        parameters=call.parameters,
        orders=orders,
        trades=trades,
    )


def encode(call: SettleCall) -> bytes:
    """Return the ABI encoding of a call, selector first."""
    orders_at = 32 * _HEAD_WORDS
    trades_at = orders_at + 32 * (1 + _ORDER_WORDS * len(call.orders))
    fees_at = trades_at + 32 * (1 + len(call.trades))
    return b"".join(
        (
            SELECTOR,
            word(call.market),
            word(call.product),
            word(call.delivery_start),
            word(call.part),
            word(call.parts),
            call.order_root,
            call.parameters,
            word(orders_at),
            word(trades_at),
            word(fees_at),
            word(len(call.orders)),
            *(word(packed.terms) + packed.preferences + packed.signature for packed in call.orders),
            word(len(call.trades)),
            *(word(packed) for packed in call.trades),
            word(len(call.fees)),
            *(word(fee) for fee in call.fees),
        )
    )


def decode(calldata: bytes) -> SettleCall:
    """Read the ABI encoding of a call, and take no other than `encode` makes; raises `CalldataMalformed`."""
    if calldata[:4] != SELECTOR:
        raise CalldataMalformed("this is no call of settle")
    if (len(calldata) - 4) & 31:
        raise CalldataMalformed("the arguments are no whole number of words")
    words = _words(calldata)
    market, product, delivery_start = _whole(words, 32), _whole(words, 8), _whole(words, 40)
    part, parts = _whole(words, 16), _whole(words, 16)
    order_root, parameters = _raw(words), _raw(words)
    orders_at, trades_at, fees_at = _whole(words, 32), _whole(words, 32), _whole(words, 32)
    count = _count(words, MAX_ORDERS)
    orders = []
    for _ in range(count):
        terms, preferences = _whole(words, 240), _raw(words)
        orders.append(PackedOrder(terms=terms, preferences=preferences, signature=_raw(words) + _raw(words)))
    trades = tuple(_whole(words, 176) for _ in range(_count(words, MAX_TRADES)))
    fees = tuple(_whole(words, 82) for _ in range(_count(words, _MOST_FEE_WORDS)))
    if next(words, None) is not None:
        raise CalldataMalformed("bytes follow the fees")
    after_orders = 32 * (_HEAD_WORDS + 1 + _ORDER_WORDS * count)
    if (orders_at, trades_at, fees_at) != (32 * _HEAD_WORDS, after_orders, after_orders + 32 * (1 + len(trades))):
        raise CalldataMalformed("orders, trades or fees do not lie where their offsets say")
    return SettleCall(
        market=market,
        product=product,
        delivery_start=delivery_start,
        part=part,
        parts=parts,
        order_root=order_root,
        parameters=parameters,
        orders=tuple(orders),
        trades=trades,
        fees=fees,
    )


def packed_amounts(packed: int) -> tuple[Wh, MicroPerKwh, int]:
    """Return energy and rate of a packed trade, and the place of its fee row."""
    low_48 = (1 << 48) - 1
    rate = _from_field(packed >> 48 & low_48)
    return Wh(packed >> 96 & low_48), MicroPerKwh(rate), packed & low_48


def _field(value: int, bits: int, name: str) -> int:
    if not 0 <= value < 1 << bits:
        raise BookUnsound(f"{name} is {value}, which {bits} bits do not hold")
    return value


def _signed_field(value: int, name: str) -> int:
    if not -(1 << 47) <= value < 1 << 47:
        raise BookUnsound(f"{name} is {value}, which 48 bits do not hold")
    return value & (1 << 48) - 1


def _from_field(value: int) -> int:
    """Return 48 bits as the signed number they stand for."""
    return (value ^ 1 << 47) - (1 << 47)


def _terms(sealed: SealedOrder) -> int:
    order = sealed.order
    return (
        _field(sealed.asset, 32, "an asset's number") << 208
        | order.side << 200
        | order.energy << 152
        | _signed_field(order.limit, "a limit") << 104
        | order.valid_until << 64
        | order.salt
    )


def _sealed(packed: PackedOrder, session: SessionKey, registry: Registry, separator: bytes) -> SealedOrder:
    terms = packed.terms
    number = terms >> 208
    asset = registry.asset_by_number(number)
    if asset is None:
        raise CalldataMalformed(f"no asset is enrolled under the number {number}")
    try:
        order = Order(
            asset=asset.identity,
            market=session.market,
            product=session.product,
            side=Side(terms >> 200 & 0xFF),
            delivery_start=session.delivery_start,
            energy=Wh(terms >> 152 & (1 << 48) - 1),
            limit=MicroPerKwh(_from_field(terms >> 104 & (1 << 48) - 1)),
            preferences=packed.preferences,
            valid_until=terms >> 64 & (1 << 40) - 1,
            salt=terms & (1 << 64) - 1,
        )
    except ValueError as error:
        raise CalldataMalformed(f"an order is none: {error}") from error
    return SealedOrder(asset=number, order=order, signature=packed.signature, digest=order.digest(separator))


def _trade(packed: int, session: SessionKey, orders: tuple[SealedOrder, ...], rows: tuple[FeeRow, ...]) -> Trade:
    bid, offer = packed >> 160, packed >> 144 & 0xFFFF
    if bid >= len(orders) or offer >= len(orders):
        raise CalldataMalformed("a trade names an order that is not in the call")
    energy, rate, place = packed_amounts(packed)
    if place >= len(rows):
        raise CalldataMalformed("a trade names a fee row that is not in the call")
    return Trade(
        session=session,
        bid=orders[bid].digest,
        offer=orders[offer].digest,
        energy=energy,
        rate=rate,
        fees=rows[place],
    )


def _words(calldata: bytes) -> Iterator[bytes]:
    return (calldata[at : at + 32] for at in range(4, len(calldata), 32))


def _raw(words: Iterator[bytes]) -> bytes:
    raw = next(words, None)
    if raw is None:
        raise CalldataMalformed("the call ends too soon")
    return raw


def _whole(words: Iterator[bytes], bits: int) -> int:
    value = int.from_bytes(_raw(words), "big")
    if value >> bits:
        raise CalldataMalformed(f"a field of {bits} bits has bits above them")
    return value


def _count(words: Iterator[bytes], most: int) -> int:
    count = _whole(words, 16)
    if count > most:
        raise CalldataMalformed(f"there are {count} items where at most {most} fit")
    return count
