"""An honest world over a tree: two communities under a feeder, whose grid operator lets more out of one of them.

The wind and the shed hang on the south, out of which 2,000 Wh go at first; the flat hangs on the north. Three delivery
periods are traded alike: the first under the rules of the founding, each other under one more change of the south's.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from exchange.book import Book
from exchange.events import NodeTermsSet
from exchange.order import Side
from exchange.terms import NodeTerms
from exchange.tree import Fee, Node, Tree
from exchange.units import MicroPerKwh, Wh
from settlement.batch import seal
from tests.actors import Actor
from tests.registries import GRID_OPERATOR
from tests.settlement.world import (
    CONSUMER,
    DOMAIN,
    FEE,
    FEES,
    FIRST,
    FLAT,
    GRID,
    MARKET,
    NEIGHBOUR,
    PARAMETERS,
    PERIOD,
    PRODUCER,
    SHED,
    TREE,
    WIND,
    Exchange,
    World,
    founded,
    order_of,
)

FEEDER, NORTH, SOUTH = MARKET.number, 8, 9
OPENING = 3_600
STARTS = [FIRST, FIRST + PERIOD, FIRST + 2 * PERIOD]


def _below(number: int, name: str, fee: int, account: int, export_limit: int | None = None) -> Node:
    return Node(
        number=number,
        name=name,
        parent=FEEDER,
        fee=Fee(constant=MicroPerKwh(fee)),
        fee_account=account,
        fee_cap=MicroPerKwh(2 * FEE),
        operator=GRID_OPERATOR.address,
        export_limit=None if export_limit is None else Wh(export_limit),
    )


RULES = replace(
    PARAMETERS,
    markets=(replace(MARKET, opening=OPENING),),
    tree=Tree((TREE.root, _below(NORTH, "north", 4_000, FEES), _below(SOUTH, "south", 3_000, GRID, 2_000))),
    places=tuple(sorted([(WIND, SOUTH), (SHED, SOUTH), (FLAT, NORTH)])),
)


def terms_of_the_south(serial: int, fee: int, export_limit: int) -> NodeTerms:
    fees = Fee(constant=MicroPerKwh(fee))
    return NodeTerms(node=SOUTH, fee=fees, import_limit=None, export_limit=Wh(export_limit), serial=serial)


def change(terms: NodeTerms, at: int, by: Actor = GRID_OPERATOR) -> NodeTermsSet:
    """A change as the journal has it once it was taken."""
    digest = terms.digest(DOMAIN.separator())
    return NodeTermsSet(digest=digest, terms=terms, signature=by.sign(digest), signer=by.address, at=at)


CHANGES = (
    change(terms_of_the_south(1, 2_000, 2_500), FIRST - OPENING + 1),
    change(terms_of_the_south(2, 1_000, 2_600), FIRST - OPENING + PERIOD + 1),
)


def neighbourhood(lie: Callable[[Sequence[Book]], Sequence[Book]] = lambda books: books) -> World:
    """The world in which `lie` made other books of the honest ones, before they were sealed and settled."""
    chain = founded(FIRST - 7_200, RULES)
    exchange = Exchange(chain, RULES)
    for terms in CHANGES:
        now = terms.at
        taken = exchange.market.set_terms(terms.terms, terms.signature, registry=chain.state.registry, now=now)
        assert taken == terms
        exchange.market.apply(taken)
    for salt, start in enumerate(STARTS):
        now = FIRST - 1_000 + salt
        exchange.take(order_of(WIND, Side.OFFER, 5_000, 80_000, start=start), PRODUCER, now)
        exchange.take(order_of(SHED, Side.BID, 900, 210_000, start=start), NEIGHBOUR, now)
        exchange.take(order_of(FLAT, Side.BID, 3_000, 240_000, start=start), CONSUMER, now)
    books = lie([exchange.clear(start) for start in STARTS])
    for book in books:
        for batch in seal(book):
            chain.settle(batch, book.key.delivery_start + 30)
    return World(tuple(books), chain.view())
