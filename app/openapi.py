"""The interface as a document (OpenAPI): made from the routes, with every problem that each may answer.

    python -m app.interface            writes docs/openapi.json
    python -m app.interface --check    compares it with the routes, and names every difference

Version 1 of the interface only grows: nothing that stands in the document is taken out or becomes stricter.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from app.problems import MEDIA_TYPE, PROBLEMS

Document = dict[str, Any]

COMMITTED = Path(__file__).parents[1] / "docs" / "openapi.json"

_EVERYWHERE = ("bad-request", "body-too-deep", "body-too-large", "too-many-requests", "overloaded", "timed-out")
_JOURNAL = ("journal-broken", "archive-broken")
_STORE = ("store-broken",)
_INPUT = ("malformed-request",)
_PAGE = (*_INPUT, "malformed-cursor")
_SIGNED_IN = ("not-signed-in", "sign-in-ended", "access-store-broken")
_READ = (*_SIGNED_IN, "not-granted", "grant-expired", "grant-revoked")
_PARTLY = ("sign-in-ended", "access-store-broken")
"""Of what has a part for everybody: without a token that part is answered."""

_GRANT = ("malformed-grant", "malformed-address", "bad-signature", "not-yours-to-grant")
_REVOCATION = ("bad-signature", "not-yours-to-grant", "access-store-broken")
_AUTHORITY = (
    "bad-signature",
    "unknown-asset",
    "asset-without-owner",
    "asset-not-enrolled",
    "asset-not-certified",
    "asset-not-current",
    "not-a-balancing-provider",
    "orders-voided",
    "not-authorised",
    "mandate-ended",
    "mandate-of-earlier-owner",
    "ownership-ended",
)
_BALANCING = (
    "rate-above-certified",
    "not-a-balancing-agent",
    "session-not-cleared",
    "beyond-headroom",
    "no-state-of-charge",
)
_ORDER = (
    *_AUTHORITY,
    "malformed-order",
    "wrong-market",
    "not-a-delivery-start",
    "gate-not-open",
    "gate-closed",
    "order-expired",
    "size-out-of-bounds",
    "no-forecast",
    "beyond-forecast",
    "preferences-unknown",
    *_BALANCING,
    "own-crossing",
    "short-of-collateral",
    "order-cancelled",
    "not-the-sequencer",
)
_TERMS = (
    "unknown-node",
    "terms-out-of-turn",
    "terms-out-of-bounds",
    "bad-signature",
    "not-the-grid-operator",
    "not-the-sequencer",
)
_FORECAST = (
    *_AUTHORITY,
    "forecasts-not-taken",
    "forecast-out-of-bounds",
    "forecast-overtaken",
    "not-the-sequencer",
)
_OFFER = ("no-balancing-here", "rate-not-exact")
_CHARGE = (*_AUTHORITY, "malformed-order", "charge-out-of-bounds", "charge-overtaken", "not-the-sequencer")
_METER = ("bad-signature", "unknown-asset", "asset-without-owner", "asset-not-certified", "unknown-meter-key")
_READING = (
    "malformed-reading",
    "reading-off-grid",
    "period-not-over",
    "reading-too-late",
    "reading-conflicts",
    "reading-outdated",
    "reading-implausible",
)
_CANCELLATION = (*_AUTHORITY, "unknown-order", "gate-closed", "order-filled", "not-the-sequencer", *_INPUT)
_MATCHING = (
    "unknown-session",
    "no-matching-here",
    "proposal-too-early",
    "proposal-too-late",
    "too-many-proposals",
    "not-the-sequencer",
    *_INPUT,
    *_JOURNAL,
)
_SUBJECT = ("malformed-address", "malformed-did", "unknown-network", *_INPUT)
_PROOF = ("session-not-cleared", "not-settled-yet", "book-unsound", *_INPUT)

ANSWERS: Mapping[str, Sequence[str]] = {
    "POST /v1/orders": (*_ORDER, *_INPUT, *_JOURNAL),
    "POST /v1/orders/batch": ("not-the-sequencer", *_INPUT, *_JOURNAL),
    "POST /v1/orders/typed-data": ("malformed-order", *_INPUT, *_JOURNAL),
    "GET /v1/orders/{digest}": ("unknown-order", *_READ, *_INPUT, *_JOURNAL, *_STORE),
    "GET /v1/orders/{digest}/cancellation/typed-data": (*_INPUT, *_JOURNAL),
    "DELETE /v1/orders/{digest}": (*_CANCELLATION, *_JOURNAL),
    "POST /v1/orders/{digest}/cancellation": (*_CANCELLATION, *_JOURNAL),
    "GET /v1/sessions": (*_PAGE, *_JOURNAL),
    "GET /v1/sessions/{session}": ("unknown-session", *_PARTLY, *_INPUT, *_JOURNAL, *_STORE),
    "GET /v1/sessions/{session}/book": ("unknown-session", "session-not-cleared", *_READ, *_INPUT, *_JOURNAL),
    "GET /v1/sessions/{session}/anonymous-book": (*_READ, *_MATCHING),
    "POST /v1/sessions/{session}/proposals": ("not-a-matcher", "bad-signature", "malformed-order", *_MATCHING),
    "GET /v1/trades": ("unknown-session", *_READ, *_PAGE, *_JOURNAL),
    "GET /v1/trades/{leaf}": ("unknown-trade", *_READ, *_INPUT, *_JOURNAL),
    "GET /v1/balancing": _JOURNAL,
    "POST /v1/balancing/offers": (*_ORDER, *_OFFER, *_INPUT, *_JOURNAL),
    "POST /v1/balancing/offers/typed-data": ("malformed-order", *_OFFER, *_INPUT, *_JOURNAL),
    "POST /v1/balancing/charges": (*_CHARGE, *_INPUT, *_JOURNAL),
    "POST /v1/balancing/charges/typed-data": ("malformed-order", *_INPUT, *_JOURNAL),
    "GET /v1/nodes": _JOURNAL,
    "GET /v1/nodes/{number}/terms": ("unknown-node", *_INPUT, *_JOURNAL),
    "POST /v1/nodes/{number}/terms": (*_TERMS, *_INPUT, *_JOURNAL),
    "POST /v1/nodes/{number}/terms/typed-data": ("terms-out-of-bounds", *_INPUT, *_JOURNAL),
    "GET /v1/meta": _JOURNAL,
    "GET /v1/events": (*_READ, *_PAGE, *_JOURNAL),
    "GET /v1/health": (*_JOURNAL, *_STORE),
    "GET /v1/batches": (*_INPUT, *_STORE),
    "GET /v1/batches/{session}/{part}": ("unknown-batch", *_PARTLY, *_INPUT, *_STORE),
    "GET /v1/proofs/trades/{leaf}": ("unknown-trade", *_READ, *_PROOF, *_JOURNAL, *_STORE),
    "GET /v1/proofs/orders/{digest}": ("unknown-order", *_READ, *_PROOF, *_JOURNAL, *_STORE),
    "GET /v1/accounts": ("malformed-address", *_READ, *_INPUT),
    "GET /v1/accounts/{number}": ("unknown-account", *_READ, *_INPUT, *_JOURNAL),
    "GET /v1/accounts/{number}/statement": ("unknown-account", *_READ, *_PAGE, *_JOURNAL),
    "POST /v1/readings": (*_METER, *_READING, *_INPUT, *_STORE),
    "POST /v1/readings/batch": (*_INPUT, *_STORE),
    "GET /v1/assets/{asset}/readings": ("no-such-asset", *_READ, *_SUBJECT, *_STORE),
    "GET /v1/assets/{asset}/deviations": ("no-such-asset", *_READ, *_SUBJECT, *_STORE),
    "GET /v1/imbalance/rules": (),
    "GET /v1/imbalance/prices": (*_INPUT, *_STORE),
    "GET /v1/imbalance/runs": (*_INPUT, *_STORE),
    "GET /v1/imbalance/runs/{number}": ("unknown-run", *_READ, *_INPUT, *_STORE),
    "POST /v1/sign-in/challenge": ("malformed-address", "access-store-broken", *_INPUT),
    "POST /v1/sign-in": ("malformed-sign-in", "sign-in-refused", "bad-signature", "access-store-broken", *_INPUT),
    "GET /v1/sign-in": _SIGNED_IN,
    "DELETE /v1/sign-in": ("not-signed-in", "access-store-broken"),
    "GET /v1/grants": _SIGNED_IN,
    "POST /v1/grants": (*_GRANT, "access-store-broken", *_INPUT, *_JOURNAL),
    "POST /v1/grants/typed-data": ("malformed-grant", "malformed-address", *_INPUT, *_JOURNAL),
    "GET /v1/grants/{digest}": ("unknown-grant", *_SIGNED_IN, *_INPUT),
    "GET /v1/grants/{digest}/revocation/typed-data": (*_INPUT, *_JOURNAL),
    "DELETE /v1/grants/{digest}": ("unknown-grant", *_REVOCATION, *_INPUT, *_JOURNAL),
    "POST /v1/grants/{digest}/revocation": ("unknown-grant", *_REVOCATION, *_INPUT, *_JOURNAL),
    "GET /v1/reads": (*_READ, *_INPUT),
    "GET /v1/assets": ("malformed-address", *_INPUT),
    "GET /v1/assets/{asset}": ("no-such-asset", *_SUBJECT),
    "GET /v1/assets/{asset}/positions": ("no-such-asset", "malformed-address", *_READ, *_INPUT, *_JOURNAL),
    "GET /v1/assets/{asset}/forecasts": ("no-such-asset", "malformed-address", *_READ, *_INPUT, *_JOURNAL),
    "POST /v1/forecasts": (*_FORECAST, *_INPUT, *_JOURNAL),
    "POST /v1/forecasts/batch": ("not-the-sequencer", *_INPUT, *_JOURNAL),
    "POST /v1/forecasts/typed-data": (*_INPUT, *_JOURNAL),
    "GET /v1/roles": _INPUT,
    "GET /v1/roles/{name}": ("unknown-role", "malformed-name", *_INPUT),
    "GET /v1/delegations": ("no-such-asset", *_SUBJECT),
    "GET /v1/authority": ("no-such-asset", "unknown-purpose", *_SUBJECT),
    "GET /v1/dids/{did}": ("node-refused", "node-unreachable", *_INPUT, *_STORE),
    "POST /v1/credentials/verify": ("malformed-credential", *_INPUT),
    "GET /problems": (),
    "GET /problems/{code}": ("not-found", *_INPUT),
    "GET /healthz": (),
    "GET /readyz": ("not-ready",),
    "GET /metrics": (),
}
"""What each operation may refuse with, beyond what every request may meet."""

_SESSION: Document = {
    "type": "http",
    "scheme": "bearer",
    "description": "the token that `POST /v1/sign-in` gives: for half an hour, for one address",
}

_PROBLEM: Document = {
    "title": "Problem",
    "description": "RFC 9457. The refusal's data stand beside these members; `code` is stable, `detail` is not.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "description": "a path here that explains the code"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": sorted(PROBLEMS)},
        "retry_after_seconds": {"type": "integer", "description": "when asking again makes sense"},
        "fields": {"type": "array", "description": "each wrong field with what is wrong with it"},
    },
}


def describe(app: FastAPI) -> None:
    """Have `app` publish its document with the problems that its routes answer."""
    plain = app.openapi

    def described() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(plain())
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to do this


def differences(before: Document, now: Document) -> Iterator[str]:
    """Yield how two documents differ, one difference a line, by its place."""
    yield from _differ("", before, now)


def breaks(before: Document, now: Document) -> Iterator[str]:
    """Yield what a client of `before` could miss in `now`: what was taken away, or is asked for anew."""
    for path, operations in before["paths"].items():
        for method, operation in operations.items():
            place = f"{method.upper()} {path}"
            found = now["paths"].get(path, {}).get(method)
            if found is None:
                yield f"{place} is gone"
                continue
            known = {parameter["name"]: parameter for parameter in operation.get("parameters", ())}
            for parameter in found.get("parameters", ()):
                if parameter.get("required") and not known.get(parameter["name"], {}).get("required"):
                    yield f"{place} now demands {parameter['name']}"
            gone = set(known) - {parameter["name"] for parameter in found.get("parameters", ())}
            yield from (f"{place} no longer knows {name}" for name in sorted(gone))
            lost = {status for status in operation["responses"] if status < "4"} - {*found["responses"]}
            yield from (f"{place} no longer answers {status}" for status in sorted(lost))
    schemas, later = before["components"]["schemas"], now["components"]["schemas"]
    for name, schema in schemas.items():
        if name not in later:
            yield f"{name} is gone"
            continue
        gone = {*schema.get("properties", ())} - {*later[name].get("properties", ())}
        yield from (f"{name} no longer has {field}" for field in sorted(gone))
        if name.endswith("In"):
            asked = {*later[name].get("required", ())} - {*schema.get("required", ())}
            yield from (f"{name} now demands {field}" for field in sorted(asked))


def _with_problems(document: Document) -> Document:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            codes = (*ANSWERS[f"{method.upper()} {path}"], *_EVERYWHERE, "unexpected")
            for status, answer in _responses(codes):
                operation["responses"][status] = _joined(operation["responses"].get(status), answer)
            if "sign-in-ended" in codes:  # without a token: nothing, or the part of it that is for everybody
                operation["security"] = [{"session": []}] if "not-signed-in" in codes else [{"session": []}, {}]
            if not any(PROBLEMS[code][0] == 422 for code in codes):
                operation["responses"].pop("422", None)  # FastAPI's own guess
    document.setdefault("components", {})["securitySchemes"] = {"session": _SESSION}
    document["paths"]["/v1/sign-in"]["delete"]["security"] = [{"session": []}]
    schemas = document["components"].setdefault("schemas", {})
    for fastapis_own in ("HTTPValidationError", "ValidationError"):
        schemas.pop(fastapis_own, None)
    schemas["Problem"] = _PROBLEM
    document["info"]["version"] = "1"  # of the interface; the program's own is in /v1/meta
    return document


def _joined(own: Document | None, problems: Document) -> Document:
    """Return a status's problems beside what the route itself answers with it; FastAPI's own guess is none."""
    if own is None or own["description"] == "Validation Error":
        return problems
    description = f"{own['description']}; {problems['description']}"
    return problems | {"description": description, "content": own["content"] | problems["content"]}


def _responses(codes: Iterable[str]) -> Iterator[tuple[str, Document]]:
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(PROBLEMS[code][0], []).append(code)
    for status, known in sorted(by_status.items()):
        answer: Document = {
            "description": ", ".join(f"`{code}`" for code in known),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        if status == 401:
            answer["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "RFC 6750"}}
        if status in {429, 503}:
            answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}}
        yield str(status), answer


def _differ(place: str, before: object, now: object) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted({*before, *now}):
            if name not in now:
                yield f"{place}/{name} is only in the committed document"
            elif name not in before:
                yield f"{place}/{name} is new"
            else:
                yield from _differ(f"{place}/{name}", before[name], now[name])
    elif before != now:
        yield f"{place} was {json.dumps(before)[:80]}, is {json.dumps(now)[:80]}"


def text_of(document: Document) -> str:
    """Return a document as it is committed."""
    return json.dumps(document, indent=1, sort_keys=True) + "\n"
