"""Where a session is cut, so that each part fits in one call of the contract.

**The rule of parts.** A session is one part while it has at most 512 traded orders, 512 trades and 128 distinct rows of
fees, the contract's bounds, and `estimated_gas` is within the published `batch_gas`; where that is 2^24, a full part
is below it unless its rows are many and long. Beyond, the contract has to remember what each order has used up (a new
storage word an order), so that a part of 2^24 gas comes to about 400 orders. Parts are filled one after the other with
trades in merit order, where neighbours share an order, so that few orders stand in two parts: a trade that does not fit
begins the next. Whoever has the book cuts it in the same places.
"""

from collections.abc import Iterator, Sequence

from exchange.fee_row import FeeRow
from exchange.parameters import MOST_BATCH_GAS
from exchange.trade import Trade
from settlement.fee_words import MAX_ROWS

MAX_ORDERS = 512
MAX_TRADES = 512
MAX_GAS = MOST_BATCH_GAS

# Upper bounds from the contract's gas snapshot, rounded up. A node: its market and its account, read, and the account
# written, for the first time in the call. Kept: a new storage word, 22,100, and reading it before.
_GAS_CALL = 150_000
_GAS_ORDER = 14_000
_GAS_TRADE = 2_500
_GAS_ROW = 2_000
_GAS_SHARE = 2_500
_GAS_NODE = 8_000
_GAS_KEPT = 24_500


def estimated_gas(orders: int, trades: int, parts: int, *, rows: int, shares: int, nodes: int) -> int:
    """Return an upper bound of what settling a part costs, everything included.

    `rows` are distinct rows of fees with `shares` of nodes together, and `nodes` how many different ones these are. In
    sessions of several parts the fill of each order is kept, and the price at each node that promises one.
    """
    an_order = _GAS_ORDER + (_GAS_KEPT if parts > 1 else 0)
    a_node = _GAS_NODE + (_GAS_KEPT if parts > 1 else 0)
    called = _GAS_CALL + orders * an_order + trades * _GAS_TRADE
    return called + rows * _GAS_ROW + shares * _GAS_SHARE + nodes * a_node


def cut(trades: Sequence[Trade], most_gas: int) -> Iterator[list[Trade]]:
    """Yield the trades of each part; `trades` are in merit order. There is one part at least."""
    whole = _Load()
    for trade in trades:
        whole.add(trade)
    if whole.fits(most_gas, parts=1):
        yield list(trades)
        return
    part: list[Trade] = []
    load = _Load()
    for trade in trades:
        load.add(trade)
        if part and not load.fits(most_gas, parts=2):
            yield part
            part, load = [], _Load()
            load.add(trade)
        part.append(trade)
    yield part


class _Load:
    """What a part would put into one call."""

    def __init__(self) -> None:
        self._trades = self._shares = 0
        self._orders: set[bytes] = set()
        self._rows: set[FeeRow] = set()
        self._nodes: set[int] = set()

    def add(self, trade: Trade) -> None:
        self._trades += 1
        self._orders.add(trade.bid)
        self._orders.add(trade.offer)
        if trade.fees not in self._rows:
            self._rows.add(trade.fees)
            self._shares += len(trade.fees.shares)
            self._nodes.update(share.node for share in trade.fees.shares)

    def fits(self, most_gas: int, *, parts: int) -> bool:
        if self._trades > MAX_TRADES or len(self._orders) > MAX_ORDERS or len(self._rows) > MAX_ROWS:
            return False
        sizes = {"rows": len(self._rows), "shares": self._shares, "nodes": len(self._nodes)}
        return estimated_gas(len(self._orders), self._trades, parts, **sizes) <= most_gas
