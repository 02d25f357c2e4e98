"""The tree as data: ways through it, what they cost, and the field's worked cases of fees, by id."""

import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.clear import clear
from exchange.delivery import Mechanism
from exchange.order import Side
from exchange.tree import MOST_DEPTH, Fee, Tree, total
from exchange.units import MAX_RATE, Nano
from tests.exchange.trees import communities, node, trees
from tests.strategies import SESSION, resting

VECTORS = {
    vector["id"]: vector
    for vector in json.loads((Path(__file__).parents[1] / "vectors" / "markets.json").read_text())["vectors"]
}


# Trees


def test_a_community_of_one_node_is_a_tree():
    tree = Tree.of_one(7, fee=3)
    assert (tree.root.number, tree.path(7, 7), tree.top(7, 7), tree.fee(7, 7, 10)) == (7, (7,), 7, 3)
    assert (7 in tree, 8 in tree) == (True, False)


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        ((), "one root"),
        ((node(1, None), node(2, None)), "one root"),
        ((node(1, None), node(2, 3)), "not there"),
        ((node(1, None), node(1, None)), "one number"),
        ((node(2, None), node(1, 2)), "ascending"),
        ((node(1, None), node(2, 1, name="node 1")), "one name"),
        ((node(1, None), node(2, 3), node(3, 2)), "hangs on itself"),
        ((node(1, None), node(2, 2)), "hangs on itself"),
    ],
)
def test_nodes_that_make_no_tree_are_refused(nodes, why):
    with pytest.raises(ValueError, match=why):
        Tree(nodes)


def test_a_tree_is_so_deep_and_no_deeper():
    def line(depth):
        return Tree(tuple(node(number, number - 1 or None) for number in range(1, depth + 1)))

    assert len(line(MOST_DEPTH).way_up(MOST_DEPTH)) == MOST_DEPTH
    with pytest.raises(ValueError, match="deeper"):
        line(MOST_DEPTH + 1)


# The path law


@given(trees(ppm=True), st.data(), st.integers(-5, 2_000_000))
def test_every_node_of_the_path_takes_its_fee_once_and_no_other(tree, data, rate):
    seller, buyer = (data.draw(st.sampled_from([one.number for one in tree.nodes])) for _ in range(2))
    path, top = tree.path(seller, buyer), tree.top(seller, buyer)
    assert (path[0], path[-1]) == (seller, buyer)
    assert len(set(path)) == len(path)
    for one, other in pairwise(path):
        assert other == tree[one].parent or one == tree[other].parent
    assert set(path) == set(tree.way_up(seller)) ^ set(tree.way_up(buyer)) | {top}
    assert top in tree.way_up(seller)
    assert top in tree.way_up(buyer)
    shares = tree.shares(seller, buyer, rate)
    assert [share.node for share in shares] == [one for one in path if tree[one].fee.at(rate) or one == top]
    assert total(shares) == tree.fee(seller, buyer, rate) == sum(tree[one].fee.at(rate) for one in path)


@given(trees(ppm=True), st.data(), st.integers(-5, 2_000_000))
def test_the_most_for_a_seller_is_the_highest_rate_that_the_buyer_can_pay_with_all_fees(tree, data, limit):
    seller, buyer = (data.draw(st.sampled_from([one.number for one in tree.nodes])) for _ in range(2))
    most = tree.most_for_seller(limit, seller, buyer)
    assert most + tree.fee(seller, buyer, most) <= limit < most + 1 + tree.fee(seller, buyer, most + 1)
    assert tree.agree(limit, most, seller, buyer)
    assert not tree.agree(limit, most + 1, seller, buyer)


@pytest.mark.parametrize(
    ("fee", "rate", "taken"),
    [
        (Fee(constant=7), -100, 7),
        (Fee(ppm=500_000), -100, 0),
        (Fee(ppm=500_000), 3, 2),
        (Fee(ppm=499_999), 1, 0),
        (Fee(ppm=1_000_000), MAX_RATE, MAX_RATE),
    ],
)
def test_a_share_is_rounded_half_up_and_never_below_nothing(fee, rate, taken):
    assert fee.at(rate) == taken


@pytest.mark.parametrize("change", [{"constant": -1}, {"constant": MAX_RATE + 1}, {"ppm": -1}, {"ppm": 1_000_001}])
def test_a_fee_out_of_range_is_refused(change):
    assert Fee(**dict.fromkeys(change, 1)).at(1_000_000) == 1
    with pytest.raises(ValueError, match="between nothing"):
        Fee(**change)


def test_a_fee_is_constant_or_a_share():
    with pytest.raises(ValueError, match="not both"):
        Fee(constant=1, ppm=1)


# The field's worked cases


def micro(cents: float) -> int:
    return int(Fraction(str(cents)) * 10_000)


def line_of(case: dict) -> Tree:
    """The path of a case: two houses in two neighbourhoods under one grid; 1 is the seller's house, 5 the buyer's."""
    if "fees" in case:
        fees = [Fee(constant=micro(fee)) for fee in case["fees"]]
    else:
        fees = [Fee(ppm=10_000 * percent) for percent in case["fee_percent"]]
    parents = [2, SESSION.market, None, SESSION.market, 4]
    numbers = [1, 2, SESSION.market, 4, 5]
    nodes = (node(number, parent, fee) for number, parent, fee in zip(numbers, parents, fees, strict=True))
    return Tree(tuple(sorted(nodes, key=lambda one: one.number)))


def traded(case: dict, mechanism: Mechanism, *, energy: int = 1_000, bid: float = 100, offer: float = 0):
    """The one trade between the two houses."""
    orders = [
        resting(Side.BID, micro(case.get("bid_rate", bid)), energy, sequence=1, node=5),
        resting(Side.OFFER, micro(case.get("offer_rate", offer)), energy, sequence=2, node=1),
    ]
    (trade,) = clear(orders, session=SESSION, tree=line_of(case), mechanism=mechanism).trades
    return trade


def collected(trade) -> list[int]:
    taken = {share.node: share.rate for share in trade.fees.shares}
    return [taken.get(number, 0) for number in (1, 2, SESSION.market, 4, 5)]


@pytest.mark.parametrize(
    ("name", "mechanism"),
    [
        ("fee-001", Mechanism.PAY_AS_OFFER),
        ("fee-002", Mechanism.PAY_AS_BID),
        ("fee-003", Mechanism.PAY_AS_OFFER),
        ("fee-004", Mechanism.PAY_AS_BID),
    ],
)
def test_the_fees_of_a_path_are_collected_node_by_node(name, mechanism):
    case, expected = VECTORS[name]["input"], VECTORS[name]["expected"]
    trade = traded(case, mechanism)
    assert trade.rate == micro(expected["seller_gets"])
    assert trade.rate + trade.fee_rate == micro(expected["buyer_pays"])
    assert collected(trade) == [micro(fee) for fee in expected["fees_collected"]]
    assert trade.fees.top == SESSION.market


@pytest.mark.parametrize("name", ["fee-001", "fee-003"])
def test_a_seller_s_rate_grows_by_each_fee_on_the_way(name):
    """The rates at which the reference's markets trade, one after the other: ours are sums over the one row."""
    case, expected = VECTORS[name]["input"], VECTORS[name]["expected"]
    trade = traded(case, Mechanism.PAY_AS_OFFER)
    fees = collected(trade)
    assert [trade.rate + sum(fees[: at + 1]) for at in range(5)] == [
        micro(rate) for rate in expected["market_trade_rates"]
    ]


@pytest.mark.parametrize("mechanism", Mechanism)
def test_fee_005_a_bid_trades_exactly_if_it_covers_the_offer_and_the_path(mechanism):
    case, expected = VECTORS["fee-005"]["input"], VECTORS["fee-005"]["expected"]
    tree = line_of(case)
    tradable = []
    for rate in case["bid_rates"]:
        bid = resting(Side.BID, micro(rate), 1, sequence=1, node=5)
        offer = resting(Side.OFFER, micro(case["offer_rate"]), 1, sequence=2, node=1)
        assert tree.agree(bid.order.limit, offer.order.limit, 1, 5) is (micro(rate) >= micro(14))
        tradable.append(bool(clear([bid, offer], session=SESSION, tree=tree, mechanism=mechanism).trades))
    assert tradable == expected["tradable"]


def street_of_the_vectors(fees: dict[str, float]) -> tuple[Tree, dict[str, int]]:
    """The tree of fee-006, and the node of every asset in it."""
    described = VECTORS["fee-006"]["input"]["tree"]
    above = {child: parent for parent, one in described.items() for child in one["children"]}
    numbers = {name: number for number, name in enumerate(described, 1)}
    nodes = (
        node(number, numbers.get(above.get(name)), Fee(constant=micro(fees[name])), name=name)
        for name, number in numbers.items()
    )
    return Tree(tuple(nodes)), numbers | {asset: numbers[above[asset]] for asset in above if asset not in numbers}


FEES_BY_CASE = {
    "fee-006": {name: one["fee"] for name, one in VECTORS["fee-006"]["input"]["tree"].items()},
    "fee-007": VECTORS["fee-007"]["input"]["fees"],
}


@pytest.mark.parametrize("name", FEES_BY_CASE)
def test_the_fee_of_a_path_is_the_sum_of_its_nodes_in_both_directions(name):
    tree, at = street_of_the_vectors(FEES_BY_CASE[name])
    for one, other, fee in VECTORS[name]["expected"]["path_fees"]:
        assert tree.fee(at[one], at[other], 0) == tree.fee(at[other], at[one], 0) == micro(fee), (one, other)


def euro(amount: float) -> Nano:
    return Nano(int(Fraction(str(amount)) * 1_000_000_000))


def test_bill_002_what_the_buyer_pays_is_what_the_seller_gets_and_all_fees():
    case, expected = VECTORS["bill-002"]["input"], VECTORS["bill-002"]["expected"]
    trade = traded(case, Mechanism.PAY_AS_BID, energy=1_600)
    assert {"buyer": -trade.cost, "seller": trade.value, "fees": trade.fee} == {
        name: euro(amount) for name, amount in expected["zero_sum"].items()
    }
    in_euro = expected["eur"]
    assert [fee * 1_600 for fee in collected(trade)[1:4]] == [
        euro(in_euro[name]["fee"]) for name in ("neighbourhood_2", "grid", "neighbourhood_1")
    ]
    assert (trade.cost, trade.value) == (euro(in_euro["load"]["spent"]), euro(in_euro["pv"]["earned"]))


def test_bill_003_shares_are_of_what_the_seller_gets_and_are_not_compounded():
    case, expected = VECTORS["bill-003"]["input"], VECTORS["bill-003"]["expected"]["eur"]
    trade = traded(case, Mechanism.PAY_AS_BID, energy=1_600)
    assert (trade.cost, trade.value) == (euro(expected["load"]["spent"]), euro(expected["pv"]["earned"]))
    assert [fee * 1_600 for fee in collected(trade)[1:4]] == [
        euro(expected["fees"][name]) for name in ("neighbourhood_2", "grid", "neighbourhood_1")
    ]


def test_a_path_within_a_community_leaves_out_the_feeder():
    tree = communities(10_000, 4_000, 3_000)
    assert [share.node for share in tree.shares(2, 2, 0)] == [2]
    assert [(share.node, share.rate) for share in tree.shares(2, 3, 0)] == [(2, 4_000), (1, 10_000), (3, 3_000)]
    assert [share.node for share in communities(0, 1, 1).shares(2, 3, 0)] == [2, 1, 3], (
        "the top stands there for nothing"
    )
