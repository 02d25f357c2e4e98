"""`merit credential`: the registries' word as documents that others' programs read; issued, taken back, verified."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from app.auditing import VerificationFailed
from app.claiming import DAY_SECONDS, Said
from app.clock import WallClock
from app.founding import Founded
from app.options import Where
from app.output import Output
from app.reaching import reached
from app.wiring import Places
from identity import certificate, credential_eip712, credential_jwt
from identity.address import parse_address
from identity.credential import Credential, StatusEntry
from identity.credential_subject import ListSubject, MandateSubject, Subject
from identity.credential_text import read_credential
from identity.did import CanonicalDid, parse_did
from identity.effects.keystore import read_key
from identity.effects.status_lists import StatusLists
from identity.energy_roles import EnergyRole
from identity.errors import MalformedCredential, MalformedName
from identity.names import check_label, community_label
from identity.signature import address_of
from identity.status_list import StatusList, read_status_list
from identity.verification import Registries, verify_credential

JWT, EIP712 = "jwt", "eip712"


def issue(
    where: Where,
    what: str,
    holder: str,
    said: Said,
    key_file: Path,
    *,
    chain_id: int | None,
    community: str | None,
    role: str | None,
    asset: str | None,
    purpose: str,
    epoch: int,
    version: int,
    issuer: str | None,
    status: str | None,
    index: int | None,
    days: int,
    form: str,
    as_json: bool,
) -> None:
    """Print a credential, signed. No chain is asked: whether it counts shows when it is verified."""
    key = read_key(key_file)
    chain, label = _community(where, chain_id, community, needs_label=what != "mandate")
    whom = _did(holder, chain)
    if what == "mandate":
        if asset is None:
            raise MalformedCredential("credentialSubject.mandate.asset", "name the asset with --asset")
        subject: Subject = MandateSubject(whom, _did(asset, chain), purpose, epoch)
    else:
        subject = _SUBJECTS[what](whom, label, said, role, version)
    now = WallClock()()
    credential = Credential(
        name=f"urn:uuid:{uuid4()}",
        issuer=CanonicalDid(chain, address_of(key)) if issuer is None else _did(issuer, chain),
        issued_at=now,
        expires_at=now + days * DAY_SECONDS,
        subject=subject,
        status=_entry(status, index),
    )
    _print_signed(credential, key, form, as_json=as_json)


def status_list(
    where: Where,
    url: str,
    key_file: Path,
    *,
    before: Path | None,
    revoked: list[int],
    chain_id: int | None,
    days: int,
    form: str,
    as_json: bool,
) -> None:
    """Print a status list to publish at an address: the bits set before stay set, and those named are set."""
    key = read_key(key_file)
    chain, _ = _community(where, chain_id, None, needs_label=False)
    bits = StatusList()
    if before is not None:
        listed = read_credential(_read(before)).credential.subject
        if not isinstance(listed, ListSubject) or listed.url != url:
            raise MalformedCredential("credentialSubject", f"{before} is no status list for {url}")
        bits = read_status_list(listed.encoded)
    for index in revoked:
        bits = bits.with_set(index)
    now = WallClock()()
    credential = Credential(
        name=url,
        issuer=CanonicalDid(chain, address_of(key)),
        issued_at=now,
        expires_at=now + days * DAY_SECONDS,
        subject=ListSubject(url, bits.encode()),
    )
    _print_signed(credential, key, form, as_json=as_json)


def verify(
    where: Where,
    path: Path,
    *,
    shown: list[Path],
    status: list[str],
    fetch: list[str],
    at: int | None,
    as_json: bool,
) -> None:
    """Verify a credential by the registries; raises `VerificationFailed` where it does not count.

    Status lists come from files (`URL=FILE`), or from places that may be fetched.
    """
    output = Output(as_json=as_json)
    presented = read_credential(_read(path))
    others = [read_credential(_read(each)) for each in shown]
    files = dict(_pair(each) for each in status)
    fetched = StatusLists(fetch)

    def source(url: str) -> str | None:
        return _read(Path(files[url])) if url in files else fetched(url)

    moment = WallClock()() if at is None else at
    try:
        with reached(where) as exchange:
            known = exchange.read()
            authority = known.registry.authority
            registries = Registries(
                chain_id=exchange.evm.chain_id,
                roles=authority.roles,
                tenures=authority.tenures,
                changes=known.chronicle.changes,
            )
        verdict = verify_credential(registries, presented, moment, shown=others, status=source)
    finally:
        fetched.close()
    document = verdict.to_document()
    output.result(document | {"at": moment, "block": known.head, "credential": presented.credential.to_document()})
    for link in document["chain"]:
        output.text(f"  {link['issuer']} to {link['subject']}: {link['how']}")
    if verdict.failure is not None:
        raise VerificationFailed(f"{verdict.failure.step.value}: {verdict.failure.why}")
    output.text(f"holds: {presented.credential.kind} by {presented.credential.issuer}, at {moment}")


def _role(whom: CanonicalDid, label: str, _: Said, role: str | None, version: int) -> Subject:
    try:
        wanted = EnergyRole("" if role is None else role.partition(".")[0])
    except ValueError as error:
        raise MalformedName(role or "", "name one of the field's roles with --role") from error
    return certificate.of_role(whom, label, wanted, version)


_Maker = Callable[[CanonicalDid, str, Said, str | None, int], Subject]

_SUBJECTS: dict[str, _Maker] = {
    "asset": lambda whom, label, said, _, version: certificate.of_asset(whom, label, said.properties(), version),
    "energy-type": lambda whom, label, said, _, version: certificate.of_energy_type(
        whom, label, said.source(), version
    ),
    "balancing-provider": lambda whom, label, said, _, version: certificate.of_balancing_provider(
        whom, label, said.rates(), version
    ),
    "grid-operator": lambda whom, label, said, _, version: certificate.of_grid_operator(
        whom, label, said.market or 0, version
    ),
    "role": _role,
}


def _community(where: Where, chain_id: int | None, community: str | None, *, needs_label: bool) -> tuple[int, str]:
    """Return the chain and the community's label, from options or else from the exchange's folder."""
    founded = None
    if chain_id is None or (community is None and needs_label):
        founded = Founded.read(Places(where.data).exchange)
    if chain_id is None:
        assert founded is not None, "it was read"
        chain_id = founded.deployment.chain_id
    if community is not None:
        return chain_id, check_label(community)
    return chain_id, "" if founded is None else community_label(founded.parameters.community)


def _did(text: str, chain_id: int) -> CanonicalDid:
    return parse_did(text).canonical() if text.startswith("did:") else CanonicalDid(chain_id, parse_address(text))


def _entry(url: str | None, index: int | None) -> StatusEntry | None:
    if url is None and index is None:
        return None
    if url is None or index is None:
        raise MalformedCredential("credentialStatus", "name both the list and the index in it")
    return StatusEntry(url, index)


def _print_signed(credential: Credential, key: bytes, form: str, *, as_json: bool) -> None:
    if form == JWT:
        token = credential_jwt.issue(credential, key)
        Output(as_json=as_json).result({"jwt": token, "credential": credential.to_document()})
        if not as_json:
            sys.stdout.write(token + "\n")
        return
    sys.stdout.write(json.dumps(credential_eip712.issue(credential, key), indent=2) + "\n")


def _read(path: Path) -> str:
    raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedCredential("credential", f"{path} is no text") from error


def _pair(text: str) -> tuple[str, str]:
    url, sign, path = text.rpartition("=")
    if not sign:
        raise MalformedCredential("credentialStatus", f"{text} is not URL=FILE")
    return url, path
