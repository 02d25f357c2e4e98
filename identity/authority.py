"""The authority index: who may act for which asset, in which role, at which moment, and if not, why not.

A fold over the facts of the DID, asset and role registries, answered from memory. It is judged **as of** a moment, with
everything known by now: a delegation counts if the end that is kept of it lies beyond the moment, so that one which was
ended later had not ended yet. When a delegation began is not kept, here or on the chain: that is why orders are
admitted before the gate and not proved afterwards. Claims have their whole history, and are exact at every moment.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from identity.address import Address, to_text
from identity.errors import (
    AssetNotCertified,
    AssetWithoutOwner,
    MandateEnded,
    MandateOfEarlierOwner,
    NotAuthorised,
    OwnershipEnded,
    UnknownAsset,
)
from identity.facts import (
    AssetCreated,
    AssetFact,
    AssetOffered,
    AssetRetired,
    AssetTransferred,
    AttributeChanged,
    DelegateChanged,
    DidFact,
    OfferWithdrawn,
    OwnerChanged,
    RoleFact,
)
from identity.hashing import keccak
from identity.purposes import delegate_type
from identity.role_claims import RoleClaims
from identity.role_verdict import RoleVerdict
from identity.tenure import Tenure, Tenures
from identity.typed_data import word


@dataclass(frozen=True, slots=True)
class Mandate:
    """The answer "yes": in which ownership of the asset, and whether as its owner or as a delegate."""

    tenure: Tenure
    as_delegate: bool


class AuthorityIndex:
    """What the registries say after the facts applied so far.

    What an identity says of itself (attributes) is no authority and not kept.
    """

    def __init__(self) -> None:
        self.tenures = Tenures()
        self.roles = RoleClaims(self.tenures)
        self.controllers: dict[Address, Address] = {}
        self._delegates: dict[tuple[Address, bytes, Address], int] = {}

    def apply(self, fact: DidFact | AssetFact | RoleFact) -> None:
        """Take one more fact, in the order of the chain; raises `KeyError` for one about what was never there."""
        match fact:
            case DelegateChanged(identity, kind, delegate, valid_to, _):
                self._delegates[identity, kind, delegate] = valid_to
            case AttributeChanged():
                pass
            case OwnerChanged(identity, owner, _):
                self.controllers[identity] = owner
            case AssetCreated() | AssetOffered() | OfferWithdrawn() | AssetTransferred() | AssetRetired():
                self.tenures.apply(fact)
                self.roles.forget_windows()
            case _:
                self.roles.apply(fact)

    # Questions

    def controller(self, identity: Address) -> Address:
        """Return who controls an identity in the DID registry: itself, unless it was given away."""
        return self.controllers.get(identity, identity)

    def delegation(self, identity: Address, kind: bytes, delegate: Address) -> int | None:
        """Return until before when `delegate` is named under a delegate type, if it ever was."""
        return self._delegates.get((identity, kind, delegate))

    def may_act(
        self, signer: Address, asset: Address, purpose: bytes, at: int, *, role: bytes | None = None
    ) -> Mandate:
        """Return in which capacity `signer` may act for `asset` and `purpose` at a moment, or refuse.

        With `role`, the asset must hold that role then. Refuses, in this order: unknown asset, asset without owner,
        asset not certified, not authorised (by the reason).
        """
        tenure = self.tenure_at(asset, at)
        if role is not None:
            self.must_hold(asset, role, at)
        return Mandate(tenure, self.as_delegate(signer, asset, tenure, purpose, at))

    def tenure_at(self, asset: Address, at: int) -> Tenure:
        """Return whose the asset is at a moment; refuses one that does not exist, or is nobody's then."""
        tenure = self.tenures.present.get(asset)
        if tenure is None or at < tenure.since:
            tenure = self.tenures.at(asset, at)
            if tenure is None:
                raise AssetWithoutOwner(to_text(asset), at) if self.tenures.of(asset) else UnknownAsset(to_text(asset))
        return tenure

    def must_hold(self, asset: Address, role: bytes, at: int) -> None:
        """Refuse an asset that does not hold `role` at a moment, or no longer in the view of the present claims.

        A claim that was replaced by one that ended before that moment is of no use: the settlement contract looks at
        the newest only.
        """
        begin, end = self.roles.window(asset, role)
        if begin <= at <= end:
            return
        failure = self.roles.holds(asset, role, at).failure
        # zero: the newest claim never counted, and the contract then keeps what it was told before
        if failure is not None or 0 < self.held_until(asset, role) < at:
            why = "the newest claim does not last" if failure is None else str(failure)
            raise AssetNotCertified(to_text(asset), at, why)

    def as_delegate(self, signer: Address, asset: Address, tenure: Tenure, purpose: bytes, at: int) -> bool:
        """Return whether `signer` acts as a delegate; refuses one that is neither that nor the owner."""
        if signer == tenure.owner:
            return False
        until = self._delegates.get((asset, delegate_type(purpose, tenure.epoch), signer))
        if until is None or until <= at:
            raise self._why_not(signer, asset, tenure, purpose)
        return True

    def holds(self, subject: Address, role: bytes, at: int, version: int = 0) -> RoleVerdict:
        """Return whether `subject` holds a role at a moment, by which chain of issuers, or what fails first."""
        return self.roles.holds(subject, role, at, version)

    def held_until(self, subject: Address, role: bytes) -> int:
        """Return the last second before a first claim of the newest chain ends; 0 if the role is not held then.

        This is what the settlement contract is told.
        """
        begin, end = self.roles.window(subject, role)
        # one of the newest claims may have begun after another had ended; then older ones decide
        return end if begin <= end or self.roles.holds(subject, role, end).holds else 0

    def ever(self, signer: Address, asset: Address, purpose: bytes) -> bool:
        """Whether `signer` ever owned the asset, or was ever named for the purpose by one of its owners."""
        return any(
            signer == tenure.owner or (asset, delegate_type(purpose, tenure.epoch), signer) in self._delegates
            for tenure in self.tenures.of(asset)
        )

    def digest(self) -> bytes:
        """Return the hash of everything known: the same facts give the same, in whatever order that is harmless."""
        return keccak(b"".join(sorted(self._leaves())))

    def _why_not(self, signer: Address, asset: Address, tenure: Tenure, purpose: bytes) -> NotAuthorised:
        who, what = to_text(signer), to_text(asset)
        ended = self._delegates.get((asset, delegate_type(purpose, tenure.epoch), signer))
        if ended is not None:
            return MandateEnded(who, what, ended)
        for other in reversed(self.tenures.of(asset)):
            if other.ended is None or other.epoch == tenure.epoch:
                continue
            if (asset, delegate_type(purpose, other.epoch), signer) in self._delegates:
                return MandateOfEarlierOwner(who, what, other.epoch, other.ended)
            if signer == other.owner:
                return OwnershipEnded(who, what, other.ended)
        return NotAuthorised(who, what)

    def _leaves(self) -> Iterator[bytes]:
        """Yield one hash for each thing known: a tag, what it is about, and what is known of it."""
        for identity, owner in self.controllers.items():
            yield _leaf(b"controller", identity, owner)
        for (identity, kind, delegate), valid_to in self._delegates.items():
            yield _leaf(b"delegate", identity, kind, delegate, valid_to)
        for identity in self.tenures.identities():
            for tenure in self.tenures.of(identity):
                yield _leaf(b"tenure", identity, tenure.epoch, tenure.owner, tenure.since, tenure.ended)
        for node, owner in self.roles.owners.items():
            yield _leaf(b"namespace", node, owner)
        for node, role in self.roles.definitions.items():
            lists = (b"".join(role.issuers), b"".join(role.revokers), b"".join(role.prerequisites))
            above = (role.issuer_role, role.revoker_role, role.metadata, role.name.encode())
            bounds = (role.version, role.most_seconds, role.ends_at_sale, role.all_prerequisites)
            yield _leaf(b"role", node, *lists, *above, *bounds)
        for (subject, node), claims in self.roles.claims.items():
            for place, claim in enumerate(claims):
                times = (claim.registered_at, claim.expiry, claim.revoked_at)
                rest = (claim.version, claim.issuer, claim.data, claim.epoch)
                yield _leaf(b"claim", subject, node, place, *times, *rest)


def _leaf(*parts: bytes | int | None) -> bytes:
    """Return the hash of the parts, each as one hash or word; none is told from zero."""
    return keccak(b"".join(keccak(part) if isinstance(part, bytes) else _number(part) for part in parts))


def _number(number: int | None) -> bytes:
    return b"\0" + bytes(32) if number is None else b"\1" + word(number)
