"""Who may read what: scopes, the roles that read them by office, and the judgement of one read.

Whatever this house shows that is not public belongs to a scope. A reader may see it because it owns it, because its
role requires it, or because somebody who may do so granted it. Everything is judged at the moment of reading: a grant
counts only as long as its giver could give it still, so a sale or a lost role ends it without anybody revoking it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from identity.access_errors import GrantExpired, GrantRevoked, MalformedGrant, NotGranted, NotSignedIn
from identity.address import Address

_NUMBERS = {"account": 1 << 32, "node": 1 << 32, "session": 1 << 80}
_DIGITS = frozenset("0123456789")
_HEX = frozenset("0123456789abcdef")


class Kind(StrEnum):
    """What kind of thing is read."""

    ACCOUNT = "account"
    """An account: its credit, assets, statement, orders and trades."""

    NODE = "node"
    """The aggregate of a node: both sides of its cleared sessions, without names."""

    SESSION = "session"
    """The published book of one cleared session: every order in it, with its asset, and every trade."""

    METER = "meter"
    """The readings of one asset's meter."""

    TRAIL = "trail"
    """The audit trail: the books of all cleared sessions, and the record of reads."""


class Role(StrEnum):
    """A role whose holders read something by office, or may be granted something as such."""

    COMMUNITY_OPERATOR = "communityoperator"
    GRID_OPERATOR = "gridoperator"
    EXCHANGE_OPERATOR = "exchangeoperator"
    AUDITOR = "auditor"
    METER_OPERATOR = "meteroperator"
    CERTIFIER = "certifier"


class Purpose(StrEnum):
    """What for something is granted. It stands in the grant, and beside every read under it."""

    AUDIT = "audit"
    BILLING = "billing"
    FORECAST = "forecast"
    GRID = "grid"
    RESEARCH = "research"
    SUPPORT = "support"


READ_BY_OFFICE: dict[Kind, tuple[Role, ...]] = {
    Kind.ACCOUNT: (Role.EXCHANGE_OPERATOR,),
    Kind.NODE: (Role.GRID_OPERATOR, Role.EXCHANGE_OPERATOR),
    Kind.SESSION: (Role.EXCHANGE_OPERATOR,),
    Kind.METER: (Role.METER_OPERATOR,),
    Kind.TRAIL: (Role.EXCHANGE_OPERATOR,),
}
"""Which roles read a scope without being granted it. A grid operator's role is for its own nodes."""

GRANTED_BY_OFFICE: dict[Kind, tuple[Role, ...]] = {
    Kind.ACCOUNT: (),
    Kind.NODE: (Role.GRID_OPERATOR, Role.EXCHANGE_OPERATOR, Role.COMMUNITY_OPERATOR),
    Kind.SESSION: (Role.EXCHANGE_OPERATOR, Role.COMMUNITY_OPERATOR),
    Kind.METER: (),
    Kind.TRAIL: (Role.EXCHANGE_OPERATOR, Role.COMMUNITY_OPERATOR),
}
"""Which roles may grant a scope to others. An account and a meter are granted by nobody but their owner."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One thing that can be read: an account, a node or a session by number, a meter by its asset's address."""

    kind: Kind
    of: int = 0

    @property
    def text(self) -> str:
        """Return its one textual form: `account:7`, `node:1`, `session:42`, `meter:0x…` (lower case), `trail`."""
        match self.kind:
            case Kind.TRAIL:
                return "trail"
            case Kind.METER:
                return "meter:0x" + self.of.to_bytes(20, "big").hex()
            case _:
                return f"{self.kind.value}:{self.of}"

    @classmethod
    def meter(cls, asset: Address) -> "Scope":
        """Return the scope of an asset's meter data."""
        return cls(Kind.METER, int.from_bytes(asset, "big"))

    @property
    def asset(self) -> Address:
        """The asset whose meter it is about."""
        assert self.kind is Kind.METER
        return Address(self.of.to_bytes(20, "big"))


TRAIL = Scope(Kind.TRAIL)


def account_scope(number: int) -> Scope:
    """Return the scope of an account."""
    return Scope(Kind.ACCOUNT, number)


def node_scope(market: int) -> Scope:
    """Return the scope of a node's aggregate."""
    return Scope(Kind.NODE, market)


def session_scope(number: int) -> Scope:
    """Return the scope of a session's book."""
    return Scope(Kind.SESSION, number)


def parse_scope(text: str) -> Scope:
    """Read a scope in its one textual form. Raises `MalformedGrant`."""
    if text == "trail":
        return TRAIL
    kind, colon, of = text.partition(":")
    if kind == "meter" and of[:2] == "0x" and len(of) == 42 and _HEX.issuperset(of[2:]):
        return Scope.meter(Address(bytes.fromhex(of[2:])))
    if kind in _NUMBERS and colon and 0 < len(of) <= 25 and _DIGITS.issuperset(of) and str(int(of)) == of:
        number = int(of)
        if number < _NUMBERS[kind]:
            return Scope(Kind(kind), number)
    raise MalformedGrant(f"{text!r} is no scope")


class Standing(Protocol):
    """Who owns what and who holds which role, as the chain says it at a moment."""

    def owner(self, scope: Scope, at: int) -> Address | None:
        """Return who owns an account, or the asset behind a meter; none for other scopes and what does not exist."""

    def owned_since(self, scope: Scope, at: int) -> int:
        """Return when the ownership of that moment began: later with every sale, also to who owned it before."""

    def holds(self, who: Address, role: Role, at: int, node: int | None = None) -> bool:
        """Say whether `who` holds the role; with `node`, whether it holds it for that node."""

    def is_member(self, who: Address) -> bool:
        """Say whether `who` holds an account here."""


class KnownGrant(Protocol):
    """What judging a read needs to know of a grant. `revoked_at` is None while it stands."""

    @property
    def digest(self) -> bytes:
        """Its name."""

    @property
    def grantor(self) -> Address:
        """Who gave it."""

    @property
    def purpose(self) -> Purpose:
        """What for."""

    @property
    def given_at(self) -> int:
        """When it was given (unix seconds)."""

    @property
    def until(self) -> int:
        """It counts before this instant (unix seconds)."""

    @property
    def revoked_at(self) -> int | None:
        """When it was taken back."""


class KnownGrants(Protocol):
    """Grants, found by whom and what they are for."""

    def to_reader(self, reader: Address, scope: Scope) -> Sequence[KnownGrant]:
        """Return the grants of exactly this scope to this reader."""

    def to_roles(self, scope: Scope) -> Sequence[tuple[Role, KnownGrant]]:
        """Return the grants of exactly this scope to holders of a role."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something to be read. A right to any of `scopes` is enough; the first is what it is most narrowly part of.

    `parties` are those who made it besides, such as the signer of an order: they own it, too.
    """

    scopes: tuple[Scope, ...]
    parties: tuple[Address, ...] = ()


class By(StrEnum):
    """What a read is permitted by."""

    OWN = "own"
    ROLE = "role"
    GRANT = "grant"


@dataclass(frozen=True, slots=True)
class Permission:
    """The answer yes: by what, under which scope; with the role or the grant and its purpose, where it was one."""

    by: By
    scope: Scope
    role: Role | None = None
    grant: bytes | None = None
    purpose: Purpose | None = None


def judge_read(reader: Address | None, item: Item, at: int, standing: Standing, grants: KnownGrants) -> Permission:
    """Return by what `reader` may read `item` at the moment `at`; `None` is somebody who has not signed in.

    Raises `NotSignedIn`, and `GrantRevoked`, `GrantExpired` or `NotGranted` for what comes closest to a right.
    """
    if reader is None:
        raise NotSignedIn
    for scope in item.scopes:
        if standing.owner(scope, at) == reader:
            return Permission(By.OWN, scope)
    if reader in item.parties:
        return Permission(By.OWN, item.scopes[0])
    scopes = tuple(_with_wider(item.scopes))
    for scope in scopes:
        for role in READ_BY_OFFICE[scope.kind]:
            if standing.holds(reader, role, at, scope.of if scope.kind is Kind.NODE else None):
                return Permission(By.ROLE, scope, role=role)
    expired: KnownGrant | None = None
    revoked: KnownGrant | None = None
    for scope in scopes:
        for role_granted, grant in _granted(reader, scope, at, standing, grants):
            if grant.revoked_at is not None:
                revoked = grant
            elif at >= grant.until:
                expired = grant
            elif may_grant(grant.grantor, scope, at, standing, grant.given_at):
                return Permission(By.GRANT, scope, role=role_granted, grant=grant.digest, purpose=grant.purpose)
    if revoked is not None and revoked.revoked_at is not None:
        raise GrantRevoked(revoked.digest, revoked.revoked_at)
    if expired is not None:
        raise GrantExpired(expired.digest, expired.until)
    raise NotGranted(item.scopes[0].text)


def may_grant(grantor: Address, scope: Scope, at: int, standing: Standing, given_at: int) -> bool:
    """Say whether somebody may let others read a scope: its owner, or a role that grants it by office.

    What an owner gave at `given_at` ends with that ownership: buying back what was sold does not revive it.
    """
    if standing.owner(scope, at) == grantor and standing.owned_since(scope, at) <= given_at:
        return True
    node = scope.of if scope.kind is Kind.NODE else None
    return any(standing.holds(grantor, role, at, node) for role in GRANTED_BY_OFFICE[scope.kind])


def _with_wider(scopes: tuple[Scope, ...]) -> Iterator[Scope]:
    """Yield scopes, and the trail where the book of a session is among them: the trail is all books."""
    yield from scopes
    if any(scope.kind is Kind.SESSION for scope in scopes):
        yield TRAIL


def _granted(
    reader: Address, scope: Scope, at: int, standing: Standing, grants: KnownGrants
) -> Iterator[tuple[Role | None, KnownGrant]]:
    for grant in grants.to_reader(reader, scope):
        yield None, grant
    for role, grant in grants.to_roles(scope):
        if standing.holds(reader, role, at):
            yield role, grant
