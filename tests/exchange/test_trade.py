"""A trade's amounts and its leaf."""

import pytest
from eth_abi import encode
from eth_utils import keccak as foreign_keccak
from hypothesis import given
from hypothesis import strategies as st

from exchange.delivery import Product, SessionKey
from exchange.trade import LEAF_TYPES, Trade
from tests.strategies import SESSION, digests, energies, fee_row, fee_rows, one_fee, rates

trades = st.builds(
    Trade, session=st.just(SESSION), bid=digests, offer=digests, energy=energies, rate=rates, fees=fee_rows()
)


@given(trades)
def test_the_buyer_pays_what_the_seller_and_the_nodes_get(trade):
    by_node = [trade.energy * share.rate for share in trade.fees.shares]
    assert trade.fee == sum(by_node) == trade.energy * trade.fee_rate
    assert trade.cost == trade.value + trade.fee == trade.energy * (trade.rate + trade.fee_rate)


@given(trades)
def test_the_leaf_is_the_double_hash_of_its_abi_encoding(trade):
    row = foreign_keccak(encode(["uint256"] * len(trade.fees.shares), trade.fees.words()))
    encoded = encode(LEAF_TYPES, (SESSION.number, trade.bid, trade.offer, trade.energy, trade.rate, row))
    assert trade.leaf() == foreign_keccak(foreign_keccak(encoded))


@given(st.builds(SessionKey, st.integers(1, (1 << 32) - 1), st.just(Product.SPOT), st.integers(0, (1 << 40) - 1)))
def test_a_leaf_names_its_session_whatever_its_number(session):
    trade = Trade(session=session, bid=bytes(32), offer=bytes(32), energy=7, rate=-10, fees=one_fee(1, 1))
    encoded = encode(LEAF_TYPES, (session.number, bytes(32), bytes(32), 7, -10, trade.fees.name))
    assert trade.leaf() == foreign_keccak(foreign_keccak(encoded))


@pytest.mark.parametrize(("energy", "rate"), [(1 << 64, 0), (1, 1 << 63), (1, -(1 << 63) - 1)])
def test_what_no_order_can_hold_has_a_leaf_too(energy, rate):
    trade = Trade(session=SESSION, bid=bytes(32), offer=bytes(32), energy=energy, rate=rate, fees=one_fee(1, 5))
    encoded = encode(LEAF_TYPES, (SESSION.number, bytes(32), bytes(32), energy, rate, trade.fees.name))
    assert trade.leaf() == foreign_keccak(foreign_keccak(encoded))


@given(trades, trades)
def test_different_trades_have_different_leaves(one, other):
    assert (one == other) == (one.leaf() == other.leaf())


def test_below_zero_the_seller_pays_the_buyer():
    trade = Trade(session=SESSION, bid=bytes(32), offer=bytes(32), energy=7, rate=-10, fees=one_fee(1, 0))
    assert (trade.value, trade.cost) == (-70, -70)


def test_a_row_is_words_that_say_node_rate_top_and_end():
    row = fee_row(1, (3, 2_000), (1, 0), (2, 5_000))
    assert row.words() == (3 << 48 | 2_000, 1 << 80 | 1 << 48, 1 << 81 | 2 << 48 | 5_000)
    assert (row.rate, row.before_top) == (7_000, 2_000)
    assert one_fee(9, 4).words() == (1 << 81 | 1 << 80 | 9 << 48 | 4,)


@given(fee_rows(), fee_rows())
def test_different_rows_have_different_names(one, other):
    assert (one == other) == (one.name == other.name)
