"""Readings as they go over the wire: pydantic models, strict, with nothing besides."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exchange.units import Wh
from identity.address import parse_address
from identity.errors import MalformedAddress
from identity.signature import compact
from settlement.metering_errors import ReadingMalformed
from settlement.reading import Reading, SignedReading

MOST_READINGS_AT_ONCE = 1_000

HashText = Annotated[str, Field(pattern="^0x[0-9a-f]{64}$")]

_EXAMPLE: dict[str, Any] = {
    "asset": "0x9a0f2f9e1d0c2a1b3c4d5e6f708192a3b4c5d6e7",
    "start": 1_782_000_000,
    "seconds": 900,
    "net_wh": -250,
    "version": 1,
    "signature": "0x" + "5a" * 64,
}


class ReadingIn(BaseModel):
    """What a meter reads of an asset in one slot, signed by the meter's key: typed data Reading(…)."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, json_schema_extra={"examples": [_EXAMPLE]})

    asset: str = Field(pattern="^0x[0-9a-fA-F]{40}$", description="the identity address of the asset")
    start: int = Field(ge=0, lt=1 << 40, description="the first second of the slot, unix time")
    seconds: int = Field(gt=0, lt=1 << 32, description="the length of the slot")
    net_wh: int = Field(ge=-(1 << 63), lt=1 << 63, description="what was fed in minus what was drawn")
    version: int = Field(default=1, gt=0, lt=1 << 63, description="1, and higher for each correction")
    estimated: bool = Field(default=False, description="spread over a gap of the register; not part of what is signed")
    signature: str = Field(
        pattern="^0x([0-9a-fA-F]{128}|[0-9a-fA-F]{130})$",
        description="secp256k1 with low s: 64 bytes (EIP-2098), or 65 as wallets give them",
    )


class ReadingsIn(BaseModel):
    """Several readings, each decided on by itself."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, json_schema_extra={"examples": [{"readings": [_EXAMPLE]}]}
    )

    readings: list[dict[str, Any]] = Field(
        min_length=1, max_length=MOST_READINGS_AT_ONCE, description="each as `POST /v1/readings` takes it"
    )


class ReadingTaken(BaseModel):
    """The reading is held; it counts from `received_at`."""

    digest: HashText
    received_at: int = Field(description="unix seconds")


class ReadingResult(BaseModel):
    """The answer to one reading of several: 201 taken, 200 held already, otherwise a problem."""

    status: int
    digest: HashText | None = None
    received_at: int | None = None
    problem: dict[str, Any] | None = Field(default=None, description="RFC 9457")


class ReadingResults(BaseModel):
    """One result for each reading, in the order they were handed in."""

    results: list[ReadingResult]


def read_reading(document: object) -> SignedReading:
    """Read a signed reading. Raises `ReadingMalformed`, `MalformedAddress` and `BadSignature`."""
    if isinstance(document, ReadingIn):
        return _signed(document)
    try:
        return _signed(ReadingIn.model_validate(document))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))[:80]}: {one['msg'][:200]}" for one in error.errors()[:20])
        raise ReadingMalformed(wrong) from error


def _signed(given: ReadingIn) -> SignedReading:
    try:
        asset = parse_address(given.asset)
    except MalformedAddress as error:
        raise ReadingMalformed(str(error)) from error
    reading = Reading(
        asset=asset, start=given.start, seconds=given.seconds, net=Wh(given.net_wh), version=given.version
    )
    return SignedReading(reading, compact(bytes.fromhex(given.signature[2:])), given.estimated)
