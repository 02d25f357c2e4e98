"""The street's people in a neighbourhood: two communities under a feeder, and three products before one delivery."""

from dataclasses import replace

from exchange.delivery import Market as Terms
from exchange.delivery import Product
from exchange.events import ParametersSet
from exchange.market import Market
from exchange.order import Order, Side, SignedOrder
from exchange.terms import NodeTerms
from exchange.tree import Fee, Node, Tree
from exchange.units import MicroPerKwh, Wh
from tests.exchange import street
from tests.exchange.street import BARN, FLAT, HOUSE, KITCHEN, PLANT, ROOF, START
from tests.registries import GRID_OPERATOR

FEEDER, EAST, WEST = 1, 11, 12
"""The nodes: the root, and the two communities below it."""

DAY = 86_400
SPOT = Terms(number=1, period=900, opening=900, lead=300, window=DAY)
INTRADAY = Terms(number=2, title="intraday", product=Product.FORWARD, period=900, opening=DAY, lead=900, window=2 * DAY)
DAY_AHEAD = Terms(
    number=3, title="day-ahead", product=Product.FORWARD, period=3_600, opening=2 * DAY, lead=DAY, window=3 * DAY
)
PRODUCTS = (SPOT, INTRADAY, DAY_AHEAD)


def node(number: int, name: str, parent: int | None, **terms: object) -> Node:
    """A node that the grid operator runs, with a fee of 10,000 µ/kWh and room for twice that."""
    fields: dict[str, object] = {
        "fee": Fee(constant=MicroPerKwh(10_000)),
        "fee_account": 9,
        "fee_cap": MicroPerKwh(20_000),
        "operator": GRID_OPERATOR.address,
    }
    return Node(number=number, name=name, parent=parent, **(fields | terms))  # type: ignore[arg-type]


TREE = Tree((node(FEEDER, "feeder", None), node(EAST, "east", FEEDER), node(WEST, "west", FEEDER)))
PLACES = {KITCHEN: EAST, ROOF: EAST, FLAT: WEST, HOUSE: WEST, BARN: WEST, PLANT: FEEDER}
PARAMETERS = replace(
    street.PARAMETERS,
    community="The Neighbourhood",
    markets=PRODUCTS,
    tree=TREE,
    places=tuple(sorted(PLACES.items())),
    least_energy=Wh(1),
)


def founded(**changes: object) -> Market:
    """Return a market under the neighbourhood's rules."""
    market = Market()
    market.apply(ParametersSet(parameters=replace(PARAMETERS, **changes), at=0))  # type: ignore[arg-type]
    return market


def order(asset: bytes, side: Side, terms: Terms = SPOT, start: int = START, **changes: object) -> SignedOrder:
    """Return a signed order for one product of the calendar."""
    fields: dict[str, object] = {"market": terms.number, "product": terms.product, "delivery_start": start}
    given: Order = street.order(asset, side, **(fields | changes))  # type: ignore[arg-type]
    return street.signed(given)


def change(serial: int = 1, number: int = EAST, fee: int = 15_000, ppm: int = 0, **limits: Wh | None) -> NodeTerms:
    """Return new terms of a node."""
    return NodeTerms(
        node=number,
        fee=Fee(constant=MicroPerKwh(fee), ppm=ppm),
        import_limit=limits.get("import_limit"),
        export_limit=limits.get("export_limit"),
        serial=serial,
    )


def sign(terms: NodeTerms, by: object = GRID_OPERATOR) -> bytes:
    """Return the signature of a change of terms."""
    return by.sign(terms.digest(street.SEPARATOR))  # type: ignore[attr-defined, no-any-return]
