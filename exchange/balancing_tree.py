"""The tree as a balancing session sees it: which way energy flows there, and how orders meet.

Whoever offers in a balancing session is who is paid, up and down; whoever bids pays, fees included. Up, energy flows
from the provider to who procures it, as on spot. Down, the provider takes it: it flows the other way. So what bounds an
offer on its way up is then what a node lets in, and what bounds a bid is what a node lets out. Every node is
pay-as-offer here, whatever its mechanism is on spot.
"""

from collections.abc import Iterable
from dataclasses import replace

from exchange.clearing import NodeResult
from exchange.delivery import BALANCING, Product
from exchange.tree import Tree


def reserve_tree(tree: Tree, product: Product) -> Tree:
    """Return the tree for orders of a product: `import_limit` is what bids, `export_limit` what offers may pass."""
    if product not in BALANCING:
        return tree
    turn = product is Product.BALANCING_DOWN
    return Tree(
        tuple(
            replace(
                node,
                mechanism=None,
                import_limit=node.export_limit if turn else node.import_limit,
                export_limit=node.import_limit if turn else node.export_limit,
            )
            for node in tree.nodes
        )
    )


def as_it_flows(results: Iterable[NodeResult], product: Product) -> tuple[NodeResult, ...]:
    """Return what nodes came to, with imports and exports as the energy flows, not as the orders do."""
    if product is not Product.BALANCING_DOWN:
        return tuple(results)
    return tuple(replace(result, imported=result.exported, exported=result.imported) for result in results)
