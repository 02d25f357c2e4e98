"""`merit sign-in` and `merit grant`: reading what is one's own from a shell, and letting others read it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.client.client import MeritClient
from app.output import Output
from identity.access_errors import MalformedGrant
from identity.address import Address, parse_address
from identity.did import parse_did
from identity.effects.keystore import read_key

_DAY = 24 * 3600


def sign_in(url: str, key_file: Path, *, as_json: bool) -> None:
    """Print a token for `curl -H "Authorization: Bearer …"`: whoever has it reads as this key for half an hour."""
    output = Output(as_json=as_json)
    with _client(url, key_file) as client:
        token = client.sign_in()
        session = client.get("/v1/sign-in")
    output.result(session | {"token": token})
    output.text(token)


def give(
    url: str, key_file: Path, *, to: str | None, role: str | None, scope: str, purpose: str, days: int, as_json: bool
) -> None:
    """Grant, and print the grant's digest, by which it is taken back."""
    output = Output(as_json=as_json)
    with _client(url, key_file) as client:
        meta = client.meta()
        grantee = None if to is None else _reader(to, meta.parameters.domain.chain_id)
        until = meta.now + days * _DAY
        kept = client.grant(scope=scope, purpose=purpose, until=until, grantee=grantee, role=role)
    output.result(kept)
    output.text(str(kept["digest"]))


def show(url: str, key_file: Path, *, as_json: bool) -> None:
    """Print what the key granted, and what it was granted."""
    output = Output(as_json=as_json)
    with _client(url, key_file) as client:
        grants = client.grants()
    output.result(grants)
    rows = [
        [how, str(kept["digest"]), str(other), grant["scope"], grant["purpose"], str(grant["until"]), _state(kept)]
        for how, other_of in (("given", "grantee"), ("received", "grantor"), ("by_role", "grantor"))
        for kept in grants[how]
        for grant in (kept["grant"],)
        for other in (grant[other_of] or grant["role"],)
    ]
    output.table("Grants", ["", "digest", "to or from", "scope", "purpose", "until", ""], rows)


def revoke(url: str, key_file: Path, digest: str, *, as_json: bool) -> None:
    """Take a grant back."""
    output = Output(as_json=as_json)
    with _client(url, key_file) as client:
        kept = client.revoke_grant(bytes.fromhex(digest.removeprefix("0x")))
    output.result(kept)
    output.text(f"revoked at {kept['revoked_at']}")


@contextmanager
def _client(url: str, key_file: Path) -> Iterator[MeritClient]:
    with MeritClient(url, read_key(key_file)) as client:
        yield client


def _reader(text: str, chain_id: int) -> Address:
    if not text.startswith("did:"):
        return parse_address(text)
    who = parse_did(text).canonical()
    if who.chain_id != chain_id:
        raise MalformedGrant(f"{who} is on another chain than {chain_id}, where this exchange is")
    return who.address


def _state(kept: dict[str, Any]) -> str:
    return "stands" if kept["revoked_at"] is None else f"revoked at {kept['revoked_at']}"
