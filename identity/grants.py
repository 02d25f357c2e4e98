"""Grants: one party's signed word that another may read something of it, for a purpose, until an instant.

Typed data (EIP-712), so that people give and take back with the wallet they have. A grant's digest is its name: given
twice it counts once, and a grant that was taken back stays so, however often it is sent again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from identity.access import Purpose, Role, Scope, Standing, may_grant
from identity.access_errors import MalformedGrant, NotYoursToGrant, UnknownGrant
from identity.address import Address, to_text
from identity.hashing import keccak
from identity.signature import recover
from identity.typed_data import address_word, digest, word

GRANT_TYPE = "Grant(address grantor,address grantee,string role,string purpose,string scope,uint40 until,uint64 salt)"
REVOCATION_TYPE = "Revocation(bytes32 grant)"

MOST_GRANT_SECONDS = 2 * 366 * 24 * 3600
"""Two years: who needs to read for longer is granted it anew."""

_NOBODY = Address(bytes(20))
_GRANT_HASH = keccak(GRANT_TYPE.encode())
_REVOCATION_HASH = keccak(REVOCATION_TYPE.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Who lets whom read what. The reader is either one address, the subject of a DID, or whoever holds a role."""

    grantor: Address
    grantee: Address | None
    role: Role | None
    purpose: Purpose
    scope: Scope
    until: int
    salt: int = 0

    def __post_init__(self) -> None:
        if (self.grantee is None) == (self.role is None):
            raise MalformedGrant("it is for one reader, or for the holders of one role")
        if self.grantee in (_NOBODY, self.grantor):
            raise MalformedGrant("nobody grants anything to nobody or to itself")
        if not 0 < self.until < 1 << 40 or not 0 <= self.salt < 1 << 64:
            raise MalformedGrant("its end or its salt is out of range")

    def digest(self, separator: bytes) -> bytes:
        """Return its name, which is also what is signed, under a domain separator."""
        return digest(
            separator,
            keccak(
                _GRANT_HASH
                + address_word(self.grantor)
                + address_word(self.grantee or _NOBODY)
                + keccak((self.role or "").encode())
                + keccak(self.purpose.encode())
                + keccak(self.scope.text.encode())
                + word(self.until)
                + word(self.salt)
            ),
        )


def revocation_digest(grant: bytes, separator: bytes) -> bytes:
    """Return what is signed to take the grant with this digest back."""
    return digest(separator, keccak(_REVOCATION_HASH + grant))


@dataclass(frozen=True, slots=True)
class GrantGiven:
    """A grant was given; it counts from `at` on."""

    digest: bytes
    grant: Grant
    signature: bytes
    at: int


@dataclass(frozen=True, slots=True)
class GrantTakenBack:
    """A grant was revoked, by `signature` of its giver or of whoever owns its scope now."""

    digest: bytes
    signature: bytes
    at: int


GrantEvent = GrantGiven | GrantTakenBack


@dataclass(frozen=True, slots=True)
class KeptGrant:
    """A grant as it stands."""

    given: GrantGiven
    revoked_at: int | None = None

    @property
    def digest(self) -> bytes:
        """Its name."""
        return self.given.digest

    @property
    def grantor(self) -> Address:
        """Who gave it."""
        return self.given.grant.grantor

    @property
    def purpose(self) -> Purpose:
        """What for."""
        return self.given.grant.purpose

    @property
    def given_at(self) -> int:
        """When it was given."""
        return self.given.at

    @property
    def until(self) -> int:
        """It counts before this instant."""
        return self.given.grant.until


class Grants:
    """All grants as they stand after the events applied so far: a fold."""

    def __init__(self) -> None:
        self._kept: dict[bytes, KeptGrant] = {}
        self._to_reader: dict[tuple[Address, Scope], dict[bytes, KeptGrant]] = {}
        self._to_roles: dict[Scope, dict[bytes, tuple[Role, KeptGrant]]] = {}

    def apply(self, event: GrantEvent) -> None:
        """Take one more event; what was applied before changes nothing."""
        match event:
            case GrantGiven():
                if event.digest not in self._kept:
                    self._put(KeptGrant(event))
            case GrantTakenBack():
                kept = self._kept[event.digest]
                if kept.revoked_at is None:
                    self._put(replace(kept, revoked_at=event.at))

    def __contains__(self, name: bytes) -> bool:
        """Whether a grant has this digest."""
        return name in self._kept

    def find(self, name: bytes) -> KeptGrant:
        """Return the grant with this digest. Raises `UnknownGrant`."""
        kept = self._kept.get(name)
        if kept is None:
            raise UnknownGrant(name)
        return kept

    def given_by(self, grantor: Address) -> list[KeptGrant]:
        """Return what somebody granted, in the order it was given."""
        return [kept for kept in list(self._kept.values()) if kept.grantor == grantor]

    def given_to(self, reader: Address) -> list[KeptGrant]:
        """Return what was granted to somebody by address, in the order it was given."""
        return [kept for kept in list(self._kept.values()) if kept.given.grant.grantee == reader]

    def given_to_role(self, role: Role) -> list[KeptGrant]:
        """Return what was granted to the holders of a role, in the order it was given."""
        return [kept for kept in list(self._kept.values()) if kept.given.grant.role is role]

    def to_reader(self, reader: Address, scope: Scope) -> Sequence[KeptGrant]:
        """Return the grants of exactly this scope to this reader."""
        found = self._to_reader.get((reader, scope))
        return () if found is None else tuple(found.values())

    def to_roles(self, scope: Scope) -> Sequence[tuple[Role, KeptGrant]]:
        """Return the grants of exactly this scope to holders of a role."""
        found = self._to_roles.get(scope)
        return () if found is None else tuple(found.values())

    def _put(self, kept: KeptGrant) -> None:
        grant = kept.given.grant
        self._kept[kept.digest] = kept
        if grant.grantee is not None:
            self._to_reader.setdefault((grant.grantee, grant.scope), {})[kept.digest] = kept
        elif grant.role is not None:
            self._to_roles.setdefault(grant.scope, {})[kept.digest] = (grant.role, kept)


def give(grant: Grant, signature: bytes, at: int, *, separator: bytes, standing: Standing) -> GrantGiven:
    """Decide on a grant that arrives at `at`. Raises `BadSignature`, `MalformedGrant` and `NotYoursToGrant`."""
    name = grant.digest(separator)
    signer = recover(name, signature)
    if signer != grant.grantor:
        raise NotYoursToGrant(to_text(signer), grant.scope.text)
    if grant.until <= at:
        raise MalformedGrant(f"it ended at {grant.until} already")
    if grant.until > at + MOST_GRANT_SECONDS:
        raise MalformedGrant(f"it lasts longer than {MOST_GRANT_SECONDS} s from now")
    if not may_grant(signer, grant.scope, at, standing, at):
        raise NotYoursToGrant(to_text(signer), grant.scope.text)
    return GrantGiven(name, grant, signature, at)


def take_back(kept: KeptGrant, signature: bytes, at: int, *, separator: bytes, standing: Standing) -> GrantTakenBack:
    """Decide on a revocation that arrives at `at`: by the giver, or by who owns the scope now.

    Raises `BadSignature` and `NotYoursToGrant`.
    """
    signer = recover(revocation_digest(kept.digest, separator), signature)
    scope = kept.given.grant.scope
    if signer not in (kept.grantor, standing.owner(scope, at)):
        raise NotYoursToGrant(to_text(signer), scope.text)
    return GrantTakenBack(kept.digest, signature, at)
