"""What the registries say, as plain values to show: assets, roles, who holds them, who was named for what.

For people and their programs. Nothing is decided here: every "yes" is the authority index's own. Instants are unix
seconds; addresses have their checksum, DIDs their canonical spelling.
"""

from collections.abc import Iterator
from typing import Any

from identity.address import Address, to_text
from identity.assertion import VERI_KEY
from identity.authority import AuthorityIndex
from identity.chronicle import Chronicle, Naming
from identity.claim_data import unpack_asset, unpack_market, unpack_rates
from identity.credential_subject import text_of
from identity.did import to_did
from identity.energy_roles import RULES, EnergyRole
from identity.errors import (
    AuthorityRefused,
    MalformedClaimData,
    MalformedName,
    NoSuchAsset,
    UnknownPurpose,
    UnknownRole,
)
from identity.facts import RoleDefined
from identity.names import ROOT, labels_of, namehash, role_name
from identity.purposes import PURPOSES, TRADE, delegate_type
from identity.registry import Asset, Registry
from identity.role_claims import Claim
from identity.role_verdict import RoleVerdict
from identity.tenure import Tenure

Document = dict[str, Any]


def asset_document(registry: Registry, chain_id: int, identity: Address) -> Document:
    """Return whose an asset is and where it is enrolled; refuses what is no asset."""
    tenures = registry.authority.tenures.of(identity)
    if not tenures:
        raise NoSuchAsset(to_text(identity))
    tenure = tenures[-1]
    enrolled = registry.enrolment(identity, tenure.epoch)
    return {
        "asset": to_text(identity),
        "did": to_did(chain_id, identity),
        "owner": to_text(tenure.owner) if tenure.ended is None else None,
        "epoch": tenure.epoch,
        "since": tenure.since,
        "retired_at": tenure.ended,
        "enrolment": None if enrolled is None else enrolment_document(enrolled),
    }


def whole_asset_document(
    registry: Registry, chronicle: Chronicle, chain_id: int, identity: Address, now: int
) -> Document:
    """Return everything the registries say of an asset, judged at `now`; refuses what is no asset."""
    authority = registry.authority
    summary = asset_document(registry, chain_id, identity)
    offer = chronicle.offer(identity, now)
    return summary | {
        "offer": None if offer is None else {"to": to_text(offer.to), "until": offer.until or None, "at": offer.at},
        "owners": [_tenure(tenure) for tenure in authority.tenures.of(identity)],
        "claims": [
            claim_document(authority, identity, role, now)
            for role in _by_name(authority)
            if authority.roles.claim(identity, role.node) is not None
        ],
        "delegations": [
            delegation_document(authority, *found, now) for found in delegations(authority, chronicle, identity)
        ],
        "device_keys": [
            {"key": to_text(naming.agent), "valid_to": naming.valid_to, "valid": naming.valid_to > now, "at": naming.at}
            for naming in chronicle.namings(identity)
            if naming.kind == VERI_KEY
        ],
    }


def enrolment_document(asset: Asset) -> Document:
    """Return an enrolment with the settlement contract, and until when the contract takes it as current."""
    return {
        "number": asset.number,
        "account": asset.account,
        "epoch": asset.epoch,
        "until": asset.until,
        "balancing_until": asset.balancing_until,
    }


def claim_document(authority: AuthorityIndex, subject: Address, role: RoleDefined, at: int) -> Document:
    """Return the subject's present claim to a role, and whether the role is held at a moment, on whose word or why not.

    The subject must have had a claim.
    """
    claim = authority.roles.claim(subject, role.node)
    assert claim is not None, "whoever is shown has a claim"
    return {
        "subject": to_text(subject),
        "role": role.name,
        "node": _hexed(role.node),
        **_claim(claim, role.name),
        **verdict_document(authority, authority.holds(subject, role.node, at)),
        "held_until": authority.held_until(subject, role.node),
    }


def verdict_document(authority: AuthorityIndex, verdict: RoleVerdict) -> Document:
    """Return whether a role is held, the chain of issuers as far as it held, and the first step that failed."""
    failure = verdict.failure
    return {
        "holds": verdict.holds,
        "chain": [
            {"issuer": to_text(link.issuer), "role": _name(authority, link.role), "how": link.how.value}
            for link in verdict.chain
        ],
        "failed": None
        if failure is None
        else {
            "step": failure.step.value,
            "subject": to_text(failure.subject),
            "role": _name(authority, failure.role),
            "since": failure.since,
            "why": str(failure),
        },
    }


def roles(authority: AuthorityIndex) -> list[RoleDefined]:
    """Return every role by name. Who owns a name may define it under another's: such a role is not shown."""
    return _by_name(authority)


def role_called(authority: AuthorityIndex, name: str) -> RoleDefined:
    """Return the definition of a role by its name; refuses a name that is none, or that no role has."""
    role = authority.roles.definitions.get(namehash(name))
    if role is None:
        raise UnknownRole(name)
    return role


def role_document(authority: AuthorityIndex, role: RoleDefined) -> Document:
    """Return what a role is: who issues and revokes it, what it asks for, what it may change in this house."""
    rule = next((rule for rule in RULES.values() if _is_of_the_field(role.name, rule.role)), None)
    return {
        "name": role.name,
        "node": _hexed(role.node),
        "version": role.version,
        "issuers": [to_text(issuer) for issuer in role.issuers],
        "issuer_role": _name(authority, role.issuer_role),
        "revokers": [to_text(revoker) for revoker in role.revokers],
        "revoker_role": _name(authority, role.revoker_role),
        "prerequisites": [_name(authority, node) for node in role.prerequisites],
        "all_prerequisites": role.all_prerequisites,
        "most_seconds": role.most_seconds or None,
        "ends_at_sale": role.ends_at_sale,
        "metadata": _hexed(role.metadata) if any(role.metadata) else None,
        "defined_at": role.at,
        "purpose": None if rule is None else rule.purpose,
        "may_change": [] if rule is None else [parameter.value for parameter in rule.may_change],
    }


def delegations(authority: AuthorityIndex, chronicle: Chronicle, asset: Address) -> Iterator[tuple[Naming, str, int]]:
    """Yield whom an asset's owners named, for which purpose known here, and in which ownership epoch."""
    meant = {
        delegate_type(purpose, tenure.epoch): (name, tenure.epoch)
        for name, purpose in PURPOSES.items()
        for tenure in authority.tenures.of(asset)
    }
    for naming in chronicle.namings(asset):
        if naming.kind in meant:
            yield naming, *meant[naming.kind]


def delegation_document(authority: AuthorityIndex, naming: Naming, purpose: str, epoch: int, now: int) -> Document:
    """Return one delegation, and whether it goes on at `now` or what ended it."""
    sold = authority.tenures.ended(naming.identity, epoch)
    if sold is not None and sold <= now and naming.valid_to > sold:
        standing, ended = "ended-at-sale", sold
    elif naming.valid_to <= now:
        standing, ended = "ended", naming.valid_to
    else:
        standing, ended = "current", None
    return {
        "asset": to_text(naming.identity),
        "agent": to_text(naming.agent),
        "purpose": purpose,
        "epoch": epoch,
        "at": naming.at,
        "valid_to": naming.valid_to,
        "standing": standing,
        "ended_at": ended,
    }


def authority_document(
    registry: Registry, asset: Address, signer: Address, at: int, purpose: str, *, balancing: bool
) -> Document:
    """Return whether `signer` may act for `asset` at a moment, or why not.

    For trading it is asked as for an order, of an asset that is certified and enrolled, signed in the account's present
    epoch; for another purpose it is ownership or delegation alone. Refuses a purpose that nobody knows.
    """
    if purpose not in PURPOSES:
        raise UnknownPurpose(purpose, tuple(PURPOSES))
    asked = {"asset": to_text(asset), "signer": to_text(signer), "at": at, "purpose": purpose}
    no = asked | {"may": False, "as": None, "epoch": None, "account": None}
    try:
        tenure = registry.authority.tenure_at(asset, at)
        if PURPOSES[purpose] == TRADE:
            enrolled = registry.enrolment(asset, tenure.epoch)
            epoch = 0 if enrolled is None else registry.accounts[enrolled.account].epoch
            standing = registry.judge(asset, signer, epoch, at, balancing=balancing)
            account, as_delegate = standing.account.number, standing.as_delegate
        else:
            account, as_delegate = None, registry.authority.may_act(signer, asset, PURPOSES[purpose], at).as_delegate
    except AuthorityRefused as refusal:
        data = {name: value for name, value in vars(refusal).items() if name not in asked}
        return no | {"code": refusal.code, "why": str(refusal), "because": data}
    return asked | {
        "may": True,
        "as": "delegate" if as_delegate else "owner",
        "epoch": tenure.epoch,
        "account": account,
        "code": None,
        "why": None,
        "because": {},
    }


def says(role: str, data: bytes) -> Document | None:
    """Return what the 32 bytes of a claim to the role of this name say; none where they say nothing known here."""
    if not any(data):
        return None
    try:
        match labels_of(role)[0]:
            case EnergyRole.ASSET:
                found = unpack_asset(data)
                return {
                    "kind": text_of(found.kind),
                    "energy_type": text_of(found.energy_type),
                    "rated_power_w": found.power_w,
                    "capacity_wh": found.capacity_wh,
                }
            case EnergyRole.BALANCING_PROVIDER:
                rates = unpack_rates(data)
                return {
                    "demand_micro_per_kwh": rates.demand_micro_per_kwh,
                    "supply_micro_per_kwh": rates.supply_micro_per_kwh,
                }
            case EnergyRole.GRID_OPERATOR:
                return {"market": unpack_market(data)}
            case _:
                return None
    except MalformedClaimData:
        return None


def _claim(claim: Claim, role: str) -> Document:
    return {
        "version": claim.version,
        "registered_at": claim.registered_at,
        "expiry": claim.expiry,
        "revoked_at": claim.revoked_at,
        "issuer": to_text(claim.issuer),
        "epoch": claim.epoch or None,
        "data": _hexed(claim.data),
        "says": says(role, claim.data),
    }


def _tenure(tenure: Tenure) -> Document:
    return {"owner": to_text(tenure.owner), "epoch": tenure.epoch, "since": tenure.since, "ended": tenure.ended}


def _by_name(authority: AuthorityIndex) -> list[RoleDefined]:
    found = list(authority.roles.definitions.values())
    return sorted((role for role in found if _well_named(role)), key=lambda role: role.name)


def _well_named(role: RoleDefined) -> bool:
    try:
        return namehash(role.name) == role.node
    except MalformedName:
        return False


def _is_of_the_field(name: str, role: EnergyRole) -> bool:
    labels = labels_of(name)
    return len(labels) == 4 and name == role_name(role, labels[2])


def _name(authority: AuthorityIndex, node: bytes) -> str | None:
    """Return the name of a role, or its node where it is not defined; none for the root, which stands for no role."""
    if node == ROOT:
        return None
    role = authority.roles.definitions.get(node)
    return _hexed(node) if role is None or not _well_named(role) else role.name


def _hexed(raw: bytes) -> str:
    return "0x" + raw.hex()
