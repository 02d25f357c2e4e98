"""Proofs for anybody with a node: that a trade was paid, and that an order was in the committed set.

`verify` looks at the proof alone; `expected` says what the settlement contract must answer for the proof to count. The
contract computes the trade root from the trades it moves money for, so a trade that leads to it was paid.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from exchange.book import Book
from exchange.delivery import SessionKey
from exchange.documents import hexed
from exchange.errors import UnknownOrder
from exchange.order import Side, SignedOrder
from exchange.receipt import Receipt
from exchange.trade import Trade
from identity.address import Address
from identity.errors import BadSignature
from identity.signature import recover
from identity.typed_data import Domain
from settlement.batch import Batch
from settlement.errors import NotInTree
from settlement.findings import Finding
from settlement.merkle import Tree
from settlement.merkle import verify as leads_to
from settlement.order_leaf import order_leaf, order_tree
from settlement.record import record_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where on the chain a session was settled, and what was committed with it."""

    chain_id: int
    contract: Address
    session: SessionKey
    part: int
    parts: int
    order_root: bytes
    trade_root: bytes
    parameters: bytes
    transaction: bytes
    block_number: int

    @property
    def domain(self) -> Domain:
        """The domain in which orders for this contract are signed."""
        return Domain(self.chain_id, self.contract)


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeProof:
    """That a trade is under the trade root of its batch; with the two signed orders, that both sides allowed it.

    The trade carries the row of what each node took, whose hash is in the leaf; its `alternative` is not, and is none.
    """

    place: Place
    trade: Trade
    leaf: bytes
    siblings: tuple[bytes, ...]
    orders: tuple[SignedOrder, SignedOrder] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderProof:
    """That an order, for which the exchange gave `receipt`, is under the order root of its session."""

    place: Place
    receipt: Receipt
    receipts: Address
    cancelled: bool
    leaf: bytes
    siblings: tuple[bytes, ...]


Proof = TradeProof | OrderProof


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the chain must hold for a proof to count.

    `record` is what the contract keeps of the part, one hash of all roots (see `record.py`). `signers` names each asset
    of the two orders with who signed for it: the holder of the asset's account, or a delegate. The contract saw to that
    when it settled.
    """

    chain_id: int
    contract: Address
    session: int
    part: int
    record: bytes
    transaction: bytes
    block_number: int
    signers: tuple[tuple[Address, Address], ...]


def prove_trade(batch: Batch, leaf: bytes, *, domain: Domain, transaction: bytes, block_number: int) -> TradeProof:
    """Return the proof of the trade with this leaf, its orders included; raises `NotInTree`."""
    trade = next((trade for trade in batch.trades if trade.leaf() == leaf), None)
    if trade is None:
        raise NotInTree(leaf)
    orders = {sealed.digest: SignedOrder(sealed.order, sealed.signature) for sealed in batch.orders}
    tree = Tree(trade.leaf() for trade in batch.trades)
    return TradeProof(
        place=_place(batch, domain, transaction, block_number),
        trade=replace(trade, alternative=None),  # not in the leaf, so it cannot be proved
        leaf=leaf,
        siblings=tree.proof(leaf),
        orders=(orders[trade.bid], orders[trade.offer]),
    )


def prove_order(book: Book, batch: Batch, digest: bytes, *, transaction: bytes, block_number: int) -> OrderProof:
    """Return the proof that an order of the book is in the set committed with `batch`; raises `UnknownOrder`."""
    accepted = next((accepted for accepted in book.orders if accepted.digest == digest), None)
    if accepted is None:
        raise UnknownOrder(digest)
    cancelled = any(cancellation.digest == digest for cancellation in book.cancellations)
    leaf = _leaf_of(book.key, accepted.receipt, cancelled=cancelled)
    return OrderProof(
        place=_place(batch, book.parameters.domain, transaction, block_number),
        receipt=accepted.receipt,
        receipts=book.parameters.receipts,
        cancelled=cancelled,
        leaf=leaf,
        siblings=order_tree(book).proof(leaf),
    )


def verify(proof: Proof) -> list[Finding]:
    """Return everything that is wrong with a proof in itself; nothing is asked of anybody."""
    return list(_check_trade(proof) if isinstance(proof, TradeProof) else _check_order(proof))


def expected(proof: Proof) -> Expected:
    """Return what the chain must hold, to be compared by a caller with any node."""
    place = proof.place
    orders: Iterable[SignedOrder] = (proof.orders or ()) if isinstance(proof, TradeProof) else ()
    return Expected(
        chain_id=place.chain_id,
        contract=place.contract,
        session=place.session.number,
        part=place.part,
        record=record_of(place.order_root, place.trade_root, place.parameters, place.parts),
        transaction=place.transaction,
        block_number=place.block_number,
        signers=tuple(
            (signed.order.asset, signer)
            for signed in orders
            if (signer := _signer(signed.order.digest(place.domain.separator()), signed.signature)) is not None
        ),
    )


def _place(batch: Batch, domain: Domain, transaction: bytes, block_number: int) -> Place:
    return Place(
        chain_id=domain.chain_id,
        contract=domain.contract,
        session=batch.session,
        part=batch.part,
        parts=batch.parts,
        order_root=batch.order_root,
        trade_root=batch.trade_root,
        parameters=batch.parameters,
        transaction=transaction,
        block_number=block_number,
    )


def _leaf_of(session: SessionKey, receipt: Receipt, *, cancelled: bool) -> bytes:
    return order_leaf(session, receipt.order, receipt.sequence, receipt.received_at, cancelled=cancelled)


def _check_path(proof: Proof, leaf: bytes, root: bytes) -> Iterator[Finding]:
    session = proof.place.session
    if proof.leaf != leaf:
        yield Finding("proof-leaf", session, hexed(proof.leaf), f"the values have the leaf {hexed(leaf)}")
    if not leads_to(proof.leaf, proof.siblings, root):
        yield Finding("proof-path", session, hexed(proof.leaf), f"its siblings do not lead to {hexed(root)}")


def _check_trade(proof: TradeProof) -> Iterator[Finding]:
    yield from _check_path(proof, proof.trade.leaf(), proof.place.trade_root)
    trade = proof.trade
    if proof.orders is None:
        return
    separator = proof.place.domain.separator()
    allowed = (trade.rate + trade.fee_rate, trade.rate)
    for signed, name, side, rate in zip(proof.orders, (trade.bid, trade.offer), Side, allowed, strict=True):
        order, what = signed.order, side.name.lower()
        sentences = []
        if order.digest(separator) != name:
            sentences.append(f"the {what} is not the order that the trade names")
        if signed.preferences is not None and signed.preferences.hash() != order.preferences:
            sentences.append(f"the alternatives shown are not those that the {what} is bound to")
        if order.side is not side:
            sentences.append(f"the order given as {what} is none")
        if order.session != proof.place.session:
            sentences.append(f"the {what} is for session {order.session}")
        if trade.energy > order.energy:
            sentences.append(f"the {what} is for {order.energy} Wh, the trade for {trade.energy}")
        if (rate > order.limit) if side is Side.BID else (rate < order.limit):
            sentences.append(f"the limit of the {what} is {order.limit} µ/kWh, the trade is at {rate}")
        if _signer(name, signed.signature) is None:
            sentences.append(f"the {what} was signed by nobody")
        for sentence in sentences:
            yield Finding("proof-order", proof.place.session, hexed(name), sentence)


def _check_order(proof: OrderProof) -> Iterator[Finding]:
    place, receipt = proof.place, proof.receipt
    yield from _check_path(proof, _leaf_of(place.session, receipt, cancelled=proof.cancelled), place.order_root)
    if _signer(receipt.digest(place.domain.separator()), receipt.signature) != proof.receipts:
        sentence = f"its receipt was not signed by {hexed(proof.receipts)}"
        yield Finding("proof-receipt", place.session, hexed(receipt.order), sentence)


def _signer(digest: bytes, signature: bytes) -> Address | None:
    try:
        return recover(digest, signature)
    except BadSignature:
        return None
