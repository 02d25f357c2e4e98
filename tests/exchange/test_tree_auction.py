"""The tree's kernel against the slow reference, and against the laws of bottom-up clearing."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.auction import auction
from exchange.delivery import Mechanism
from exchange.levels import ROOT, UNLIMITED, Levels, TreeMatches
from exchange.tree_auction import clear_levels
from exchange.units import MAX_ENERGY
from tests.exchange.reference_auction import Row
from tests.exchange.reference_tree import (
    NodeResult,
    Place,
    TreeResult,
    TreeTrade,
    bid_at,
    offer_at,
    path,
    reference_tree,
    top,
    way_up,
)
from tests.exchange.test_auction import columns
from tests.strategies import many_markets

MECHANISMS = (Mechanism.PAY_AS_OFFER, Mechanism.PAY_AS_BID, Mechanism.PAY_AS_CLEAR)
mechanisms = st.sampled_from(MECHANISMS)
limits = st.one_of(st.none(), st.integers(0, 8), st.integers(0, 3 * MAX_ENERGY))


@st.composite
def trees(draw: st.DrawFn, *, most: int = 7) -> list[Place]:
    """Trees of any depth, whose nodes stand in any order."""
    count = draw(st.integers(1, most))
    order = draw(st.permutations(range(count)))
    tree = [Place(None)] * count
    for index, place in enumerate(order):
        parent = order[draw(st.integers(0, index - 1))] if index else None
        tree[place] = Place(parent, draw(st.integers(0, 3)), draw(limits), draw(limits), draw(mechanisms))
    return tree


@st.composite
def forests_of_orders(draw: st.DrawFn, *, most: int = 14) -> tuple[list[Row], list[Row], list[Place]]:
    """Bids, offers and the tree whose nodes they hang on, at any depth; ties are common."""
    tree = draw(trees())
    energies = st.one_of(st.integers(1, 6), st.integers(1, MAX_ENERGY))

    def side(low: int, high: int) -> st.SearchStrategy[list[Row]]:
        row = st.builds(Row, st.integers(0, len(tree) - 1), st.integers(low, high), energies)
        return st.lists(row, max_size=most)

    return draw(side(-2, 14)), draw(side(-6, 8)), tree


def as_levels(tree: list[Place]) -> Levels:
    def column(values):
        return np.array(list(values), dtype=np.int64)

    return Levels(
        parent=column(ROOT if node.parent is None else node.parent for node in tree),
        depth=column(len(way_up(tree, place)) - 1 for place in range(len(tree))),
        fee=column(node.fee for node in tree),
        import_limit=column(UNLIMITED if node.import_limit is None else node.import_limit for node in tree),
        export_limit=column(UNLIMITED if node.export_limit is None else node.export_limit for node in tree),
        mechanism=column(node.mechanism for node in tree),
    )


def as_result(matches: TreeMatches) -> TreeResult:
    def rows(*parts):
        return list(zip(*(part.tolist() for part in parts), strict=True))

    return TreeResult(
        [TreeTrade(*trade) for trade in rows(matches.bid, matches.offer, matches.quantity, matches.rate, matches.top)],
        [
            NodeResult(energy, low, high, price if has_price else None) if energy else NodeResult()
            for energy, low, high, price, has_price in rows(
                matches.energy, matches.low, matches.high, matches.price, matches.has_price
            )
        ],
        rows(*matches.held_bid),
        rows(*matches.held_offer),
    )


def cleared(bids: list[Row], offers: list[Row], tree: list[Place]) -> TreeResult:
    return as_result(clear_levels(columns(bids), columns(offers), as_levels(tree)))


@settings(max_examples=80)
@given(forests_of_orders())
def test_the_kernel_gives_what_the_slow_reference_gives(book):
    assert cleared(*book) == reference_tree(*book)


def a_large_book(seed: int, nodes: int, orders: int, levels: int) -> tuple[list[Row], list[Row], list[Place]]:
    draw = random.Random(f"{seed} {nodes} {orders} {levels}")

    def limit() -> int | None:
        return draw.choice((None, draw.randrange(4 * orders), draw.randrange(400 * orders)))

    order = draw.sample(range(nodes), nodes)
    tree = [Place(None)] * nodes
    for index, place in enumerate(order):
        parent = order[draw.randrange(max(0, index - 20), index)] if index else None
        tree[place] = Place(parent, draw.randrange(levels), limit(), limit(), draw.choice(MECHANISMS))

    def side() -> list[Row]:
        return [
            Row(draw.randrange(nodes), draw.randint(0, 40 * levels), draw.choice((1, 250, draw.randint(1, 5000))))
            for _ in range(orders)
        ]

    return side(), side(), tree


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("nodes", "orders", "levels"), [(3, 600, 4), (60, 1200, 3), (60, 1200, 1 << 40)])
def test_large_books_with_many_ties_agree_with_the_slow_reference(seed, nodes, orders, levels):
    book = a_large_book(seed, nodes, orders, levels)
    result = cleared(*book)
    assert result == reference_tree(*book)
    assert len({trade.top for trade in result.trades}) > 1
    assert result.held_bids or result.held_offers


@given(many_markets(), mechanisms)
def test_a_forest_of_roots_without_fees_is_the_auction(books, mechanism):
    bids, offers, markets = books
    alone = auction(columns(bids), columns(offers), markets)
    matches = clear_levels(columns(bids), columns(offers), as_levels([Place(None, mechanism=mechanism)] * markets))
    for name in ("bid", "offer", "quantity", "energy"):
        assert getattr(matches, name).tolist() == getattr(alone, name).tolist()
    if mechanism is Mechanism.PAY_AS_CLEAR:
        assert matches.price.tolist() == alone.rate.tolist()
        assert (matches.low.tolist(), matches.high.tolist()) == (alone.low.tolist(), alone.high.tolist())


@given(forests_of_orders())
def test_nobody_trades_beyond_the_limit_or_the_energy(book):
    bids, offers, tree = book
    result = cleared(*book)
    bought, sold = [0] * len(bids), [0] * len(offers)
    for trade in result.trades:
        seller, buyer = offers[trade.offer], bids[trade.bid]
        fees = sum(tree[node].fee for node in path(tree, seller.market, buyer.market))
        assert seller.rate <= trade.rate
        assert trade.rate + fees <= buyer.rate
        assert trade.top == top(tree, seller.market, buyer.market)
        assert trade.energy > 0
        bought[trade.bid] += trade.energy
        sold[trade.offer] += trade.energy
    assert all(fill <= row.energy for fill, row in zip(bought, bids, strict=True))
    assert all(fill <= row.energy for fill, row in zip(sold, offers, strict=True))
    assert sum(bought) == sum(sold) == sum(node.energy for node in result.nodes)
    for row, _, energy in result.held_bids:
        bought[row] += energy
    for row, _, energy in result.held_offers:
        sold[row] += energy
    assert all(fill <= row.energy for fill, row in zip(bought, bids, strict=True))
    assert all(fill <= row.energy for fill, row in zip(sold, offers, strict=True))


@given(forests_of_orders())
def test_no_boundary_lets_through_more_than_its_limits(book):
    bids, offers, tree = book
    result = cleared(*book)
    came_in, went_out = [0] * len(tree), [0] * len(tree)
    for trade in result.trades:
        up = way_up(tree, offers[trade.offer].market)
        down = way_up(tree, bids[trade.bid].market)
        for node in up[: up.index(trade.top)]:
            went_out[node] += trade.energy
        for node in down[: down.index(trade.top)]:
            came_in[node] += trade.energy
    for place, node in enumerate(tree):
        assert node.import_limit is None or came_in[place] <= node.import_limit
        assert node.export_limit is None or went_out[place] <= node.export_limit


@given(forests_of_orders())
def test_only_a_node_whose_limit_is_spent_holds_back_and_only_the_worst_in_merit_order(book):
    bids, offers, tree = book
    result = cleared(*book)
    for held, rows, limit, value in (
        (result.held_bids, bids, "import_limit", lambda row, at: -bid_at(tree, bids[row], at)),
        (result.held_offers, offers, "export_limit", lambda row, at: offer_at(tree, offers[row], at)),
    ):
        traded_above = {}
        for trade in result.trades:
            row = trade.bid if rows is bids else trade.offer
            way = way_up(tree, rows[row].market)
            for node in way[: way.index(trade.top)]:
                traded_above.setdefault(node, []).append(row)
        for row, node, energy in held:
            assert energy > 0
            assert getattr(tree[node], limit) is not None
            assert all((value(other, node), other) <= (value(row, node), row) for other in traded_above.get(node, []))


@given(forests_of_orders())
def test_at_no_node_is_a_pair_left_that_agrees(book):
    """So energy is traded as locally as it can be: what moved up found nobody below."""
    bids, offers, tree = book
    result = cleared(*book)
    left_bids, left_offers = [row.energy for row in bids], [row.energy for row in offers]
    for place in sorted(range(len(tree)), key=lambda place: -len(way_up(tree, place))):
        for trade in result.trades:
            if trade.top == place:
                left_bids[trade.bid] -= trade.energy
                left_offers[trade.offer] -= trade.energy
        for bid in (row for row, energy in enumerate(left_bids) if energy):
            for offer in (row for row, energy in enumerate(left_offers) if energy):
                if top(tree, offers[offer].market, bids[bid].market) == place:
                    assert bid_at(tree, bids[bid], place) < offer_at(tree, offers[offer], place)
        for held, left in ((result.held_bids, left_bids), (result.held_offers, left_offers)):
            for row, node, energy in held:
                if node == place:
                    left[row] -= energy


@given(forests_of_orders())
def test_a_pay_as_clear_node_has_one_price_that_nobody_who_reached_it_envies(book):
    bids, offers, tree = book
    result = cleared(*book)
    gone = {(row, node) for row, node, _ in result.held_bids}, {(row, node) for row, node, _ in result.held_offers}
    for place, node in enumerate(result.nodes):
        if tree[place].mechanism is not Mechanism.PAY_AS_CLEAR or not node.energy:
            assert node.price is None
            continue
        assert node.low <= node.price <= node.high
        for trade in result.trades:
            if trade.top == place:
                assert node.price == trade.rate + offer_at(tree, offers[trade.offer], place) - offers[trade.offer].rate
        for rows, number, at, sign in ((bids, 0, bid_at, 1), (offers, 1, offer_at, -1)):
            for index, row in enumerate(rows):
                way = way_up(tree, row.market)
                if place not in way or any((index, below) in gone[number] for below in way[: way.index(place)]):
                    continue
                inside = way[: way.index(place) + 1]
                fill = sum(t.energy for t in result.trades if t[number] == index and t.top in inside)
                if sign * (at(tree, row, place) - node.price) > 0:
                    assert fill == row.energy


@given(forests_of_orders())
def test_a_trade_has_the_rate_of_its_nodes_mechanism(book):
    bids, offers, tree = book
    for trade in cleared(*book).trades:
        bid, offer = bids[trade.bid], offers[trade.offer]
        if tree[trade.top].mechanism is Mechanism.PAY_AS_BID:
            assert trade.rate + sum(tree[node].fee for node in path(tree, offer.market, bid.market)) == bid.rate
        if tree[trade.top].mechanism is Mechanism.PAY_AS_OFFER:
            assert trade.rate == offer.rate


@given(forests_of_orders(), st.randoms(use_true_random=False))
def test_any_order_of_the_rows_gives_the_same_trades(book, draw):
    bids, offers, tree = book
    # rates so far apart that no fees make two of them equal: priority by position has nothing to decide
    steps = [draw.sample(range(40), len(side)) for side in book[:2]]
    bids = [row._replace(rate=100 * (row.rate * 40 + step)) for row, step in zip(bids, steps[0], strict=True)]
    offers = [row._replace(rate=100 * (row.rate * 40 + step)) for row, step in zip(offers, steps[1], strict=True)]
    bid_order, offer_order = draw.sample(range(len(bids)), len(bids)), draw.sample(range(len(offers)), len(offers))
    moved = cleared([bids[row] for row in bid_order], [offers[row] for row in offer_order], tree)
    named = [t._replace(bid=bid_order[t.bid], offer=offer_order[t.offer]) for t in moved.trades]
    result = cleared(bids, offers, tree)
    assert named == result.trades
    assert moved.nodes == result.nodes
    assert [(bid_order[row], node, energy) for row, node, energy in moved.held_bids] == result.held_bids


@given(forests_of_orders(), st.randoms(use_true_random=False))
def test_any_order_of_the_nodes_gives_the_same_trades(book, draw):
    bids, offers, tree = book
    new = draw.sample(range(len(tree)), len(tree))
    moved = [Place(None)] * len(tree)
    for place, node in enumerate(tree):
        moved[new[place]] = node._replace(parent=None if node.parent is None else new[node.parent])
    result = cleared(
        [row._replace(market=new[row.market]) for row in bids],
        [row._replace(market=new[row.market]) for row in offers],
        moved,
    )
    expected = sorted((t._replace(top=new[t.top]) for t in cleared(*book).trades), key=lambda trade: trade.top)
    assert result.trades == expected


def one(bids: list[Row], offers: list[Row], tree: list[Place]) -> TreeTrade:
    (trade,) = cleared(bids, offers, tree).trades
    return trade


def test_a_neighbour_comes_before_a_better_offer_from_afar():
    tree = [Place(None), Place(0), Place(0)]
    result = cleared([Row(1, 30, 5)], [Row(2, 1, 5), Row(1, 29, 5)], tree)
    assert [(trade.offer, trade.top) for trade in result.trades] == [(1, 1)]


def test_what_no_neighbour_wants_moves_up():
    tree = [Place(None), Place(0), Place(0)]
    assert cleared([Row(1, 30, 7)], [Row(2, 1, 5), Row(1, 29, 5)], tree).trades == [
        TreeTrade(0, 0, 2, 1, 0),
        TreeTrade(0, 1, 5, 30, 1),
    ]


def test_what_a_limit_lets_through_is_traded_above():
    tree = [Place(None), Place(0, export_limit=4), Place(0)]
    result = cleared([Row(2, 30, 9)], [Row(1, 2, 3), Row(1, 1, 3)], tree)
    assert [(trade.offer, trade.energy) for trade in result.trades] == [(1, 3), (0, 1)]
    assert result.held_offers == [(0, 1, 2)]


def test_an_import_limit_holds_back_the_cheapest_bids():
    tree = [Place(None), Place(0, import_limit=4), Place(0)]
    result = cleared([Row(1, 29, 3), Row(1, 30, 3)], [Row(2, 1, 9)], tree)
    assert [(trade.bid, trade.energy) for trade in result.trades] == [(1, 3), (0, 1)]
    assert result.held_bids == [(0, 1, 2)]


def test_a_limit_of_nothing_lets_nothing_through():
    tree = [Place(None), Place(0, export_limit=0), Place(0)]
    result = cleared([Row(2, 30, 9)], [Row(1, 1, 3)], tree)
    assert (result.trades, result.held_offers) == ([], [(0, 1, 3)])


def test_limits_count_each_way_by_itself():
    tree = [Place(None), Place(0, import_limit=5, export_limit=5)]
    result = cleared([Row(1, 5, 5), Row(0, 30, 5)], [Row(1, 10, 5), Row(0, 1, 5)], tree)
    assert [(trade.bid, trade.offer) for trade in result.trades] == [(1, 1)]
    tree = [Place(None), Place(0, import_limit=5, export_limit=5), Place(0)]
    result = cleared([Row(1, 9, 5), Row(2, 30, 5)], [Row(1, 10, 5), Row(0, 1, 5)], tree)
    assert [(trade.bid, trade.offer) for trade in result.trades] == [(1, 1)]


def test_a_limit_of_the_root_bounds_nothing():
    assert one([Row(0, 30, 5)], [Row(0, 1, 5)], [Place(None, import_limit=0, export_limit=0)]).energy == 5


def test_a_row_held_in_part_below_can_be_held_again_above():
    tree = [Place(None), Place(0, export_limit=2), Place(1, export_limit=3)]
    result = cleared([Row(0, 30, 9)], [Row(2, 1, 9)], tree)
    assert [trade.energy for trade in result.trades] == [2]
    assert result.held_offers == [(0, 1, 1), (0, 2, 6)]


def test_the_price_of_a_node_is_met_by_sellers_after_the_fees_below_it():
    # offers come to the feeder from two communities that take 2 and 3; the feeder takes 4
    tree = [Place(None, 4), Place(0, 2), Place(0, 3)]
    result = cleared([Row(0, 30, 5)], [Row(1, 10, 3), Row(2, 12, 3)], tree)
    assert result.nodes[0] == NodeResult(5, 15, 15, 15)  # the second offer is filled in part: 12 and the fee of 3
    assert [(trade.offer, trade.energy, trade.rate) for trade in result.trades] == [(0, 3, 13), (1, 2, 12)]


def test_the_example_of_the_documentation():
    east, west, feeder = 1, 2, 0
    tree = [Place(None, 10), Place(feeder, 2, export_limit=500), Place(feeder, 3)]
    bids = [Row(east, 250, 600), Row(west, 200, 700), Row(west, 120, 300)]
    offers = [Row(east, 80, 900), Row(east, 100, 400), Row(feeder, 130, 1_000)]
    result = cleared(bids, offers, tree)
    assert result.trades == [
        TreeTrade(1, 0, 300, 128, feeder),
        TreeTrade(1, 1, 200, 128, feeder),
        TreeTrade(1, 2, 200, 130, feeder),
        TreeTrade(0, 0, 600, 80, east),
    ]
    assert (result.nodes[east].price, result.nodes[feeder].price) == (80, 130)
    assert result.held_offers == [(1, east, 200)]


def test_sums_beyond_sixty_three_bits_stay_exact():
    tree = [Place(1, 2, export_limit=MAX_ENERGY * 16_000), Place(None, 1)]
    bids = [Row(1, 9, MAX_ENERGY)] * 33_000
    offers = [Row(int(i % 3 == 0), i % 5, MAX_ENERGY - 1) for i in range(51_000)]
    result = cleared(bids, offers, tree)
    assert result == reference_tree(bids, offers, tree)
    assert result.nodes[1].energy >= 1 << 63
    assert sum(energy for _, _, energy in result.held_offers) >= 1 << 62


def test_a_tree_without_orders_trades_nothing():
    tree = [Place(None), Place(0), Place(0)]
    for bids, offers in (([], []), ([Row(1, 1, 1)], []), ([], [Row(1, 1, 1)])):
        assert cleared(bids, offers, tree) == reference_tree(bids, offers, tree)


SOUND = as_levels([Place(None), Place(0)])


def changed(**fields: list[int]) -> Levels:
    kept = {name: getattr(SOUND, name) for name in SOUND.__slots__}
    return Levels(**kept | {name: np.array(values, dtype=np.int64) for name, values in fields.items()})


@pytest.mark.parametrize(
    "fields",
    [
        {"parent": [-1, 2]},
        {"parent": [-1, -2]},
        {"parent": [1, 0]},
        {"depth": [0, 2]},
        {"depth": [1, 2]},
        {"fee": [0, -1]},
        {"fee": [(1 << 60) + 1, 0]},
        {"import_limit": [0, -1]},
        {"export_limit": [0, -1]},
        {"mechanism": [3, 4]},
        {"mechanism": [0, 3]},
    ],
    ids=str,
)
def test_columns_that_make_no_tree_are_refused(fields):
    one_bid = columns([Row(1, 5, 5)])
    assert clear_levels(one_bid, one_bid, SOUND).quantity.tolist() == [5]
    with pytest.raises(ValueError):
        clear_levels(one_bid, one_bid, changed(**fields))


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_rate_that_fees_carry_beyond_sixty_bits_is_refused(side, sign):
    def clear_with(rate):
        sides = [columns([]), columns([])]
        sides[side] = columns([Row(1, rate, 5)])
        return clear_levels(sides[0], sides[1], changed(fee=[3, 4]))

    assert len(clear_with(sign * ((1 << 60) - 7)).bid) == 0
    with pytest.raises(ValueError, match="2\\^60"):
        clear_with(sign * ((1 << 60) - 6))


@pytest.mark.parametrize("row", [Row(2, 0, 1), Row(-1, 0, 1), Row(0, 0, 0), Row(0, 0, MAX_ENERGY + 1)])
def test_a_row_out_of_range_is_refused_on_either_side(row):
    with pytest.raises(ValueError):
        clear_levels(columns([row]), columns([]), SOUND)
    with pytest.raises(ValueError):
        clear_levels(columns([]), columns([row]), SOUND)
