"""What goes over the wire for balancing: offers with the seed's sign of the energy, and how full storages are."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from exchange.balancing_errors import NoBalancingHere, RateNotExact
from exchange.charge import StateOfCharge
from exchange.delivery import BALANCING, Market, Product
from exchange.effects.schema import AddressText, HashText, Instant, SignatureText, StrictModel, raw
from exchange.errors import OrderMalformed
from exchange.order import Order, Side, SignedOrder
from exchange.parameters import Parameters
from exchange.units import MAX_ENERGY, MAX_RATE, MicroPerKwh, Nano, Wh, rate_of
from identity.address import parse_address
from identity.signature import compact

_MOST_NANO = MAX_ENERGY * MAX_RATE

_OFFER: dict[str, Any] = {
    "asset": "0x9a0f2f9e1d0c2a1b3c4d5e6f708192a3b4c5d6e7",
    "delivery_start": 1_782_000_000,
    "energy_wh": -250,
    "limit_micro_per_kwh": 330_000,
    "salt": 1,
}
_CHARGE: dict[str, Any] = {
    "asset": "0x9a0f2f9e1d0c2a1b3c4d5e6f708192a3b4c5d6e7",
    "at": 1_782_000_000,
    "stored_wh": 5_000,
    "least_wh": 1_000,
    "serial": 1,
}
_SIGNATURE = {"signature": "0x" + "5a" * 64}


class OfferIn(StrictModel):
    """A balancing offer before it is signed. What is signed is the order that it stands for: see `typed-data`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OFFER]})

    asset: AddressText = Field(description="the identity address of the balancing provider's asset")
    delivery_start: Instant = Field(description="the first second of the delivery period, unix time")
    energy_wh: int = Field(
        ge=-MAX_ENERGY,
        le=MAX_ENERGY,
        description="above zero supply (up: generate, discharge, shed), below zero demand (down: consume, charge)",
    )
    limit_micro_per_kwh: int | None = Field(
        default=None, ge=-MAX_RATE - 1, le=MAX_RATE, description="what the provider is paid per kWh, in each direction"
    )
    price_nano: int | None = Field(
        default=None, ge=-_MOST_NANO, le=_MOST_NANO, description="instead of the limit: what all of it costs"
    )
    valid_until: Instant | None = Field(default=None, description="gate closure, where nothing else is said")
    salt: int = Field(ge=0, lt=1 << 64, description="as in an order: the upper 32 bits are the account's epoch")

    def to_order(self, parameters: Parameters) -> Order:
        """Return the order of product 3 (up) or 4 (down) that this offer stands for.

        Refuses an offer of nothing, one with both or neither of limit and price, a price without a whole rate, and any
        where there is no balancing.
        """
        if not self.energy_wh:
            raise OrderMalformed("energy_wh is 0: an offer is for some energy", (("energy_wh", "is 0"),))
        energy = Wh(abs(self.energy_wh))
        market = market_for(Product.BALANCING_UP if self.energy_wh > 0 else Product.BALANCING_DOWN, parameters)
        return Order(
            asset=parse_address(self.asset),
            market=market.number,
            product=market.product,
            side=Side.OFFER,
            delivery_start=self.delivery_start,
            energy=energy,
            limit=self._limit(energy),
            valid_until=self._valid_until(market),
            salt=self.salt,
        )

    def _limit(self, energy: Wh) -> MicroPerKwh:
        if (self.limit_micro_per_kwh is None) is (self.price_nano is None):
            raise OrderMalformed("an offer has a limit_micro_per_kwh or a price_nano, and not both")
        if self.limit_micro_per_kwh is not None:
            return MicroPerKwh(self.limit_micro_per_kwh)
        assert self.price_nano is not None, "one of both was asked for"
        rate = rate_of(Nano(self.price_nano), energy)
        if rate is None:
            raise RateNotExact(self.price_nano, energy)
        if not -MAX_RATE - 1 <= rate <= MAX_RATE:
            raise OrderMalformed("the price is further from zero than any rate", (("price_nano", "too far"),))
        return rate

    def _valid_until(self, market: Market) -> int:
        closure = market.gate_closure(self.delivery_start)
        return max(closure, 0) if self.valid_until is None else self.valid_until


class SignedOfferIn(OfferIn):
    """A balancing offer with the signature of its order."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OFFER | _SIGNATURE]})

    signature: SignatureText

    def to_signed_order(self, parameters: Parameters) -> SignedOrder:
        """Return the signed order; refuses as `to_order` does. Raises `BadSignature` for a high s or odd v."""
        return SignedOrder(self.to_order(parameters), compact(raw(self.signature)))


class UnsignedChargeIn(StrictModel):
    """How full a storage is, before it is signed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CHARGE]})

    asset: AddressText
    at: Instant = Field(description="the first second of a slot, unix time")
    stored_wh: int = Field(ge=0, le=MAX_ENERGY, description="what it holds then")
    least_wh: int = Field(ge=0, le=MAX_ENERGY, description="what must stay in it")
    serial: int = Field(ge=0, lt=1 << 64, description="the highest counts; the upper 32 bits are the account's epoch")

    def to_charge(self) -> StateOfCharge:
        """Return the statement as the exchange knows it; refuses one that cannot be."""
        try:
            return StateOfCharge(
                asset=parse_address(self.asset),
                at=self.at,
                stored=Wh(self.stored_wh),
                least=Wh(self.least_wh),
                serial=self.serial,
            )
        except ValueError as error:
            raise OrderMalformed(str(error)) from error


class ChargeIn(UnsignedChargeIn):
    """How full a storage is: signed by its owner or a delegate."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CHARGE | _SIGNATURE]})

    signature: SignatureText

    def compact(self) -> bytes:
        """Return the signature in its short form. Raises `BadSignature` for a high s or odd v."""
        return compact(raw(self.signature))


class ChargeOut(BaseModel):
    """The statement is held, and what the storage offers is held against it."""

    digest: HashText
    asset: str
    at: int
    stored_wh: int
    least_wh: int
    serial: int
    stated_at: int


class DirectionOut(BaseModel):
    """The market of one direction."""

    market: int
    product: str
    open_deliveries: list[int]


class BalancingOut(BaseModel):
    """The settings of the balancing market, under their names in a community's file, and its two markets."""

    settings: dict[str, Any]
    markets: list[DirectionOut]


def market_for(product: Product, parameters: Parameters) -> Market:
    """Return the market of a direction; refuses where there is no balancing."""
    assert product in BALANCING, "up or down"
    market = next((market for market in parameters.markets if market.product is product), None)
    if market is None:
        raise NoBalancingHere
    return market
