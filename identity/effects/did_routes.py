"""Resolving DIDs over HTTP, as the W3C binds it: `GET /v1/dids/{did}`, with what is wanted named by `Accept`.

Without a wish, or for `application/did-resolution`, the answer is the whole resolution result; for one of the two media
types of DID documents it is the document alone. Errors are resolution results, in the W3C's words.
https://w3c.github.io/did-resolution/#bindings-https
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response

from identity.resolution import INVALID_DID, LD_JSON, NOT_FOUND, NOT_SO_REPRESENTED, PLAIN_JSON, Registry, resolve

RESULT = "application/did-resolution"
"""The media type of a resolution result."""

_RESULTS = {"*/*", "application/*", "application/json", RESULT}
_STATUS = {INVALID_DID: 400, NOT_FOUND: 404, NOT_SO_REPRESENTED: 406}
_GONE = 410

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["didDocument", "didDocumentMetadata", "didResolutionMetadata"],
    "properties": {
        "didDocument": {"type": ["object", "null"]},
        "didDocumentMetadata": {"type": "object"},
        "didResolutionMetadata": {"type": "object"},
    },
}
_DOCUMENT: dict[str, Any] = {"type": "object", "required": ["id"]}


def _answer(description: str, *, document: bool = False) -> dict[str, Any]:
    content: dict[str, Any] = {RESULT: {"schema": _SCHEMA}}
    if document:
        content |= {LD_JSON: {"schema": _DOCUMENT}, PLAIN_JSON: {"schema": _DOCUMENT}}
    return {"description": description, "content": content}


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: _answer("the resolution result, or the document alone where `Accept` asks for that", document=True),
    400: _answer("`invalidDid`: not a DID of the method ethr, or a question about it that is not answered here"),
    404: _answer("`notFound`: another chain, or a version that is not there yet"),
    406: _answer("`representationNotSupported`: no media type that `Accept` names is given here"),
    410: _answer("nobody controls the identity any more: `deactivated`", document=True),
}


def did_router(registry: Registry, clock: Callable[[], int]) -> APIRouter:
    """Return the route that resolves DIDs of one chain."""
    router = APIRouter(prefix="/v1/dids", tags=["identity"])

    @router.get("/{did}", response_class=Response, responses=_ANSWERS)
    def did(
        request: Request,
        did: Annotated[str, Path(max_length=600, description="did:ethr:…, in any spelling")],
        # named for the document only: every parameter is read below, so that none is passed over
        versionId: Annotated[str | None, Query(description="a block number: the version after it")] = None,  # noqa: ARG001, N803
        accept: Annotated[str | None, Header(description="what is wanted: see above")] = None,
    ) -> Response:
        """Resolve a DID: its document, with which version that is, as of now or after a block.

        A DID document alone is given for `application/did+ld+json` and `application/did+json`. `versionId` is the only
        parameter; every other is `invalidDid`, since what is answered would not be what was asked for.
        """
        query = request.url.query
        wanted = _wanted(accept)
        found = resolve(
            f"{did}?{query}" if query else did,
            registry,
            now=clock(),
            accept=None if wanted == RESULT else wanted,
        )
        alone = wanted != RESULT and found.error is None
        if found.error is not None:
            status = _STATUS[found.error]
        else:
            status = _GONE if found.metadata.get("deactivated") else 200
        text = found.document_json() if alone else found.to_json()
        return Response(text, status, media_type=wanted if alone else RESULT)

    return router


def _wanted(accept: str | None) -> str:
    """Return the media type that is given: the first that can be, of those with the highest weight."""
    if accept is None or not accept.strip():
        return RESULT
    named = [_weighed(part) for part in accept.split(",") if part.strip()]
    for weight, name in sorted(named, key=lambda pair: -pair[0]):
        if weight == 0:
            break
        if name in _RESULTS:
            return RESULT
        if name in (LD_JSON, PLAIN_JSON):
            return name
    return accept


def _weighed(part: str) -> tuple[int, str]:
    """Return the weight of a media range in thousandths (RFC 9110), and its name."""
    name, *parameters = (piece.strip() for piece in part.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            whole, _, decimals = value.strip().partition(".")
            digits = whole + decimals[:3].ljust(3, "0")
            return (int(digits) if digits.isascii() and digits.isdigit() else 0), name.lower()
    return 1000, name.lower()
