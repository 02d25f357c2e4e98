"""What a transaction offers to be mined: the first price, and every dearer one after it, never above a cap.

Fees are wei per gas. A node replaces a waiting transaction by another with the same nonce only where both its fees
are higher by a tenth (geth) or an eighth (others), so a raise is by `bump_percent` at least, rounded up. What offers
the cap can never be replaced, so it offers all of the cap as its tip too: it is mined as soon as the cap pays for it.
"""

from dataclasses import dataclass

LEAST_BUMP_PERCENT = 13
"""The least whole percentage by which every node lets a transaction be replaced: some want 12.5."""

_RAISES = 5
"""Raises that room for a growing base fee must not use up."""


@dataclass(frozen=True, slots=True)
class Fee:
    """What one transaction offers. On a legacy chain, `max_fee` is the gas price and `priority_fee` is the same."""

    max_fee: int
    priority_fee: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What the chain asks for now: its base fee (0 on a legacy chain) and the tip, or gas price, the node suggests."""

    base_fee: int
    tip: int


@dataclass(frozen=True, slots=True)
class AboveCap:
    """To be mined now, a transaction would have to offer `needed`; `cap` is the most that is ever signed."""

    needed: int
    cap: int

    def __str__(self) -> str:
        return f"it takes a fee of {self.needed} wei per gas, and the cap is {self.cap}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeePolicy:
    """How much is offered: a tip of `floor` or more, room for `multiplier` times the base fee, `cap` at most in all."""

    cap: int
    floor: int
    multiplier: int
    bump_percent: int

    def first(self, asked: Asked) -> Fee | AboveCap:
        """Return what to offer at first: enough for now, and such that it can be raised at least once."""
        tip = max(asked.tip, self.floor)
        max_fee = self._roomy(asked, tip)
        if self._bumped(max_fee) > self.cap:
            return AboveCap(self._bumped(max_fee), self.cap)
        return Fee(max_fee, tip)

    def raised(self, before: Fee, asked: Asked) -> Fee | AboveCap:
        """Return what replaces an offer: enough for now, and more than `before` by a bump."""
        tip = max(asked.tip, self.floor, self._bumped(before.priority_fee))
        max_fee = max(self._roomy(asked, tip), self._bumped(before.max_fee))
        if max_fee > self.cap:
            return AboveCap(max_fee, self.cap)
        if self._bumped(max_fee) > self.cap:
            return Fee(self.cap, self.cap)
        return Fee(max_fee, tip)

    def _roomy(self, asked: Asked, tip: int) -> int:
        """Return what pays for now, with room for the base fee to grow, where that leaves room for some raises."""
        return max(asked.base_fee + tip, min(self.multiplier * asked.base_fee + tip, self._below_some_raises()))

    def _below_some_raises(self) -> int:
        fee = self.cap
        for _ in range(_RAISES):
            fee = fee * 100 // (100 + self.bump_percent)
        return fee

    def _bumped(self, fee: int) -> int:
        """Return the fee with a bump on top, rounded up, and always more than before."""
        return max(-(-fee * (100 + self.bump_percent) // 100), fee + 1)
