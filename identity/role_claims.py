"""Roles as they are defined, and who holds them: a fold over the role registry's facts.

The rule is the contract's own (`claims.vy`), in the same order: the newest claim that was registered by the moment
asked about, not expired, not revoked, of an ownership that goes on where the role asks for that, and made by an issuer
that is listed in the role's present definition, or holds the issuer's role at that same moment by this same rule.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from identity.address import Address
from identity.facts import ClaimRegistered, ClaimRevoked, NamespaceOwned, RoleDefined, RoleFact
from identity.role_verdict import Failure, How, Link, RoleVerdict, Step
from identity.tenure import Tenures

MAX_CHAIN = 8
"""How many claims a chain of issuers may have, the subject's own included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One registration of a subject for a role. `revoked_at` is none while it was not revoked."""

    version: int
    registered_at: int
    expiry: int
    issuer: Address
    data: bytes
    epoch: int
    revoked_at: int | None = None


class RoleClaims:
    """Namespaces, definitions and claims; `tenures` says when an asset's ownership ended."""

    def __init__(self, tenures: Tenures) -> None:
        self.owners: dict[bytes, Address] = {}
        self.definitions: dict[bytes, RoleDefined] = {}
        self.claims: dict[tuple[Address, bytes], list[Claim]] = {}
        self._tenures = tenures
        self._windows: dict[tuple[Address, bytes], tuple[int, int]] = {}

    def apply(self, fact: RoleFact) -> None:
        """Take one more fact; raises `KeyError` for the revocation of a claim that was never registered."""
        match fact:
            case NamespaceOwned(node, owner, _):
                self.owners[node] = owner
                return
            case RoleDefined():
                self.definitions[fact.node] = fact
            case ClaimRegistered():
                claim = Claim(
                    version=fact.version,
                    registered_at=fact.at,
                    expiry=fact.expiry,
                    issuer=fact.issuer,
                    data=fact.data,
                    epoch=fact.epoch,
                )
                self.claims.setdefault((fact.subject, fact.role), []).append(claim)
            case ClaimRevoked(subject, role, _, at):
                claims = self.claims[subject, role]
                claims[-1] = replace(claims[-1], revoked_at=at)
        self.forget_windows()

    def forget_windows(self) -> None:
        """Forget what was worked out: something that it rests on has changed."""
        self._windows.clear()

    def claim(self, subject: Address, role: bytes) -> Claim | None:
        """Return the subject's present claim to a role, whatever became of it."""
        claims = self.claims.get((subject, role))
        return claims[-1] if claims else None

    def window(self, subject: Address, role: bytes) -> tuple[int, int]:
        """Return from when until when, both included, the role is held by the newest claims alone, as known now.

        Worked out once and remembered. Inside the window `holds` says yes; outside it, or where the window is empty
        because one of these claims began after another had ended, older claims decide.
        """
        known = self._windows.get((subject, role))
        if known is None:
            known = self._windows[subject, role] = self._window(subject, role)
        return known

    def holds(self, subject: Address, role: bytes, at: int, version: int = 0) -> RoleVerdict:
        """Return whether `subject` holds `role`, in `version` or a later one, at a moment, and by whose word."""
        chain: list[Link] = []
        data = bytes(32)
        for _ in range(MAX_CHAIN):
            claims = self.claims.get((subject, role), ())
            claim, failure = self._claim_at(claims, subject, role, at, version)
            if claim is None:
                return RoleVerdict(tuple(chain), data, failure)
            if not chain:
                data = claim.data
            definition = self.definitions[role]
            how = _counts(definition, claim.issuer)
            if how is None:
                failure = Failure(Step.ISSUER, subject, role, issuer=claim.issuer)
                return RoleVerdict(tuple(chain), data, failure)
            chain.append(Link(claim.issuer, role, how))
            if how is How.LISTED:
                return RoleVerdict(tuple(chain), data)
            subject, role, version = claim.issuer, definition.issuer_role, 0
        return RoleVerdict(tuple(chain), data, Failure(Step.TOO_LONG, subject, role))

    def _claim_at(
        self, claims: Sequence[Claim], subject: Address, role: bytes, at: int, version: int
    ) -> tuple[Claim | None, Failure | None]:
        if role not in self.definitions:
            return None, Failure(Step.UNDEFINED, subject, role)
        if not claims:
            return None, Failure(Step.NEVER, subject, role)
        place = bisect_right(claims, at, key=_registered_at)
        if place == 0:
            return None, Failure(Step.NOT_YET, subject, role, claims[0].registered_at)
        claim = claims[place - 1]
        if claim.version < version:
            return None, Failure(Step.VERSION, subject, role)
        if claim.revoked_at is not None and claim.revoked_at <= at:
            return None, Failure(Step.REVOKED, subject, role, claim.revoked_at)
        if claim.expiry <= at:
            return None, Failure(Step.EXPIRED, subject, role, claim.expiry)
        sold = self._sold(claim, subject, role)
        if sold is not None and sold <= at:
            return None, Failure(Step.SOLD, subject, role, sold)
        return claim, None

    def _sold(self, claim: Claim, subject: Address, role: bytes) -> int | None:
        """Return when the claim ended by a sale, if the role is one whose claims do."""
        if not claim.epoch or not self.definitions[role].ends_at_sale:
            return None
        return self._tenures.ended(subject, claim.epoch)

    def _window(self, subject: Address, role: bytes) -> tuple[int, int]:
        begin, end = 0, (1 << 256) - 1
        for _ in range(MAX_CHAIN):
            claim, definition = self.claim(subject, role), self.definitions.get(role)
            if claim is None or definition is None:
                return 1, 0
            ends = (claim.expiry, claim.revoked_at, self._sold(claim, subject, role))
            begin = max(begin, claim.registered_at)
            end = min(end, *(moment - 1 for moment in ends if moment is not None))
            how = _counts(definition, claim.issuer)
            if how is None:
                return 1, 0
            if how is How.LISTED:
                return begin, end
            subject, role = claim.issuer, definition.issuer_role
        return 1, 0


def _counts(definition: RoleDefined, issuer: Address) -> How | None:
    """Return why an issuer may issue the role; whether it holds the issuer's role is still to be asked."""
    if definition.issuers:
        return How.LISTED if issuer in definition.issuers else None
    return How.HOLDS_ROLE if any(definition.issuer_role) else None


def _registered_at(claim: Claim) -> int:
    return claim.registered_at
