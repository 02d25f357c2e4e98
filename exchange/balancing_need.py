"""How much a node wants to have in reserve for a delivery period, up and down: policies behind one interface.

What is wanted is counted in millionths of a Wh, which a ratio of whole Wh in parts per million always is, and ordered
in whole Wh, rounded down. What was rounded off, and what could not be got, is carried to the next period: nothing is
lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from exchange.balancing_settings import BALANCING_SPOT_TRADE_RATIO
from exchange.clearing import Clearing
from exchange.tree import Tree
from exchange.units import MILLION, NO_ENERGY, Wh, rank, whole_wh


class Need(NamedTuple):
    """Reserve in whole Wh."""

    up: Wh = NO_ENERGY
    down: Wh = NO_ENERGY


class Wanted(NamedTuple):
    """Reserve in millionths of a Wh."""

    up: int = 0
    down: int = 0

    def plus(self, other: "Wanted") -> "Wanted":
        """Return both together."""
        return Wanted(self.up + other.up, self.down + other.down)

    @property
    def need(self) -> Need:
        """What can be ordered of it: whole Wh, rounded down."""
        return Need(whole_wh(self.up)[0], whole_wh(self.down)[0])

    def less(self, awarded: Need) -> "Wanted":
        """Return what is carried to the next period, once so much was got. Nobody is awarded more than was wanted."""
        left = Wanted(self.up - awarded.up * MILLION, self.down - awarded.down * MILLION)
        if left.up < 0 or left.down < 0:
            raise ValueError("more was awarded than was wanted")
        return left


NOTHING_WANTED = Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a policy may look at: of one node and one delivery period.

    `followed` is the energy of the spot trades that are this node's to follow (`followed`); `errors` are past forecast
    errors of the node, in Wh: above zero it was short, below it was long; `called` is what its operator asks for:
    above zero up, below down.
    """

    followed: Wh = NO_ENERGY
    errors: Sequence[int] = ()
    called: int = 0


class Policy(Protocol):
    """Decides how much reserve a node wants."""

    def wanted(self, seen: Seen) -> Wanted:
        """Return what is wanted for the period, without what is carried."""
        ...


@dataclass(frozen=True, slots=True)
class SpotFollowing:
    """A ratio (ppm) of what was traded on spot, up and down alike: the seed's policy."""

    ratio: int = BALANCING_SPOT_TRADE_RATIO

    def wanted(self, seen: Seen) -> Wanted:
        """Return the ratio of what is followed: exact, since a millionth of a Wh is one ppm of it."""
        return Wanted(seen.followed * self.ratio, seen.followed * self.ratio)


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same reserve in every period."""

    up: Wh
    down: Wh

    def wanted(self, seen: Seen) -> Wanted:
        """Return the fixed reserve, whatever was seen."""
        del seen
        return Wanted(self.up * MILLION, self.down * MILLION)


@dataclass(frozen=True, slots=True)
class ForecastErrorQuantile:
    """As much as covers so many (ppm) of the past forecast errors, each direction by itself (nearest rank)."""

    quantile: int

    def __post_init__(self) -> None:
        if not 0 < self.quantile <= MILLION:
            raise ValueError("a quantile is above nothing and at most the whole, in parts per million")

    def wanted(self, seen: Seen) -> Wanted:
        """Return the quantile of what was missing, and of what was too much; nothing where nothing was seen."""
        if not seen.errors:
            return NOTHING_WANTED
        place = rank(self.quantile, len(seen.errors))
        short = sorted(max(error, 0) for error in seen.errors)[place]
        long = sorted(max(-error, 0) for error in seen.errors)[place]
        return Wanted(short * MILLION, long * MILLION)


@dataclass(frozen=True, slots=True)
class OperatorsCall:
    """What the node's operator asks for, and no more; the order that comes of it bears the operator's signature."""

    def wanted(self, seen: Seen) -> Wanted:
        """Return the call: above zero up, below zero down."""
        return Wanted(max(seen.called, 0) * MILLION, max(-seen.called, 0) * MILLION)


def followed(clearing: Clearing, nodes: Mapping[bytes, int], agents: Sequence[int], tree: Tree) -> dict[int, Wh]:
    """Return for each of the nodes that procure (`agents`) the energy of a spot clearing that it follows.

    Each trade is followed once, whatever boundaries it crosses: by the first node with an agent from the trade's top
    upwards; where there is none, by the first from the top down to the buyer, and then to the seller. A trade that
    passes none of them is nobody's to follow. `nodes` are those on which the orders hang, by digest.
    """
    energy = dict.fromkeys(agents, NO_ENERGY)
    for trade in clearing.trades:
        top = trade.fees.top
        up = tree.way_up(top)
        buyer, seller = tree.below(nodes[trade.bid], top), tree.below(nodes[trade.offer], top)
        below = (*reversed(buyer), *reversed(seller))
        follower = next((node for node in (*up, *below) if node in energy), None)
        if follower is not None:
            energy[follower] = Wh(energy[follower] + trade.energy)
    return energy


def awarded(clearing: Clearing, bid: bytes) -> Wh:
    """Return what a need got in the clearing of its balancing session."""
    return Wh(sum(trade.energy for trade in clearing.trades if trade.bid == bid))
