"""A street that balances: its rules, who provides, and orders in the two balancing sessions of a delivery period."""

from dataclasses import replace

from exchange.balancing_settings import BalancingSettings
from exchange.charge import StateOfCharge
from exchange.delivery import Market as Terms
from exchange.delivery import Mechanism, Product
from exchange.events import ParametersSet
from exchange.market import Market
from exchange.order import SignedOrder
from exchange.tree import Fee, Node, Tree
from exchange.units import MicroPerKwh, Wh
from identity.address import Address
from identity.claim_data import AssetKind, AssetProperties, BalancingRates, EnergyType
from identity.energy_roles import EnergyRole
from identity.facts import AccountOpened, ClaimRegistered
from identity.registry import Registry
from tests.actors import CONSUMER, NEIGHBOUR, OPERATOR, PRODUCER, STRANGER, Actor
from tests.exchange import street
from tests.registries import GRID_OPERATOR, ROLES, asset_facts, claim, role_facts

START, DOMAIN, SEPARATOR = street.START, street.DOMAIN, street.SEPARATOR
SPOT = replace(street.TERMS, number=1)
UP = Terms(
    number=2,
    title="balancing-up",
    product=Product.BALANCING_UP,
    mechanism=Mechanism.PAY_AS_OFFER,
    period=900,
    opening=300,
    lead=60,
    window=86_400,
)
DOWN = replace(UP, number=3, title="balancing-down", product=Product.BALANCING_DOWN)
NOW = START - 200  # spot is closed, balancing is open
FEEDER, EAST, WEST = 1, 4, 5
TREE = Tree(
    (
        Node(
            number=FEEDER,
            name="feeder",
            parent=None,
            fee=Fee(constant=MicroPerKwh(1_000)),
            fee_account=9,
            operator=GRID_OPERATOR.address,
        ),
        Node(
            number=EAST,
            name="east",
            parent=FEEDER,
            fee=Fee(constant=MicroPerKwh(100)),
            fee_account=9,
            operator=GRID_OPERATOR.address,
            import_limit=Wh(900),
            export_limit=Wh(400),
        ),
        Node(number=WEST, name="west", parent=FEEDER, fee_account=9, operator=GRID_OPERATOR.address),
    )
)

BATTERY, LOAD, PLANT, ROOF, NEED, EASTERN_NEED = (
    Actor(f"balancing {thing}").address for thing in ("battery", "load", "plant", "roof", "need", "eastern need")
)
OWNERS = {
    BATTERY: CONSUMER,
    LOAD: NEIGHBOUR,
    PLANT: PRODUCER,
    ROOF: STRANGER,
    NEED: GRID_OPERATOR,
    EASTERN_NEED: STRANGER,
}
PROPERTIES = {
    BATTERY: AssetProperties(AssetKind.STORAGE, EnergyType.STORAGE, 4_000, 10_000),
    LOAD: AssetProperties(AssetKind.LOAD, EnergyType.NONE, 8_000),
    PLANT: AssetProperties(AssetKind.POWER_PLANT, EnergyType.COGENERATION, 20_000),
    ROOF: AssetProperties(AssetKind.PV, EnergyType.PV, 8_000),
    NEED: AssetProperties(AssetKind.METER, EnergyType.NONE, 0),
    EASTERN_NEED: AssetProperties(AssetKind.METER, EnergyType.NONE, 0),
}
RATES = BalancingRates(330_000, 350_000)
PROVIDERS = (BATTERY, LOAD, PLANT)
ACCOUNTS = {CONSUMER: 1, NEIGHBOUR: 2, PRODUCER: 3, STRANGER: 4, GRID_OPERATOR: 9}
SETTINGS = BalancingSettings(enabled=True)

PARAMETERS = replace(
    street.PARAMETERS,
    markets=(SPOT, UP, DOWN),
    tree=TREE,
    homes=(),
    places=tuple(sorted({BATTERY: EAST, LOAD: EAST, EASTERN_NEED: EAST, PLANT: WEST, ROOF: WEST}.items())),
    balancing=SETTINGS,
    receipts=OPERATOR.address,
)


def certified(asset: Address, role: EnergyRole, data: bytes, expiry: int = street.FAR) -> ClaimRegistered:
    """The certifier says something of an asset."""
    return replace(claim(asset, role, epoch=1, expiry=expiry), data=data)


def registry(*, rates: BalancingRates = RATES, until: int = street.FAR) -> Registry:
    """Return the registry; providers are certified at `rates` until before `until`."""
    known = Registry(ROLES)
    facts = list(role_facts())
    facts += [AccountOpened(account, holder.address) for holder, account in ACCOUNTS.items()]
    for number, (asset, owner) in enumerate(OWNERS.items(), 1):
        facts += asset_facts(number, asset, owner.address, ACCOUNTS[owner], expiry=street.FAR)
        facts.append(certified(asset, EnergyRole.ASSET, PROPERTIES[asset].pack()))
    facts += [certified(asset, EnergyRole.BALANCING_PROVIDER, rates.pack(), until) for asset in PROVIDERS]
    for fact in facts:
        known.apply(fact)
    return known


def market(parameters=PARAMETERS) -> Market:
    """Return a market under the rules of the street that balances."""
    fresh = Market()
    fresh.apply(ParametersSet(parameters=parameters, at=0))
    return fresh


def signed(asset: Address, side, terms: Terms, energy: int, limit: int, by: Actor | None = None, **more) -> SignedOrder:
    """Return a signed order."""
    order = street.order(
        asset,
        side,
        market=terms.number,
        product=terms.product,
        energy=Wh(energy),
        limit=MicroPerKwh(limit),
        **more,
    )
    return SignedOrder(order, (by or OWNERS[asset]).sign(order.digest(SEPARATOR)))


def charge(stored: int = 5_000, least: int = 1_000, at: int = START, serial: int = 1) -> StateOfCharge:
    """Return how full the battery says it is."""
    return StateOfCharge(asset=BATTERY, at=at, stored=Wh(stored), least=Wh(least), serial=serial)


def founding() -> list[ParametersSet]:
    """Return what the journal of the street that balances begins with."""
    return [ParametersSet(parameters=PARAMETERS, at=0)]
