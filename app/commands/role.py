"""`merit role`: what roles there are, who holds them, and how somebody comes by one.

A claim is signed twice. Where subject and issuer are two people, the subject writes its agreement (`agree`), the issuer
adds its proof (`issue`), and either or anybody else registers it (`issue` does, unless told not to; else `register`).
"""

import json
import sys
from pathlib import Path

from app.claiming import DAY_SECONDS, Said, agree, issue
from app.options import Where
from app.output import Output
from app.reaching import Reached, reached, transaction_document
from contracts.evm import Receipt
from identity.address import Address, to_text
from identity.claim_form import ClaimForm
from identity.documents import claim_document, role_called, role_document, roles
from identity.effects.keystore import read_key
from identity.errors import MalformedAgreement, MalformedClaimData
from identity.facts import RoleDefined
from identity.names import ROOT, namehash
from identity.strict_json import NotStrict, parse_object

_WORD_BYTES = 32


def list_roles(where: Where, *, as_json: bool) -> None:
    """Print every role that is defined."""
    output = Output(as_json=as_json)
    with reached(where) as exchange:
        known = exchange.read()
    authority = known.registry.authority
    found = [role_document(authority, role) for role in roles(authority)]
    output.result({"roles": found, "block": known.head, "now": known.now})
    output.table(
        f"Roles as of block {known.head}",
        ("role", "version", "issued by", "needs", "ends at sale"),
        [
            (
                each["name"],
                str(each["version"]),
                each["issuer_role"] or ", ".join(each["issuers"]) or "nobody",
                ", ".join(each["prerequisites"]) or "-",
                "yes" if each["ends_at_sale"] else "no",
            )
            for each in found
        ],
    )


def holders(where: Where, name: str, *, at: int | None, as_json: bool) -> None:
    """Print who has claims to a role, and why each holds or not."""
    output = Output(as_json=as_json)
    with reached(where) as exchange:
        known = exchange.read()
        role = role_called(known.registry.authority, exchange.role(name))
    moment = known.now if at is None else at
    authority = known.registry.authority
    found = [claim_document(authority, claimant, role, moment) for claimant in known.chronicle.claimants(role.node)]
    output.result(role_document(authority, role) | {"at": moment, "holders": found, "block": known.head})
    output.table(
        f"{role.name} at {moment}",
        ("holder", "issuer", "expiry", "holds"),
        [
            (
                each["subject"],
                each["issuer"],
                str(each["expiry"]),
                "yes" if each["holds"] else each["failed"]["why"],
            )
            for each in found
        ],
    )


def define(
    where: Where,
    name: str,
    key_file: Path,
    *,
    issuers: list[str],
    issuer_role: str | None,
    revokers: list[str],
    revoker_role: str | None,
    needs: list[str],
    any_of_them: bool,
    most_days: int,
    ends_at_sale: bool,
    version: int | None,
    as_json: bool,
) -> None:
    """Say what a role is, as the owner of its name or of the one above."""
    output, key = Output(as_json=as_json), read_key(key_file)
    with reached(where, acting=True) as exchange:
        registering, full = exchange.registering, exchange.role(name)
        node = namehash(full)
        present = registering.roles.version(node)
        role = RoleDefined(
            node=node,
            name=full,
            version=max(present, 1) if version is None else version,
            issuers=tuple(map(exchange.subject, issuers)),
            issuer_role=_node(exchange, issuer_role),
            revokers=tuple(map(exchange.subject, revokers)),
            revoker_role=_node(exchange, revoker_role),
            prerequisites=tuple(_node(exchange, needed) for needed in needs),
            all_prerequisites=not any_of_them,
            most_seconds=most_days * DAY_SECONDS,
            ends_at_sale=ends_at_sale,
            metadata=bytes(_WORD_BYTES),
            at=0,
        )
        exchange.fund(key)
        registering.own_name(key, full)
        receipt = registering.define(key, role)
        output.result(
            {"done": "defined", "role": full, "version": role.version, **transaction_document(receipt, exchange.preset)}
        )
        output.text(f"defined  {full}, version {role.version}  (block {receipt.block_number})")


def agree_to(where: Where, name: str, subject: str, said: Said, data: str | None, key_file: Path, *, days: int) -> None:
    """Print the subject's agreement to a role: a document for the issuer. Nothing is sent."""
    key = read_key(key_file)
    with reached(where) as exchange:
        role = exchange.role(name)
        raw = said.data(role) if data is None else _word(role, data)
        _print(agree(exchange, role, exchange.subject(subject), key, raw, days=days))


def issue_claim(
    where: Where,
    form_file: Path,
    key_file: Path,
    *,
    issuer: str | None,
    days: int,
    send: bool,
    as_json: bool,
) -> None:
    """Add the issuer's proof to an agreement, and register the claim, or only print it."""
    key, form = read_key(key_file), read_form(form_file)
    with reached(where, acting=send) as exchange:
        proved = issue(exchange, form, key, days=days, issuer=None if issuer is None else exchange.subject(issuer))
        if not send:
            _print(proved)
            return
        _register(Output(as_json=as_json), exchange, proved, key)


def register(where: Where, form_file: Path, key_file: Path, *, as_json: bool) -> None:
    """Register a claim that both have signed; anybody may, and pays."""
    key, form = read_key(key_file), read_form(form_file)
    if form.proved is None:
        raise MalformedAgreement("the issuer has not signed it yet: see `merit role issue`")
    with reached(where, acting=True) as exchange:
        _register(Output(as_json=as_json), exchange, form, key)


def revoke(where: Where, name: str, subject: str, key_file: Path, *, as_json: bool) -> None:
    """Take back somebody's present claim to a role."""
    output, key = Output(as_json=as_json), read_key(key_file)
    with reached(where, acting=True) as exchange:
        role, who = exchange.role(name), exchange.subject(subject)
        exchange.fund(key)
        receipt = exchange.registering.revoke(key, namehash(role), who)
        _tell(output, exchange, "revoked", role, who, receipt)


def read_form(path: Path) -> ClaimForm:
    """Read the form of a claim from a file, or from standard input for `-`; refuses anything else."""
    raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    try:
        return ClaimForm.from_document(parse_object(raw.decode()))
    except (NotStrict, UnicodeDecodeError) as error:
        raise MalformedAgreement(f"{path}: {error}") from error


def _register(output: Output, exchange: Reached, form: ClaimForm, key: bytes) -> None:
    exchange.fund(key)
    receipt = exchange.registering.register(form, key)
    assert form.proved is not None, "only what both have signed is registered"
    _tell(output, exchange, "registered", form.role, form.subject, receipt, expiry=form.proved.expiry)


def _tell(
    output: Output, exchange: Reached, done: str, role: str, subject: Address, receipt: Receipt, **more: int
) -> None:
    said = {"done": done, "role": role, "subject": to_text(subject), **more}
    output.result(said | transaction_document(receipt, exchange.preset))
    output.text(f"{done}  {role} of {to_text(subject)}  (block {receipt.block_number})")


def _print(form: ClaimForm) -> None:
    sys.stdout.write(json.dumps(form.to_document(), indent=2) + "\n")


def _node(exchange: Reached, name: str | None) -> bytes:
    return ROOT if name is None else namehash(exchange.role(name))


def _word(role: str, data: str) -> bytes:
    try:
        raw = bytes.fromhex(data.removeprefix("0x"))
    except ValueError as error:
        raise MalformedClaimData(role, "not hex") from error
    if len(raw) != _WORD_BYTES:
        raise MalformedClaimData(role, f"{len(raw)} bytes long, not {_WORD_BYTES}")
    return raw
