"""Whether somebody holds a role at a moment, by claims on the chain and by credentials that were shown.

A chain of issuers is followed in full, up to someone whom a role's definition lists, and every verdict on the way
counts. A status list that cannot be had refuses: not knowing is never good. The specification is Energy Web's flow
without its gaps; what each of them was has a test of its own.

What the chain says by itself is asked of `role_claims.py`; whoever holds a role on the chain needs no credential.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from identity.address import Address, to_text
from identity.assertion import Changes, assertion_signers, speaks_as
from identity.credential import Credential, Presented, StatusEntry
from identity.credential_subject import ENERGY_TYPE, REVOCATION, ListSubject, MandateSubject, RoleSubject
from identity.credential_text import read_credential
from identity.errors import MalformedCredential, MalformedName, MalformedStatusList
from identity.facts import RoleDefined
from identity.names import ROOT, namehash
from identity.role_claims import Claim, RoleClaims
from identity.status_list import read_status_list
from identity.tenure import Tenures
from identity.verdict import Failure, Fault, Link, Trust, Verdict

MAX_CHAIN = 8
"""How many links a chain of issuers may have, the subject's own included."""

MOST_CREDENTIALS = 64
"""How many credentials are looked at for one question: a pile of them must not cost more."""

StatusSource = Callable[[str], str | None]
"""Address of a status list → its credential as text; none where it cannot be had."""

_Above = tuple[tuple[Address, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registries:
    """What is known of the chain: role definitions and claims, ownership of assets, changes of DIDs."""

    chain_id: int
    roles: RoleClaims
    tenures: Tenures
    changes: Changes


def verify(
    registries: Registries,
    subject: Address,
    role: bytes,
    min_version: int,
    at: int,
    *,
    shown: Iterable[Presented] = (),
    status: StatusSource = lambda _: None,
) -> Verdict:
    """Return whether `subject` holds `role`, in `min_version` or later, at the moment `at` (unix seconds).

    `shown` are the credentials that may serve, of the subject and of the issuers above it.
    """
    return _Inquiry(registries, at, status, _sorted(shown)).holds(subject, role, min_version, ())


def verify_credential(
    registries: Registries,
    presented: Presented,
    at: int,
    *,
    shown: Iterable[Presented] = (),
    status: StatusSource = lambda _: None,
) -> Verdict:
    """Return whether what a credential says counts at the moment `at`, whatever else may say the same.

    A role's is followed up its chain of issuers; a mandate's issuer must own the asset; a status list's proof is all
    that is looked at, since which role it serves shows where it is used.
    """
    inquiry = _Inquiry(registries, at, status, _sorted(shown))
    match presented.credential.subject:
        case RoleSubject() as subject:
            role = namehash(subject.role_name)
            definition = registries.roles.definitions.get(role)
            if definition is None:
                return _no(Fault.ROLE_UNDEFINED, subject.holder.address, role, "the role is not defined")
            return inquiry.judged(presented, subject, definition, 0, ())
        case MandateSubject() as subject:
            return inquiry.mandate(presented, subject)
        case _:
            failure = inquiry.unproved(presented, presented.credential.issuer.address, ROOT)
            return Verdict(failure=failure)


def _sorted(shown: Iterable[Presented]) -> dict[tuple[Address, bytes], list[Presented]]:
    found: dict[tuple[Address, bytes], list[Presented]] = {}
    for presented in shown:
        subject = presented.credential.subject
        if isinstance(subject, RoleSubject) and subject.kind != ENERGY_TYPE:  # which certifies a part of a role only
            found.setdefault((subject.holder.address, namehash(subject.role_name)), []).append(presented)
    return found


def _no(fault: Fault, subject: Address, role: bytes, why: str) -> Verdict:
    return Verdict(failure=Failure(fault, subject, role, why))


@dataclass(slots=True)
class _Inquiry:
    """One question, as of one moment. `above` are the (subject, role) pairs that rest on the one that is asked."""

    registries: Registries
    at: int
    status: StatusSource
    shown: dict[tuple[Address, bytes], list[Presented]]
    looked_at: int = field(default=0)

    def holds(self, subject: Address, role: bytes, min_version: int, above: _Above) -> Verdict:
        """Return whether the role is held: by a claim on the chain, or by the first credential that counts."""
        if (subject, role) in above:
            return _no(Fault.CYCLE, subject, role, f"{to_text(subject)} would hold the role by its own word")
        if len(above) >= MAX_CHAIN:
            return _no(Fault.TOO_DEEP, subject, role, f"the chain of issuers is longer than {MAX_CHAIN}")
        definition = self.registries.roles.definitions.get(role)
        if definition is None:
            return _no(Fault.ROLE_UNDEFINED, subject, role, "the role is not defined")
        best = self._on_chain(subject, role, min_version)
        if best.holds:
            return best
        for place, presented in enumerate(self.shown.get((subject, role), ())):
            credential = presented.credential
            assert isinstance(credential.subject, RoleSubject)  # that is what they are sorted by
            found = self.judged(presented, credential.subject, definition, min_version, above)
            if found.holds:
                return found
            best = found if place == 0 else best
        return best

    def judged(
        self, presented: Presented, subject: RoleSubject, definition: RoleDefined, min_version: int, above: _Above
    ) -> Verdict:
        """Return whether a credential gives its subject the role."""
        holder, role = subject.holder.address, definition.node
        self.looked_at += 1
        if self.looked_at > MOST_CREDENTIALS:
            return _no(Fault.TOO_MUCH, holder, role, f"more than {MOST_CREDENTIALS} credentials to look at")
        if not _well_named(definition):
            return _no(Fault.ROLE_MISNAMED, holder, role, "the role's name does not hash to its node")
        failure = (
            self._of_another_version(subject, definition, min_version)
            or self.unproved(presented, holder, role)
            or self._against_the_rules(presented.credential, subject, definition)
            or self._against_the_chain(presented.credential, subject, definition)
            or self._taken_back(presented.credential, definition, holder, above)
        )
        if failure is not None:
            return Verdict(failure=failure)
        return self._issued(presented.credential, subject, definition, above)

    def mandate(self, presented: Presented, subject: MandateSubject) -> Verdict:
        """Return whether a mandate is its asset's owner's, of the present ownership, and goes on."""
        credential, agent = presented.credential, subject.agent.address
        failure = self.unproved(presented, agent, ROOT)
        tenure = self.registries.tenures.at(subject.asset.address, self.at)
        chains = {subject.agent.chain_id, subject.asset.chain_id}
        if failure is None and chains != {self.registries.chain_id}:
            failure = Failure(Fault.WRONG_CHAIN, agent, ROOT, "agent and asset are not both on this chain")
        if failure is None and (tenure is None or tenure.owner != credential.issuer.address):
            failure = Failure(Fault.NOT_THE_OWNER, agent, ROOT, "the issuer does not own the asset")
        if failure is None and tenure is not None and tenure.epoch != subject.epoch:
            failure = Failure(Fault.ENDED_AT_SALE, agent, ROOT, f"of another ownership than epoch {tenure.epoch}")
        if failure is None and credential.status is not None:
            failure = self._listed_as_taken_back(credential, credential.status, None, agent, ())
        if failure is not None:
            return Verdict(failure=failure)
        return Verdict((Link(agent, ROOT, credential.issuer.address, Trust.OWNS_ASSET, credential.name),))

    def unproved(self, presented: Presented, subject: Address, role: bytes) -> Failure | None:
        """Return what is wrong with the times or the proof of a credential."""
        credential = presented.credential
        if credential.issuer.chain_id != self.registries.chain_id:
            return Failure(Fault.WRONG_CHAIN, subject, role, f"the issuer is on chain {credential.issuer.chain_id}")
        if self.at < credential.issued_at:
            return Failure(Fault.NOT_YET_VALID, subject, role, f"issued at {credential.issued_at}")
        if self.at >= credential.expires_at:
            return Failure(Fault.EXPIRED, subject, role, f"expired at {credential.expires_at}")
        if not self._speak_for(credential.issuer.address) & set(presented.signers):
            why = "no key that the issuer's document lists for assertion made the proof"
            return Failure(Fault.NOT_THE_ISSUERS_KEY, subject, role, why)
        return None

    def _speak_for(self, identity: Address) -> frozenset[Address]:
        return assertion_signers(identity, self.registries.chain_id, self.registries.changes, self.at)

    def _on_chain(self, subject: Address, role: bytes, min_version: int) -> Verdict:
        found = self.registries.roles.holds(subject, role, self.at, min_version)
        links, holder = [], subject
        for link in found.chain:
            if not _well_named(self.registries.roles.definitions[link.role]):
                return _no(Fault.ROLE_MISNAMED, holder, link.role, "the role's name does not hash to its node")
            links.append(Link(holder, link.role, link.issuer, Trust(link.how.value)))
            holder = link.issuer
        failure = found.failure
        if failure is None:
            return Verdict(tuple(links), found.data)
        return Verdict(tuple(links), found.data, Failure(failure.step, failure.subject, failure.role, str(failure)))

    def _of_another_version(self, subject: RoleSubject, definition: RoleDefined, min_version: int) -> Failure | None:
        if subject.holder.chain_id != self.registries.chain_id:
            why = f"the holder is on chain {subject.holder.chain_id}"
            return Failure(Fault.WRONG_CHAIN, subject.holder.address, definition.node, why)
        if not min_version <= subject.version <= definition.version:
            why = f"version {subject.version} is not from {min_version} to {definition.version}"
            return Failure(Fault.WRONG_VERSION, subject.holder.address, definition.node, why)
        return None

    def _against_the_rules(
        self, credential: Credential, subject: RoleSubject, definition: RoleDefined
    ) -> Failure | None:
        """Return which rule of issuing a credential breaks: to oneself, for too long, or for an earlier owner."""
        holder, role, issuer = subject.holder.address, definition.node, credential.issuer.address
        tenure = self.registries.tenures.at(holder, self.at)
        if issuer == holder or (tenure is not None and issuer == tenure.owner):
            return Failure(Fault.SELF_ISSUED, holder, role, "nobody issues to itself, or to what it owns")
        if definition.most_seconds and credential.expires_at - credential.issued_at > definition.most_seconds:
            return Failure(Fault.TOO_LONG_LIVED, holder, role, f"lasts longer than {definition.most_seconds} seconds")
        if not definition.ends_at_sale or not self.registries.tenures.of(holder):
            return None
        if tenure is None or (tenure.epoch > 1 and credential.issued_at <= tenure.since):
            return Failure(Fault.ENDED_AT_SALE, holder, role, "issued in an ownership that has ended")
        return None

    def _against_the_chain(
        self, credential: Credential, subject: RoleSubject, definition: RoleDefined
    ) -> Failure | None:
        """Return how the subject's newest claim on the chain speaks against a credential."""
        holder, role = subject.holder.address, definition.node
        claim = self._newest_claim(holder, role)
        if claim is None:
            return None
        if claim.revoked_at is not None and claim.revoked_at <= self.at:
            if credential.issued_at <= claim.revoked_at:
                return Failure(Fault.REVOKED_ON_CHAIN, holder, role, f"revoked on the chain at {claim.revoked_at}")
            return None
        if self.at < claim.expiry and not subject.agrees_with(claim.data):
            return Failure(
                Fault.DIFFERS_FROM_CHAIN, holder, role, "its fields are not what the claim on the chain says"
            )
        return None

    def _newest_claim(self, holder: Address, role: bytes) -> Claim | None:
        claims = self.registries.roles.claims.get((holder, role), ())
        return next((claim for claim in reversed(claims) if claim.registered_at <= self.at), None)

    def _taken_back(
        self, credential: Credential, definition: RoleDefined, holder: Address, above: _Above
    ) -> Failure | None:
        assert credential.status is not None  # a role's credential has an entry, or was not read
        return self._listed_as_taken_back(credential, credential.status, definition, holder, above)

    def _listed_as_taken_back(
        self, credential: Credential, entry: StatusEntry, definition: RoleDefined | None, holder: Address, above: _Above
    ) -> Failure | None:
        """Return what the status list says against a credential, or why the list itself does not count."""
        role = ROOT if definition is None else definition.node
        text = self.status(entry.url)
        if text is None:
            return Failure(Fault.STATUS_UNREACHABLE, holder, role, f"{entry.url} cannot be had")
        try:
            presented = read_credential(text)
            is_set = _bit(presented.credential, entry)
        except (MalformedCredential, MalformedStatusList) as error:
            return Failure(Fault.STATUS_LIST_WRONG, holder, role, str(error))
        unproved = self.unproved(presented, holder, role)
        if unproved is not None:
            return Failure(Fault.STATUS_LIST_WRONG, holder, role, unproved.why)
        if not self._may_revoke(presented.credential.issuer.address, credential, definition, holder, above):
            return Failure(Fault.STATUS_NOT_BY_REVOKER, holder, role, "the list's signer may not revoke this")
        return Failure(Fault.REVOKED, holder, role, f"bit {entry.index} is set") if is_set else None

    def _may_revoke(
        self, revoker: Address, credential: Credential, definition: RoleDefined | None, holder: Address, above: _Above
    ) -> bool:
        if revoker == credential.issuer.address:
            return True
        if definition is None:
            return False
        if definition.revokers:
            return revoker in definition.revokers
        if not any(definition.revoker_role):
            return False
        return self.holds(revoker, definition.revoker_role, 0, (*above, (holder, definition.node))).holds

    def _issued(self, credential: Credential, subject: RoleSubject, definition: RoleDefined, above: _Above) -> Verdict:
        """Return whether the issuer may issue the role, by a list or by a role of its own."""
        holder, role, issuer = subject.holder.address, definition.node, credential.issuer.address
        data = subject.claim_data() or bytes(32)
        trust = self._listed(definition, issuer)
        if trust is not None:
            return Verdict((Link(holder, role, issuer, trust, credential.name),), data)
        if definition.issuers or not any(definition.issuer_role):
            why = f"{to_text(issuer)} may not issue this role"
            return _no(Fault.ISSUER_NOT_AUTHORISED, holder, role, why)
        link = Link(holder, role, issuer, Trust.HOLDS_ROLE, credential.name)
        upward = self.holds(issuer, definition.issuer_role, 0, (*above, (holder, role)))
        return Verdict((link, *upward.chain), data, upward.failure)

    def _listed(self, definition: RoleDefined, issuer: Address) -> Trust | None:
        if issuer in definition.issuers:
            return Trust.LISTED
        changes = self.registries.changes
        if any(speaks_as(issuer, listed, changes, self.at) for listed in definition.issuers):
            return Trust.KEY_OF_LISTED
        return None


def _bit(published: Credential, entry: StatusEntry) -> bool:
    listed = published.subject
    if not isinstance(listed, ListSubject) or listed.url != entry.url or listed.purpose != REVOCATION:
        raise MalformedCredential("id", f"not the list for revocation at {entry.url}")
    return read_status_list(listed.encoded).is_set(entry.index)


def _well_named(definition: RoleDefined) -> bool:
    try:
        return namehash(definition.name) == definition.node
    except MalformedName:
        return False
