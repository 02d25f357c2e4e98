"""What goes over the wire about forecasts: how much an asset will draw and feed in."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from exchange.effects.schema import AddressText, HashText, Instant, SignatureText, StrictModel, raw
from exchange.forecast import Forecast
from exchange.units import MAX_ENERGY, Wh
from identity.address import parse_address
from identity.signature import compact

MOST_FORECASTS_AT_ONCE = 200

_EXAMPLE: dict[str, Any] = {
    "asset": "0x9a0f2f9e1d0c2a1b3c4d5e6f708192a3b4c5d6e7",
    "start": 1_782_000_000,
    "seconds": 3_600,
    "consumption_wh": 1_200,
    "production_wh": 0,
    "serial": 1,
}


class UnsignedForecastIn(StrictModel):
    """A forecast before it is signed: what is drawn and fed in, spread evenly over the slots of its time."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    asset: AddressText = Field(description="the identity address of the asset")
    start: Instant = Field(description="the first second of a slot, unix time")
    seconds: int = Field(gt=0, lt=1 << 32, description="whole slots")
    consumption_wh: int = Field(ge=0, le=MAX_ENERGY, description="the most that bids may come to")
    production_wh: int = Field(ge=0, le=MAX_ENERGY, description="the most that offers may come to")
    serial: int = Field(
        ge=0, lt=1 << 64, description="the highest of a slot counts; the upper 32 bits are the account's epoch"
    )

    def to_forecast(self) -> Forecast:
        """Return the forecast as the exchange knows it."""
        return Forecast(
            asset=parse_address(self.asset),
            start=self.start,
            seconds=self.seconds,
            consumption=Wh(self.consumption_wh),
            production=Wh(self.production_wh),
            serial=self.serial,
        )


class ForecastIn(UnsignedForecastIn):
    """A signed forecast."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_EXAMPLE, "signature": "0x" + "5a" * 64}]})

    signature: SignatureText

    def compact(self) -> bytes:
        """Return the signature in its short form. Raises `BadSignature` for a high s or odd v."""
        return compact(raw(self.signature))


class ForecastsIn(StrictModel):
    """Forecasts that are decided on one after the other; each gets its own answer."""

    forecasts: list[ForecastIn] = Field(min_length=1, max_length=MOST_FORECASTS_AT_ONCE)


class ForecastTaken(BaseModel):
    """The forecast counts: for orders from the one with the number `sequence` on."""

    digest: HashText = Field(description="the forecast's name")
    asset: str
    start: int
    seconds: int
    consumption_wh: int
    production_wh: int
    serial: int
    account: int
    sequence: int
    at: int


class ForecastResult(BaseModel):
    """The answer to one forecast of several: 201 taken, 200 held already, otherwise a problem."""

    status: int
    forecast: ForecastTaken | None = None
    problem: dict[str, Any] | None = Field(default=None, description="RFC 9457")


class ForecastResults(BaseModel):
    """One result for each forecast, in the order they were handed in."""

    results: list[ForecastResult]


class SlotForecastOut(BaseModel):
    """What counts for one slot, and which forecast said so."""

    slot: int
    consumption_wh: int
    production_wh: int
    account: int = Field(description="the account that the asset traded for when it was taken")
    serial: int
    digest: HashText
    at: int


class SlotForecastsOut(BaseModel):
    """The forecasts that count for an asset, by slot."""

    asset: str
    slot_seconds: int
    forecasts: list[SlotForecastOut]
