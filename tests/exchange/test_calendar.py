"""Several products on one tree: when each is traded, and how they share what a node lets through."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.community import Community
from exchange.delivery import Market as Terms
from exchange.delivery import Product
from exchange.order import Side
from exchange.positions import slots_of
from exchange.tree import Tree
from exchange.units import Wh, spread
from tests.exchange import neighbourhood, street
from tests.exchange.days import Day, wishes
from tests.exchange.neighbourhood import DAY, DAY_AHEAD, EAST, INTRADAY, SPOT, TREE, WEST
from tests.exchange.street import HOUSE, KITCHEN, PLANT, START
from tests.exchange.test_vectors import CASES

HOUR = range(START, START + 3_600, 900)
FORWARD = {
    "intraday": Terms(number=2, product=Product.FORWARD, period=900, opening=DAY, lead=900, window=2 * DAY),
    "day": Terms(number=3, product=Product.FORWARD, period=3_600, opening=8 * DAY - 3_600, lead=DAY, window=9 * DAY),
}


@pytest.mark.parametrize("name", FORWARD)
def test_fwd_001_so_many_deliveries_are_open_and_gates_close_a_period_or_a_day_before(name):
    terms, expected = FORWARD[name], CASES["fwd-001"]["expected"]
    now = 1_655_078_400  # 2022-06-13 00:00 UTC
    starts = list(terms.open_deliveries(now))
    assert len(starts) == expected["open_slots"][name]
    first = {"30 min": 1_800, "1 day 1 h": 90_000}[expected["first_delivery_offset"][name]]
    assert starts[0] - now == first
    assert terms.period == {"15 min": 900, "1 h": 3_600}[expected["delivery_length"][name]]
    before = {"15 min": 900, "1 day": 86_400}[expected["closes_before_delivery"][name]]
    assert all(start - terms.gate_closure(start) == before for start in starts)
    assert before in (terms.period, DAY)


def limited(limit: int) -> Tree:
    """The neighbourhood's tree, where each community lets so much through, each way and in each slot."""
    return Tree(
        tuple(
            replace(node, import_limit=Wh(limit), export_limit=Wh(limit)) if node.number in (EAST, WEST) else node
            for node in TREE.nodes
        )
    )


def crossed(day: Day) -> Counter[tuple[int, str, int]]:
    """What went over each boundary in each slot, told from the trades: every hour counts evenly in its quarters."""
    found: Counter[tuple[int, str, int]] = Counter()
    for book in day.books:
        place = {accepted.digest: book.rules.node_of(accepted.signed.order.asset) for accepted in book.orders}
        slots = slots_of(book.key, book.rules.calendar, book.rules.slot)
        session: Counter[tuple[int, str]] = Counter()
        for trade in book.cleared.clearing.trades:
            for way, digest in (("in", trade.bid), ("out", trade.offer)):
                for number in book.rules.tree.way_up(place[digest]):
                    if number == trade.fees.top:
                        break
                    session[number, way] += trade.energy
        for (number, way), energy in session.items():
            for slot in slots:
                found[number, way, slot] += spread(Wh(energy), len(slots))
    return found


@given(wishes(most=20), st.integers(0, 400))
@settings(max_examples=50)
def test_all_products_together_never_pass_a_node_s_limit_in_any_slot(wanted, limit):
    day = Day(neighbourhood.founded(tree=limited(limit)), street.registry()).live(wanted)
    for (number, way, slot), energy in crossed(day).items():
        assert number in (EAST, WEST)
        assert energy <= limit, (number, way, slot)


def test_what_the_hour_has_used_is_not_there_for_its_quarters():
    day = Day(neighbourhood.founded(tree=limited(100)), street.registry())
    energies = []
    for terms, start, energy in (
        (DAY_AHEAD, START, 240),
        (INTRADAY, START, 90),
        (SPOT, START, 90),
        (SPOT, START + 900, 90),
    ):
        now = terms.gate_closure(start) - 1
        for asset, side, limit in ((KITCHEN, Side.BID, 200_000), (PLANT, Side.OFFER, 0)):
            given = neighbourhood.order(asset, side, terms, start, energy=energy, limit=limit)
            assert day.order(given, now) is None
        day.clear(now + 1)
        energies.append(day.books[-1].cleared.clearing.energy)
    assert energies == [240, 40, 0, 40]


@pytest.mark.parametrize("waited", [False, True], ids=["in time", "after both gates have closed"])
def test_who_s_gate_closes_first_is_served_first_however_late_it_is_cleared(waited):
    day = Day(neighbourhood.founded(tree=limited(100)), street.registry())
    for terms in (INTRADAY, SPOT):
        now = terms.gate_closure(START) - 1
        if not waited:
            day.clear(now)
        for asset, side, limit in ((KITCHEN, Side.BID, 200_000), (PLANT, Side.OFFER, 0)):
            given = neighbourhood.order(asset, side, terms, START, energy=80, limit=limit)
            assert day.order(given, now) is None
    day.clear(START)
    assert [(book.key.market, book.cleared.clearing.energy) for book in day.books] == [(2, 80), (1, 20)]


def test_products_have_sessions_of_their_own_and_share_collateral():
    day = Day(neighbourhood.founded(), street.registry())
    now = DAY_AHEAD.gate_closure(START) - 1
    day.purse.free[street.ACCOUNTS[street.CONSUMER]] = 100_000_000
    assert day.order(neighbourhood.order(KITCHEN, Side.BID, DAY_AHEAD, energy=200, limit=300_000), now) is None
    refused = day.order(neighbourhood.order(KITCHEN, Side.BID, INTRADAY, energy=200, limit=300_000), now + 1_000)
    assert refused is not None
    assert refused.code == "short-of-collateral"
    assert day.order(neighbourhood.order(KITCHEN, Side.BID, INTRADAY, energy=100, limit=300_000), now + 1_000) is None
    assert sorted(key.market for key in day.market.sessions) == [2, 3]


def test_an_order_for_a_product_that_is_not_the_market_s_is_refused():
    day = Day(neighbourhood.founded(), street.registry())
    given = neighbourhood.order(KITCHEN, Side.BID, replace(INTRADAY, product=Product.SPOT))
    refused = day.order(given, INTRADAY.gate_closure(START) - 1)
    assert refused is not None
    assert refused.code == "wrong-market"


def test_an_account_may_stand_on_both_sides_in_different_products():
    day = Day(neighbourhood.founded(), street.registry())
    assert (
        day.order(neighbourhood.order(HOUSE, Side.BID, INTRADAY, limit=200_000), INTRADAY.gate_closure(START) - 1)
        is None
    )
    assert day.order(neighbourhood.order(street.BARN, Side.OFFER, SPOT, limit=0), SPOT.gate_closure(START) - 1) is None


def test_a_file_s_products_make_the_calendar_of_the_page():
    community = Community.model_validate(
        {
            "community": {
                "name": "Page", "market_id": 1, "node": "feeder", "currency": "EUR", "period_seconds": 900,
                "opening_seconds": 900, "lead_seconds": 300, "window_seconds": 86_400,
            },
            "products": [
                {"title": "intraday", "mechanism": "pay-as-bid", "period_seconds": 900, "opening_seconds": 86_400,
                 "lead_seconds": 900, "window_seconds": 172_800},
                {"title": "day-ahead", "period_seconds": 3_600, "opening_seconds": 687_600,
                 "lead_seconds": 86_400, "window_seconds": 864_000},
            ],
            "utility": {"sell_micro_per_kwh": 300_000, "buy_micro_per_kwh": 50_000, "capacity_wh": 1_000,
                        "deposit_cents": 1},
            "homes": [{"name": "home", "load": "load", "deposit_cents": 1}],
        }
    )  # fmt: skip
    spot, intraday, day_ahead = community.markets()
    assert [(market.number, market.product.name, market.title) for market in community.markets()] == [
        (1, "SPOT", "spot"),
        (2, "FORWARD", "intraday"),
        (3, "FORWARD", "day-ahead"),
    ]
    assert [len(list(market.open_deliveries(START))) for market in (spot, intraday, day_ahead)] == [1, 95, 167]
