"""Resolving a DID: question in, resolution result of the W3C out, whatever was asked.

No question is refused: what cannot be answered is answered with an error in the words of the W3C. The times of the
blocks lie in the calendar of `instants.py`.
https://www.w3.org/TR/did-core/#did-resolution
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from identity.address import Address
from identity.did import NETWORKS, parse_did_url
from identity.document import Change, Json, Version, document_at
from identity.errors import MalformedDid, UnknownNetwork
from identity.instants import to_instant

LD_JSON = "application/did+ld+json"
PLAIN_JSON = "application/did+json"

CONTEXT = (
    "https://www.w3.org/ns/did/v1",
    "https://w3id.org/security/suites/secp256k1recovery-2020/v2",
    "https://w3id.org/security/v3-unstable",
)
"""Where the terms of a document are explained, in this order."""

INVALID_DID = "invalidDid"
NOT_FOUND = "notFound"
NOT_SO_REPRESENTED = "representationNotSupported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """What is known of one DID registry: its chain, each identity's changes in order, and the time of each block.

    `block_time` gives unix seconds, or none where there is no such block yet. `networks` are names for chains.
    """

    chain_id: int
    changes: Callable[[Address], Iterable[Change]]
    block_time: Callable[[int], int | None]
    networks: Mapping[str, int] = field(default_factory=lambda: NETWORKS)


@dataclass(frozen=True, slots=True)
class Resolution:
    """The answer. `document` is none exactly where `resolution` names an error."""

    document: Json | None
    resolution: Mapping[str, str]
    metadata: Mapping[str, Any]

    @property
    def error(self) -> str | None:
        """The W3C's word for why there is no document."""
        return self.resolution.get("error")

    def to_document(self) -> Json:
        """Return the three parts under the W3C's names."""
        return {
            "didDocument": self.document,
            "didDocumentMetadata": dict(self.metadata),
            "didResolutionMetadata": dict(self.resolution),
        }

    def to_json(self) -> str:
        """Return the answer as JSON in ASCII: a service may hold text that no other encoding takes."""
        return json.dumps(self.to_document(), allow_nan=False, separators=(",", ":"))

    def document_json(self) -> str:
        """Return the document alone as JSON in ASCII; only where there is one."""
        assert self.document is not None, "an error has no document"
        return json.dumps(self.document, allow_nan=False, separators=(",", ":"))


def resolve(text: str, registry: Registry, *, now: int, accept: str | None = None) -> Resolution:
    """Resolve a DID or DID URL as things stand at `now` (unix seconds), or in the version it names.

    A fragment picks nothing out: the answer is the whole document. `accept` is one of the two media types of DID
    documents; none means the one with `@context`.
    """
    if accept not in {None, LD_JSON, PLAIN_JSON}:
        return _unanswered(NOT_SO_REPRESENTED, f"a DID document is {LD_JSON} or {PLAIN_JSON}")
    try:
        url = parse_did_url(text)
        who = url.did.canonical(registry.networks)
    except MalformedDid as error:
        return _unanswered(INVALID_DID, str(error))
    except UnknownNetwork as error:
        return _unanswered(NOT_FOUND, str(error))
    if who.chain_id != registry.chain_id:
        return _unanswered(NOT_FOUND, f"the registry is on chain {registry.chain_id}, the DID on {who.chain_id}")
    if url.version is not None:
        at = registry.block_time(url.version)
        if at is None:
            return _unanswered(NOT_FOUND, f"there is no block {url.version} yet")
        now = at
    version = document_at(url.did, who.chain_id, registry.changes(who.address), now=now, block=url.version)
    document = version.document | ({} if accept == PLAIN_JSON else {"@context": [*CONTEXT]})
    return Resolution(document, {"contentType": accept or LD_JSON}, _metadata(version))


def _unanswered(error: str, message: str) -> Resolution:
    return Resolution(None, {"error": error, "message": message}, {})


def _metadata(version: Version) -> Json:
    """Return what is said about a document: which version it is, since when, and when it was replaced."""
    metadata: Json = {"deactivated": True} if version.deactivated else {}
    if version.last is not None:
        metadata |= {"versionId": str(version.last.block), "updated": to_instant(version.last.fact.at)}
    if version.following is not None:
        next_one = version.following
        metadata |= {"nextVersionId": str(next_one.block), "nextUpdate": to_instant(next_one.fact.at)}
    return metadata
