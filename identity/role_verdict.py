"""The answer to "does this subject hold this role?": yes, by which chain of issuers, or the first step that fails."""

from dataclasses import dataclass
from enum import StrEnum

from identity.address import Address, to_text


class How(StrEnum):
    """Why an issuer counts."""

    LISTED = "listed"
    HOLDS_ROLE = "holds-role"


class Step(StrEnum):
    """What can fail, at the subject or at one of the issuers above it."""

    UNDEFINED = "role-undefined"
    NEVER = "never-registered"
    NOT_YET = "not-yet-registered"
    VERSION = "version-too-low"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SOLD = "ended-at-sale"
    ISSUER = "issuer-not-authorised"
    TOO_LONG = "chain-too-long"


_SENTENCES = {
    Step.UNDEFINED: "the role is not defined",
    Step.NEVER: "{subject} never had a claim to the role",
    Step.NOT_YET: "{subject} had no claim to the role before {since}",
    Step.VERSION: "the claim of {subject} is to an older version of the role",
    Step.EXPIRED: "the claim of {subject} expired at {since}",
    Step.REVOKED: "the claim of {subject} was revoked at {since}",
    Step.SOLD: "the claim of {subject} ended with its sale at {since}",
    Step.ISSUER: "{issuer} may not issue the role that {subject} claims",
    Step.TOO_LONG: "the chain of issuers above {subject} is too long, or a circle",
}


@dataclass(frozen=True, slots=True)
class Link:
    """One step of the chain: `issuer` made the claim to `role`, and counts because it is listed or holds a role."""

    issuer: Address
    role: bytes
    how: How


@dataclass(frozen=True, slots=True)
class Failure:
    """The first step that failed: whose claim to which role, and from when on, where that is a moment."""

    step: Step
    subject: Address
    role: bytes
    since: int | None = None
    issuer: Address | None = None

    def __str__(self) -> str:
        issuer = "" if self.issuer is None else to_text(self.issuer)
        return _SENTENCES[self.step].format(subject=to_text(self.subject), since=self.since, issuer=issuer)


@dataclass(frozen=True, slots=True)
class RoleVerdict:
    """Whether a role is held. `chain` goes from the subject's issuer up, as far as every link held."""

    chain: tuple[Link, ...]
    data: bytes = bytes(32)
    failure: Failure | None = None

    @property
    def holds(self) -> bool:
        """Whether the role is held."""
        return self.failure is None
