"""A trade's amounts and its leaf."""

from eth_abi import encode
from eth_utils import keccak as foreign_keccak
from hypothesis import given
from hypothesis import strategies as st

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


@given(trades, trades)
def test_different_trades_have_different_leaves(one, other):
    assert (one == other) == (one.leaf() == other.leaf())


def test_below_zero_the_seller_pays_the_buyer():
    trade = Trade(session=SESSION, bid=bytes(32), offer=bytes(32), energy=7, rate=-10, fee_rate=0)
    assert (trade.value, trade.cost) == (-70, -70)
