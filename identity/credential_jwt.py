"""Credentials as JSON Web Tokens: section 6.3.1 of the data model, signed with ES256K.

What a claim of the token says (issuer, subject, name, times) is not said again inside `vc`, so that the two cannot
differ. https://www.w3.org/TR/vc-data-model/#json-web-token
"""

from collections.abc import Mapping
from typing import Any

from identity import jws
from identity.credential import Credential, Presented, from_document
from identity.errors import MalformedCredential, MalformedInstant
from identity.instants import to_instant
from identity.structured import exactly

_CLAIMS = ("iss", "sub", "jti", "nbf", "exp", "vc")


def issue(credential: Credential, key: bytes) -> str:
    """Return the token that says `credential`, signed with the private `key` of the issuer, or of its own key."""
    return jws.encode(_payload(credential), key)


def read(token: str) -> Presented:
    """Read a token; whether its signature is one that counts is for `verification.py`."""
    found = jws.read(token)
    return Presented(_credential(found.payload), found.signers)


def _payload(credential: Credential) -> dict[str, Any]:
    document = credential.to_document()
    subject = document["credentialSubject"]
    vc = {name: value for name, value in document.items() if name in ("@context", "type", "credentialStatus")}
    vc["credentialSubject"] = {name: value for name, value in subject.items() if name != "id"}
    return {
        "iss": document["issuer"],
        "sub": subject["id"],
        "jti": document["id"],
        "nbf": credential.issued_at,
        "exp": credential.expires_at,
        "vc": vc,
    }


def _credential(payload: Mapping[str, Any]) -> Credential:
    exactly(payload, _CLAIMS, "payload")
    vc = payload["vc"]
    if not isinstance(vc, dict):
        raise MalformedCredential("vc", "not an object")
    optional = ("credentialStatus",) if "credentialStatus" in vc else ()
    exactly(vc, ("@context", "type", "credentialSubject", *optional), "vc")
    subject = vc["credentialSubject"]
    if not isinstance(subject, dict) or "id" in subject:
        raise MalformedCredential("vc.credentialSubject", "not an object, or with an id beside the token's sub")
    document = vc | {
        "id": payload["jti"],
        "issuer": payload["iss"],
        "issuanceDate": _instant(payload, "nbf"),
        "expirationDate": _instant(payload, "exp"),
        "credentialSubject": subject | {"id": payload["sub"]},
    }
    return from_document(document)


def _instant(payload: Mapping[str, Any], name: str) -> str:
    value = payload[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedCredential(name, "not whole unix seconds")
    try:
        return to_instant(value)
    except MalformedInstant as error:
        raise MalformedCredential(name, str(error)) from error
