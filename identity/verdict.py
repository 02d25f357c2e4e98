"""The answer to "is this so?" about a role or a credential: yes, on whose word, or the first step that failed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from identity.address import Address, to_text
from identity.role_verdict import Step


class Trust(StrEnum):
    """Why an issuer counts."""

    LISTED = "listed"
    KEY_OF_LISTED = "key-of-listed"
    HOLDS_ROLE = "holds-role"
    OWNS_ASSET = "owns-asset"


class Fault(StrEnum):
    """What can be wrong with a credential, or with a chain of issuers; faults of a claim on the chain are `Step`s."""

    ROLE_UNDEFINED = "role-undefined"
    ROLE_MISNAMED = "role-misnamed"
    WRONG_CHAIN = "wrong-chain"
    WRONG_VERSION = "wrong-version"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "credential-expired"
    TOO_LONG_LIVED = "too-long-lived"
    SELF_ISSUED = "self-issued"
    NOT_THE_ISSUERS_KEY = "not-the-issuers-key"
    DIFFERS_FROM_CHAIN = "differs-from-chain"
    REVOKED_ON_CHAIN = "revoked-on-chain"
    ENDED_AT_SALE = "credential-ended-at-sale"
    STATUS_UNREACHABLE = "status-unreachable"
    STATUS_LIST_WRONG = "status-list-wrong"
    STATUS_NOT_BY_REVOKER = "status-not-by-revoker"
    REVOKED = "credential-revoked"
    ISSUER_NOT_AUTHORISED = "credential-issuer-not-authorised"
    NOT_THE_OWNER = "not-the-owner"
    CYCLE = "cycle"
    TOO_DEEP = "too-deep"
    TOO_MUCH = "too-much-evidence"


@dataclass(frozen=True, slots=True)
class Link:
    """`issuer` gave `role` to `subject`, by a claim on the chain, or by the credential of this name."""

    subject: Address
    role: bytes
    issuer: Address
    trust: Trust
    credential: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The first step that failed: what, about whom and which role, and in a sentence why."""

    step: Step | Fault
    subject: Address
    role: bytes
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it is so. `chain` goes from the subject's issuer up, as far as it held; `data` is what is certified."""

    chain: tuple[Link, ...] = ()
    data: bytes = bytes(32)
    failure: Failure | None = None

    @property
    def holds(self) -> bool:
        """Whether it is so."""
        return self.failure is None

    def to_document(self) -> dict[str, Any]:
        """Return the verdict as plain values, for the audit trail."""
        failure = self.failure
        return {
            "holds": self.holds,
            "chain": [
                {
                    "subject": to_text(link.subject),
                    "role": f"0x{link.role.hex()}",
                    "issuer": to_text(link.issuer),
                    "how": link.trust.value,
                    "credential": link.credential,
                }
                for link in self.chain
            ],
            "data": f"0x{self.data.hex()}",
            "failed": None
            if failure is None
            else {
                "step": failure.step.value,
                "subject": to_text(failure.subject),
                "role": f"0x{failure.role.hex()}",
                "why": failure.why,
            },
        }
