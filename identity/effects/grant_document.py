"""Grants as plain values for JSON, and back; and what a wallet is asked to sign."""

from typing import Any

from identity.access import Purpose, Role, parse_scope
from identity.access_errors import MalformedGrant
from identity.address import Address, parse_address, to_text
from identity.errors import MalformedAddress
from identity.grants import GRANT_TYPE, REVOCATION_TYPE, Grant, KeptGrant
from identity.typed_data import Domain

Document = dict[str, Any]

_FIELDS = frozenset({"grantor", "grantee", "role", "purpose", "scope", "until", "salt"})
_DOMAIN_FIELDS = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]


def grant_to_document(grant: Grant) -> Document:
    """Return a grant as plain values."""
    return {
        "grantor": to_text(grant.grantor),
        "grantee": None if grant.grantee is None else to_text(grant.grantee),
        "role": grant.role,
        "purpose": grant.purpose.value,
        "scope": grant.scope.text,
        "until": grant.until,
        "salt": grant.salt,
    }


def grant_from_document(document: Document) -> Grant:
    """Read a grant. Raises `MalformedGrant`."""
    if not isinstance(document, dict) or not document.keys() <= _FIELDS:
        raise MalformedGrant(f"it holds {', '.join(sorted(_FIELDS))}, and nothing else")
    grantee, role, salt, until = (document.get(name) for name in ("grantee", "role", "salt", "until"))
    if type(until) is not int or (salt is not None and type(salt) is not int):
        raise MalformedGrant("its end is an instant in unix seconds, its salt a whole number")
    try:
        return Grant(
            grantor=parse_address(str(document.get("grantor"))),
            grantee=None if grantee is None else parse_address(str(grantee)),
            role=None if role is None else Role(str(role)),
            purpose=Purpose(str(document.get("purpose"))),
            scope=parse_scope(str(document.get("scope"))),
            until=until,
            salt=salt or 0,
        )
    except MalformedAddress as error:
        raise MalformedGrant(str(error)) from error
    except ValueError as error:
        raise MalformedGrant(str(error)) from error


def kept_to_document(kept: KeptGrant) -> Document:
    """Return a grant as it stands."""
    return {
        "digest": "0x" + kept.digest.hex(),
        "grant": grant_to_document(kept.given.grant),
        "signature": "0x" + kept.given.signature.hex(),
        "given_at": kept.given.at,
        "revoked_at": kept.revoked_at,
    }


def grant_typed_data(grant: Grant, domain: Domain) -> Document:
    """Return what a wallet is asked to sign to give a grant."""
    message = grant_to_document(grant) | {"salt": str(grant.salt), "role": grant.role or ""}
    message["grantee"] = to_text(grant.grantee or Address(bytes(20)))
    return _payload("Grant", GRANT_TYPE, message, domain)


def revocation_typed_data(digest: bytes, domain: Domain) -> Document:
    """Return what a wallet is asked to sign to take a grant back."""
    return _payload("Revocation", REVOCATION_TYPE, {"grant": "0x" + digest.hex()}, domain)


def _payload(name: str, type_string: str, message: Document, domain: Domain) -> Document:
    inside = type_string[type_string.index("(") + 1 : -1]
    pairs = (field.split(" ") for field in inside.split(","))
    return {
        "types": {
            "EIP712Domain": _DOMAIN_FIELDS,
            name: [{"name": field, "type": kind} for kind, field in pairs],
        },
        "primaryType": name,
        "domain": {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": to_text(domain.contract),
        },
        "message": message,
    }
