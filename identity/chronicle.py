"""What the registries' log tells of each identity, kept to be shown: changes of DIDs, who was named, what is offered.

A fold over the same facts as the authority index, which keeps what is judged by; nothing is judged by this one.
"""

from dataclasses import dataclass

from identity.address import Address
from identity.document import Change
from identity.facts import (
    AssetOffered,
    AssetRetired,
    AssetTransferred,
    AttributeChanged,
    ClaimRegistered,
    DelegateChanged,
    OfferWithdrawn,
    OwnerChanged,
)


@dataclass(frozen=True, slots=True)
class Naming:
    """The newest word of `identity` about `agent` under a delegate type: it counts until before `valid_to`."""

    identity: Address
    kind: bytes
    agent: Address
    valid_to: int
    at: int


class Chronicle:
    """What was told so far. It may be asked in one thread while another applies facts."""

    def __init__(self) -> None:
        self._changes: dict[Address, list[Change]] = {}
        self._namings: dict[Address, dict[tuple[bytes, Address], Naming]] = {}
        self._named_by: dict[Address, dict[Address, None]] = {}
        self._offers: dict[Address, AssetOffered] = {}
        self._claimants: dict[bytes, dict[Address, None]] = {}
        self._block_times: dict[int, int] = {}

    def apply(self, block: int, fact: object) -> None:
        """Take one more fact, in the order of the chain, with its block; passes over what it does not keep."""
        match fact:
            case OwnerChanged() | DelegateChanged() | AttributeChanged():
                self._changes.setdefault(fact.identity, []).append(Change(block, fact))
                self._block_times[block] = fact.at
                if isinstance(fact, DelegateChanged):
                    self._name(fact)
            case AssetOffered():
                self._offers[fact.identity] = fact
            case OfferWithdrawn() | AssetTransferred() | AssetRetired():
                self._offers.pop(fact.identity, None)
            case ClaimRegistered():
                self._claimants.setdefault(fact.role, {})[fact.subject] = None
            case _:
                pass

    def changes(self, identity: Address) -> tuple[Change, ...]:
        """Return every change of an identity in the DID registry, in the order of the chain."""
        return tuple(self._changes.get(identity, ()))

    def block_time(self, block: int) -> int | None:
        """Return the time of a block that changed some identity; none for any other."""
        return self._block_times.get(block)

    def namings(self, identity: Address) -> list[Naming]:
        """Return whom an identity ever named, and for what, by delegate type and agent."""
        return [naming for _, naming in sorted(self._namings.get(identity, {}).items())]

    def named_by(self, agent: Address) -> list[Address]:
        """Return the identities that ever named `agent`, by address."""
        return sorted(self._named_by.get(agent, {}))

    def offer(self, asset: Address, now: int) -> AssetOffered | None:
        """Return the offer of an asset that its recipient may accept at `now`; none where there is no such."""
        offer = self._offers.get(asset)
        return None if offer is None or (offer.until and offer.until < now) else offer

    def claimants(self, role: bytes) -> list[Address]:
        """Return who ever had a claim to a role, by address."""
        return sorted(self._claimants.get(role, {}))

    def _name(self, fact: DelegateChanged) -> None:
        naming = Naming(fact.identity, fact.kind, fact.delegate, fact.valid_to, fact.at)
        self._namings.setdefault(fact.identity, {})[fact.kind, fact.delegate] = naming
        self._named_by.setdefault(fact.delegate, {})[fact.identity] = None
