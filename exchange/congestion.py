"""Congestion rent: what a limit that is used up adds to a way through the tree.

By network clearing every node has a price, what a seller at that node gets. Over a boundary that has room left, prices
differ by the fee alone. Where they differ by more, a limit is used up, and the rest is the rent of the node whose limit
it is: each kWh that crosses its boundary pays it, on top of the node's fee.
"""

from collections.abc import Mapping

from exchange.tree import Tree
from exchange.units import MicroPerKwh


def rents(tree: Tree, prices: Mapping[int, MicroPerKwh], seller: int, buyer: int) -> Mapping[int, MicroPerKwh]:
    """Return the rent of each node between the seller's and the buyer's that takes one, in µ/kWh, by number.

    The seller gets its node's price; that, the rents and the fees of the path are the price and the fee of the buyer's
    node, which is what the buyer pays. Raises `ValueError` where the prices would let nobody trade this way.
    """
    top, sending = tree.top(seller, buyer), tree.way_up(seller)
    taken: dict[int, MicroPerKwh] = {}
    for child in tree.path(seller, buyer):
        parent = tree[child].parent
        if child == top or parent is None:
            continue
        if child in sending:  # on the seller's side: energy goes out
            rent = prices[parent] - prices[child] - tree[child].fee.constant
        else:
            rent = prices[child] - prices[parent] - tree[parent].fee.constant
        if rent < 0:
            raise ValueError(f"by these prices nothing crosses the boundary of node {child} this way")
        if rent:
            taken[child] = MicroPerKwh(rent)
    return taken
