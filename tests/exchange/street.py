"""A street to test the exchange on: its rules, its registry, what its people have put in, and orders they sign."""

from dataclasses import dataclass, field

from exchange.delivery import Market as Terms
from exchange.delivery import Product
from exchange.market import Market
from exchange.order import NO_PREFERENCES, Order, Side, SignedOrder, cancellation_digest
from exchange.parameters import Parameters
from exchange.receipt import Receipt, sign_receipts
from exchange.tree import Tree
from exchange.units import MicroPerKwh, Nano, Wh
from identity.address import Address
from identity.facts import AccountOpened
from identity.registry import Registry
from identity.signature import Signer
from identity.typed_data import Domain
from tests.actors import (
    AGENT,
    CONSUMER,
    CONTRACT,
    NEIGHBOUR,
    OPERATOR,
    PRODUCER,
    PROSUMER,
    STRANGER,
    UTILITY,
    Actor,
)
from tests.registries import GRID_OPERATOR, ROLES, asset_facts, delegation, role_facts

START = 1_800_000_000
DOMAIN = Domain(31_337, CONTRACT.address)
SEPARATOR = DOMAIN.separator()
TERMS = Terms(
    number=1,
    period=900,
    opening=86_400,
    lead=300,
    window=86_400,
)
TREE = Tree.of_one(1, fee=10_000, fee_account=9, operator=GRID_OPERATOR.address)
OPENING, CLOSURE = TERMS.gate_opening(START), TERMS.gate_closure(START)
SESSION = TERMS.session(START)
FAR = START + 1_000_000

ROOF, HOUSE, KITCHEN, BARN, PLANT, FLAT = (
    Actor(f"{thing} of the street").address for thing in ("roof", "house", "kitchen", "barn", "plant", "flat")
)
ACCOUNTS = {PRODUCER: 1, CONSUMER: 2, PROSUMER: 3, NEIGHBOUR: 4, UTILITY: 5}
ASSETS = {ROOF: PRODUCER, KITCHEN: CONSUMER, HOUSE: PROSUMER, BARN: PROSUMER, FLAT: NEIGHBOUR, PLANT: UTILITY}

PARAMETERS = Parameters(
    community="The Street",
    currency="EUR",
    domain=DOMAIN,
    markets=(TERMS,),
    tree=TREE,
    receipts=OPERATOR.address,
    homes=tuple(sorted([(HOUSE, "house"), (BARN, "barn")])),
    least_energy=Wh(10),
    most_energy=Wh(100_000),
    lowest_limit=MicroPerKwh(-500_000),
    highest_limit=MicroPerKwh(4_000_000),
)


def registry() -> Registry:
    """Return the street's registry; the agent may sign for the consumer until the gate of `START` closes."""
    known = Registry(ROLES)
    facts = list(role_facts())
    facts += [AccountOpened(account, holder.address) for holder, account in ACCOUNTS.items()]
    for number, (asset, owner) in enumerate(ASSETS.items(), 1):
        facts += asset_facts(number, asset, owner.address, ACCOUNTS[owner], expiry=FAR + 1)
    facts.append(delegation(KITCHEN, AGENT.address, CLOSURE + 1))
    for fact in facts:
        known.apply(fact)
    return known


def order(asset: Address = KITCHEN, side: Side = Side.BID, **changes: object) -> Order:
    """Return an order for `START` that the street takes, with `changes`."""
    fields: dict[str, object] = {
        "asset": asset,
        "market": TERMS.number,
        "product": Product.SPOT,
        "side": side,
        "delivery_start": START,
        "energy": Wh(1_000),
        "limit": MicroPerKwh(300_000 if side is Side.BID else 100_000),
        "valid_until": FAR,
        "salt": 1,
        "preferences": NO_PREFERENCES,
    }
    return Order(**(fields | changes))  # type: ignore[arg-type]


def signed(given: Order, by: Actor | None = None) -> SignedOrder:
    """Return the order with the signature of its asset's owner, or of somebody else."""
    signer = by or ASSETS.get(given.asset, STRANGER)
    return SignedOrder(given, signer.sign(given.digest(SEPARATOR)))


def bid(asset: Address = KITCHEN, **changes: object) -> SignedOrder:
    """Return a signed bid."""
    return signed(order(asset, Side.BID, **changes))


def offer(asset: Address = ROOF, **changes: object) -> SignedOrder:
    """Return a signed offer."""
    return signed(order(asset, Side.OFFER, **changes))


def digest_of(given: SignedOrder) -> bytes:
    """Return an order's name."""
    return given.order.digest(SEPARATOR)


def cancellation(given: SignedOrder, by: Actor | None = None) -> bytes:
    """Return the signature that takes an order back."""
    signer = by or ASSETS.get(given.order.asset, STRANGER)
    return signer.sign(cancellation_digest(digest_of(given), SEPARATOR))


def receipt(digest: bytes, sequence: int, now: int) -> Receipt:
    """Sign a receipt as the operator."""
    return sign_receipts([(digest, sequence, now)], Signer(OPERATOR.key), SEPARATOR)[0]


@dataclass
class Clock:
    """A clock that stands until it is set."""

    now: int = CLOSURE - 100

    def __call__(self) -> int:
        """Tell the time."""
        return self.now


@dataclass
class Purse:
    """What accounts could withdraw at once; an account not named has plenty."""

    free: dict[int, int] = field(default_factory=dict)

    def __call__(self, account: int) -> Nano:
        """Tell what an account could withdraw."""
        return Nano(self.free.get(account, 1_000_000_000_000))


def state_of(market: Market) -> dict[str, object]:
    """Return everything a market remembers, as values that can be compared."""
    return {
        "sessions": market.sessions,
        "next_sequence": market.next_sequence,
        "parameters": market.parameters,
        "separator": market.separator,
        "session_of": market._session_of,
        "reserved": market._reserved,
        "own_orders": market._own_orders,
        "uncleared": market._uncleared,
    }
