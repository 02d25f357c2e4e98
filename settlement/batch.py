"""A session's trades as the contract takes them: one batch, or several parts where one call cannot hold them.

**The rule of parts.** A session is one part while it has at most 512 traded orders and 512 trades, the contract's
bounds, and `estimated_gas` is within the published `batch_gas`; where that is 2^24, a full part is well below it.
Beyond, the contract has to remember what each order has used up (a new storage word an order), so that a part of 2^24
gas comes to about 400 orders. Parts are filled one after the other with trades in merit order, where neighbours share
an order, so that few orders stand in two parts. Whoever has the book cuts it in the same places.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from exchange.book import Book
from exchange.delivery import SessionKey
from exchange.order import Order
from exchange.parameters import MOST_BATCH_GAS
from exchange.trade import Trade
from exchange.units import Nano, Wh
from settlement.errors import BookUnsound
from settlement.merkle import root_in_order
from settlement.order_leaf import order_tree

MAX_ORDERS = 512
MAX_TRADES = 512
MAX_GAS = MOST_BATCH_GAS

# upper bounds from the contract's gas snapshot, rounded up; kept: a new storage word, 22,100, and reading it before
_GAS_CALL = 150_000
_GAS_ORDER = 14_000
_GAS_TRADE = 2_500
_GAS_KEPT_FILL = 24_500


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
        """What the node gets."""
        return Nano(sum(trade.fee for trade in self.trades))


def estimated_gas(orders: int, trades: int, parts: int) -> int:
    """Return an upper bound of what settling a part with so many orders and trades costs, everything included."""
    an_order = _GAS_ORDER + (_GAS_KEPT_FILL if parts > 1 else 0)
    return _GAS_CALL + orders * an_order + trades * _GAS_TRADE


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
    parts = list(_parts(_in_merit_order(book), book.parameters.batch_gas))
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


def _parts(trades: list[Trade], most_gas: int) -> Iterator[list[Trade]]:
    orders = len(_orders_of(trades))
    if len(trades) <= MAX_TRADES and orders <= MAX_ORDERS and estimated_gas(orders, len(trades), 1) <= most_gas:
        yield trades
        return
    part: list[Trade] = []
    named: set[bytes] = set()
    for trade in trades:
        with_it = named | {trade.bid, trade.offer}
        full = len(part) == MAX_TRADES or len(with_it) > MAX_ORDERS
        if full or estimated_gas(len(with_it), len(part) + 1, parts=2) > most_gas:
            yield part
            part, with_it = [], {trade.bid, trade.offer}
        part.append(trade)
        named = with_it
    yield part
