"""The fold over the contract's log stands where the contract stands."""

from dataclasses import replace

import pytest

from exchange.trade import Trade
from exchange.units import Nano
from settlement.batch import seal
from settlement.calldata import settle_calldata
from settlement.chain_state import ChainState
from settlement.errors import CalldataMalformed, CreditShort
from settlement.facts import BatchSettled, Withdrawn
from tests.registries import ROLES
from tests.settlement.world import CONSUMING, DOMAIN, FEES, GRID, MARKET, PRODUCING, founded, honest_world, settled
from tests.strategies import fee_row


@pytest.fixture(scope="module")
def world():
    return honest_world()


def test_folding_the_log_again_gives_the_same_state(world):
    state = ChainState(DOMAIN.separator(), ROLES)
    read = []
    for witnessed in world.chain.facts:
        fact = witnessed.fact
        part = (fact.session, fact.part) if isinstance(fact, BatchSettled) else None
        batch = state.apply(fact, world.chain.calldata.get(part))
        if batch is not None:
            read.append(batch)
    assert state.ledger.credits() == world.chain.credits
    assert tuple(read) == world.batches
    assert set(state.settled) == set(world.chain.calldata)
    assert state.markets[MARKET.number].lead == MARKET.lead
    assert state.registry.accounts[FEES].number == FEES
    assert state.free(GRID) == state.ledger.credit(GRID)


def test_a_batch_without_its_calldata_or_with_another_s_is_refused_and_changes_nothing(world):
    first, second = world.batches[0], world.batches[1]
    chain = founded(0)
    before = chain.state.ledger.credits()
    for calldata in (None, b"", settle_calldata(second)):
        with pytest.raises(CalldataMalformed):
            chain.state.apply(settled(first), calldata)
    assert chain.state.ledger.credits() == before
    chain.state.apply(settled(first), settle_calldata(first))
    assert chain.state.ledger.credits() != before


def test_a_batch_of_a_market_that_was_never_opened_is_refused(world):
    chain = founded(0)
    chain.state.markets.clear()
    with pytest.raises(CalldataMalformed, match="no market"):
        chain.state.apply(settled(world.batches[0]), settle_calldata(world.batches[0]))


def test_a_batch_with_a_node_that_was_never_opened_is_refused(world):
    chain = founded(0)
    batch = world.batches[0]
    row = fee_row(MARKET.number, (99, 1), (MARKET.number, 1))
    trades = tuple(sorted((replace(trade, fees=row) for trade in batch.trades), key=Trade.leaf))
    calldata = settle_calldata(replace(batch, trades=trades))
    with pytest.raises(CalldataMalformed, match="no market 99"):
        chain.state.apply(settled(batch), calldata)
    chain.state.markets[99] = replace(chain.state.markets[MARKET.number], market=99)
    chain.state.apply(settled(batch), calldata)


def test_a_batch_that_somebody_cannot_pay_is_refused(world):
    chain = founded(0)
    chain.state.ledger.request_withdrawal(CONSUMING, Nano(50_000_000_000), 0)
    chain.state.apply(Withdrawn(CONSUMING, Nano(50_000_000_000)))
    with pytest.raises(CreditShort):
        chain.state.apply(settled(world.batches[0]), settle_calldata(world.batches[0]))
    assert (MARKET.session(1_782_000_000).number, 0) not in chain.state.settled


def test_orders_are_named_under_the_domain_of_the_contract(world):
    elsewhere = ChainState(replace(DOMAIN, chain_id=1).separator(), ROLES)
    for witnessed in founded(0).facts:
        elsewhere.apply(witnessed.fact)
    (batch,) = seal(world.books[0])
    read = elsewhere.apply(settled(batch), settle_calldata(batch))
    assert read is not None
    assert {sealed.digest for sealed in read.orders}.isdisjoint(sealed.digest for sealed in batch.orders)
    # the money is the same: it hangs on asset numbers
    assert elsewhere.ledger.credit(PRODUCING) > 50_000_000_000
