"""The contract against a plain reference, on batches nobody thought of: honest ones, and ones with a lie in them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from random import Random

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.contracts.machine import Refused, Revm
from tests.contracts.oracle import Facts, settle
from tests.contracts.orders import BID, OFFER, Batch, Trade
from tests.contracts.town import FEE_CAP, GATE_CLOSURE, Town

MEMBERS = ("the baker", "the miller", "the smith", "the potter")
# two assets are the baker's, so that a batch can try to trade with itself
ASSETS = (*MEMBERS, "the baker's roof")


def signer(asset: str) -> str:
    return "the baker" if asset == "the baker's roof" else asset


@cache
def founded(*, uniform: bool) -> Town:
    town = Town(Revm())
    for member in MEMBERS:
        town.open(member, 1)
    town.enrol("the baker", "the baker's roof")
    town.open_market(2, uniform=uniform)
    return town


@contextmanager
def new_town(*, uniform: bool) -> Iterator[tuple[Town, Facts]]:
    """A town as if nothing had happened in it yet."""
    with founded(uniform=uniform).as_before() as town:
        town.close_gate()
        facts = Facts(
            account_of={town.assets[asset]: town.accounts[signer(asset)] for asset in ASSETS},
            signer_of={town.assets[asset]: signer(asset) for asset in ASSETS},
            fee_account=town.accounts["the fee collector"],
            fee_cap=FEE_CAP,
            uniform=uniform,
            gate_closure=GATE_CLOSURE,
        )
        yield town, facts


def credits_in(town: Town) -> dict[int, int]:
    return {number: town.read("credit_of", number) for number in town.accounts.values()}


def rate(chance: Random) -> int:
    return chance.randint(-100_000, 400_000)


def honest(chance: Random, town: Town, facts: Facts) -> Batch:
    """Orders at any limits, matched wherever two of them allow it, at any rate between their limits."""
    orders = []
    for place in range(chance.randint(0, 24)):
        asset = chance.choice(ASSETS)
        terms = {"signer": signer(asset), "salt": place, "market": 2}
        orders.append(town.order(asset, chance.choice((BID, OFFER)), chance.randint(1, 3_000), rate(chance), **terms))
    left = [order.energy for order in orders]
    trades: list[Trade] = []
    for i, bid in enumerate(orders):
        for j, offer in enumerate(orders):
            fits = (bid.side, offer.side) == (BID, OFFER) and bid.limit >= offer.limit
            if not fits or facts.account_of[bid.asset] == facts.account_of[offer.asset] or not min(left[i], left[j]):
                continue
            if facts.uniform and trades and not offer.limit <= trades[0].rate <= bid.limit:
                continue
            energy = chance.randint(1, min(left[i], left[j]))
            paid = trades[0].rate if facts.uniform and trades else chance.randint(offer.limit, bid.limit)
            fee = chance.randint(0, min(FEE_CAP, bid.limit - paid))
            trades.append(Trade(bid=i, offer=j, energy=energy, rate=paid, fee=fee))
            left[i], left[j] = left[i] - energy, left[j] - energy
    return town.batch(orders, trades, market=2)


def with_a_lie(chance: Random, batch: Batch) -> Batch:
    """The batch with one thing changed that its signers did not agree to (or did, by chance)."""
    orders, trades = list(batch.orders), list(batch.trades)
    if trades and chance.random() < 0.75:
        place = chance.randrange(len(trades))
        changes: list[dict[str, int]] = [
            {"energy": 0},
            {"energy": chance.randint(1, 4_000)},
            {"rate": rate(chance)},
            {"fee": chance.randint(0, 2 * FEE_CAP)},
            {"bid": chance.randrange(len(orders) + 1)},
            {"offer": chance.randrange(len(orders) + 1)},
            {"bid": trades[place].offer, "offer": trades[place].bid},
        ]
        trades[place] = replace(trades[place], **chance.choice(changes))
    elif orders:
        place = chance.randrange(len(orders))
        match chance.randrange(4):
            case 0:
                orders.insert(place, orders[place])
            case 1:
                orders.reverse()
            case 2:
                orders[place] = orders[place].but(signer="the thief")
            case 3:
                orders[place] = orders[place].but(valid_until=GATE_CLOSURE - 1)
    return batch.but(orders=orders, trades=trades)


def run(town: Town, batch: Batch) -> dict[int, int] | str:
    """What the contract makes of the batch: the credits after it, or why it refused."""
    before = credits_in(town)
    try:
        outcome = town.settle(batch)
    except Refused as refusal:
        assert credits_in(town) == before, "a refusal changes nothing"
        return refusal.reason
    [(_, fields)] = town.settlement.events(outcome)
    assert fields["trade_root"] == batch.trade_root()
    assert fields["energy_wh"] == sum(trade.energy for trade in batch.trades)
    assert fields["value_nano"] == sum(trade.energy * trade.rate for trade in batch.trades)
    assert fields["fee_nano"] == sum(trade.energy * trade.fee for trade in batch.trades)
    return credits_in(town)


def agree(chance: Random, *, uniform: bool, lie: bool) -> None:
    with new_town(uniform=uniform) as (town, facts):
        batch = honest(chance, town, facts)
        if lie:
            batch = with_a_lie(chance, batch)
        expected = settle(batch, credits_in(town), facts)
        event(expected if isinstance(expected, str) else "settled")
        assert run(town, batch) == expected


chances = st.integers(0, 2**64 - 1).map(Random)


@given(chance=chances, uniform=st.booleans())
@settings(max_examples=60, deadline=None)
def test_an_honest_batch_does_what_the_reference_does(chance, uniform):
    agree(chance, uniform=uniform, lie=False)


@given(chance=chances, uniform=st.booleans())
@settings(max_examples=120, deadline=None)
def test_a_lie_is_refused_for_the_reason_the_reference_gives(chance, uniform):
    agree(chance, uniform=uniform, lie=True)


@pytest.mark.slow
@given(chance=chances, uniform=st.booleans(), lie=st.booleans())
@settings(max_examples=5_000, deadline=None)
def test_contract_and_reference_agree_on_thousands_of_batches(chance, uniform, lie):
    agree(chance, uniform=uniform, lie=lie)


@given(chance=chances)
@settings(max_examples=30, deadline=None)
def test_nobody_but_a_signer_loses_money(chance):
    with new_town(uniform=False) as (town, facts):
        batch = with_a_lie(chance, honest(chance, town, facts))
        before = credits_in(town)
        after = run(town, batch)
        if isinstance(after, dict):
            signers = {town.accounts[order.signer] for order in batch.orders}
            assert {number for number in before if after[number] < before[number]} <= signers


@given(chance=chances)
@settings(max_examples=30, deadline=None)
def test_nobody_pays_more_or_gets_less_than_it_signed(chance):
    with new_town(uniform=False) as (town, facts):
        batch = honest(chance, town, facts)
        before = credits_in(town)
        after = run(town, batch)
        if isinstance(after, str):
            return
        worst: Counter[int] = Counter()
        for trade in batch.trades:
            bid, offer = batch.orders[trade.bid], batch.orders[trade.offer]
            worst[facts.account_of[bid.asset]] -= trade.energy * bid.limit
            worst[facts.account_of[offer.asset]] += trade.energy * offer.limit
        for number, change in worst.items():
            assert after[number] - before[number] >= change


@given(chance=chances)
@settings(max_examples=30, deadline=None)
def test_the_order_of_trades_does_not_change_the_money(chance):
    with new_town(uniform=False) as (town, facts):
        batch = honest(chance, town, facts)
        outcome = run(town, batch)
    with new_town(uniform=False) as (town, _):
        shuffled = batch.but(trades=chance.sample(batch.trades, len(batch.trades)))
        assert run(town, shuffled) == outcome


@given(chance=chances)
@settings(max_examples=30, deadline=None)
def test_in_how_many_parts_a_session_is_settled_does_not_change_the_money(chance):
    with new_town(uniform=False) as (town, facts):
        batch = honest(chance, town, facts)
        whole = settle(batch, credits_in(town), facts)
        cut = chance.randint(0, len(batch.trades))
        for part, trades in enumerate((batch.trades[:cut], batch.trades[cut:])):
            outcome = run(town, batch.but(trades=trades, part=part, parts=2))
            if isinstance(outcome, str):
                # who earns only in the second part cannot spend it in the first
                assert outcome == "money: credit is short"
                return
        assert credits_in(town) == whole
