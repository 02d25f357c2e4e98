"""Network clearing finds the most welfare that fees and limits allow, and prices that everybody can live with."""

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from exchange.auction import Columns, auction
from exchange.congestion import rents
from exchange.delivery import Mechanism
from exchange.levels import Levels, TreeMatches, levels_of
from exchange.network import clear_network
from exchange.tree import Fee, Node, Tree
from exchange.units import MicroPerKwh, Wh
from identity.address import Address
from tests.exchange.reference_auction import Row
from tests.exchange.reference_network import Place, reference_network

OPERATOR = Address(bytes(19) + b"\x01")


def columns(rows: list[Row]) -> Columns:
    return Columns(*(np.array([row[field] for row in rows], dtype=np.int64) for field in range(3)))


def tree_of(places: list[Place]) -> Tree:
    """Return nodes numbered from 1: the number is the place and one."""
    return Tree(
        tuple(
            Node(
                number=index + 1,
                name=f"node {index + 1}",
                parent=None if place.parent is None else place.parent + 1,
                fee=Fee(constant=MicroPerKwh(place.fee)),
                fee_account=1,
                operator=OPERATOR,
                import_limit=None if place.import_limit is None else Wh(place.import_limit),
                export_limit=None if place.export_limit is None else Wh(place.export_limit),
            )
            for index, place in enumerate(places)
        )
    )


def levels(places: list[Place]) -> Levels:
    return levels_of(tree_of(places), Mechanism.PAY_AS_CLEAR)


def cleared(bids: list[Row], offers: list[Row], places: list[Place]) -> TreeMatches:
    return clear_network(columns(bids), columns(offers), levels(places))


def trades_of(result: TreeMatches) -> list[tuple[int, int, int, int]]:
    return list(
        zip(result.bid.tolist(), result.offer.tolist(), result.quantity.tolist(), result.top.tolist(), strict=True)
    )


def fills_of(result: TreeMatches, bids: list[Row], offers: list[Row]) -> tuple[list[int], list[int]]:
    bought, sold = [0] * len(bids), [0] * len(offers)
    for bid, offer, energy, _ in trades_of(result):
        bought[bid] += energy
        sold[offer] += energy
    return bought, sold


def path_fee(tree: Tree, places: list[Place], seller: int, buyer: int) -> int:
    return sum(places[number - 1].fee for number in tree.path(seller + 1, buyer + 1))


def welfare(trades, bids: list[Row], offers: list[Row], places: list[Place]) -> int:
    tree = tree_of(places)
    return sum(
        energy * (bids[bid].rate - offers[offer].rate - path_fee(tree, places, offers[offer].market, bids[bid].market))
        for bid, offer, energy, *_ in trades
    )


def crossings(trades, bids: list[Row], offers: list[Row], places: list[Place]) -> tuple[Counter, Counter]:
    """Return what goes out of each place, and what comes in, each counted by itself."""
    tree = tree_of(places)
    out, into = Counter(), Counter()
    for bid, offer, energy, *_ in trades:
        selling = set(tree.way_up(offers[offer].market + 1))
        buying = set(tree.way_up(bids[bid].market + 1))
        for number in selling - buying:
            out[number - 1] += energy
        for number in buying - selling:
            into[number - 1] += energy
    return out, into


@st.composite
def trees(draw, most=7):
    limits = st.one_of(st.none(), st.integers(0, 12))
    places = [Place(None, draw(st.integers(0, 4)), draw(limits), draw(limits))]
    for index in range(1, draw(st.integers(1, most))):
        places.append(Place(draw(st.integers(0, index - 1)), draw(st.integers(0, 4)), draw(limits), draw(limits)))
    return places


@st.composite
def scenes(draw, most=7):
    """A tree with limits (of zero, too) and a book full of ties, with rates below zero."""
    places = draw(trees())
    row = st.builds(Row, st.integers(0, len(places) - 1), st.integers(-6, 14), st.integers(1, 9))
    return draw(st.lists(row, max_size=most)), draw(st.lists(row, max_size=most)), places


def optimum(bids: list[Row], offers: list[Row], places: list[Place]) -> float:
    """Return the most welfare by a linear program: how much each bid takes of each offer, knowing of no curves."""
    tree = tree_of(places)
    pairs = [(bid, offer) for bid in range(len(bids)) for offer in range(len(offers))]
    if not pairs:
        return 0.0
    gains = [welfare([(bid, offer, 1)], bids, offers, places) for bid, offer in pairs]
    bounds: list[tuple[list[int], int]] = []
    bounds += [([int(bid == b) for b, _ in pairs], row.energy) for bid, row in enumerate(bids)]
    bounds += [([int(offer == o) for _, o in pairs], row.energy) for offer, row in enumerate(offers)]
    for index, place in enumerate(places):
        sells = [index + 1 in tree.way_up(offers[o].market + 1) for _, o in pairs]
        buys = [index + 1 in tree.way_up(bids[b].market + 1) for b, _ in pairs]
        if place.export_limit is not None:
            bounds.append(([int(s and not b) for s, b in zip(sells, buys, strict=True)], place.export_limit))
        if place.import_limit is not None:
            bounds.append(([int(b and not s) for s, b in zip(sells, buys, strict=True)], place.import_limit))
    answer = linprog(
        [-gain for gain in gains], A_ub=[row for row, _ in bounds], b_ub=[most for _, most in bounds], method="highs"
    )
    assert answer.success
    return -answer.fun


@given(scenes())
def test_welfare_is_that_of_a_linear_program(scene):
    bids, offers, places = scene
    best = optimum(bids, offers, places)
    ours = welfare(trades_of(cleared(bids, offers, places)), bids, offers, places)
    assert abs(best - round(best)) <= 1e-6 * max(1, abs(best)), "the program's corners are whole numbers"
    assert ours == round(best)


@given(scenes(most=12))
def test_the_kernel_agrees_with_a_plain_loop_on_fills_prices_and_trades(scene):
    bids, offers, places = scene
    result, said = cleared(bids, offers, places), reference_network(bids, offers, places)
    assert result.price.tolist() == said.prices
    assert trades_of(result) == said.trades
    assert fills_of(result, bids, offers) == (said.bid_fill, said.offer_fill)
    assert result.has_price.all()
    energy = Counter()
    for *_, quantity, top in said.trades:
        energy[top] += quantity
    assert result.energy.tolist() == [energy[place] for place in range(len(places))]
    at_top = [said.prices[place] if energy[place] else 0 for place in range(len(places))]
    assert result.low.tolist() == result.high.tolist() == at_top


@given(scenes(most=12))
def test_prices_support_the_fills(scene):
    bids, offers, places = scene
    result = cleared(bids, offers, places)
    bought, sold = fills_of(result, bids, offers)
    price = result.price.tolist()
    for bid, fill in zip(bids, bought, strict=True):
        worth = bid.rate - places[bid.market].fee
        assert 0 <= fill <= bid.energy
        assert worth <= price[bid.market] or fill == bid.energy, "who gains gets all it wants"
        assert worth >= price[bid.market] or fill == 0, "who would lose gets nothing"
    for offer, fill in zip(offers, sold, strict=True):
        assert 0 <= fill <= offer.energy
        assert offer.rate >= price[offer.market] or fill == offer.energy
        assert offer.rate <= price[offer.market] or fill == 0


@given(scenes(most=12))
def test_prices_differ_by_more_than_fees_only_over_limits_that_are_used_up(scene):
    bids, offers, places = scene
    result = cleared(bids, offers, places)
    out, into = crossings(trades_of(result), bids, offers, places)
    price = result.price.tolist()
    for index, place in enumerate(places):
        if place.parent is None:
            continue
        rent_out = price[place.parent] - price[index] - place.fee
        rent_in = price[index] - price[place.parent] - places[place.parent].fee
        assert rent_out <= 0 or out[index] == place.export_limit
        assert rent_in <= 0 or into[index] == place.import_limit
        assert rent_out >= 0 or not out[index], "nothing flows where its price falls by more than the fee"
        assert rent_in >= 0 or not into[index]


@given(scenes(most=12))
def test_nothing_crosses_a_boundary_beyond_its_limit_or_both_ways(scene):
    bids, offers, places = scene
    trades = trades_of(cleared(bids, offers, places))
    tree = tree_of(places)
    out, into = crossings(trades, bids, offers, places)
    for index, place in enumerate(places):
        assert place.export_limit is None or out[index] <= place.export_limit
        assert place.import_limit is None or into[index] <= place.import_limit
        assert not (out[index] and into[index]), "what can be traded below stays below"
    for bid, offer, _, top in trades:
        assert top + 1 == tree.top(offers[offer].market + 1, bids[bid].market + 1)


@given(scenes(most=12))
def test_what_buyers_pay_is_what_sellers_nodes_and_limits_get(scene):
    bids, offers, places = scene
    result = cleared(bids, offers, places)
    tree, price = tree_of(places), result.price.tolist()
    prices = {number + 1: MicroPerKwh(rate) for number, rate in enumerate(price)}
    rent_by_node: dict[int, int] = defaultdict(int)
    for (bid, offer, energy, top), rate in zip(trades_of(result), result.rate.tolist(), strict=True):
        seller, buyer = offers[offer].market, bids[bid].market
        taken = rents(tree, prices, seller + 1, buyer + 1)
        assert min(taken.values(), default=1) > 0
        pays = rate + path_fee(tree, places, seller, buyer) + sum(taken.values())
        assert rate == price[seller] >= offers[offer].rate
        assert pays == price[buyer] + places[buyer].fee <= bids[bid].rate
        before_top = [n for n in tree.way_up(seller + 1) if n not in tree.way_up(top + 1)]
        at_top = rate + sum(places[n - 1].fee + taken.get(n, 0) for n in before_top)
        assert at_top == price[top], "at its top every trade is at one price"
        for number, rent in taken.items():
            rent_by_node[number] += rent * energy
    out, into = crossings(trades_of(result), bids, offers, places)
    for index, place in enumerate(places):
        if place.parent is not None:
            sent = out[index] * (price[place.parent] - price[index] - place.fee)
            took = into[index] * (price[index] - price[place.parent] - places[place.parent].fee)
            assert rent_by_node[index + 1] == sent + took, "a limit's rent is what crosses it times what it adds"


@given(scenes(most=12))
def test_orders_are_held_only_at_limits_that_are_used_up_and_only_what_is_not_filled(scene):
    bids, offers, places = scene
    result = cleared(bids, offers, places)
    bought, sold = fills_of(result, bids, offers)
    out, into = crossings(trades_of(result), bids, offers, places)
    tree, price = tree_of(places), result.price.tolist()
    for rows, fills, held, used, limit in (
        (offers, sold, result.held_offer, out, "export_limit"),
        (bids, bought, result.held_bid, into, "import_limit"),
    ):
        by_row = Counter()
        entries = list(zip(*(column.tolist() for column in held), strict=True))
        assert [entry[1::-1] for entry in entries] == sorted({entry[1::-1] for entry in entries})
        for row, place, energy in entries:
            assert place + 1 in tree.way_up(rows[row].market + 1)
            assert used[place] == getattr(places[place], limit)
            assert energy > 0
            by_row[row] += energy
        assert all(energy <= rows[row].energy - fills[row] for row, energy in by_row.items())
    for row, offer in enumerate(offers):  # an order at a node whose limit stands between it and a better price is named
        place = places[offer.market]
        if place.parent is not None and sold[row] < offer.energy and place.export_limit == out[offer.market]:
            good = offer.rate + place.fee < price[place.parent]
            assert good == ((row, offer.market) in zip(*(c.tolist() for c in result.held_offer[:2]), strict=True))


def bottom_up(bids: list[Row], offers: list[Row], places: list[Place]) -> list[tuple[int, int, int, int]]:
    """Clear from the last place up, each node for itself: dearest bid and cheapest offer while they agree."""
    left = [[row.energy for row in bids], [row.energy for row in offers]]
    at_bids = [[] for _ in places]
    at_offers = [[] for _ in places]
    for row, bid in enumerate(bids):
        at_bids[bid.market].append((places[bid.market].fee - bid.rate, row, bid.energy))
    for row, offer in enumerate(offers):
        at_offers[offer.market].append((offer.rate, row, offer.energy))
    trades = []
    for place in reversed(range(len(places))):
        buying = [[*entry] for entry in sorted(at_bids[place])]
        selling = [[*entry] for entry in sorted(at_offers[place])]
        while buying and selling and buying[0][0] + selling[0][0] <= 0:
            energy = min(buying[0][2], selling[0][2])
            trades.append((buying[0][1], selling[0][1], energy, place))
            for side in (buying, selling):
                side[0][2] -= energy
                if not side[0][2]:
                    side.pop(0)
        node = places[place]
        if node.parent is None:
            continue
        for rest, above, cost, limit in (
            (buying, at_bids, places[node.parent].fee, node.import_limit),
            (selling, at_offers, node.fee, node.export_limit),
        ):
            room = sum(left[0]) + sum(left[1]) if limit is None else limit
            for value, row, energy in rest:
                if room:
                    above[node.parent].append((value + cost, row, min(room, energy)))
                    room -= min(room, energy)
    return trades


@given(scenes(most=12))
def test_welfare_is_at_least_that_of_clearing_node_by_node(scene):
    bids, offers, places = scene
    ours = welfare(trades_of(cleared(bids, offers, places)), bids, offers, places)
    assert ours >= welfare(bottom_up(bids, offers, places), bids, offers, places)


def test_welfare_is_more_where_a_neighbour_would_pay_more_for_the_roof_that_a_home_took():
    places = [Place(None, 0), Place(0, 10), Place(0, 10)]
    bids = [Row(1, 120, 600), Row(2, 300, 600)]
    offers = [Row(1, 80, 600)]
    assert bottom_up(bids, offers, places) == [(0, 0, 600, 1)]
    result = cleared(bids, offers, places)
    assert trades_of(result) == [(1, 0, 600, 0)]
    assert welfare(bottom_up(bids, offers, places), bids, offers, places) == 600 * 30
    assert welfare(trades_of(result), bids, offers, places) == 600 * 200


@given(scenes(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing_where_no_two_rates_are_equal(scene, random):
    bids, offers, places = scene
    places = [place._replace(fee=place.fee * 1_000) for place in places]  # fees keep the last three digits apart
    bids = [Row(row.market, row.rate * 1_000 + 2 * index, row.energy) for index, row in enumerate(bids)]
    offers = [Row(row.market, row.rate * 1_000 + 2 * index + 1, row.energy) for index, row in enumerate(offers)]
    once = cleared(bids, offers, places)
    shuffled_bids, shuffled_offers = random.sample(bids, len(bids)), random.sample(offers, len(offers))
    again = cleared(shuffled_bids, shuffled_offers, places)
    assert once.price.tolist() == again.price.tolist()
    assert [(bids[b], offers[o], energy, top) for b, o, energy, top in trades_of(once)] == [
        (shuffled_bids[b], shuffled_offers[o], energy, top) for b, o, energy, top in trades_of(again)
    ]


@given(scenes(most=12), st.randoms(use_true_random=False))
def test_how_the_nodes_are_numbered_changes_nothing(scene, random):
    bids, offers, places = scene
    once, tree = cleared(bids, offers, places), levels(places)
    at = np.array(random.sample(range(len(places)), len(places)), dtype=np.int64)  # where each place moves to
    back = np.argsort(at)
    parent = np.where(tree.parent < 0, tree.parent, at[tree.parent])
    kept = (tree.depth, tree.fee, tree.import_limit, tree.export_limit, tree.mechanism)
    again = clear_network(
        *(columns([row._replace(market=int(at[row.market])) for row in side]) for side in (bids, offers)),
        Levels(*(column[back] for column in (parent, *kept))),
    )
    assert again.price[at].tolist() == once.price.tolist()
    assert sorted((b, o, energy, int(back[top])) for b, o, energy, top in trades_of(again)) == sorted(trades_of(once))
    assert again.top.tolist() == sorted(again.top.tolist())


@given(scenes(most=20))
def test_one_node_is_cleared_as_by_the_auction(scene):
    bids, offers, places = scene
    bids, offers = [row._replace(market=0) for row in bids], [row._replace(market=0) for row in offers]
    fee = places[0].fee
    result = cleared(bids, offers, places[:1])
    said = auction(columns([row._replace(rate=row.rate - fee) for row in bids]), columns(offers), 1)
    assert result.bid.tolist() == said.bid.tolist()
    assert result.offer.tolist() == said.offer.tolist()
    assert result.quantity.tolist() == said.quantity.tolist()
    assert result.energy.tolist() == said.energy.tolist()
    if said.energy[0]:
        assert result.price.tolist() == said.rate.tolist()
        assert set(result.rate.tolist()) == {int(said.rate[0])}
    assert not len(result.held_bid[0])
    assert not len(result.held_offer[0])


NEIGHBOURHOOD = [Place(None, 20_000), Place(0, 10_000, export_limit=600), Place(0, 10_000)]
"""A feeder with West, whose limit is 600 Wh out, and East: as in docs/clearing-network.md."""

NEIGHBOURS = (
    [Row(1, 200_000, 200), Row(2, 250_000, 500), Row(2, 180_000, 400)],
    [Row(1, 80_000, 1_000), Row(0, 240_000, 10_000)],
)


def test_the_example_of_the_page_is_what_the_kernel_says():
    result = cleared(*NEIGHBOURS, NEIGHBOURHOOD)
    assert result.price.tolist() == [150_000, 80_000, 170_000]
    assert trades_of(result) == [(1, 0, 500, 0), (2, 0, 100, 0), (0, 0, 200, 1)]
    assert result.rate.tolist() == [80_000] * 3
    assert welfare(trades_of(result), *NEIGHBOURS, NEIGHBOURHOOD) == 93_000_000
    prices = {number: MicroPerKwh(rate) for number, rate in enumerate(result.price.tolist(), 1)}
    assert rents(tree_of(NEIGHBOURHOOD), prices, 2, 3) == {2: 60_000}
    assert [column.tolist() for column in result.held_offer] == [[0], [1], [200]]
    assert [column.tolist() for column in result.held_bid] == [[], [], []]


def test_the_example_of_the_page_without_the_limit_has_no_rent():
    free = [place._replace(export_limit=None) for place in NEIGHBOURHOOD]
    result = cleared(*NEIGHBOURS, free)
    assert result.price.tolist() == [150_000, 140_000, 170_000]
    assert trades_of(result) == [(1, 0, 500, 0), (2, 0, 300, 0), (0, 0, 200, 1)]
    assert welfare(trades_of(result), *NEIGHBOURS, free) == 105_000_000
    prices = {number: MicroPerKwh(rate) for number, rate in enumerate(result.price.tolist(), 1)}
    assert rents(tree_of(free), prices, 2, 3) == {}
    assert not len(result.held_offer[0])


def test_a_limit_that_is_just_enough_costs_nothing():
    enough = [place._replace(export_limit=place.export_limit and 800) for place in NEIGHBOURHOOD]
    assert cleared(*NEIGHBOURS, enough).price.tolist() == [150_000, 140_000, 170_000]


def test_bids_beyond_an_import_limit_are_held_and_the_limit_takes_the_rent():
    places = [Place(None, 0), Place(0, 1, import_limit=3)]
    result = cleared([Row(1, 50, 2), Row(1, 40, 4)], [Row(0, 10, 9)], places)
    assert result.price.tolist() == [10, 39]  # the second bid is filled in part: 40 less the fee
    assert trades_of(result) == [(0, 0, 2, 0), (1, 0, 1, 0)]
    assert [column.tolist() for column in result.held_bid] == [[1], [1], [3]]
    prices = {1: MicroPerKwh(10), 2: MicroPerKwh(39)}
    assert rents(tree_of(places), prices, 1, 2) == {2: 29}


def test_who_would_gain_nothing_beyond_a_limit_is_not_held_by_it():
    bids, offers = NEIGHBOURS
    exact = cleared(bids, [*offers, Row(1, 140_000, 50)], NEIGHBOURHOOD)
    assert [column.tolist() for column in exact.held_offer] == [[0], [1], [200]]
    better = cleared(bids, [*offers, Row(1, 139_999, 50)], NEIGHBOURHOOD)
    assert [column.tolist() for column in better.held_offer] == [[0, 2], [1, 1], [200, 50]]
    places, offers = [Place(None, 0), Place(0, 1, import_limit=3)], [Row(0, 10, 9)]
    exact = cleared([Row(1, 50, 3), Row(1, 11, 4)], offers, places)
    assert [column.tolist() for column in exact.held_bid] == [[], [], []]
    better = cleared([Row(1, 50, 3), Row(1, 12, 4)], offers, places)
    assert [column.tolist() for column in better.held_bid] == [[1], [1], [4]]


def test_prices_by_which_nothing_crosses_have_no_rent_for_those_who_trade_across():
    tree = tree_of([Place(None, 5), Place(0, 5)])
    assert rents(tree, {1: MicroPerKwh(20), 2: MicroPerKwh(15)}, 2, 1) == {}
    with pytest.raises(ValueError, match="nothing crosses"):
        rents(tree, {1: MicroPerKwh(19), 2: MicroPerKwh(15)}, 2, 1)
    with pytest.raises(ValueError, match="nothing crosses"):
        rents(tree, {1: MicroPerKwh(20), 2: MicroPerKwh(15)}, 1, 2)


def test_a_node_with_both_limits_at_zero_is_an_island():
    places = [Place(None, 0), Place(0, 0, 0, 0)]
    bids, offers = [Row(0, 100, 5), Row(1, 60, 5)], [Row(1, 40, 9), Row(0, 90, 5)]
    result = cleared(bids, offers, places)
    assert trades_of(result) == [(0, 1, 5, 0), (1, 0, 5, 1)]
    assert result.price.tolist() == [95, 40]


def test_a_tree_without_orders_has_no_trades_and_prices_of_zero():
    result = cleared([], [], [Place(None, 3), Place(0, 2, 0, 0)])
    assert trades_of(result) == []
    assert result.price.tolist() == [0, 0]


def test_among_equal_rates_the_earlier_row_is_served_first_wherever_it_hangs():
    places = [Place(None, 0), Place(0, 0), Place(0, 0)]
    bids = [Row(2, 50, 1), Row(1, 50, 1), Row(2, 50, 1)]
    offers = [Row(1, 20, 1), Row(2, 20, 1), Row(1, 20, 1)]
    assert fills_of(cleared(bids, offers[:2], places), bids, offers)[0] == [1, 1, 0]
    assert fills_of(cleared(bids[:2], offers, places), bids, offers)[1] == [1, 1, 0]


def test_bids_and_offers_that_just_agree_trade():
    places = [Place(None, 2), Place(0, 3)]
    assert trades_of(cleared([Row(0, 15, 4)], [Row(1, 10, 4)], places)) == [(0, 0, 4, 0)]
    assert trades_of(cleared([Row(0, 14, 4)], [Row(1, 10, 4)], places)) == []


def test_sums_beyond_62_bits_are_exact():
    draw = np.random.default_rng(5)
    units = 1 << 36
    places = [Place(None, 2), Place(0, 3, 900_000, 900_000), Place(0, 4)]
    energy, market = draw.integers(1, 4_096, (2, 20_000)), draw.integers(0, 3, (2, 20_000))
    rate = draw.integers(0, 40, (2, 20_000)) - 20 * (market == 1)  # energy wants out of the second node

    def side(number: int, unit: int) -> Columns:
        return Columns(market[number], rate[number], energy[number] * unit)

    def limited(unit: int) -> Levels:
        return levels(
            [Place(p.parent, p.fee, p.import_limit and p.import_limit * unit, p.export_limit and p.export_limit * unit)
             for p in places]
        )  # fmt: skip

    small = clear_network(side(0, 1), side(1, 1), limited(1))
    large = clear_network(side(0, units), side(1, units), limited(units))
    assert int(energy.sum()) * units > 1 << 62
    assert large.price.tolist() == small.price.tolist()
    assert trades_of(large) == [(b, o, quantity * units, top) for b, o, quantity, top in trades_of(small)]
    for many, few in ((large.held_bid, small.held_bid), (large.held_offer, small.held_offer)):
        assert [column.tolist() for column in many[:2]] == [column.tolist() for column in few[:2]]
        assert many[2].tolist() == [held * units for held in few[2].tolist()]
    assert len(small.held_offer[0])


def test_rates_that_fees_could_carry_beyond_what_the_kernel_holds_are_refused():
    most = 1 << 60
    places = [Place(None, 1), Place(0, 1)]
    assert trades_of(cleared([Row(0, most - 4, 1)], [Row(1, 0, 1)], places)) == [(0, 0, 1, 0)]
    with pytest.raises(ValueError, match="2\\^60"):
        cleared([Row(0, most - 3, 1)], [Row(1, 0, 1)], places)


def test_an_order_at_a_place_that_is_not_there_is_refused():
    places = [Place(None, 1), Place(0, 1)]
    assert trades_of(cleared([Row(1, 10, 1)], [], places)) == []
    with pytest.raises(ValueError, match="from 0 to 1"):
        cleared([Row(2, 10, 1)], [], places)


def test_a_deep_tree_is_cleared_from_end_to_end():
    places = [Place(None, 1), *(Place(depth, 1) for depth in range(14))]
    result = cleared([Row(0, 100, 3)], [Row(14, 80, 3)], places)
    assert trades_of(result) == [(0, 0, 3, 0)]
    steps = [near - far for near, far in pairwise(result.price.tolist())]
    assert steps == [1] * 14
