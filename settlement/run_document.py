"""An imbalance run as a document, and the hash that is its name: runs are linked by it, as a journal's entries are.

A document has one form. What follows from other numbers in it stands there for its reader, and is checked when it is
read.
"""

import json
from collections.abc import Mapping
from typing import Any

from exchange.documents import hexed
from exchange.units import MicroPerKwh, Nano, Wh
from identity.address import parse_address, to_text
from identity.errors import MalformedAddress
from identity.hashing import keccak
from settlement.contracted import Obligation
from settlement.deviation import Deviation
from settlement.imbalance_rules import Estimate
from settlement.metering_errors import RunMalformed
from settlement.runs import Line, Posting, Reason, Run

Document = dict[str, Any]


def run_hash(run: Run) -> bytes:
    """Return the hash of a run's canonical JSON: sorted keys, no spaces, ASCII."""
    return keccak(json.dumps(run_to_document(run), sort_keys=True, separators=(",", ":")).encode())


def run_to_document(run: Run) -> Document:
    """Return a run as plain values for JSON."""
    return {
        "run": run.number,
        "as_of": run.as_of,
        "rules": hexed(run.rules),
        "previous": hexed(run.previous),
        "lines": [line_to_document(line) for line in run.lines],
        "postings": [posting_to_document(posting) for posting in run.postings],
    }


def line_to_document(line: Line) -> Document:
    """Return what one asset comes to in one slot as plain values."""
    deviation, obligation = line.deviation, line.deviation.obligation
    return {
        "asset": to_text(line.asset),
        "start": line.start,
        "metered_wh": deviation.metered,
        "contracted_wh": obligation.contracted,
        "activated_wh": obligation.activated,
        "after_delivery_wh": obligation.after_delivery,
        "deviation_wh": deviation.energy,
        "unsettled_wh": deviation.unsettled,
        "band_wh": line.band,
        "charged_wh": line.charged,
        "price_micro_per_kwh": line.price,
        "amount_nano": line.amount,
        "account": line.account,
        "counterpart": line.counterpart,
        "evidence": [hexed(name) for name in line.evidence],
        "estimate": None if line.estimate is None else line.estimate.value,
    }


def posting_to_document(posting: Posting) -> Document:
    """Return a posting as plain values."""
    return {
        "account": posting.account,
        "asset": to_text(posting.asset),
        "start": posting.start,
        "amount_nano": posting.amount,
        "reason": posting.reason.value,
        "evidence": [hexed(name) for name in posting.evidence],
        "estimate": None if posting.estimate is None else posting.estimate.value,
    }


def run_from_document(document: Mapping[str, Any]) -> Run:
    """Read a run: believed to be in form because it gives the very same document again. Raises `RunMalformed`."""
    try:
        run = Run(
            number=_whole(document["run"]),
            as_of=_whole(document["as_of"]),
            rules=_hash(document["rules"]),
            previous=_hash(document["previous"]),
            lines=tuple(line_from_document(line) for line in document["lines"]),
            postings=tuple(_posting(posting) for posting in document["postings"]),
        )
    except (KeyError, TypeError, ValueError, MalformedAddress) as error:
        raise RunMalformed(f"this is no imbalance run: {error}") from error
    if run_to_document(run) != document:
        raise RunMalformed("the run is not in its one form, or its numbers contradict each other")
    return run


def line_from_document(document: Mapping[str, Any]) -> Line:
    """Read a line; raises `KeyError`, `TypeError`, `ValueError` or `MalformedAddress` where it is none."""
    account, estimate = document["account"], document["estimate"]
    return Line(
        asset=parse_address(document["asset"]),
        start=_whole(document["start"]),
        deviation=Deviation(
            Wh(_whole(document["metered_wh"])),
            Obligation(
                contracted=Wh(_whole(document["contracted_wh"])),
                activated=Wh(_whole(document["activated_wh"])),
                after_delivery=Wh(_whole(document["after_delivery_wh"])),
            ),
        ),
        band=Wh(_whole(document["band_wh"])),
        charged=Wh(_whole(document["charged_wh"])),
        price=MicroPerKwh(_whole(document["price_micro_per_kwh"])),
        amount=Nano(_whole(document["amount_nano"])),
        account=None if account is None else _whole(account),
        counterpart=_whole(document["counterpart"]),
        evidence=tuple(_hash(name) for name in document["evidence"]),
        estimate=None if estimate is None else Estimate(estimate),
    )


def _posting(document: Mapping[str, Any]) -> Posting:
    estimate = document["estimate"]
    return Posting(
        account=_whole(document["account"]),
        asset=parse_address(document["asset"]),
        start=_whole(document["start"]),
        amount=Nano(_whole(document["amount_nano"])),
        reason=Reason(document["reason"]),
        evidence=tuple(_hash(name) for name in document["evidence"]),
        estimate=None if estimate is None else Estimate(estimate),
    )


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _hash(value: object) -> bytes:
    if not isinstance(value, str) or len(value) != 66 or value[:2] != "0x":
        raise ValueError(f"{value!r} is no hash")
    return bytes.fromhex(value[2:])
