"""The nodes of the tree as they are shown: what was founded, what holds now, and what is to come."""

from collections.abc import Iterable
from typing import Any

from exchange.documents import hexed, terms_to_document
from exchange.events import NodeTermsSet
from exchange.parameters import Parameters, node_to_document
from exchange.rulebook import Rulebook
from exchange.tree import Node
from identity.address import Address, to_text

Document = dict[str, Any]

_TERMS = ("fee_micro_per_kwh", "fee_ppm", "import_limit_wh", "export_limit_wh")
_PLACE = ("number", "name", "parent", "mechanism", "operator", "fee_account", "fee_cap_micro_per_kwh")


def nodes_document(rulebook: Rulebook, now: int) -> Document:
    """Return every node with its terms, as known at `now`."""
    founding = rulebook.founding
    return {
        "now": now,
        "slot_seconds": founding.slot,
        "nodes": [_node_document(rulebook, node, now) for node in founding.tree.nodes],
    }


def node_terms_document(rulebook: Rulebook, number: int) -> Document:
    """Return the terms of a node from the founding on; refuses one that is not there."""
    node = rulebook.must_have(number)
    return {
        "node": number,
        "founded": _terms(node),
        "changes": list(_changes(rulebook.changes_of(number), rulebook.founding)),
        "next_serial": rulebook.next_serial(number),
    }


def change_document(change: NodeTermsSet, founding: Parameters) -> Document:
    """Return a change of a node's terms, and for each product from which delivery on it holds."""
    return {
        **terms_to_document(change.terms, change.signature),
        "digest": hexed(change.digest),
        "signer": to_text(Address(change.signer)),
        "at": change.at,
        "holds_from": [
            {
                "market": market.number,
                "title": market.title,
                "delivery_start": (start := market.opens_after(change.at)),
                "gate_opening": market.gate_opening(start),
            }
            for market in founding.markets
        ],
    }


def _node_document(rulebook: Rulebook, node: Node, now: int) -> Document:
    spot = rulebook.founding.spot
    under_way = spot.session(now - now % spot.period)
    opened = spot.gate_opening(under_way.delivery_start)
    to_come = [change for change in rulebook.changes_of(node.number) if change.at >= opened]
    document = node_to_document(node)
    return {name: document[name] for name in _PLACE} | {
        "in_force": _terms(rulebook.rules(under_way).tree[node.number]),
        "newest": _terms(rulebook.newest.tree[node.number]),
        "next_serial": rulebook.next_serial(node.number),
        "to_come": list(_changes(to_come, rulebook.founding)),
    }


def _changes(changes: Iterable[NodeTermsSet], founding: Parameters) -> Iterable[Document]:
    return (change_document(change, founding) for change in changes)


def _terms(node: Node) -> Document:
    document = node_to_document(node)
    return {name: document[name] for name in _TERMS}
