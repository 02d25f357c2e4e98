"""The field's worked cases of fees along a path (`tests/vectors/markets.json`), by id, at every mechanism they name."""

import json
from pathlib import Path

import pytest

from exchange.delivery import Mechanism
from exchange.levels import levels_of
from exchange.tree import Fee, Node, Tree
from exchange.tree_auction import clear_levels
from exchange.units import MicroPerKwh
from tests.exchange.reference_auction import Row
from tests.exchange.reference_tree import Place
from tests.exchange.test_auction import columns
from tests.exchange.test_tree_auction import MECHANISMS, cleared, one

VECTORS = {
    vector["id"]: vector
    for vector in json.loads((Path(__file__).parents[1] / "vectors" / "markets.json").read_text())["vectors"]
}


def a_line(fees: list[int]) -> list[Place]:
    """The path of the fee vectors: two houses in two neighbourhoods under one grid, seller's house first."""
    parents = [1, 2, None, 2, 3]
    return [Place(parent, fee, mechanism=Mechanism.PAY_AS_BID) for parent, fee in zip(parents, fees, strict=True)]


def micro(cents: float) -> int:
    return round(cents * 10_000)


def test_fee_001_fees_add_along_the_path_and_the_buyer_pays_them():
    vector = VECTORS["fee-001"]
    tree = [
        node._replace(mechanism=Mechanism.PAY_AS_OFFER) for node in a_line([micro(f) for f in vector["input"]["fees"]])
    ]
    trade = one([Row(4, micro(100), 1000)], [Row(0, micro(vector["input"]["offer_rate"]), 1000)], tree)
    assert trade.rate == micro(vector["expected"]["seller_gets"])
    assert trade.rate + sum(node.fee for node in tree) == micro(vector["expected"]["buyer_pays"])


def test_fee_002_by_pay_as_bid_the_seller_gets_the_bid_less_the_fees_of_the_path():
    vector = VECTORS["fee-002"]
    tree = a_line([micro(fee) for fee in vector["input"]["fees"]])
    trade = one(
        [Row(4, micro(vector["input"]["bid_rate"]), 1000)], [Row(0, micro(vector["input"]["offer_rate"]), 1000)], tree
    )
    assert trade.rate == micro(vector["expected"]["seller_gets"])
    assert trade.top == 2


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_fee_005_a_bid_trades_if_it_covers_the_offer_and_the_fees_of_the_path(mechanism):
    vector = VECTORS["fee-005"]
    fees = [micro(fee) for fee in vector["input"]["fees"]]
    tree = [node._replace(mechanism=mechanism) for node in a_line(fees)]
    offers = [Row(0, micro(vector["input"]["offer_rate"]), 1)]
    tradable = [bool(cleared([Row(4, micro(bid), 1)], offers, tree).trades) for bid in vector["input"]["bid_rates"]]
    assert tradable == vector["expected"]["tradable"]


def the_vectors_tree() -> tuple[Tree, dict[str, int]]:
    """Return the tree of fee-006 with the numbers of its nodes; assets hang where the vector has them."""
    described = VECTORS["fee-006"]["input"]["tree"]
    names = sorted(described)
    above = {child: parent for parent, node in described.items() for child in node["children"]}
    nodes = tuple(
        Node(
            number=number,
            name=name,
            parent=names.index(above[name]) + 1 if name in above else None,
            fee=Fee(constant=MicroPerKwh(micro(described[name]["fee"]))),
            fee_account=1,
            operator=bytes(20),
        )
        for number, name in enumerate(names, 1)
    )
    places = {name: index for index, name in enumerate(names)}
    return Tree(nodes), places | {asset: places[above[asset]] for asset in above if asset not in places}


@pytest.mark.parametrize("path_fee", VECTORS["fee-006"]["expected"]["path_fees"], ids=lambda row: "-".join(row[:2]))
def test_fee_006_every_node_on_the_path_takes_its_fee_once(path_fee):
    seller, buyer, fee = path_fee
    tree, places = the_vectors_tree()
    for mechanism in MECHANISMS:
        levels = levels_of(tree, mechanism)

        def trades(bid_rate, levels=levels):
            bid, offer = columns([Row(places[buyer], bid_rate, 5)]), columns([Row(places[seller], 0, 5)])
            return clear_levels(bid, offer, levels)

        assert len(trades(micro(fee)).bid) == 1
        assert len(trades(micro(fee) - 1).bid) == 0
