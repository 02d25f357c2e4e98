"""`merit node`: what the nodes of the tree take and let through, and changing it as a grid operator."""

from pathlib import Path
from typing import Any

from app.client.client import MeritClient
from app.client.node_talks import TermsChange
from app.output import Output
from identity.effects.keystore import read_key

Document = dict[str, Any]


def list_nodes(url: str, *, as_json: bool) -> None:
    """Print every node of the tree with its terms."""
    output = Output(as_json=as_json)
    with MeritClient(url) as client:
        nodes = client.nodes()
    names = {each["number"]: each["name"] for each in nodes}
    output.result({"nodes": nodes})
    output.table(
        "Nodes",
        ("number", "name", "below", "fee", "in", "out", "operator", "to come"),
        [
            (
                str(each["number"]),
                each["name"],
                names.get(each["parent"], "-"),
                *_terms(each["in_force"]),
                each["operator"],
                ", ".join(str(change["serial"]) for change in each["to_come"]) or "-",
            )
            for each in nodes
        ],
    )


def show_terms(url: str, number: int, *, as_json: bool) -> None:
    """Print the terms of a node, oldest first, and from when each holds."""
    output = Output(as_json=as_json)
    with MeritClient(url) as client:
        held = client.node_terms(number)
    output.result(held)
    output.table(
        f"Terms of node {number}",
        ("serial", "fee", "in", "out", "taken at", "holds for deliveries from"),
        [
            ("0", *_terms(held["founded"]), "founding", "-"),
            *((str(each["serial"]), *_terms(each), str(each["at"]), _from(each)) for each in held["changes"]),
        ],
    )


def set_terms(url: str, number: int, key_file: Path, change: TermsChange, *, as_json: bool) -> None:
    """Sign and hand in a change of a node's terms; print it, and from when it holds."""
    output = Output(as_json=as_json)
    with MeritClient(url, read_key(key_file)) as client:
        taken = client.set_terms(number, change)
    output.result(taken)
    output.text(f"taken as number {taken['serial']} of node {number}; holds for deliveries from: {_from(taken)}")


def _terms(terms: Document) -> tuple[str, str, str]:
    fee = f"{terms['fee_ppm']} ppm" if terms["fee_ppm"] else f"{terms['fee_micro_per_kwh']} µ/kWh"
    return fee, _limit(terms["import_limit_wh"]), _limit(terms["export_limit_wh"])


def _limit(limit: int | None) -> str:
    return "-" if limit is None else f"{limit} Wh"


def _from(change: Document) -> str:
    return ", ".join(f"{each['title']} {each['delivery_start']}" for each in change["holds_from"])
