"""Trees to test on."""

from exchange.tree import Tree
from tests.strategies import SESSION


def one_node(fee: int, number: int = SESSION.market) -> Tree:
    """A community of one node, which takes a constant fee."""
    return Tree.of_one(number, fee=fee)
