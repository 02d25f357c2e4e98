"""Proposals of third parties: what a matcher signs, what of it is valid, and whether it beats our own clearing.

A matcher reads the book of a closed session without names (`anonymous.py`) and proposes trades between its rows. Each
record is checked by itself and in order, against every law that our own clearing keeps; what is invalid is left out.
Welfare is what the buyers of a clearing would pay at most, less what its sellers ask and what the nodes take: the
clearing with the most is taken, ours where another has as much.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exchange.anonymous import row_id, without_preferences
from exchange.clear import ToTrade, clear, to_trade
from exchange.clearing import Clearing
from exchange.delivery import Mechanism, SessionKey
from exchange.fee_row import FeeRow
from exchange.order import Side
from exchange.resting import Resting
from exchange.ticks import merged, results
from exchange.trade import Trade
from exchange.tree import MOST_LIMIT, Tree
from exchange.units import MAX_ENERGY, MAX_RATE, MIN_RATE, MicroPerKwh, Nano, Wh, amount
from identity.hashing import keccak
from identity.typed_data import digest, word

PROPOSAL_TYPE = "Proposal(uint256 session,bytes32 records)"
MOST_RECORDS = 10_000
"""The most records that one proposal can have."""

_PROPOSAL_TYPE_HASH = keccak(PROPOSAL_TYPE.encode())

UNKNOWN_ROW = "unknown-row"
WRONG_SIDE = "wrong-side"
NO_ENERGY = "no-energy"
ENERGY_USED_UP = "energy-used-up"
OWN_ACCOUNT = "own-account"
BELOW_OFFER = "below-offer"
ABOVE_BID = "above-bid"
RATE = "rate-of-mechanism"
ONE_PRICE = "one-price"
NODE_LIMIT = "node-limit"

REASONS: Mapping[str, str] = {
    UNKNOWN_ROW: "the book has no such row",
    WRONG_SIDE: "the bid is no bid, or the offer no offer",
    NO_ENERGY: "it is for no energy, or for more than there can be",
    ENERGY_USED_UP: "no so much is left of the bid or the offer, after the records before",
    OWN_ACCOUNT: "both are of one account, and no account trades with itself",
    BELOW_OFFER: "the seller would get less than the offer asks",
    ABOVE_BID: "the buyer would pay more than the bid allows, with the fees of every node on the way",
    RATE: "by the mechanism of the node where they meet, a trade has the rate of the bid, or of the offer",
    ONE_PRICE: "whatever is traded at this node has one price there, and an earlier record has another",
    NODE_LIMIT: "the boundary of a node on the way does not let so much through, after the records before",
}
"""Why a record is refused: a stable code, and a sentence."""


@dataclass(frozen=True, slots=True)
class Record:
    """One trade that is proposed, between two rows of the book without names; `rate` is what the seller gets."""

    bid: bytes
    offer: bytes
    energy: int
    rate: int

    def __post_init__(self) -> None:
        if len(self.bid) != 32 or len(self.offer) != 32:
            raise ValueError("a row is named by 32 bytes")
        if not 0 <= self.energy < 1 << 64 or not MIN_RATE <= self.rate <= MAX_RATE:
            raise ValueError("energy has 64 bits and is not negative, a rate has 48")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A clearing of one session as somebody else proposes it."""

    session: SessionKey
    records: tuple[Record, ...]

    def digest(self, separator: bytes) -> bytes:
        """Return what a matcher signs under the domain with this separator: the session and the hash of the records.

        Each record is four words: bid, offer, energy, rate (two's complement).
        """
        words = b"".join(record.bid + record.offer + word(record.energy) + word(record.rate) for record in self.records)
        return digest(separator, keccak(_PROPOSAL_TYPE_HASH + word(self.session.number) + keccak(words)))


@dataclass(frozen=True, slots=True)
class Checked:
    """What is valid of a proposal: its trades, and for each record why it is refused, or none."""

    trades: tuple[Trade, ...]
    verdicts: tuple[str | None, ...]
    welfare: Nano


def check(proposal: Proposal, book: ToTrade, *, blind: bytes, tree: Tree, mechanism: Mechanism) -> Checked:
    """Check each record of a proposal by itself and in order, given the book and what may cross the boundaries."""
    rows = {row_id(blind, entry.digest): entry for entry in without_preferences(book)}
    session = proposal.session
    checking = _Checking(rows, {name: int(book.left[entry.digest]) for name, entry in rows.items()}, tree, mechanism)
    verdicts = tuple(checking.verdict(record) for record in proposal.records)
    trades = merged(
        Trade(
            session=session,
            bid=rows[record.bid].digest,
            offer=rows[record.offer].digest,
            energy=Wh(record.energy),
            rate=MicroPerKwh(record.rate),
            fees=_fees(tree, rows[record.offer].node, rows[record.bid].node, MicroPerKwh(record.rate)),
        )
        for record, verdict in zip(proposal.records, verdicts, strict=True)
        if verdict is None
    )
    return Checked(trades, verdicts, welfare(trades, book))


def welfare(trades: Sequence[Trade], book: ToTrade) -> Nano:
    """Return what the buyers would pay at most, less what the sellers ask and what the nodes take."""
    limits = {entry.digest: entry.order.limit for entry in (*book.bids, *book.offers)}
    return Nano(
        sum(amount(trade.energy, MicroPerKwh(limits[trade.bid] - limits[trade.offer])) - trade.fee for trade in trades)
    )


def best(
    entries: Sequence[Resting],
    proposals: Sequence[tuple[bytes, Proposal]],
    *,
    blind: bytes,
    session: SessionKey,
    tree: Tree,
    mechanism: Mechanism,
) -> tuple[Clearing, bytes]:
    """Return the clearing with the most welfare, and whose it is: the address of a matcher, or nothing where ours.

    `proposals` stand in the order in which they were taken, each with its matcher; where two are equal the earlier
    is taken. What was valid when it was proposed and no longer is, is left out.
    """
    ours = clear(entries, session=session, tree=tree, mechanism=mechanism)
    if not proposals:
        return ours, b""
    book = to_trade(entries, session=session, tree=tree)
    chosen, proposer, most = ours, b"", welfare(ours.trades, book)
    for matcher, proposal in proposals:
        checked = check(proposal, book, blind=blind, tree=tree, mechanism=mechanism)
        if checked.welfare > most:
            chosen, proposer, most = _clearing(checked, book, ours, tree, mechanism), matcher, checked.welfare
    return chosen, proposer


def _clearing(checked: Checked, book: ToTrade, ours: Clearing, tree: Tree, mechanism: Mechanism) -> Clearing:
    """Return the valid part of a proposal as a clearing; own energy and what lapses are not for others to decide."""
    nodes = {entry.digest: entry.node for entry in (*book.bids, *book.offers)}
    rates = {trade.rate for trade in checked.trades}
    return Clearing(
        rate=min(rates) if len(rates) == 1 and mechanism.is_uniform else None,
        low=min(rates),
        high=max(rates),
        trades=checked.trades,
        own_uses=ours.own_uses,
        lapsed=ours.lapsed,
        nodes=results(checked.trades, nodes, tree, lambda node: _mechanism(tree, node, mechanism).is_uniform),
    )


def _mechanism(tree: Tree, node: int, mechanism: Mechanism) -> Mechanism:
    own = tree[node].mechanism
    return mechanism if own is None else own


def _fees(tree: Tree, seller: int, buyer: int, rate: MicroPerKwh) -> FeeRow:
    return FeeRow(tree.shares(seller, buyer, rate), tree.top(seller, buyer))


class _Checking:
    """The laws, record by record: what earlier records have used up is no longer there for later ones."""

    def __init__(self, rows: Mapping[bytes, Resting], left: dict[bytes, int], tree: Tree, mechanism: Mechanism) -> None:
        self._rows = rows
        self._left = left
        self._tree = tree
        self._mechanism = mechanism
        self._bids = {name for name, entry in rows.items() if entry.order.side is Side.BID}
        self._crossed: dict[tuple[int, bool], int] = {}
        self._prices: dict[int, int] = {}

    def verdict(self, record: Record) -> str | None:
        """Return why a record is refused, or none where it is valid; then it counts."""
        bid, offer = self._rows.get(record.bid), self._rows.get(record.offer)
        if bid is None or offer is None:
            return UNKNOWN_ROW
        if record.bid not in self._bids or record.offer in self._bids:
            return WRONG_SIDE
        if not 0 < record.energy <= MAX_ENERGY:
            return NO_ENERGY
        if record.energy > min(self._left[record.bid], self._left[record.offer]):
            return ENERGY_USED_UP
        if bid.account == offer.account:
            return OWN_ACCOUNT
        if record.rate < offer.order.limit:
            return BELOW_OFFER
        rate = MicroPerKwh(record.rate)
        fees = _fees(self._tree, offer.node, bid.node, rate)
        if rate + fees.rate > bid.order.limit:
            return ABOVE_BID
        return self._at_the_top(record, bid, offer, fees) or self._across(record, bid, offer, fees)

    def _at_the_top(self, record: Record, bid: Resting, offer: Resting, fees: FeeRow) -> str | None:
        """Return what is wrong with the rate at the node where the two meet."""
        mechanism = _mechanism(self._tree, fees.top, self._mechanism)
        if mechanism is Mechanism.PAY_AS_OFFER and record.rate != offer.order.limit:
            return RATE
        own = self._tree.most_for_seller(bid.order.limit, offer.node, bid.node)
        if mechanism is Mechanism.PAY_AS_BID and record.rate != own:
            return RATE
        price = record.rate + fees.before_top
        if mechanism.is_uniform and self._prices.get(fees.top, price) != price:
            return ONE_PRICE
        return None

    def _across(self, record: Record, bid: Resting, offer: Resting, fees: FeeRow) -> str | None:
        """Return that a boundary is full; where none is, the record counts."""
        ways = [
            (number, incoming)
            for node, incoming in ((offer.node, False), (bid.node, True))
            for number in self._tree.below(node, fees.top)
        ]
        for number, incoming in ways:
            node = self._tree[number]
            limit = node.import_limit if incoming else node.export_limit
            crossed = self._crossed.get((number, incoming), 0) + record.energy
            if crossed > (MOST_LIMIT if limit is None else limit):
                return NODE_LIMIT
        for way in ways:
            self._crossed[way] = self._crossed.get(way, 0) + record.energy
        self._left[record.bid] -= record.energy
        self._left[record.offer] -= record.energy
        self._prices.setdefault(fees.top, record.rate + fees.before_top)
        return None
