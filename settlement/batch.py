"""A session's trades as the contract takes them: one batch, or several parts where one call cannot hold them.

`parts.py` says where a session is cut.
"""

from dataclasses import dataclass, field

from exchange.book import Book
from exchange.delivery import SessionKey
from exchange.order import Order
from exchange.trade import Trade
from exchange.units import Nano, Wh
from settlement.errors import BookUnsound
from settlement.merkle import root_in_order
from settlement.order_leaf import order_tree
from settlement.parts import cut


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedOrder:
    """An order that trades, with its asset's number on the chain and its name."""

    asset: int
    order: Order
    signature: bytes
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One call of `settle`: part `part` (from 0) of `parts`.

    A sealed batch has its orders in ascending order of their digest and its trades in ascending order of their leaf.
    `trade_root` is the root over the trades as they stand, which the contract computes and keeps.
    """

    session: SessionKey
    part: int
    parts: int
    order_root: bytes
    parameters: bytes
    orders: tuple[SealedOrder, ...]
    trades: tuple[Trade, ...]
    trade_root: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "trade_root", root_in_order([trade.leaf() for trade in self.trades]))

    @property
    def energy(self) -> Wh:
        """How much energy its trades move."""
        return Wh(sum(trade.energy for trade in self.trades))

    @property
    def value(self) -> Nano:
        """What its sellers get; negative where rates are."""
        return Nano(sum(trade.value for trade in self.trades))

    @property
    def fee(self) -> Nano:
        """What the nodes get."""
        return Nano(sum(trade.fee for trade in self.trades))


def seal(book: Book) -> tuple[Batch, ...]:
    """Return the batches that settle a cleared session: always at least one, so that its orders are committed.

    The same book gives the same batches, byte for byte. Raises `BookUnsound` where a trade names an order that is not
    in the book, or where there are more parts than the contract counts.
    """
    orders = {
        accepted.digest: SealedOrder(
            asset=accepted.asset,
            order=accepted.signed.order,
            signature=accepted.signed.signature,
            digest=accepted.digest,
        )
        for accepted in book.orders
    }
    for trade in book.cleared.clearing.trades:
        for digest in (trade.bid, trade.offer):
            if digest not in orders:
                raise BookUnsound(f"a trade names 0x{digest.hex()}, which is no order of the book")
    parts = list(cut(_in_merit_order(book), book.parameters.batch_gas))
    if len(parts) >= 1 << 16:
        raise BookUnsound(f"the session would take {len(parts)} parts")
    order_root, parameters = order_tree(book).root, book.cleared.parameters
    return tuple(
        Batch(
            session=book.key,
            part=part,
            parts=len(parts),
            order_root=order_root,
            parameters=parameters,
            orders=tuple(orders[digest] for digest in sorted(_orders_of(trades))),
            trades=tuple(sorted(trades, key=Trade.leaf)),
        )
        for part, trades in enumerate(parts)
    )


def _orders_of(trades: list[Trade]) -> set[bytes]:
    return {digest for trade in trades for digest in (trade.bid, trade.offer)}


def _in_merit_order(book: Book) -> list[Trade]:
    placed = {accepted.digest: accepted for accepted in book.orders}

    def priority(trade: Trade) -> tuple[object, ...]:
        bid, offer = placed[trade.bid], placed[trade.offer]
        return (
            (-bid.signed.order.limit, bid.receipt.sequence, trade.bid),
            (offer.signed.order.limit, offer.receipt.sequence, trade.offer),
            trade.leaf(),
        )

    return sorted(book.cleared.clearing.trades, key=priority)
