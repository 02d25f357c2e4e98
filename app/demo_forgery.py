"""Books as a dishonest operator might publish them: one trade for a little more, or a fee for another node.

Each forgery is of another session, so that one audit of all the books tells what it finds of each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from exchange.book import Book
from exchange.delivery import SessionKey
from exchange.fee_row import FeeRow
from exchange.trade import Trade
from exchange.tree import Tree
from exchange.units import Wh


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgery:
    """A book that was altered, and in which way."""

    book: Book
    told: str

    @property
    def session(self) -> SessionKey:
        """The session of the book."""
        return self.book.key


def forged(books: Sequence[Book]) -> Iterator[Forgery]:
    """Yield altered copies of books: of energy wherever anybody traded, of fees where there are nodes to mix up."""
    fullest = sorted(books, key=lambda book: -len(book.cleared.clearing.trades))
    of_energy = next((book for book in fullest if book.cleared.clearing.trades), None)
    if of_energy is None:
        return
    trade = of_energy.cleared.clearing.trades[0]
    more = replace(trade, energy=Wh(trade.energy + 1))
    yield Forgery(book=_with(of_energy, trade, more), told=f"one trade of {trade.energy} Wh now says {more.energy} Wh")
    for book in fullest:
        for trade in book.cleared.clearing.trades:
            if book is not of_energy and (mixed := _mixed_up(trade, book.rules.tree)) is not None:
                node, other, fees = mixed
                told = f"what one trade pays to node {node} now goes to node {other}"
                yield Forgery(book=_with(book, trade, replace(trade, fees=fees)), told=told)
                return


def _with(book: Book, trade: Trade, other: Trade) -> Book:
    clearing = book.cleared.clearing
    trades = tuple(other if each is trade else each for each in clearing.trades)
    return replace(book, cleared=replace(book.cleared, clearing=replace(clearing, trades=trades)))


def _mixed_up(trade: Trade, tree: Tree) -> tuple[str, str, FeeRow] | None:
    """Return the names of a node on the way and of one beside it, and the fees with the one in the other's place."""
    on_the_way = {share.node for share in trade.fees.shares}
    for share in trade.fees.shares:
        for node in tree.nodes:
            if node.number not in on_the_way and node.parent == tree[share.node].parent and share.rate:
                shares = (replace(each, node=node.number) if each is share else each for each in trade.fees.shares)
                top = node.number if share.node == trade.fees.top else trade.fees.top
                return tree[share.node].name, node.name, FeeRow(tuple(shares), top)
    return None
