"""A street with meters: assets of every kind, certified, each with a meter key; and readings, as they would be sent."""

from dataclasses import replace

from exchange.units import MicroPerKwh, Wh
from identity.address import Address
from identity.authority import AuthorityIndex
from identity.claim_data import AssetKind, AssetProperties, EnergyType
from identity.energy_roles import EnergyRole
from identity.facts import AssetCreated, DelegateChanged
from identity.hashing import keccak
from identity.purposes import METER, delegate_type
from identity.typed_data import Domain
from settlement.imbalance import Band, Prices
from settlement.imbalance_rules import ImbalanceRules
from settlement.metering import MeteringRules, Registries, admit
from settlement.reading import Reading, SignedReading
from settlement.readings import Readings
from tests.actors import CONSUMER, CONTRACT, PRODUCER, Actor
from tests.registries import ASSET_ROLE, EVER, claim, role_facts

SLOT = 900
START = 1_782_000_000
OVER = START + SLOT
DAY = 86_400
RULES = MeteringRules(slot=SLOT, cut_off=7 * DAY)
SEPARATOR = Domain(1337, CONTRACT.address).separator()
DEVICE, SPARE = Actor("meter device"), Actor("spare meter device")


def named(name: str) -> Address:
    return Address(keccak(name.encode())[12:])


ROOF, FLAT, CAR, MAIN, SHED = map(named, ("metered roof", "metered flat", "metered car", "main meter", "shed"))
PROPERTIES = {
    ROOF: AssetProperties(AssetKind.PV, EnergyType.PV, 8_000),
    FLAT: AssetProperties(AssetKind.LOAD, EnergyType.NONE, 4_000),
    CAR: AssetProperties(AssetKind.EV_CHARGER, EnergyType.STORAGE, 11_000, 50_000),
    MAIN: AssetProperties(AssetKind.METER, EnergyType.NONE, 0),
    SHED: AssetProperties(AssetKind.LOAD, EnergyType.NONE, 2_000),
}
OWNER = {asset: PRODUCER if asset == ROOF else CONSUMER for asset in PROPERTIES}


def certified(asset: Address, properties: AssetProperties, at: int = 0, expiry: int = EVER):
    return replace(claim(asset, EnergyRole.ASSET, at=at, expiry=expiry, epoch=1), data=properties.pack())


def metered_by(asset: Address, device: Actor = DEVICE, valid_to: int = EVER, epoch: int = 1) -> DelegateChanged:
    return DelegateChanged(asset, delegate_type(METER, epoch), device.address, valid_to, 0)


def street_facts():
    yield from role_facts()
    for asset, properties in PROPERTIES.items():
        yield AssetCreated(asset, OWNER[asset].address, 0)
        yield certified(asset, properties)
        yield metered_by(asset)


def registries(*more) -> Registries:
    authority = AuthorityIndex()
    for fact in (*street_facts(), *more):
        authority.apply(fact)
    return Registries(authority=authority, asset_role=ASSET_ROLE)


def reading(asset=FLAT, net=-500, start=START, version=1, seconds=SLOT) -> Reading:
    return Reading(asset=asset, start=start, seconds=seconds, net=Wh(net), version=version)


def signed(what: Reading, device: Actor = DEVICE, *, estimated: bool = False) -> SignedReading:
    return SignedReading(what, device.sign(what.digest(SEPARATOR)), estimated)


class Street:
    """Readings come in at one moment after another; each is decided on, and held if it is taken."""

    def __init__(self, *more, rules: MeteringRules = RULES) -> None:
        self.registries = registries(*more)
        self.rules = rules
        self.held = Readings()

    def take(self, what: SignedReading, now: int = OVER):
        admitted = admit(what, now, held=self.held, registries=self.registries, rules=self.rules, separator=SEPARATOR)
        self.held.add(admitted.accepted)
        return admitted

    def hear(self, now: int = OVER, **what):
        return self.take(signed(reading(**what)), now)


COMMUNITY, PRODUCING, CONSUMING, PARTY = 1, 2, 3, 9
"""Accounts: the counterpart, the two members', and a balance responsible party's."""

PRICES = Prices(short=MicroPerKwh(400_000), long=MicroPerKwh(50_000))
IMBALANCE = ImbalanceRules(metering=RULES, waiting=DAY, counterpart=COMMUNITY, prices=PRICES, band=Band())
ACCOUNT_OF = {ROOF: PRODUCING, FLAT: CONSUMING, CAR: CONSUMING, SHED: CONSUMING}
