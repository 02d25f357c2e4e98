"""A trade: what two orders agreed, and its leaf in the tree that the contract computes."""

from dataclasses import dataclass, field
from struct import Struct, error

from exchange.delivery import SessionKey
from exchange.units import MicroPerKwh, Nano, Wh, amount
from identity.hashing import keccak
from identity.typed_data import word

LEAF_TYPES = ("uint256", "bytes32", "bytes32", "uint256", "int256", "uint256")
"""The ABI types of a leaf's values: session, bid, offer, energy, rate, fee rate."""

_words = Struct(">22xIBBI 32s 32s 24xQ 24sq 24xQ").pack
"""A leaf's words at one go: the session in four parts (its start is five bytes), the rate in two."""

_NEGATIVE = bytes((255,)) * 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """Energy that a bid buys from an offer; the orders are named by their digests.

    The seller gets `rate`, the node `fee_rate`, and the buyer pays both.
    """

    session: SessionKey
    bid: bytes
    offer: bytes
    energy: Wh
    rate: MicroPerKwh
    fee_rate: MicroPerKwh
    _leaf: bytes | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def value(self) -> Nano:
        """What the seller gets."""
        return amount(self.energy, self.rate)

    @property
    def fee(self) -> Nano:
        """What the node gets."""
        return amount(self.energy, self.fee_rate)

    @property
    def cost(self) -> Nano:
        """What the buyer pays."""
        return Nano(self.value + self.fee)

    def leaf(self) -> bytes:
        """Return the trade's name: its leaf hash, keccak(keccak(abi.encode(...))) as OpenZeppelin's trees have it.

        It is asked for several times on the way from the clearing to the chain, and worked out once.
        """
        if self._leaf is None:
            object.__setattr__(self, "_leaf", self._hashed())
            assert self._leaf is not None
        return self._leaf

    def _hashed(self) -> bytes:
        market, product, start = self.session
        before = _NEGATIVE if self.rate < 0 else b""
        try:
            words = _words(
                market,
                product,
                start >> 32,
                start & 0xFFFFFFFF,
                self.bid,
                self.offer,
                self.energy,
                before,
                self.rate,
                self.fee_rate,
            )
        except error:  # a number that no order can hold, in a document that somebody made up: it has a leaf, too
            words = word(self.session.number) + self.bid + self.offer
            words += word(self.energy) + word(self.rate) + word(self.fee_rate)
        return keccak(keccak(words))
