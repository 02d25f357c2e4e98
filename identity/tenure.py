"""Who owns an asset, and who did: one tenure for each ownership epoch, a fold over the asset registry's facts.

A tenure lasts from its first second up to but not including the second in which the next one, or retirement, began.
Of several within one second only the last is ever in force.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from identity.address import Address
from identity.facts import AssetCreated, AssetFact, AssetRetired, AssetTransferred


@dataclass(frozen=True, slots=True)
class Tenure:
    """An asset belongs to `owner` from `since` until before `ended` (unix seconds; none while it goes on)."""

    owner: Address
    epoch: int
    since: int
    ended: int | None = None


class Tenures:
    """The ownership of every asset of the asset registry."""

    def __init__(self) -> None:
        self._of: dict[Address, list[Tenure]] = {}
        self.present: dict[Address, Tenure] = {}

    def apply(self, fact: AssetFact) -> None:
        """Take one more fact; raises `KeyError` for one about an asset that was never created."""
        match fact:
            case AssetCreated(identity, owner, at):
                self._begin(identity, [], owner, at)
            case AssetTransferred(identity, owner, at):
                self._begin(identity, self._end(identity, at), owner, at)
            case AssetRetired(identity, at):
                self._end(identity, at)
            case _:  # an offer changes nothing before it is accepted
                self._of[fact.identity]

    def of(self, identity: Address) -> Sequence[Tenure]:
        """Return every tenure of an asset, first to last; none where there is no such asset."""
        return self._of.get(identity, ())

    def at(self, identity: Address, at: int) -> Tenure | None:
        """Return whose the asset is at a moment: nobody's before it is created, nor once it is retired."""
        tenure = self.present.get(identity)
        if tenure is not None and tenure.since <= at:
            return tenure
        for tenure in reversed(self.of(identity)):
            if tenure.since <= at:
                return tenure if tenure.ended is None or at < tenure.ended else None
        return None

    def ended(self, identity: Address, epoch: int) -> int | None:
        """Return when an ownership epoch ended; none while it goes on, or where it never began."""
        tenures = self.of(identity)
        return tenures[epoch - 1].ended if 0 < epoch <= len(tenures) else None

    def identities(self) -> list[Address]:
        """Return every asset there ever was, by address."""
        return sorted(self._of)

    def _begin(self, identity: Address, before: list[Tenure], owner: Address, at: int) -> None:
        tenure = Tenure(owner, len(before) + 1, at)
        self._of[identity] = [*before, tenure]
        self.present[identity] = tenure

    def _end(self, identity: Address, at: int) -> list[Tenure]:
        tenures = self._of[identity]
        if tenures[-1].ended is None:
            tenures[-1] = replace(tenures[-1], ended=at)
        self.present.pop(identity, None)
        return tenures
