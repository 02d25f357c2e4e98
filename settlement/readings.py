"""The readings that were taken, by asset and slot, with every version of each: a fold, whatever order they came in."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from identity.address import Address
from settlement.reading import AcceptedReading


class Readings:
    """What meters said, and when it was taken.

    Of one slot versions only grow, and so does the time they were taken at.
    """

    def __init__(self, accepted: Iterable[AcceptedReading] = ()) -> None:
        self._of: dict[tuple[Address, int], tuple[AcceptedReading, ...]] = {}
        for one in accepted:
            self.add(one)

    def add(self, accepted: AcceptedReading) -> None:
        """Keep one more. Adding it again changes nothing."""
        key = (accepted.reading.asset, accepted.reading.start)
        held = self._of.get(key, ())
        if any(one.digest == accepted.digest for one in held):
            return
        self._of[key] = tuple(sorted((*held, accepted), key=_version)) if held else (accepted,)

    def versions(self, asset: Address, start: int) -> tuple[AcceptedReading, ...]:
        """Return every version that was taken of a slot, the newest last."""
        return self._of.get((asset, start), ())

    def before(self, asset: Address, start: int, instant: int) -> AcceptedReading | None:
        """Return the newest version of a slot that was taken before an instant, if there is one."""
        held = self._of.get((asset, start), ())
        place = bisect_left(held, instant, key=_at)
        return held[place - 1] if place else None

    def __iter__(self) -> Iterator[tuple[Address, int]]:
        """Yield every asset and slot of which something was taken."""
        return iter(self._of)

    def __len__(self) -> int:
        """Return of how many slots of assets something was taken."""
        return len(self._of)


def _version(accepted: AcceptedReading) -> int:
    return accepted.reading.version


def _at(accepted: AcceptedReading) -> int:
    return accepted.at
