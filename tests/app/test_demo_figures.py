"""What a day came to in a tree: worked out of a book made up for it, in which the limit of a community binds.

The producer's roof in the east offers 1,000 Wh; there a kitchen needs 300 Wh, in the west a flat 200 Wh, and a utility
at the feeder above takes what is left over. The east lets out 400 Wh. Every node takes 10,000 µ/kWh.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.demo_bills import Outside, without_market
from app.demo_figures import cost_of_limits, nodes_of_the_day, standing
from app.demo_forgery import forged
from exchange.agents import Alternative, need, output, supply, take_up
from exchange.book import Book
from exchange.clear import clear
from exchange.delivery import Mechanism
from exchange.events import OrderAccepted, SessionCleared
from exchange.order import Order, SignedOrder
from exchange.parameters import Parameters
from exchange.receipt import Receipt
from exchange.session_clearing import resting_order
from exchange.tree import Fee, Tree
from exchange.units import MicroPerKwh, Nano, Wh
from settlement.audit_clearing import check_clearing
from settlement.boundaries import boundaries_of
from tests.actors import Actor
from tests.exchange.neighbourhood import EAST, FEEDER, PARAMETERS, SPOT, TREE, WEST
from tests.exchange.street import ACCOUNTS, ASSETS, BARN, FLAT, HOUSE, KITCHEN, PLANT, ROOF, SEPARATOR, START

GRID_ACCOUNT = TREE.root.fee_account
SURPLUS = Actor("what the utility takes").address
OWNERS = {**ASSETS, SURPLUS: ASSETS[PLANT]}
ACCOUNT_OF = {asset: ACCOUNTS[owner] for asset, owner in OWNERS.items()}
UTILITY = Outside(
    account=ACCOUNT_OF[PLANT],
    node=FEEDER,
    alternative=Alternative(sell=MicroPerKwh(200_000), buy=MicroPerKwh(80_000)),
)
LOTS = Wh(100_000)


def under(
    limit: int | None,
    mechanism: Mechanism = Mechanism.PAY_AS_CLEAR,
    fees: tuple[int, ...] = (10_000, 10_000, 10_000),
    above_west: int = FEEDER,
) -> Parameters:
    """The neighbourhood's rules, where the east lets out no more than `limit`; the west may hang on the east."""
    nodes = [replace(node, export_limit=limit) if node.number == EAST else node for node in TREE.nodes]
    nodes = [replace(node, fee=Fee(constant=MicroPerKwh(fee))) for node, fee in zip(nodes, fees, strict=True)]
    nodes = [replace(node, parent=above_west) if node.number == WEST else node for node in nodes]
    homes = tuple(sorted([(PLANT, "sells"), (SURPLUS, "buys")]))  # no home of its own: its two sides never meet
    return replace(PARAMETERS, markets=(replace(SPOT, mechanism=mechanism),), tree=Tree(tuple(nodes)), homes=homes)


def orders(rules: Parameters, energies: dict[bytes, int]) -> list[Order]:
    """What the agents of the neighbourhood order: roofs offer, others need, the utility does both."""
    made = []
    for asset, energy in energies.items():
        seen = UTILITY.alternative.seen_from(rules.node_of(asset), FEEDER, rules.tree)
        make = output if asset in (ROOF, HOUSE) else need
        made.append(make(asset, Wh(energy), rules.spot, START, seen, salt=1))
    seen = UTILITY.alternative.seen_from_outside(FEEDER, rules.tree)
    both = ((supply, PLANT), (take_up, SURPLUS))
    return [*made, *(make(asset, LOTS, rules.spot, START, seen, salt=1) for make, asset in both)]


def book_of(rules: Parameters, energies: dict[bytes, int]) -> Book:
    """The book of one session."""
    accepted = tuple(
        OrderAccepted(
            digest=(digest := order.digest(SEPARATOR)),
            signed=SignedOrder(order, bytes(65)),
            receipt=Receipt(digest, sequence, START - 600),
            signer=OWNERS[order.asset].address,
            account=ACCOUNT_OF[order.asset],
            asset=sequence,
            free=Nano(0),
        )
        for sequence, order in enumerate(orders(rules, energies), 1)
    )
    key = rules.spot.session(START)
    resting = [resting_order(each, rules) for each in accepted]
    clearing = clear(resting, session=key, tree=rules.tree, mechanism=rules.spot.mechanism)
    cleared = SessionCleared(session=key, clearing=clearing, excluded=(), parameters=rules.hash(), at=START - 300)
    return Book(key=key, parameters=rules, orders=accepted, cancellations=(), cleared=cleared)


@pytest.fixture(scope="module")
def noon():
    return book_of(under(400), {ROOF: 1_000, KITCHEN: 300, FLAT: 200})


def test_a_days_energy_counts_at_the_node_where_its_way_turns(noon):
    days = nodes_of_the_day([noon, noon], UTILITY.account)
    assert [(day.number, day.depth) for day in days] == [(FEEDER, 0), (EAST, 1), (WEST, 1)]
    assert [(day.traded, day.bought) for day in days] == [(800, 400), (600, 600), (0, 0)]
    assert [(day.imported, day.exported) for day in days] == [(0, 0), (0, 800), (400, 0)]


def test_each_node_gets_its_fee_of_whatever_passes_it(noon):
    days = {day.number: day for day in nodes_of_the_day([noon], UTILITY.account)}
    assert {number: day.fees for number, day in days.items()} == {
        FEEDER: 400 * 10_000,
        EAST: 700 * 10_000,
        WEST: 200 * 10_000,
    }


def test_what_a_limit_held_back_counts_at_its_node(noon):
    quiet = book_of(under(400), {ROOF: 600, KITCHEN: 300, FLAT: 200})
    days = {day.number: day for day in nodes_of_the_day([noon, quiet], UTILITY.account)}
    assert {number: (day.held, day.full) for number, day in days.items()} == {
        FEEDER: (0, 0),
        EAST: (300, 1),
        WEST: (0, 0),
    }


def test_a_limit_cost_what_was_held_back_and_its_money_sums_to_nothing(noon):
    cost = cost_of_limits([noon])
    assert (cost.energy, cost.gains) == (300, 300 * 20_000)
    assert cost.money == {
        ACCOUNT_OF[ROOF]: 300 * 80_000,
        ACCOUNT_OF[PLANT]: -300 * 100_000,
        GRID_ACCOUNT: 300 * 20_000,
    }
    assert sum(cost.money.values()) == 0


def test_a_limit_that_held_nothing_back_cost_nothing():
    cost = cost_of_limits([book_of(under(700), {ROOF: 1_000, KITCHEN: 300, FLAT: 200})])
    assert (cost.energy, cost.gains, cost.money) == (0, 0, {})


def test_without_a_market_homes_deal_with_the_utility_under_the_same_limits(noon):
    assert without_market([noon], UTILITY) == {
        ACCOUNT_OF[ROOF]: -400 * 80_000,
        ACCOUNT_OF[KITCHEN]: 300 * 220_000,
        ACCOUNT_OF[FLAT]: 200 * 220_000,
    }


def test_without_a_market_own_energy_is_used_first_all_the_same():
    # the house and the barn have one account in the west; the barn is no home of its own here
    (bill,) = without_market([book_of(under(None), {HOUSE: 500, BARN: 200})], UTILITY).values()
    assert bill == -300 * 80_000


@settings(max_examples=40, deadline=None)
@given(
    st.permutations([ROOF, KITCHEN, FLAT, HOUSE]),  # who came first
    st.tuples(*[st.integers(1, 1_000)] * 4),
    st.none() | st.integers(0, 1_000),
    st.tuples(*[st.integers(0, 20_000)] * 3),
    st.sampled_from([Mechanism.PAY_AS_CLEAR, Mechanism.PAY_AS_BID, Mechanism.PAY_AS_OFFER]),
    st.sampled_from([FEEDER, EAST]),
)
def test_nobody_is_worse_off_than_without_the_market(assets, energies, limit, fees, mechanism, above_west):
    book = book_of(under(limit, mechanism, fees, above_west), dict(zip(assets, energies, strict=True)))
    bills = dict.fromkeys(ACCOUNT_OF.values(), 0)
    accounts = {resting.digest: resting.account for resting in standing(book)}
    for trade in book.cleared.clearing.trades:
        bills[accounts[trade.bid]] += trade.cost
        bills[accounts[trade.offer]] -= trade.value
    for account, without in without_market([book], UTILITY).items():
        assert bills[account] <= without


def test_books_are_forged_in_two_ways_and_clearing_again_catches_both(noon):
    later = replace(noon, key=SPOT.session(START + 900))
    energy, fees = forged([noon, later])
    assert (energy.session, fees.session) == (noon.key, later.key)
    assert energy.told.endswith("Wh")
    assert fees.told in ("what one trade pays to node east now goes to node west",)
    codes = {finding.code for finding in check_clearing(energy.book, boundaries_of([noon])[noon.key])}
    assert codes >= {"trade-beyond-limit", "clearing-trades"}
    assert "trade-fee" in {finding.code for finding in check_clearing(fees.book, boundaries_of([later])[later.key])}


def test_where_nobody_traded_nothing_is_forged():
    assert list(forged([book_of(under(None), {ROOF: 1})][:0])) == []
