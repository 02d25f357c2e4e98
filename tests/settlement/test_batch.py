"""Sealing: the same book gives the same batches, and every trade is in exactly one of them."""

from dataclasses import replace

import pytest
from eth_abi import encode

from exchange.parameters import LEAST_BATCH_GAS
from exchange.trade import Trade
from exchange.units import Wh
from identity.hashing import keccak
from settlement.batch import seal
from settlement.calldata import pack
from settlement.errors import BookUnsound
from settlement.fee_words import MAX_ROWS
from settlement.merkle import EMPTY_ROOT, Tree
from settlement.order_leaf import ORDER_LEAF_TYPES, order_leaf, order_tree
from settlement.parts import MAX_GAS, MAX_ORDERS, MAX_TRADES, estimated_gas
from tests.settlement.generated import large_book, with_clearing
from tests.settlement.world import honest_world


@pytest.fixture(scope="module")
def world():
    return honest_world()


@pytest.fixture(scope="module")
def crowd():
    return large_book(700)


def gas_of(batch):
    return pack(batch).estimated_gas


def test_a_session_that_fits_is_one_part_with_its_trading_orders_only(world):
    book = world.books[0]
    (batch,) = seal(book)
    traded = {digest for trade in batch.trades for digest in (trade.bid, trade.offer)}
    assert (batch.part, batch.parts) == (0, 1)
    assert [sealed.digest for sealed in batch.orders] == sorted(traded)
    assert len(traded) < len(book.orders)
    assert batch.trades == book.cleared.clearing.trades
    assert batch.trade_root == Tree(trade.leaf() for trade in batch.trades).root
    assert batch.energy == book.cleared.clearing.energy
    assert batch.parameters == book.parameters.hash()


def test_a_session_without_trades_is_committed_all_the_same(world):
    (batch,) = seal(world.books[1])
    assert batch.orders == batch.trades == ()
    assert batch.trade_root == EMPTY_ROOT
    assert batch.order_root == order_tree(world.books[1]).root != EMPTY_ROOT


def test_every_admitted_order_has_a_leaf_cancelled_and_excluded_ones_too(world):
    book = world.books[0]
    tree = order_tree(book)
    assert len(tree.leaves) == len(book.orders)
    gone = {cancellation.digest for cancellation in book.cancellations}
    for accepted in book.orders:
        receipt = accepted.receipt
        cancelled = accepted.digest in gone
        values = (book.key.number, accepted.digest, receipt.sequence, receipt.received_at, cancelled)
        assert keccak(keccak(encode(ORDER_LEAF_TYPES, values))) in tree
        leaf = order_leaf(book.key, accepted.digest, receipt.sequence, receipt.received_at, cancelled=not cancelled)
        assert leaf not in tree


@pytest.mark.parametrize("pairs", [256, 257])
def test_more_orders_than_a_call_holds_are_split(pairs):
    book = large_book(pairs)
    traded = {digest for trade in book.cleared.clearing.trades for digest in (trade.bid, trade.offer)}
    assert len(seal(book)) == (1 if len(traded) <= MAX_ORDERS else 2)
    assert (pairs == 257) == (len(traded) > MAX_ORDERS)


def test_parts_hold_every_trade_once_and_stay_within_the_bounds(crowd):
    batches = seal(crowd)
    assert len(batches) > 1
    assert [batch.part for batch in batches] == list(range(len(batches)))
    trades = [trade for batch in batches for trade in batch.trades]
    assert sorted(trades, key=Trade.leaf) == list(crowd.cleared.clearing.trades)
    for batch in batches:
        assert batch.parts == len(batches)
        assert batch.order_root == batches[0].order_root
        assert len(batch.orders) <= MAX_ORDERS
        assert len(batch.trades) <= MAX_TRADES
        assert gas_of(batch) <= MAX_GAS
        digests = [sealed.digest for sealed in batch.orders]
        assert digests == sorted(set(digests))
        assert list(batch.trades) == sorted(batch.trades, key=Trade.leaf)


@pytest.mark.parametrize("gas", [LEAST_BATCH_GAS, 2_500_000, 6_000_000])
def test_where_blocks_hold_less_parts_are_smaller(gas):
    small = bounded(large_book(300), gas)
    batches = seal(small)
    assert len(batches) > len(seal(large_book(300)))
    assert all(gas_of(batch) <= gas for batch in batches)
    trades = [trade for batch in batches for trade in batch.trades]
    assert sorted(trades, key=Trade.leaf) == list(small.cleared.clearing.trades)


def test_a_session_that_fits_in_a_small_block_is_one_part():
    book = large_book(20)
    (usual,) = seal(book)
    needed = gas_of(usual)
    assert needed > LEAST_BATCH_GAS // 2
    bound = max(needed, LEAST_BATCH_GAS)
    assert [batch.trades for batch in seal(bounded(book, bound))] == [usual.trades]


def bounded(book, gas):
    """The book under rules that bound a batch."""
    parameters = replace(book.parameters, batch_gas=gas)
    return replace(book, parameters=parameters, cleared=replace(book.cleared, parameters=parameters.hash()))


def test_few_orders_stand_in_two_parts(crowd):
    batches = seal(crowd)
    entered = sum(len(batch.orders) for batch in batches)
    traded = {digest for trade in crowd.cleared.clearing.trades for digest in (trade.bid, trade.offer)}
    assert entered <= len(traded) + 2 * (len(batches) - 1)


def test_sealing_twice_gives_the_same(world, crowd):
    for book in (*world.books, crowd):
        assert seal(book) == seal(book)


def test_a_full_part_stays_below_the_gas_of_a_transaction():
    for rows, shares in ((1, 1), (4, 8), (MAX_ROWS, 3 * MAX_ROWS)):
        gas = estimated_gas(MAX_ORDERS, MAX_TRADES, 1, rows=rows, shares=shares, nodes=3)
        assert gas <= MAX_GAS


def test_a_trade_of_no_order_cannot_be_sealed(world):
    trade, *rest = world.books[0].cleared.clearing.trades
    stray = Trade(
        session=trade.session,
        bid=keccak(b"nobody's"),
        offer=trade.offer,
        energy=Wh(1),
        rate=trade.rate,
        fees=trade.fees,
    )
    with pytest.raises(BookUnsound):
        seal(with_clearing(world.books[0], trades=(stray, *rest)))
