"""Calldata: what eth-abi encodes is what we encode, and what we encode is all we read."""

from dataclasses import replace

import pytest
from eth_abi import encode as abi_encode
from hypothesis import given
from hypothesis import strategies as st

from contracts.artifacts import load
from exchange.trade import Trade
from exchange.units import MicroPerKwh, Wh
from identity.hashing import keccak
from settlement.batch import seal
from settlement.calldata import SELECTOR, SETTLE, decode, encode, pack, packed_amounts, read_settle, settle_calldata
from settlement.errors import BookUnsound, CalldataMalformed
from tests.settlement.generated import SEPARATOR, batches, large_book, registry
from tests.settlement.world import founded, honest_world
from tests.strategies import fee_row

TYPES = [
    "uint32",
    "uint8",
    "uint40",
    "uint16",
    "uint16",
    "bytes32",
    "bytes32",
    "(uint256,bytes32,bytes32,bytes32)[]",
    "uint256[]",
    "uint256[]",
]
REGISTRY = registry()
HEAD = 4 + 10 * 32


@pytest.fixture(scope="module")
def batch():
    return seal(honest_world().books[0])[0]


@pytest.fixture(scope="module")
def calldata(batch):
    return settle_calldata(batch)


def with_word(calldata, index, value):
    """The calldata with one word replaced, counted after the selector."""
    at = 4 + 32 * index
    return calldata[:at] + value.to_bytes(32, "big") + calldata[at + 32 :]


def word_at(calldata, index):
    return int.from_bytes(calldata[4 + 32 * index : 36 + 32 * index], "big")


@given(batches())
def test_a_batch_is_encoded_as_eth_abi_does(batch):
    call = pack(batch)
    values = [
        batch.session.market,
        batch.session.product,
        batch.session.delivery_start,
        batch.part,
        batch.parts,
        batch.order_root,
        batch.parameters,
        [(packed.terms, packed.preferences, packed.signature[:32], packed.signature[32:]) for packed in call.orders],
        list(call.trades),
        list(call.fees),
    ]
    assert settle_calldata(batch) == SELECTOR + abi_encode(TYPES, values)


@given(batches())
def test_a_batch_is_read_back_from_its_calldata(batch):
    assert read_settle(settle_calldata(batch), REGISTRY, SEPARATOR) == batch


@given(batches(), st.data())
def test_calldata_that_can_be_read_is_the_encoding_of_what_was_read(batch, data):
    calldata = bytearray(settle_calldata(batch))
    calldata[data.draw(st.integers(0, len(calldata) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        call = decode(bytes(calldata))
    except CalldataMalformed:
        return
    assert encode(call) == bytes(calldata)


def test_the_selector_is_the_contract_s():
    (settle,) = (entry for entry in load("Settlement").abi if entry.get("name") == "settle")
    types = ",".join(argument["type"] for argument in settle["inputs"])
    assert f"settle({types})" == SETTLE
    assert keccak(SETTLE.encode())[:4] == SELECTOR


def test_a_full_batch_is_encoded_and_read():
    for batch in seal(large_book(300)):
        assert encode(decode(settle_calldata(batch))) == settle_calldata(batch)


def test_calldata_of_another_function_is_refused(calldata):
    decode(calldata)
    with pytest.raises(CalldataMalformed, match="no call of settle"):
        decode(b"\0" * 4 + calldata[4:])


@pytest.mark.parametrize(("index", "bits"), [(0, 32), (1, 8), (2, 40), (3, 16), (4, 16), (11, 240)], ids=str)
def test_bits_above_a_field_are_refused(calldata, index, bits):
    decode(calldata)
    with pytest.raises(CalldataMalformed, match="bits above"):
        decode(with_word(calldata, index, word_at(calldata, index) | 1 << bits))


def test_bits_above_a_trade_are_refused(batch, calldata):
    index = 10 + 1 + 4 * len(batch.orders) + 1
    with pytest.raises(CalldataMalformed, match="bits above"):
        decode(with_word(calldata, index, word_at(calldata, index) | 1 << 176))


@pytest.mark.parametrize("index", [7, 8, 9])
@pytest.mark.parametrize("shift", [32, -32, 1])
def test_arrays_elsewhere_than_in_their_one_place_are_refused(calldata, index, shift):
    with pytest.raises(CalldataMalformed):
        decode(with_word(calldata, index, word_at(calldata, index) + shift))


@pytest.mark.parametrize("surplus", [1, 31, 32])
def test_trailing_bytes_are_refused(calldata, surplus):
    with pytest.raises(CalldataMalformed):
        decode(calldata + bytes(surplus))


@pytest.mark.parametrize("missing", [1, 32, 64, 4096])
def test_calldata_that_ends_too_soon_is_refused(calldata, missing):
    with pytest.raises(CalldataMalformed):
        decode(calldata[:-missing] if missing < len(calldata) else calldata[:36])


def test_more_items_than_the_contract_takes_are_refused(batch, calldata):
    with pytest.raises(CalldataMalformed, match="at most 512"):
        decode(with_word(calldata, 10, 513))


def test_a_trade_of_an_order_that_is_not_in_the_call_is_refused(batch):
    call = pack(batch)
    world = honest_world_registry()
    read_settle(encode(call), world, SEPARATOR)
    for shift in (160, 144):
        stray = replace(call, trades=(call.trades[0] | 0xFFFF << shift, *call.trades[1:]))
        with pytest.raises(CalldataMalformed, match="not in the call"):
            read_settle(encode(stray), world, SEPARATOR)


WEST, EAST, FEEDER = 11, 12, 10
LAST, TOP = 1 << 81, 1 << 80
ROWS = (
    fee_row(FEEDER, (EAST, 3_000), (FEEDER, 10_000), (WEST, 4_000)),
    fee_row(FEEDER, (EAST, 3_000), (FEEDER, 10_000)),
    fee_row(WEST, (WEST, 4_000)),
)


def with_rows(batch, *rows):
    """The batch, its trades with these rows in turn."""
    trades = [replace(trade, fees=rows[i % len(rows)]) for i, trade in enumerate(batch.trades * len(rows))]
    return replace(batch, trades=tuple(sorted(trades, key=Trade.leaf)))


def test_the_rows_of_a_batch_stand_once_each_in_their_order(batch):
    call = pack(with_rows(batch, *ROWS))
    assert call.fees == (
        EAST << 48 | 3_000,
        TOP | FEEDER << 48 | 10_000,
        LAST | WEST << 48 | 4_000,
        EAST << 48 | 3_000,
        LAST | TOP | FEEDER << 48 | 10_000,
        LAST | TOP | WEST << 48 | 4_000,
    )
    assert {packed_amounts(packed)[2] for packed in call.trades} == {0, 1, 2}


def test_a_batch_of_several_rows_is_read_back(batch):
    several = with_rows(batch, *ROWS)
    assert read_settle(settle_calldata(several), honest_world_registry(), SEPARATOR) == several


AWRY = {
    "rows in another order": (lambda a, b, c: [*c, *a, *b], "do not ascend"),
    "rows of one top in another order": (lambda a, b, c: [*b, *a, *c], "do not ascend"),
    "a row twice": (lambda a, b, c: [*a, *b, *c, *c], "do not ascend"),
    "a row that is no trade's": (lambda a, b, c: [*a, *b, *c, LAST | TOP | 99 << 48], "no trade's"),
    "a row too few": (lambda a, b, _: [*a, *b], "fee row that is not in the call"),
    "no end": (lambda a, b, c: [*a, *b, *c, TOP | 99 << 48], "does not end"),
    "no top": (lambda a, b, c: [*a, *b, c[0] & ~TOP], "0 tops"),
    "two tops": (lambda a, b, c: [*a, b[0] | TOP, b[1], *c], "2 tops"),
    "a node twice": (lambda a, b, c: [*a, FEEDER << 48 | 1, b[1], *c], "a fee row is none"),
    "a node that takes nothing": (lambda a, b, c: [*a, EAST << 48, b[1], *c], "a fee row is none"),
    "node 0": (lambda a, b, c: [*a, 5, b[1], *c], "a fee row is none"),
    "a row too long": (lambda *_: [*(node << 48 | 1 for node in range(1, 32)), LAST | TOP | 99 << 48], "32 nodes"),
    "rows too many": (lambda *_: [LAST | TOP | node << 48 for node in range(1, 130)], "129 fee rows"),
}


@pytest.mark.parametrize(("spoil", "why"), AWRY.values(), ids=AWRY.keys())
def test_rows_that_are_not_those_of_the_trades_are_refused(batch, spoil, why):
    call = pack(with_rows(batch, *ROWS))
    a, b, c = call.fees[:3], call.fees[3:5], call.fees[5:]
    world = honest_world_registry()
    read_settle(encode(replace(call, fees=(*a, *b, *c))), world, SEPARATOR)
    with pytest.raises(CalldataMalformed, match=why):
        read_settle(encode(replace(call, fees=tuple(spoil(a, b, c)))), world, SEPARATOR)


def test_bits_above_a_word_of_fees_are_refused(calldata):
    last = (len(calldata) - 4) // 32 - 1
    decode(calldata)
    with pytest.raises(CalldataMalformed, match="bits above"):
        decode(with_word(calldata, last, word_at(calldata, last) | 1 << 82))


def test_more_rows_than_a_call_holds_cannot_be_packed(batch):
    trade, *_ = batch.trades

    def crowded(count):
        trades = [replace(trade, fees=fee_row(7, (7, number))) for number in range(count)]
        return replace(batch, trades=tuple(sorted(trades, key=Trade.leaf)))

    settle_calldata(crowded(128))
    with pytest.raises(BookUnsound):
        settle_calldata(crowded(129))


def test_an_order_of_an_unknown_asset_is_refused(batch):
    call = pack(batch)
    first = call.orders[0]
    stray = replace(call, orders=(replace(first, terms=first.terms | 0xFFFF << 208), *call.orders[1:]))
    with pytest.raises(CalldataMalformed, match="no asset"):
        read_settle(encode(stray), honest_world_registry(), SEPARATOR)


def test_an_order_of_no_energy_or_no_side_is_refused(batch):
    call = pack(batch)
    first = call.orders[0]
    for terms in (first.terms & ~(((1 << 48) - 1) << 152), first.terms | 0xFE << 200):
        stray = replace(call, orders=(replace(first, terms=terms), *call.orders[1:]))
        with pytest.raises(CalldataMalformed, match="an order is none"):
            read_settle(encode(stray), honest_world_registry(), SEPARATOR)


def test_an_unknown_product_is_refused(batch):
    stray = replace(pack(batch), product=200)
    with pytest.raises(CalldataMalformed, match="product"):
        read_settle(encode(stray), honest_world_registry(), SEPARATOR)


@pytest.mark.parametrize(
    "changes",
    [
        {"energy": Wh(1 << 48)},
        {"energy": Wh(-1)},
        {"rate": MicroPerKwh(1 << 47)},
        {"rate": MicroPerKwh(-(1 << 47) - 1)},
        {"fees": fee_row(1, *((node, 1) for node in range(1, 33)))},
    ],
    ids=str,
)
def test_a_trade_that_fits_no_field_cannot_be_packed(batch, changes):
    first, *rest = batch.trades
    settle_calldata(batch)
    with pytest.raises(BookUnsound):
        settle_calldata(replace(batch, trades=(replace(first, **changes), *rest)))


def honest_world_registry():
    return founded(0).state.registry
