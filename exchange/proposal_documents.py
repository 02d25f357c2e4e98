"""Proposals and the book without names as plain values for JSON."""

from collections.abc import Mapping
from typing import Any

from exchange.anonymous import AnonymousBook
from exchange.errors import OrderMalformed
from exchange.fields import Document, Fields, hexed
from exchange.proposals import MOST_RECORDS, Proposal, Record


def proposal_to_document(proposal: Proposal, signature: bytes) -> Document:
    """Return a signed proposal as plain values, as it is posted."""
    return {
        "session": proposal.session.number,
        "records": [
            {
                "bid": hexed(record.bid),
                "offer": hexed(record.offer),
                "energy_wh": record.energy,
                "rate_micro_per_kwh": record.rate,
            }
            for record in proposal.records
        ],
        "signature": hexed(signature),
    }


def proposal_from_document(document: Mapping[str, Any]) -> tuple[Proposal, bytes]:
    """Read a signed proposal; raises `OrderMalformed` naming what is wrong with its form."""
    fields = Fields(document)
    proposal, signature = take_proposal(fields)
    fields.finish()
    return proposal, signature


def take_proposal(fields: Fields) -> tuple[Proposal, bytes]:
    """Take the fields of a signed proposal; raises `OrderMalformed`."""
    session = fields.session("session")
    records = tuple(_record(document) for document in fields.mappings("records"))
    if not 0 < len(records) <= MOST_RECORDS:
        raise OrderMalformed(f"a proposal has up to {MOST_RECORDS} records, and one at least")
    return Proposal(session, records), fields.raw("signature", 64)


def _record(document: Mapping[str, Any]) -> Record:
    fields = Fields(document)
    try:
        record = Record(
            bid=fields.raw("bid", 32),
            offer=fields.raw("offer", 32),
            energy=fields.whole("energy_wh"),
            rate=fields.whole("rate_micro_per_kwh"),
        )
    except ValueError as error:
        raise OrderMalformed(str(error)) from error
    fields.finish()
    return record


def anonymous_to_document(book: AnonymousBook) -> Document:
    """Return a book without names as plain values; limits of nodes are what may still cross in this session."""
    return {
        "session": book.session.number,
        "session_name": str(book.session),
        "mechanism": book.mechanism.title,
        "until": book.until,
        "nodes": [
            {
                "node": node.number,
                "parent": node.parent,
                "fee_micro_per_kwh": node.fee.constant,
                "fee_ppm": node.fee.ppm,
                "import_limit_wh": node.import_limit,
                "export_limit_wh": node.export_limit,
                "mechanism": None if node.mechanism is None else node.mechanism.title,
            }
            for node in book.tree.nodes
        ],
        "rows": [
            {
                "id": hexed(row.id),
                "side": row.side.name.lower(),
                "node": row.node,
                "energy_wh": row.energy,
                "limit_micro_per_kwh": row.limit,
            }
            for row in book.rows
        ],
    }
