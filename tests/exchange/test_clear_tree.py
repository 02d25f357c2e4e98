"""A session over a tree: local first, limits that bind, fees and rents in the rows, the same bytes in any order."""

from dataclasses import replace
from operator import attrgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.clear import clear
from exchange.delivery import Mechanism
from exchange.explanation import why
from exchange.order import Side
from exchange.own_energy import own_use
from exchange.tree import Fee, Tree
from tests.exchange.trees import communities, node, trees
from tests.strategies import SESSION, resting

BID, OFFER = Side.BID, Side.OFFER
by_every_mechanism = pytest.mark.parametrize("mechanism", Mechanism, ids=attrgetter("title"))
FEEDER, NORTH, SOUTH = 1, 2, 3


@st.composite
def books_on(draw, tree, most=14):
    """Books of small numbers, so that ties, full boundaries and own orders are common."""
    numbers = [one.number for one in tree.nodes]
    drawn = draw(
        st.lists(
            st.tuples(
                st.sampled_from(Side),
                st.integers(-3, 9),
                st.integers(1, 6),
                st.integers(1, 6),
                st.sampled_from(("", "barn")),
                st.sampled_from(numbers),
            ),
            max_size=most,
        )
    )
    return [
        resting(side, limit, energy, sequence=number, account=account, home=home, node=at)
        for number, (side, limit, energy, account, home, at) in enumerate(drawn, 1)
    ]


@st.composite
def neighbourhoods(draw, mechanism):
    """A tree and a book on it; where the mechanism can have them, some fees are shares."""
    tree = draw(trees(ppm=mechanism is not Mechanism.NETWORK))
    return tree, draw(books_on(tree))


def cleared(book, tree, mechanism=Mechanism.PAY_AS_CLEAR):
    return clear(book, session=SESSION, tree=tree, mechanism=mechanism)


@by_every_mechanism
@settings(max_examples=30)
@given(st.data())
def test_the_laws_of_the_tree_hold_for_every_trade(mechanism, data):
    tree, book = data.draw(neighbourhoods(mechanism))
    clearing = cleared(book, tree, mechanism)
    orders = {entry.digest: entry for entry in book}
    left = own_use(book)[1]
    filled = dict.fromkeys(orders, 0)
    for trade in clearing.trades:
        bid, offer = orders[trade.bid], orders[trade.offer]
        assert (bid.order.side, offer.order.side) == (BID, OFFER)
        assert bid.account != offer.account
        assert offer.order.limit <= trade.rate
        assert trade.rate + trade.fee_rate <= bid.order.limit
        assert trade.fees.top == tree.top(offer.node, bid.node)
        taken = {share.node: share.rate for share in trade.fees.shares}
        path = tree.path(offer.node, bid.node)
        assert list(taken) == [number for number in path if number in taken]
        for number in path:
            rent = taken.get(number, 0) - tree[number].fee.at(trade.rate)
            assert rent >= 0 if mechanism is Mechanism.NETWORK else rent == 0
        filled[trade.bid] += trade.energy
        filled[trade.offer] += trade.energy
    assert all(filled[digest] <= left[digest] for digest in filled)
    assert len({trade.leaf() for trade in clearing.trades}) == len(clearing.trades)


@by_every_mechanism
@settings(max_examples=30)
@given(st.data())
def test_what_buyers_pay_is_what_sellers_and_nodes_get(mechanism, data):
    tree, book = data.draw(neighbourhoods(mechanism))
    clearing = cleared(book, tree, mechanism)
    account_of = {entry.digest: entry.account for entry in book}
    members, nodes = {}, {}
    for trade in clearing.trades:
        buyer, seller = account_of[trade.bid], account_of[trade.offer]
        members[buyer] = members.get(buyer, 0) - trade.cost
        members[seller] = members.get(seller, 0) + trade.value
        for share in trade.fees.shares:
            nodes[share.node] = nodes.get(share.node, 0) + trade.energy * share.rate
    assert sum(members.values()) + sum(nodes.values()) == 0
    assert sum(nodes.values()) == sum(trade.fee for trade in clearing.trades)


@by_every_mechanism
@settings(max_examples=30)
@given(st.data())
def test_no_more_crosses_a_boundary_than_it_lets_through_and_the_nodes_say_how_much_did(mechanism, data):
    tree, book = data.draw(neighbourhoods(mechanism))
    clearing = cleared(book, tree, mechanism)
    node_of = {entry.digest: entry.node for entry in book}
    flows = {one.number: [0, 0, 0] for one in tree.nodes}
    for trade in clearing.trades:
        flows[trade.fees.top][0] += trade.energy
        for way, digest in ((1, trade.bid), (2, trade.offer)):
            up = tree.way_up(node_of[digest])
            for number in up[: up.index(trade.fees.top)]:
                flows[number][way] += trade.energy
    for one in tree.nodes:
        _, imported, exported = flows[one.number]
        assert one.import_limit is None or imported <= one.import_limit
        assert one.export_limit is None or exported <= one.export_limit
    told = {result.node: [result.energy, result.imported, result.exported] for result in clearing.nodes}
    assert {number: flow for number, flow in flows.items() if any(flow)} == {
        number: flow for number, flow in told.items() if any(flow)
    }
    assert [result.node for result in clearing.nodes] == sorted(told)
    for held in clearing.held:
        (entry,) = (entry for entry in book if entry.digest == held.order)
        limit = attrgetter("import_limit" if entry.order.side is BID else "export_limit")(tree[held.node])
        assert limit is not None
        assert held.node in tree.way_up(entry.node)
        assert 0 < held.energy <= entry.order.energy


@by_every_mechanism
@settings(max_examples=30)
@given(st.data())
def test_the_same_orders_give_the_same_bytes_in_any_order(mechanism, data):
    tree, book = data.draw(neighbourhoods(mechanism))
    assert cleared(data.draw(st.permutations(book)), tree, mechanism) == cleared(book, tree, mechanism)


@pytest.mark.parametrize("mechanism", [Mechanism.PAY_AS_CLEAR, Mechanism.NETWORK], ids=attrgetter("title"))
@settings(max_examples=30)
@given(st.data())
def test_every_top_has_one_price(mechanism, data):
    tree = data.draw(trees())
    clearing = cleared(data.draw(books_on(tree)), tree, mechanism)
    prices = {result.node: result.price for result in clearing.nodes}
    for trade in clearing.trades:
        assert trade.rate + trade.fees.before_top == prices[trade.fees.top]


@settings(max_examples=30)
@given(st.data())
def test_network_clearing_is_worth_at_least_as_much_as_level_by_level(data):
    tree = data.draw(trees())
    book = data.draw(books_on(tree))
    orders = {entry.digest: entry for entry in book}

    def welfare(mechanism):
        return sum(
            trade.energy
            * (
                orders[trade.bid].order.limit
                - orders[trade.offer].order.limit
                - tree.fee(orders[trade.offer].node, orders[trade.bid].node, 0)
            )
            for trade in cleared(book, tree, mechanism).trades
        )

    # without orders of one account on two sides: these must not trade with each other, which the optimum does not know
    if len({entry.account for entry in book}) == len(book):
        assert welfare(Mechanism.NETWORK) >= max(welfare(mechanism) for mechanism in list(Mechanism)[:3])


# A neighbourhood


def on(tree):
    """The tree for `SESSION`, whose market has the feeder's number."""
    number = {FEEDER: SESSION.market, NORTH: 20, SOUTH: 30}
    nodes = (
        replace(one, number=number[one.number], parent=None if one.parent is None else SESSION.market)
        for one in tree.nodes
    )
    return Tree(tuple(sorted(nodes, key=attrgetter("number"))))


UP, N, S = SESSION.market, 20, 30


@pytest.mark.parametrize("mechanism", list(Mechanism)[:3], ids=attrgetter("title"))
def test_neighbours_come_first_even_where_others_would_pay_more(mechanism):
    near = resting(BID, 110, 5, sequence=1, node=N)
    dear = resting(BID, 300, 5, sequence=2, node=S)
    offer = resting(OFFER, 100, 7, sequence=3, node=N)
    clearing = cleared([near, dear, offer], on(communities(1, 2, 3)), mechanism)
    assert {trade.bid: (trade.energy, trade.fees.top) for trade in clearing.trades} == {
        near.digest: (5, N),
        dear.digest: (2, UP),
    }
    rows = {trade.bid: [(share.node, share.rate) for share in trade.fees.shares] for trade in clearing.trades}
    assert rows == {near.digest: [(N, 2)], dear.digest: [(N, 2), (UP, 1), (S, 3)]}


def test_by_network_clearing_who_pays_more_comes_first():
    near = resting(BID, 110, 5, sequence=1, node=N)
    dear = resting(BID, 300, 5, sequence=2, node=S)
    offer = resting(OFFER, 100, 7, sequence=3, node=N)
    clearing = cleared([near, dear, offer], on(communities(1, 2, 3)), Mechanism.NETWORK)
    assert {trade.bid: trade.energy for trade in clearing.trades} == {near.digest: 2, dear.digest: 5}
    prices = {result.node: result.price for result in clearing.nodes}
    assert prices == {N: 108, UP: 110, S: 111}


@by_every_mechanism
def test_a_limit_binds_and_the_order_is_told_at_which_node(mechanism):
    tree = on(communities(1, 2, 3, north_export=4))
    bid = resting(BID, 300, 9, sequence=1, node=S)
    cheap, dear = resting(OFFER, 100, 3, sequence=3, node=N), resting(OFFER, 120, 5, sequence=2, node=N)
    clearing = cleared([bid, cheap, dear], tree, mechanism)
    assert {trade.offer: trade.energy for trade in clearing.trades} == {cheap.digest: 3, dear.digest: 1}
    assert [(held.order, held.node, held.energy) for held in clearing.held] == [(dear.digest, N, 4)]
    told = why(dear, clearing, tree, mechanism=mechanism)
    assert (told.code, told.filled) == ("partly-filled", 1)
    assert "Limit at node north: 4 Wh could not get out of it, since the 4 Wh it lets through were used up." in (
        told.sentence
    )
    assert "for 5 Wh nobody was left" in why(bid, clearing, tree, mechanism=mechanism).sentence


@by_every_mechanism
def test_a_limit_of_nothing_parts_two_communities(mechanism):
    tree = on(communities(1, 2, 3, south_import=0))
    bid, offer = resting(BID, 300, 5, sequence=1, node=S), resting(OFFER, 100, 5, sequence=2, node=N)
    clearing = cleared([bid, offer], tree, mechanism)
    assert clearing.trades == ()
    told = why(bid, clearing, tree, mechanism=mechanism)
    assert (told.code, told.filled) == ("not-matched-limit-at-node", 0)
    assert told.sentence == (
        "Limit at node south: 5 Wh could not get into it, since the 0 Wh it lets through were used up."
    )
    assert cleared([bid, offer], on(communities(1, 2, 3)), mechanism).energy == 5


def test_by_network_clearing_the_node_whose_limit_binds_takes_the_rent():
    tree = on(communities(1, 2, 3, north_export=4))
    bid = resting(BID, 300, 9, sequence=1, node=S)
    offer = resting(OFFER, 100, 8, sequence=2, node=N)
    clearing = cleared([bid, offer], tree, Mechanism.NETWORK)
    (trade,) = clearing.trades
    assert (trade.energy, trade.rate) == (4, 100)
    assert [(share.node, share.rate) for share in trade.fees.shares] == [(N, 196), (UP, 1), (S, 3)]
    assert trade.cost == 4 * 300
    free = cleared([bid, offer], on(communities(1, 2, 3)), Mechanism.NETWORK)
    assert [share.rate for share in free.trades[0].fees.shares] == [2, 1, 3], "no rent where there is room"


def test_bottom_up_a_limit_makes_no_rent():
    tree = on(communities(1, 2, 3, north_export=4))
    bid, offer = resting(BID, 300, 9, sequence=1, node=S), resting(OFFER, 100, 8, sequence=2, node=N)
    (trade,) = cleared([bid, offer], tree).trades
    assert [share.rate for share in trade.fees.shares] == [2, 1, 3]


def test_each_node_may_have_a_mechanism_of_its_own():
    parents = (node(UP, None, 1), node(N, UP, 2, mechanism=Mechanism.PAY_AS_BID), node(S, UP, 3))
    tree = Tree(parents)
    north = [resting(BID, 300, 5, sequence=1, node=N), resting(OFFER, 100, 5, sequence=2, node=N)]
    south = [resting(BID, 300, 5, sequence=3, node=S), resting(OFFER, 100, 5, sequence=4, node=S)]
    clearing = cleared(north + south, tree, Mechanism.PAY_AS_OFFER)
    assert {trade.fees.top: trade.rate for trade in clearing.trades} == {N: 298, S: 100}


def test_a_share_of_the_rate_is_taken_trade_by_trade():
    tree = Tree((node(UP, None, Fee(ppm=100_000)), node(N, UP, Fee(ppm=50_000))))
    bid = resting(BID, 1_150, 8, sequence=1, node=UP)
    offers = [resting(OFFER, 1_000, 3, sequence=2, node=N), resting(OFFER, 900, 5, sequence=3, node=N)]
    clearing = cleared([bid, *offers], tree, Mechanism.PAY_AS_OFFER)
    rows = sorted((trade.rate, [share.rate for share in trade.fees.shares]) for trade in clearing.trades)
    assert rows == [(900, [45, 90]), (1_000, [50, 100])]


def test_own_energy_is_of_one_home_at_one_node():
    bid = resting(BID, 300, 5, sequence=1, account=1, node=N)
    offer = resting(OFFER, 100, 5, sequence=2, account=1, node=S)
    clearing = cleared([bid, offer], on(communities()))
    assert (clearing.own_uses, clearing.lapsed) == ((), (offer.digest,))
    beside = cleared([bid, replace(offer, node=N)], on(communities()))
    assert ([use.energy for use in beside.own_uses], beside.lapsed) == ([5], ())


def test_own_orders_that_the_fees_between_them_keep_apart_may_both_stand():
    bid = resting(BID, 300, 5, sequence=1, account=1, node=N)
    offer = resting(OFFER, 295, 5, sequence=2, account=1, node=S)
    assert cleared([bid, offer], on(communities(1, 2, 3))).lapsed == ()
    assert cleared([bid, offer], on(communities(1, 2, 2))).lapsed == (offer.digest,)
