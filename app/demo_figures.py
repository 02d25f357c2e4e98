"""What a day came to in the tree, worked out of its books: where energy was traded, what the nodes took, what their
limits held back, and what those cost: the same books are cleared again without them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from exchange.book import Book
from exchange.clear import clear
from exchange.clearing import Clearing
from exchange.resting import Resting
from exchange.session_clearing import resting_order
from exchange.tree import Tree
from exchange.units import Nano, Wh, amount


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDay:
    """A node's day. `traded` is the energy of the trades whose way turned at this node, `bought` what others than the
    utility bought of that; `imported` and `exported` are what crossed its boundary, `held` what its limit kept from
    crossing, and `full` counts the sessions in which a limit was used up; `fees` is what it took.
    """

    number: int
    name: str
    depth: int
    traded: Wh
    bought: Wh
    imported: Wh
    exported: Wh
    fees: Nano
    held: Wh
    full: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitCost:
    """How much more there would have been without the limits of nodes: `energy` traded, `gains` of trade, and `money`
    of each account, fees included (the sum of all is nothing).

    The gains of a trade are what the bid was ready to pay beyond what the offer asked: buyer, seller and the nodes on
    the way share them.
    """

    energy: Wh
    gains: Nano
    money: Mapping[int, Nano] = field(default_factory=dict)


def nodes_of_the_day(books: Sequence[Book], utility: int) -> tuple[NodeDay, ...]:
    """Return the day of every node, each after the one it hangs on; `utility` is its account. None without books."""
    traded: Counter[int] = Counter()
    bought: Counter[int] = Counter()
    imported: Counter[int] = Counter()
    exported: Counter[int] = Counter()
    fees: Counter[int] = Counter()
    held: Counter[int] = Counter()
    full: Counter[int] = Counter()
    for book in books:
        clearing = book.cleared.clearing
        buyers = {accepted.digest: accepted.account for accepted in book.orders}
        for result in clearing.nodes:
            traded[result.node] += result.energy
            imported[result.node] += result.imported
            exported[result.node] += result.exported
        for trade in clearing.trades:
            if buyers[trade.bid] != utility:
                bought[trade.fees.top] += trade.energy
            for share in trade.fees.shares:
                fees[share.node] += amount(trade.energy, share.rate)
        for each in clearing.held:
            held[each.node] += each.energy
        full.update(_full(book))
    return tuple(
        NodeDay(
            number=number,
            name=tree[number].name,
            depth=len(tree.way_up(number)) - 1,
            traded=Wh(traded[number]),
            bought=Wh(bought[number]),
            imported=Wh(imported[number]),
            exported=Wh(exported[number]),
            fees=Nano(fees[number]),
            held=Wh(held[number]),
            full=full[number],
        )
        for tree in [book.parameters.tree for book in books[:1]]
        for number in _downwards(tree, tree.root.number)
    )


def cost_of_limits(books: Iterable[Book]) -> LimitCost:
    """Return what the limits of all nodes cost on a day: only where one was used up did they cost anything.

    Where a session was matched every few seconds, both are taken as cleared once, at gate closure.
    """
    energy = gains = 0
    money: Counter[int] = Counter()
    for book in books:
        if not _full(book):
            continue
        orders = {resting.digest: resting for resting in standing(book)}
        limited = _cleared_once(book, orders.values(), book.rules.tree) if book.market.tick else book.cleared.clearing
        free = _cleared_once(book, orders.values(), _unlimited(book.rules.tree))
        for clearing, sign in ((free, 1), (limited, -1)):
            energy += sign * clearing.energy
            for trade in clearing.trades:
                gains += sign * trade.energy * (orders[trade.bid].order.limit - orders[trade.offer].order.limit)
            for account, nano in _money(clearing, orders, book.rules.tree):
                money[account] += sign * nano
    return LimitCost(
        energy=Wh(energy),
        gains=Nano(gains),
        money={account: Nano(nano) for account, nano in sorted(money.items()) if nano},
    )


def standing(book: Book) -> list[Resting]:
    """Return the orders that the session was cleared with."""
    gone = {cancellation.digest for cancellation in book.cancellations} | {name for name, _ in book.cleared.excluded}
    return [resting_order(accepted, book.rules) for accepted in book.orders if accepted.digest not in gone]


def _cleared_once(book: Book, orders: Iterable[Resting], tree: Tree) -> Clearing:
    return clear(orders, session=book.key, tree=tree, mechanism=book.market.mechanism)


def _money(clearing: Clearing, orders: Mapping[bytes, Resting], tree: Tree) -> Iterator[tuple[int, Nano]]:
    """Yield what every trade gives to an account, below zero where it pays."""
    for trade in clearing.trades:
        yield orders[trade.bid].account, Nano(-trade.cost)
        yield orders[trade.offer].account, trade.value
        for share in trade.fees.shares:
            yield tree[share.node].fee_account, amount(trade.energy, share.rate)


def _full(book: Book) -> set[int]:
    """Return the nodes whose limit was used up: something was held there, or all crossed that may."""
    tree, clearing = book.rules.tree, book.cleared.clearing
    reached = {
        result.node
        for result in clearing.nodes
        for crossed, limit in (
            (result.imported, tree[result.node].import_limit),
            (result.exported, tree[result.node].export_limit),
        )
        if limit and crossed == limit
    }
    return reached | {held.node for held in clearing.held}


def _unlimited(tree: Tree) -> Tree:
    return Tree(tuple(replace(node, import_limit=None, export_limit=None) for node in tree.nodes))


def _downwards(tree: Tree, number: int) -> Iterator[int]:
    yield number
    for node in tree.nodes:
        if node.parent == number:
            yield from _downwards(tree, node.number)
