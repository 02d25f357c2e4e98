"""What is claimed of a session's readings: salted leaves, one an asset, their tree, the claim over it, and the charges.

A leaf is keccak(keccak(abi.encode(session, asset, account, deviation, sealed))), and its sealed part
keccak(abi.encode(net, contracted, version, salt)): so a charge shows the deviation it is for, and never the reading.
Who is not charged shows nothing. `contracts/Imbalance.vy` computes the same; a test holds the two together. **Net is
what is fed in minus what is drawn.**
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exchange.units import MicroPerKwh, Nano, Wh, amount
from identity.hashing import keccak
from identity.typed_data import word
from settlement.merkle import Tree

CLAIM_LEAF_TYPES = ("uint256", "uint256", "uint256", "int256", "bytes32")
"""The ABI types of a leaf's values: session, asset, account, deviation, sealed part."""

MAX_LEAVES = 1024
MAX_CHARGES = 512
"""What one claim, and one settlement, can hold on the chain."""

ESTIMATED = 0
"""The version of what no reading says: every reading of another net contradicts it."""

_MAX_NET = 1 << 63
_MAX_NANO = 1 << 95


def claim_session(market: int, start: int) -> int:
    """Return the number of the session that deviations of a market's delivery period are settled in: product 0."""
    return market << 48 | start


def salt_of(secret: bytes, session: int, asset: int) -> bytes:
    """Return the salt of a leaf, by a secret of 32 random bytes: so one secret is kept, and a salt tells no other."""
    return keccak(secret + word(session) + word(asset))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLeaf:
    """What was metered and what was contracted of one asset, by the settlement contract's numbers.

    `account` is the one to charge. `version` is that of the reading, or `ESTIMATED`. Raises `ValueError` for values
    that no field can hold.
    """

    asset: int
    account: int
    net: Wh
    contracted: Wh
    version: int
    salt: bytes

    def __post_init__(self) -> None:
        if not 0 < self.asset < 1 << 32 or not 0 < self.account < 1 << 32:
            raise ValueError("assets and accounts are numbered from 1, with 32 bits")
        if any(not -_MAX_NET <= energy < _MAX_NET for energy in (self.net, self.contracted, self.deviation)):
            raise ValueError("an energy has 64 bits, with its sign")
        if not 0 <= self.version < 1 << 64 or len(self.salt) != 32:
            raise ValueError("a version has 64 bits, and a salt 32 bytes")

    @property
    def deviation(self) -> Wh:
        """What was metered beyond what was contracted."""
        return Wh(self.net - self.contracted)

    @property
    def sealed(self) -> bytes:
        """The part that stays hidden where the leaf is charged."""
        return keccak(word(self.net) + word(self.contracted) + word(self.version) + self.salt)

    def hash(self, session: int) -> bytes:
        """Return the leaf itself."""
        return keccak(
            keccak(word(session) + word(self.asset) + word(self.account) + word(self.deviation) + self.sealed)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImbalanceClaim:
    """A claim as it stands on the chain; the contract keeps its hash alone, so whoever speaks of it shows all of it."""

    market: int
    start: int
    root: bytes
    leaves: int
    short: MicroPerKwh
    long: MicroPerKwh
    parameters: bytes
    account: int
    claimed_at: int

    @property
    def session(self) -> int:
        """The number of the session."""
        return claim_session(self.market, self.start)

    def values(self) -> tuple[object, ...]:
        """Return the claim as the contract's calls take it."""
        return (
            self.market, self.start, self.root, self.leaves, self.short, self.long, self.parameters, self.account,
            self.claimed_at,
        )  # fmt: skip

    def hash(self) -> bytes:
        """Return what the contract keeps."""
        return keccak(
            word(self.market) + word(self.start) + self.root + word(self.leaves) + word(self.short) + word(self.long)
            + self.parameters + word(self.account) + word(self.claimed_at)
        )  # fmt: skip

    def price_of(self, deviation: Wh) -> MicroPerKwh:
        """Return what a kWh of a deviation costs, or earns."""
        return self.short if deviation < 0 else self.long


@dataclass(frozen=True, slots=True)
class Charge:
    """The change of an account's credit for the deviation of one leaf; negative where it pays."""

    leaf: ClaimLeaf
    nano: Nano

    def __post_init__(self) -> None:
        if not -_MAX_NANO <= self.nano < _MAX_NANO:
            raise ValueError("a charge has 96 bits")

    def is_bounded(self, short: MicroPerKwh, long: MicroPerKwh) -> bool:
        """Whether it has the sign of the deviation at its price, and is at most that."""
        full = amount(self.leaf.deviation, short if self.leaf.deviation < 0 else long)
        return min(full, 0) <= self.nano <= max(full, 0)

    def word(self, place: int) -> int:
        """Return the contract's form of it, for the leaf at that place."""
        leaf = self.leaf
        head = place << 224 | leaf.asset << 192 | leaf.account << 160
        return head | (leaf.deviation % (1 << 64)) << 96 | self.nano % (1 << 96)


class ClaimTree:
    """The leaves of one session. Raises `ValueError` where there are none or too many, or an asset has two."""

    def __init__(self, session: int, leaves: Iterable[ClaimLeaf]) -> None:
        self.session = session
        self.leaves = tuple(sorted(leaves, key=lambda leaf: leaf.asset))
        if not 0 < len(self.leaves) <= MAX_LEAVES:
            raise ValueError(f"a claim is of 1 to {MAX_LEAVES} assets")
        if len({leaf.asset for leaf in self.leaves}) != len(self.leaves):
            raise ValueError("an asset has one leaf")
        self._tree = Tree(leaf.hash(session) for leaf in self.leaves)

    @property
    def root(self) -> bytes:
        """What is claimed."""
        return self._tree.root

    def proof(self, leaf: ClaimLeaf) -> tuple[bytes, ...]:
        """Return the siblings of a leaf from the bottom up; raises `NotInTree`."""
        return self._tree.proof(leaf.hash(self.session))

    def opened(self, charges: Sequence[Charge]) -> tuple[list[bytes], list[int]]:
        """Return the leaves, of those that are charged their sealed parts, and the charges: what settling is told.

        Raises `ValueError` where a charge is of no leaf of this tree, or there are two of one.
        """
        places = {node: place for place, node in enumerate(self._tree.leaves)}
        nodes, words = list(self._tree.leaves), []
        for charge in sorted(charges, key=lambda each: each.leaf.asset):
            place = places.pop(charge.leaf.hash(self.session), None)
            if place is None:
                raise ValueError("a charge is of a leaf of the tree, and each is charged once")
            nodes[place] = charge.leaf.sealed
            words.append(charge.word(place))
        return nodes, words


def read_entry(entry: int) -> tuple[int, int]:
    """Return account and change of credit of an entry by which the clearer moves money."""
    change = entry & (1 << 96) - 1
    return entry >> 96, change - (1 << 96) if change >= _MAX_NANO else change
