"""What could still cross each node's boundary when sessions were cleared, told from all books together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exchange.book import Book
from exchange.clearing import Clearing, OwnUse
from exchange.crossings import Crossings, crossed_by
from exchange.delivery import SessionKey
from exchange.ticks import without
from exchange.trade import Trade
from exchange.tree import Tree
from exchange.units import MAX_ENERGY


@dataclass(frozen=True, slots=True)
class Boundaries:
    """A session's tree with what could still cross when each tick and the last clearing were made.

    `whole` is what all of the session together could let cross. `made` are the clearings of its ticks as far as they
    can be: without what names no order of the book or an order that was excluded at the end.
    """

    ticks: tuple[Tree, ...]
    last: Tree
    whole: Tree
    made: tuple[Clearing, ...]


def nodes_of(book: Book) -> dict[bytes, int]:
    """Return on which node each order of a book hangs."""
    return {accepted.digest: book.rules.node_of(accepted.signed.order.asset) for accepted in book.orders}


def boundaries_of(books: Sequence[Book]) -> Mapping[SessionKey, Boundaries]:
    """Return each session's boundaries; sessions and ticks are taken in the order in which they were cleared."""
    turns = [(tick.turn, tick.at, book.key, place, book) for book in books for place, tick in enumerate(book.ticks)]
    turns += [(book.cleared.turn, book.cleared.at, book.key, len(book.ticks), book) for book in books]
    found: dict[SessionKey, Boundaries] = {}
    ticked: dict[SessionKey, list[Tree]] = {}
    crossings: Crossings | None = None
    for _, _, key, place, book in sorted(turns, key=lambda turn: turn[:4]):
        tree = book.rules.tree
        if crossings is None:
            crossings = Crossings(book.parameters.calendar, book.parameters.slot)
        if place < len(book.ticks):
            ticked.setdefault(key, []).append(crossings.left(tree, key))
            crossings.tick(key, _sound(book, book.ticks[place].clearing))
            continue
        nodes, gone = nodes_of(book), {digest for digest, _ in book.cleared.excluded}
        made = tuple(without(_sound(book, tick.clearing), gone, nodes, tree) for tick in book.ticks)
        found[key] = Boundaries(
            ticks=tuple(ticked.get(key, ())),
            last=crossings.left(tree, key, crossed_by(*made)),
            whole=crossings.left(tree, key, {}),
            made=made,
        )
        crossings.note(key, book.cleared.clearing)
    return found


def _sound(book: Book, clearing: Clearing) -> Clearing:
    """Return a tick's clearing without what cannot be: an order that is not in the book, a top that is not one."""
    nodes, tree = nodes_of(book), book.rules.tree
    matches: tuple[Trade | OwnUse, ...] = (*clearing.trades, *clearing.own_uses)
    cannot = {
        digest
        for match in matches
        for digest in (match.bid, match.offer)
        if digest not in nodes or not 0 < match.energy <= MAX_ENERGY
    }
    for trade in clearing.trades:
        if not cannot & {trade.bid, trade.offer} and trade.fees.top != tree.top(nodes[trade.offer], nodes[trade.bid]):
            cannot |= {trade.bid, trade.offer}
    return without(clearing, cannot, nodes, tree)
