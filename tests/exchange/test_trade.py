"""A trade's amounts and its leaf."""

import pytest
from eth_abi import encode
from eth_utils import keccak as foreign_keccak
from hypothesis import given
from hypothesis import strategies as st

from exchange.delivery import Product, SessionKey
from exchange.trade import LEAF_TYPES, Trade
from tests.strategies import SESSION, digests, energies, fees, rates

trades = st.builds(
    Trade, session=st.just(SESSION), bid=digests, offer=digests, energy=energies, rate=rates, fee_rate=fees
)


@given(trades)
def test_the_buyer_pays_what_the_seller_and_the_node_get(trade):
    assert trade.cost == trade.value + trade.fee == trade.energy * (trade.rate + trade.fee_rate)


@given(trades)
def test_the_leaf_is_the_double_hash_of_its_abi_encoding(trade):
    encoded = encode(LEAF_TYPES, (SESSION.number, trade.bid, trade.offer, trade.energy, trade.rate, trade.fee_rate))
    assert trade.leaf() == foreign_keccak(foreign_keccak(encoded))


@given(st.builds(SessionKey, st.integers(1, (1 << 32) - 1), st.just(Product.SPOT), st.integers(0, (1 << 40) - 1)))
def test_a_leaf_names_its_session_whatever_its_number(session):
    trade = Trade(session=session, bid=bytes(32), offer=bytes(32), energy=7, rate=-10, fee_rate=1)
    encoded = encode(LEAF_TYPES, (session.number, bytes(32), bytes(32), 7, -10, 1))
    assert trade.leaf() == foreign_keccak(foreign_keccak(encoded))


@pytest.mark.parametrize(("energy", "rate", "fee"), [(1 << 64, 0, 0), (1, 1 << 63, 0), (1, -(1 << 63) - 1, 1 << 64)])
def test_what_no_order_can_hold_has_a_leaf_too(energy, rate, fee):
    trade = Trade(session=SESSION, bid=bytes(32), offer=bytes(32), energy=energy, rate=rate, fee_rate=fee)
    encoded = encode(LEAF_TYPES, (SESSION.number, bytes(32), bytes(32), energy, rate, fee))
    assert trade.leaf() == foreign_keccak(foreign_keccak(encoded))


@given(trades, trades)
def test_different_trades_have_different_leaves(one, other):
    assert (one == other) == (one.leaf() == other.leaf())


def test_below_zero_the_seller_pays_the_buyer():
    trade = Trade(session=SESSION, bid=bytes(32), offer=bytes(32), energy=7, rate=-10, fee_rate=0)
    assert (trade.value, trade.cost) == (-70, -70)
