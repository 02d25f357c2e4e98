"""The contract against a plain reference, on batches nobody thought of: honest ones, and ones with a lie in them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.contracts.machine import Refused, Revm
from tests.contracts.oracle import Facts, Node, settle
from tests.contracts.orders import BID, OFFER, Batch, Row, Trade
from tests.contracts.town import FEE_CAP, GATE_CLOSURE, Town

MEMBERS = ("the baker", "the miller", "the smith", "the potter")
# two assets are the baker's, so that a batch can try to trade with itself
ASSETS = (*MEMBERS, "the baker's roof")
NODES = (2, 3, 4, 70_000)
"""A tree's root, and some of its nodes; nothing on the chain says which lies above which."""


def signer(asset: str) -> str:
    return "the baker" if asset == "the baker's roof" else asset


@cache
def founded(*, uniform: bool) -> Town:
    town = Town(Revm())
    for member in MEMBERS:
        town.open(member, 1)
    town.enrol("the baker", "the baker's roof")
    for number in NODES:
        town.open_account(f"the operator of {number}")
        town.open_market(number, tree=2, collector=f"the operator of {number}", uniform=uniform)
    return town


@contextmanager
def new_town(*, uniform: bool) -> Iterator[tuple[Town, Facts]]:
    """A town as if nothing had happened in it yet."""
    with founded(uniform=uniform).as_before() as town:
        town.close_gate()
        facts = Facts(
            account_of={town.assets[asset]: town.accounts[signer(asset)] for asset in ASSETS},
            signer_of={town.assets[asset]: signer(asset) for asset in ASSETS},
            nodes={number: Node(town.accounts[f"the operator of {number}"], FEE_CAP, uniform) for number in NODES},
            gate_closure=GATE_CLOSURE,
        )
        yield town, facts


def credits_in(town: Town) -> dict[int, int]:
    return {number: town.read("credit_of", number) for number in town.accounts.values()}


def rate(chance: Random) -> int:
    return chance.randint(-100_000, 400_000)


def some_row(chance: Random, most: int) -> Row:
    """A way through some nodes, which take at most `most` together; every other time one that many trades go."""
    if chance.random() < 0.5 and most >= 21_000:
        return Row(((3, 7_000), (2, 10_000), (4, 4_000)), chance.choice((2, 3)))
    way = chance.sample(NODES, chance.randint(1, len(NODES)))
    top = chance.choice(way)
    rates = {node: min(chance.choice((0, 1, 7_000, 12_345)), FEE_CAP, most // len(way)) for node in way}
    return Row(tuple((node, rate) for node, rate in rates.items() if rate or node == top), top)


def honest(chance: Random, town: Town, facts: Facts) -> Batch:
    """Orders at any limits, matched wherever two of them allow it, at any rate between their limits.

    Where nodes promise one price, the first trade that is made at a node says it for all others there.
    """
    uniform = any(node.uniform for node in facts.nodes.values())
    price_at: dict[int, int] = {}
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
            energy = chance.randint(1, min(left[i], left[j]))
            row = some_row(chance, bid.limit - offer.limit)
            paid = chance.randint(offer.limit, bid.limit - row.fee)
            if uniform:
                paid = price_at.get(row.top, paid + row.before_top) - row.before_top
                if not offer.limit <= paid <= bid.limit - row.fee:
                    continue
                price_at[row.top] = paid + row.before_top
            trades.append(Trade(bid=i, offer=j, energy=energy, rate=paid, row=row))
            left[i], left[j] = left[i] - energy, left[j] - energy
    return town.batch(orders, trades, market=2)


def with_a_lie(chance: Random, batch: Batch) -> Batch:
    """The batch with one thing changed that its signers did not agree to (or did, by chance)."""
    orders, trades = list(batch.orders), list(batch.trades)
    if trades and chance.random() < 0.75:
        place = chance.randrange(len(trades))
        changes: list[dict[str, Any]] = [
            {"energy": 0},
            {"energy": chance.randint(1, 4_000)},
            {"rate": rate(chance)},
            {"row": Row(((chance.choice(NODES), chance.randint(0, 2 * FEE_CAP)),), 0)},
            {"row": some_row(chance, FEE_CAP)},
            {"bid": chance.randrange(len(orders) + 1)},
            {"offer": chance.randrange(len(orders) + 1)},
            {"bid": trades[place].offer, "offer": trades[place].bid},
        ]
        changed = replace(trades[place], **chance.choice(changes))
        row = changed.row
        assert row is not None
        if row.top == 0:
            changed = replace(changed, row=Row(row.shares, row.shares[0][0]))
        trades[place] = changed
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
    assert fields["fee_nano"] == sum(trade.energy * trade.row_in(batch.market).fee for trade in batch.trades)
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


@given(chance=chances, uniform=st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_batch_makes_no_money_and_loses_none(chance, uniform):
    with new_town(uniform=uniform) as (town, facts):
        batch = honest(chance, town, facts)
        before = credits_in(town)
        run(town, batch)
        assert sum(credits_in(town).values()) == sum(before.values())


@given(chance=chances)
@settings(max_examples=40, deadline=None)
def test_a_second_price_at_a_node_that_promises_one_is_refused_in_whichever_part(chance):
    with new_town(uniform=True) as (town, facts):
        batch = honest(chance, town, facts)
        if not batch.trades:
            return
        dear = chance.choice(batch.trades)
        other = replace(dear, energy=1, rate=dear.rate + chance.choice((-1, 1)))
        first, rest = batch.but(trades=[replace(dear, energy=1)], parts=2), batch.but(trades=[other], part=1, parts=2)
        if isinstance(run(town, first), str):
            return
        assert run(town, rest) in {
            "trades: two rates", "trades: rate is below the offer", "trades: rate is above the bid",
            "trades: bid is used up", "trades: offer is used up",
        }  # fmt: skip


@given(chance=chances, uniform=st.booleans())
@settings(max_examples=30, deadline=None)
def test_in_how_many_parts_a_session_is_settled_does_not_change_the_money(chance, uniform):
    with new_town(uniform=uniform) as (town, facts):
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
