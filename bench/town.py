"""A town to measure with: its rules, its registry, and as many signed orders as are wanted.

Half the members bid and half offer, at rates of which about half cross; every order is 10 Wh to 5 kWh, so that the
members' credit lasts. Nothing here is random: the same count gives the same orders.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice

from exchange.delivery import Market as Terms
from exchange.delivery import Product
from exchange.effects.desk import Desk
from exchange.effects.entries import Damage
from exchange.effects.journal import Journal
from exchange.events import Event
from exchange.market import Market
from exchange.order import Order, Side, SignedOrder
from exchange.parameters import Parameters
from exchange.tree import Tree
from exchange.units import MicroPerKwh, Nano, Wh
from identity.address import Address
from identity.energy_roles import RULES, EnergyRole, definition, role_node
from identity.facts import AccountOpened, AssetCreated, AssetEnrolled, ClaimRegistered, IdentityFact
from identity.hashing import keccak
from identity.registry import Registry, RequiredRoles
from identity.signature import Signer
from identity.typed_data import Domain

FIRST_START = 1_800_000_000
PERIOD = 900
CREDIT = Nano(10**15)
LABEL = "town"
EVER = 1 << 39


@dataclass
class Clock:
    """A clock that stands until it is set."""

    now: int = FIRST_START - 3_600

    def __call__(self) -> int:
        """Tell the time."""
        return self.now


@dataclass
class Forgetful:
    """A journal that keeps nothing: for what is measured without a disk."""

    written: int = 0
    events: list[Event] = field(default_factory=list)

    def append(self, events: list[Event]) -> "Future[int]":
        """Count, and say that it is done."""
        self.written += len(events)
        done: Future[int] = Future()
        done.set_result(self.written)
        return done

    def read(self, start: int = 1) -> Iterator[tuple[int, Event]]:
        """Yield what it was given to replay."""
        return islice(enumerate(self.events, 1), start - 1, None)

    @property
    def writable(self) -> bool:
        """Say yes."""
        return True

    def take_over(self) -> bool:
        """Say yes."""
        return True

    def check(self) -> list[Damage]:
        """Find nothing."""
        return []

    def close(self) -> None:
        """Do nothing."""


class Town:
    """`members` members with an account and an asset each; the market's gates open a year before delivery."""

    def __init__(self, members: int = 100) -> None:
        self.signers = [Signer(keccak(f"bench member {number}".encode())) for number in range(members)]
        self.operator = keccak(b"bench operator")
        self.assets = [Address(keccak(f"bench asset {number}".encode())[12:]) for number in range(members)]
        self.roles = RequiredRoles(
            asset=role_node(EnergyRole.ASSET, LABEL),
            balancing=role_node(EnergyRole.BALANCING_PROVIDER, LABEL),
            grid_operator=role_node(EnergyRole.GRID_OPERATOR, LABEL),
        )
        self.registry = Registry(self.roles)
        for fact in self.facts():
            self.registry.apply(fact)
        self.terms = Terms(
            number=1,
            period=PERIOD,
            opening=366 * 86_400,
            lead=300,
            window=86_400,
        )
        self.tree = Tree.of_one(self.terms.number, name="town", fee=5_000)
        self.parameters = Parameters(
            community="bench",
            currency="EUR",
            domain=Domain(31_337, Address(bytes(19) + b"\1")),
            markets=(self.terms,),
            tree=self.tree,
            receipts=Signer(self.operator).address,
        )
        self.separator = self.parameters.domain.separator()

    def facts(self) -> Iterator[IdentityFact]:
        """Yield what the chain says of the town: roles defined, a certifier, and each member's account and asset."""
        owner, operator, certifier = (Address(bytes(19) + bytes((last,))) for last in (2, 3, 4))
        for role in RULES:
            yield definition(role, LABEL, owner)
        yield _claim(operator, EnergyRole.COMMUNITY_OPERATOR, owner)
        yield _claim(certifier, EnergyRole.CERTIFIER, operator)
        for number, (signer, asset) in enumerate(zip(self.signers, self.assets, strict=True), 1):
            yield AccountOpened(number + 1, signer.address)
            yield AssetCreated(asset, signer.address, 0)
            yield _claim(asset, EnergyRole.ASSET, certifier, epoch=1)
            yield AssetEnrolled(number, asset, number + 1, 1, EVER, 0)

    def order(self, number: int, delivery_start: int) -> Order:
        """Return order `number` of a session: members take turns, and every round has another salt."""
        member = number % len(self.assets)
        mixed = number * 2_654_435_761
        return Order(
            asset=self.assets[member],
            market=1,
            product=Product.SPOT,
            side=Side(member & 1),
            delivery_start=delivery_start,
            energy=Wh(10 + mixed % 4_991),
            limit=MicroPerKwh(100_000 + (mixed >> 8) % 2_000 * 100),
            valid_until=delivery_start,
            salt=number,
        )

    def signed(self, number: int, delivery_start: int) -> SignedOrder:
        """Return order `number` of a session, signed by its member."""
        order = self.order(number, delivery_start)
        return SignedOrder(order, self.signers[number % len(self.signers)].sign(order.digest(self.separator)))

    def orders(self, count: int, *, per_session: int = 1 << 62) -> Iterator[SignedOrder]:
        """Yield signed orders, `per_session` for one delivery period and then for the next."""
        for number in range(count):
            session, place = divmod(number, per_session)
            yield self.signed(place, FIRST_START + session * PERIOD)

    def desk(self, journal: Journal, clock: Callable[[], int]) -> Desk:
        """Return an open desk of this town, whose members all have plenty of credit."""
        desk = Desk(journal, Market(), lambda: self.registry, lambda _: CREDIT, self.operator, clock)
        desk.open(self.parameters)
        return desk


def _claim(subject: Address, role: EnergyRole, issuer: Address, epoch: int = 0) -> ClaimRegistered:
    return ClaimRegistered(
        subject=subject,
        role=role_node(role, LABEL),
        version=1,
        expiry=EVER,
        issuer=issuer,
        data=bytes(32),
        epoch=epoch,
        at=0,
    )
