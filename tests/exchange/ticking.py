"""A street whose orders are matched while the gate is open, driven as the desk drives it: what is due comes first."""

from dataclasses import replace

from exchange.book import Book, book_of
from exchange.delivery import Mechanism
from exchange.events import Event, ParametersSet
from exchange.market import Market
from exchange.order import SignedOrder
from exchange.parameters import Parameters
from exchange.tree import Fee, Node, Tree
from exchange.units import MicroPerKwh, Wh
from identity.registry import Registry
from tests.exchange import street
from tests.registries import GRID_OPERATOR

TICK = 60
LANE = 2


def tree(limit: int | None = None) -> Tree:
    """The street, and under it a lane that lets through so much each way."""

    def node(number: int, parent: int | None, fee: int, bound: int | None) -> Node:
        return Node(
            number=number,
            name=f"node {number}",
            parent=parent,
            fee=Fee(constant=MicroPerKwh(fee)),
            fee_account=9,
            operator=GRID_OPERATOR.address,
            import_limit=None if bound is None else Wh(bound),
            export_limit=None if bound is None else Wh(bound),
        )

    return Tree((node(1, None, 10_000, None), node(LANE, 1, 5_000, limit)))


def parameters(mechanism: Mechanism = Mechanism.PAY_AS_BID, *, limit: int | None = None) -> Parameters:
    """The rules: the roof and the flat lie in the lane, the others at the street."""
    return replace(
        street.PARAMETERS,
        markets=(replace(street.TERMS, mechanism=mechanism, tick=TICK),),
        tree=tree(limit),
        places=tuple(sorted([(street.ROOF, LANE), (street.FLAT, LANE)])),
    )


class Trading:
    """One market with everything that ever happened to it."""

    def __init__(self, rules: Parameters, registry: Registry | None = None) -> None:
        self.market = Market()
        self.registry = street.registry() if registry is None else registry
        self.purse = street.Purse()
        self.events: list[Event] = []
        self._happen(ParametersSet(parameters=rules, at=0))

    def _happen(self, event: Event) -> None:
        self.market.apply(event)
        self.events.append(event)

    def tick(self, now: int) -> None:
        """Make every tick that has come."""
        for key in self.market.ticks_due(now):
            self._happen(self.market.tick(key, registry=self.registry, now=now))

    def take(self, given: SignedOrder, now: int) -> bytes:
        """Hand in an order."""
        self.tick(now)
        accepted = self.market.take(
            given,
            registry=self.registry,
            credit=self.purse,
            receipt=street.receipt,
            sequence=self.market.next_sequence,
            now=now,
        )
        self._happen(accepted)
        return accepted.digest

    def cancel(self, given: SignedOrder, now: int) -> None:
        """Take an order back."""
        self.tick(now)
        event = self.market.cancel(street.digest_of(given), street.cancellation(given), registry=self.registry, now=now)
        assert event is not None
        self._happen(event)

    def close(self, now: int = street.CLOSURE) -> Book:
        """Close the gate and clear."""
        self.tick(now)
        self._happen(self.market.close(street.SESSION, now))
        self._happen(self.market.clear(street.SESSION, registry=self.registry, now=now))
        return self.book()

    def book(self) -> Book:
        """The published book."""
        return book_of(self.market.session(street.SESSION), self.market.rulebook)
