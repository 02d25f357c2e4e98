"""A trade: what two orders agreed, and its leaf in the tree that the contract computes."""

from dataclasses import dataclass, field
from struct import Struct, error

from exchange.delivery import SessionKey
from exchange.fee_row import FeeRow
from exchange.units import MicroPerKwh, Nano, Wh, amount
from identity.hashing import keccak
from identity.typed_data import word

LEAF_TYPES = ("uint256", "bytes32", "bytes32", "uint256", "int256", "bytes32")
"""The ABI types of a leaf's values: session, bid, offer, energy, rate, hash of the fees (`exchange/fee_row.py`)."""

_words = Struct(">22xIBBI 32s 32s 24xQ 24sq 32s").pack
"""A leaf's words at one go: the session in four parts (its start is five bytes), the rate in two."""

_NEGATIVE = bytes((255,)) * 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """Energy that a bid buys from an offer; the orders are named by their digests.

    The seller gets `rate`, each node on the way to the buyer what `fees` say, and the buyer pays it all. `alternative`
    is the one of the bid's preferences under which it buys; it is not part of the leaf.
    """

    session: SessionKey
    bid: bytes
    offer: bytes
    energy: Wh
    rate: MicroPerKwh
    fees: FeeRow
    alternative: int | None = None
    _leaf: bytes | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def fee_rate(self) -> MicroPerKwh:
        """What all nodes on the way take together."""
        return self.fees.rate

    @property
    def value(self) -> Nano:
        """What the seller gets."""
        return amount(self.energy, self.rate)

    @property
    def fee(self) -> Nano:
        """What the nodes get together."""
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
                self.fees.name,
            )
        except error:  # a number that no order can hold, in a document that somebody made up: it has a leaf, too
            words = word(self.session.number) + self.bid + self.offer
            words += word(self.energy) + word(self.rate) + self.fees.name
        return keccak(keccak(words))
