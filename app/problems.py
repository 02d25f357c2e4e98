"""Refusals as HTTP problems (RFC 9457): the only file that knows which refusal has which status.

Every refusal class of every room has a row here; a test walks the rooms and fails where one is missing. The type of a
problem is `/problems/<code>`, a path on this server that says what the code means. Codes are stable, sentences are not.
https://www.rfc-editor.org/rfc/rfc9457
"""

import json
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from contracts.errors import EvmError
from exchange.errors import ExchangeRefused
from identity.errors import IdentityRefused
from settlement.errors import SettlementRefused

Document = dict[str, Any]

MEDIA_TYPE = "application/problem+json"

REFUSALS: tuple[type[Exception], ...] = (IdentityRefused, ExchangeRefused, SettlementRefused, EvmError)
"""The root of each room's tree."""

PROBLEMS: Mapping[str, tuple[int, str]] = {
    # identity
    "identity-refused": (403, "Refused by the identity rules"),
    "malformed-address": (422, "Not an address"),
    "malformed-did": (422, "Not a DID"),
    "unknown-network": (404, "Network not known here"),
    "unknown-registry-event": (503, "A registry logs what it should not"),
    "bad-signature": (403, "Signature not acceptable"),
    "key-unusable": (503, "A key of this server cannot be used"),
    "no-such-asset": (404, "No such asset"),
    "unknown-role": (404, "No such role"),
    "unknown-purpose": (422, "No such purpose"),
    "malformed-name": (422, "Name malformed"),
    "malformed-instant": (422, "Instant malformed"),
    "malformed-claim-data": (422, "Data of a claim malformed"),
    "malformed-agreement": (422, "Form of a claim malformed"),
    "malformed-credential": (422, "Credential malformed"),
    "status-place-refused": (503, "Place of status lists not usable"),
    "malformed-status-list": (422, "Status list malformed"),
    "rates-refused": (422, "Balancing rates not usable"),
    "duplicate-asset": (422, "Asset named twice"),
    "negative-rate": (422, "Rate below zero"),
    "rate-not-whole": (422, "Rate not whole"),
    "authority-refused": (403, "No authority for this asset"),
    "unknown-asset": (403, "No such asset"),
    "asset-without-owner": (403, "Asset is nobody's"),
    "asset-not-enrolled": (403, "Asset not enrolled by its owner"),
    "asset-sold": (403, "Asset has changed hands"),
    "asset-not-certified": (403, "Asset not certified"),
    "asset-not-current": (403, "Asset's enrolment has ended"),
    "not-the-grid-operator": (403, "Not the node's grid operator"),
    "not-a-balancing-provider": (403, "Asset is no balancing provider"),
    "rate-above-certified": (403, "More than the asset is certified to be paid"),
    "not-a-balancing-agent": (403, "Not who procures balancing there"),
    "orders-voided": (403, "Everything signed in that epoch was voided"),
    "not-authorised": (403, "Signer may not act for this asset"),
    "mandate-ended": (403, "Signer's delegation has ended"),
    "mandate-of-earlier-owner": (403, "Signer was named by an earlier owner"),
    "ownership-ended": (403, "Signer owned this asset once"),
    # identity: signing in, reading, granting
    "access-refused": (403, "Not to be read"),
    "not-signed-in": (401, "Sign in first"),
    "sign-in-ended": (401, "Sign in again"),
    "malformed-sign-in": (422, "Not a sign-in"),
    "sign-in-refused": (403, "Sign-in not accepted"),
    "not-granted": (403, "Neither yours nor granted to you"),
    "grant-expired": (403, "The grant has ended"),
    "grant-revoked": (403, "The grant was revoked"),
    "malformed-grant": (422, "Not a grant"),
    "not-yours-to-grant": (403, "Not yours to grant"),
    "unknown-grant": (404, "No such grant"),
    "access-store-broken": (503, "Reads cannot be judged or recorded"),
    # exchange
    "exchange-refused": (409, "Refused by the exchange"),
    "order-rejected": (422, "Order not taken"),
    "malformed-order": (422, "Order malformed"),
    "wrong-market": (422, "No such market here"),
    "not-a-delivery-start": (422, "No delivery period begins then"),
    "gate-not-open": (409, "Gate not open yet"),
    "gate-closed": (409, "Gate closed"),
    "order-expired": (422, "Order ends before the gate closes"),
    "size-out-of-bounds": (422, "Energy or limit out of bounds"),
    "no-forecast": (422, "Nothing is forecast for the asset"),
    "beyond-forecast": (409, "More than was forecast of the asset"),
    "preferences-unknown": (422, "Preferences not known here"),
    "preferences-differ": (422, "Preferences not those that were signed"),
    "order-filled": (409, "Order is filled"),
    "beyond-headroom": (409, "More than the asset can still do"),
    "no-state-of-charge": (409, "State of charge not stated"),
    "charge-out-of-bounds": (422, "State of charge not possible"),
    "charge-overtaken": (409, "A newer state of charge is held"),
    "no-balancing-here": (409, "No balancing market here"),
    "rate-not-exact": (422, "No whole rate gives this price"),
    "own-crossing": (409, "Order crosses another order of its account"),
    "short-of-collateral": (409, "Not enough free credit"),
    "order-cancelled": (409, "Order was cancelled"),
    "unknown-node": (404, "No such node"),
    "terms-out-of-turn": (409, "Not the node's next change"),
    "terms-out-of-bounds": (422, "Terms that the node cannot have"),
    "forecasts-not-taken": (409, "No forecasts are taken here"),
    "forecast-out-of-bounds": (422, "Forecast for other times than are traded"),
    "forecast-overtaken": (409, "A newer forecast is held"),
    "not-a-matcher": (403, "Not a matcher of this community"),
    "no-matching-here": (409, "This market takes no proposals"),
    "proposal-too-early": (409, "Gate not closed yet"),
    "proposal-too-late": (409, "Time for proposals is over"),
    "too-many-proposals": (429, "As many proposals as a session takes"),
    "unknown-order": (404, "No such order"),
    "unknown-session": (404, "No such session"),
    "unknown-trade": (404, "No such trade"),
    "session-not-cleared": (409, "Session not cleared yet"),
    "malformed-cursor": (422, "Cursor malformed"),
    "parameters-differ": (503, "The exchange was started under other rules"),
    "journal-in-use": (503, "Another process writes to the journal"),
    "not-the-sequencer": (503, "Another process decides"),
    "archive-broken": (503, "Settled sessions cannot be looked up"),
    "journal-broken": (503, "The exchange cannot write anything down"),
    "overloaded": (503, "More at once than this exchange holds"),
    "too-many-requests": (429, "Too many requests"),
    # settlement
    "settlement-refused": (409, "Refused by the settlement"),
    "book-unsound": (409, "Book does not hang together"),
    "malformed-calldata": (422, "Calldata malformed"),
    "malformed-proof": (422, "Proof malformed"),
    "not-in-tree": (404, "Not in this tree"),
    "unknown-account": (404, "No such account"),
    "unknown-batch": (404, "No such batch"),
    "not-settled-yet": (409, "Not on the chain yet"),
    "ledger-refused": (409, "Refused by the ledger"),
    "amount-out-of-bounds": (422, "Amount out of bounds"),
    "unknown-party": (404, "No such account or asset"),
    "credit-short": (409, "Not enough credit"),
    "credit-too-large": (409, "More credit than an account can hold"),
    "nothing-requested": (409, "No withdrawal was requested"),
    "withdrawal-not-due": (409, "Withdrawal not due yet"),
    "metering-refused": (409, "Refused by the rules of metering"),
    "reading-refused": (422, "Reading not taken"),
    "malformed-reading": (422, "Reading malformed"),
    "reading-off-grid": (422, "Reading is not of one slot"),
    "period-not-over": (409, "Slot not over yet"),
    "reading-too-late": (409, "Reading after the cut-off"),
    "unknown-meter-key": (403, "Signer is not the asset's meter"),
    "reading-conflicts": (409, "This version is held with another value"),
    "reading-outdated": (409, "A later version is held"),
    "reading-implausible": (422, "Reading implausible"),
    "register-refused": (422, "Register gives no readings"),
    "register-off-grid": (422, "Register was read within a slot"),
    "register-conflicts": (422, "Register contradicts itself"),
    "register-fell-back": (422, "A counter fell"),
    "malformed-imbalance-rules": (422, "Rules of imbalance malformed"),
    "imbalance-prices-conflict": (409, "Other prices were published"),
    "malformed-run": (422, "Imbalance run malformed"),
    "run-out-of-turn": (409, "Imbalance run out of turn"),
    "unknown-run": (404, "No such imbalance run"),
    "settlement-effect-error": (503, "The settlement failed"),
    "batch-conflict": (409, "Batch was sealed before with other content"),
    "no-such-contract": (503, "The contract is not where it should be"),
    "unknown-event": (503, "The contract logs what it should not"),
    "unreadable-batch": (503, "A settled batch cannot be read"),
    "chain-moved": (503, "The chain was reorganised while it was read"),
    "lease-lost": (503, "Another submitter took over"),
    "store-of-another-chain": (503, "The store belongs to another chain"),
    "store-broken": (503, "The store cannot be used"),
    "store-too-new": (503, "The store was written by a later version"),
    # the chain, and the way to it
    "evm-error": (502, "The chain failed"),
    "reverted": (409, "Refused by the contract"),
    "transaction-refused": (502, "The node did not take the transaction"),
    "node-unreachable": (503, "The node does not answer"),
    "node-refused": (502, "The node refused the question"),
    "wrong-chain": (503, "The node serves another chain"),
    "not-mined": (504, "Not mined in time"),
    "fee-above-cap": (503, "The chain asks for more than may be paid"),
    "chain-settings-refused": (503, "Chain settings not usable"),
    "compiler-missing": (503, "The contracts cannot be compiled here"),
    "undertaking-differs": (409, "Another undertaking was begun before"),
    "malformed-deployment": (503, "Deployment record malformed"),
    "record-error": (503, "The local chain's recording cannot be used"),
    "damaged-record": (503, "The local chain's recording is damaged"),
    "record-in-use": (503, "The local chain's recording is in use"),
    "record-not-written": (503, "The local chain cannot write anything down"),
    # HTTP itself
    "malformed-request": (422, "Request malformed"),
    "bad-request": (400, "Request not understood"),
    "not-found": (404, "Nothing here"),
    "method-not-allowed": (405, "Method not allowed here"),
    "body-too-large": (413, "Body too large"),
    "body-too-deep": (400, "Body nested too deeply"),
    "timed-out": (503, "Not answered in time"),
    "not-ready": (503, "Not ready"),
    "http-error": (500, "Request not answered"),
    "unexpected": (500, "Unexpected failure"),
}
"""Code → status and title."""

_MEANINGS = {
    "malformed-request": "A part of the request is missing, of the wrong type or out of its range.",
    "bad-request": "The body could not be read as what it claims to be.",
    "not-found": "There is nothing under this path.",
    "method-not-allowed": "There is something under this path, but not for this method.",
    "body-too-large": "The body is longer than this server reads.",
    "body-too-deep": "The body is nested deeper than anything that is asked for here, or not in UTF-8.",
    "timed-out": "The answer took too long. What was asked for may still happen; asking again is harmless.",
    "not-ready": "Something this server needs is missing; `missing` names each part with the reason.",
    "http-error": "The request was not answered, for the reason that its status gives.",
    "unexpected": "A fault of this server. Nothing that was acknowledged is lost; sending an order again is harmless.",
}

_PASSING = frozenset({"not-the-sequencer", "store-broken", "access-store-broken", "archive-broken"})
"""Refusals that are worth asking again after a second: another process may take over, a database may come back."""

_CODES_BY_STATUS = {400: "bad-request", 404: "not-found", 405: "method-not-allowed", 413: "body-too-large"}


def refusals(root: type[Exception]) -> Iterator[type[Exception]]:
    """Yield a refusal class and every class below it that was imported."""
    yield root
    for child in root.__subclasses__():
        yield from refusals(child)


def problem_of(refusal: Exception) -> Document:
    """Return the problem that tells of a refusal; the refusal's data are members beside the standard ones."""
    code = next(
        (code for kind in type(refusal).__mro__ if (code := getattr(kind, "code", "")) in PROBLEMS), "unexpected"
    )
    members = {name: _plain(value) for name, value in vars(refusal).items() if not name.startswith("_")}
    if code in _PASSING:
        members["retry_after_seconds"] = 1
    return members | problem(code, str(refusal))


def problem(code: str, detail: str) -> Document:
    """Return the problem with this code."""
    status, title = PROBLEMS[code]
    return {"type": f"/problems/{code}", "title": title, "status": status, "detail": detail, "code": code}


def problem_response(document: Document, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as an answer; ASCII throughout, whatever the request held."""
    again = document.get("retry_after_seconds")
    headers = dict(headers or {}) | ({} if again is None else {"Retry-After": str(again)})
    if document["status"] == HTTPStatus.UNAUTHORIZED:  # RFC 6750: a token that was sent and opens nothing is named so
        ended = document["code"] == "sign-in-ended"
        headers["WWW-Authenticate"] = 'Bearer realm="merit"' + (', error="invalid_token"' if ended else "")
    return Response(json.dumps(document), document["status"], headers, MEDIA_TYPE)


def install(app: FastAPI, told: Callable[[Exception], Document] = problem_of) -> None:
    """Have `app` answer every refusal, every malformed request and every failure with a problem, and explain them.

    `told` makes the problem of a refusal, for who wants to count them.
    """

    async def on_refusal(_: Request, error: Exception) -> Response:
        return problem_response(told(error))

    for root in REFUSALS:
        app.add_exception_handler(root, on_refusal)
    app.add_exception_handler(RequestValidationError, _on_malformed_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_unexpected)
    app.include_router(_explanations())


async def _on_malformed_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = [[".".join(map(str, found["loc"]))[:80], str(found["msg"])[:200]] for found in error.errors()[:20]]
    detail = "; ".join(f"{name}: {what}" for name, what in fields)
    return problem_response(problem("malformed-request", detail) | {"fields": fields})


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES_BY_STATUS.get(error.status_code, "http-error")
    document = problem(code, f"{request.method} {request.url.path}: {error.detail}") | {"status": error.status_code}
    return problem_response(document, error.headers)


async def _on_unexpected(request: Request, _: Exception) -> Response:
    # What went wrong is in the server's log; it is nobody else's business.
    document = problem("unexpected", "this server failed to answer; the operator's log says why")
    name = request.scope.get("request_id")
    return problem_response(document if name is None else document | {"request": name})


def _explanations() -> APIRouter:
    router = APIRouter(prefix="/problems", tags=["problems"])

    @router.get("")
    async def problems() -> Document:
        """List every problem this server answers with."""
        return {"problems": [_explanation(code) for code in sorted(PROBLEMS)]}

    @router.get("/{code}")
    async def one(code: str) -> Document:
        """Say what a problem's code means."""
        if code not in PROBLEMS:
            raise HTTPException(404, "no problem has this code")
        return _explanation(code)

    return router


def _explanation(code: str) -> Document:
    status, title = PROBLEMS[code]
    return {
        "code": code,
        "status": status,
        "phrase": HTTPStatus(status).phrase,
        "title": title,
        "meaning": _meaning(code),
    }


def _meaning(code: str) -> str:
    if code in _MEANINGS:
        return _MEANINGS[code]
    kinds = (kind for root in REFUSALS for kind in refusals(root) if vars(kind).get("code") == code)
    doc = next((kind.__doc__ for kind in kinds if kind.__doc__), None)
    return PROBLEMS[code][1] if doc is None else " ".join(doc.split("\n\n")[0].split())


def _plain(value: object) -> Any:
    """Return a refusal's datum as JSON has it."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)
