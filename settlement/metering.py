"""Whether a reading is taken: one decision, from what is held, what the registries say, and the time.

A meter's key is a delegate of the asset for the purpose `merit.meter.v1`, in the ownership of the slot's first second.
The owner's own key is none, though the owner names the meter's: what is charged to somebody is not that person's word.
A key whose delegation ended still counts for slots that began before, so that what is late comes in and is corrected.

Without a signature that counts nobody learns what is held: the value of a reading is guessed quickly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from exchange.units import NO_ENERGY, Wh, spread
from identity.address import Address, to_text
from identity.authority import AuthorityIndex
from identity.claim_data import AssetKind, AssetProperties, unpack_asset
from identity.errors import AssetNotCertified, MalformedClaimData, NotAuthorised
from identity.purposes import METER
from identity.signature import recover
from settlement.metering_errors import (
    MeterKeyUnknown,
    PeriodNotOver,
    ReadingConflicts,
    ReadingImplausible,
    ReadingOffGrid,
    ReadingOutdated,
    ReadingTooLate,
)
from settlement.reading import AcceptedReading, Reading, SignedReading
from settlement.readings import Readings

_HOUR = 3600
_DRAWS_ONLY = frozenset({AssetKind.LOAD, AssetKind.HEAT_PUMP})
_FEEDS_IN_ONLY = frozenset({AssetKind.PV, AssetKind.WIND, AssetKind.POWER_PLANT})


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteringRules:
    """How readings are taken: of slots of so many seconds, until `cut_off` seconds after a slot is over.

    `standby_w` is what a power plant, a roof or a wind turbine may draw for itself.
    """

    slot: int
    cut_off: int
    standby_w: int = 0

    def __post_init__(self) -> None:
        if self.slot <= 0 or self.cut_off <= 0:
            raise ValueError("a slot and the time until the cut-off last some seconds")
        if self.standby_w < 0:
            raise ValueError("a standby power is not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registries:
    """What the registries say of assets and keys; `asset_role` is the role that an asset's certificate is of."""

    authority: AuthorityIndex
    asset_role: bytes

    def must_be_meter(self, signer: Address, asset: Address, at: int) -> None:
        """Refuse a key that is not the meter's of an asset as of a moment, and an asset that is unknown or nobody's."""
        tenure = self.authority.tenure_at(asset, at)
        if signer == tenure.owner:
            raise MeterKeyUnknown(to_text(signer), to_text(asset), "it is its owner's own")
        try:
            self.authority.as_delegate(signer, asset, tenure, METER, at)
        except NotAuthorised as refusal:
            raise MeterKeyUnknown(to_text(signer), to_text(asset), str(refusal)) from refusal

    def properties(self, asset: Address, at: int) -> AssetProperties:
        """Return what is certified of an asset as of a moment; refuses one of which nothing is."""
        roles = self.authority.roles
        begin, end = roles.window(asset, self.asset_role)
        claim = roles.claim(asset, self.asset_role)
        if claim is not None and begin <= at <= end:
            data = claim.data
        else:  # an earlier claim may have held then
            verdict = roles.holds(asset, self.asset_role, at)
            if not verdict.holds:
                raise AssetNotCertified(to_text(asset), at, str(verdict.failure))
            data = verdict.data
        try:
            return _unpacked(data)
        except MalformedClaimData as error:
            raise AssetNotCertified(to_text(asset), at, str(error)) from error


@dataclass(frozen=True, slots=True)
class Admitted:
    """The answer yes: the reading as it is held, and whether it is new."""

    accepted: AcceptedReading
    new: bool


SignerOf = Callable[[bytes, bytes], Address]
"""Who signed a digest: `identity.signature.recover`, or what was recovered before."""


def admit(
    signed: SignedReading,
    now: int,
    *,
    held: Readings,
    registries: Registries,
    rules: MeteringRules,
    separator: bytes,
    signer_of: SignerOf = recover,
) -> Admitted:
    """Return a reading as it is to be held; the caller writes it down, and then adds it to what is held.

    Sent again it is answered as the first time. Refuses, in this order: off the grid, slot not over, too late, bad
    signature, unknown asset, asset without owner, unknown meter key, another value or a later version held, asset not
    certified, implausible.
    """
    reading = signed.reading
    if reading.seconds != rules.slot or reading.start % rules.slot:
        raise ReadingOffGrid(reading.start, reading.seconds, rules.slot)
    versions = held.versions(reading.asset, reading.start)
    for one in versions:
        if one.signed.signature == signed.signature and one.reading == reading:
            return Admitted(one, new=False)
    if now < reading.end:
        raise PeriodNotOver(reading.end)
    if now >= reading.end + rules.cut_off:
        raise ReadingTooLate(reading.end + rules.cut_off)
    name = reading.digest(separator)
    signer = signer_of(name, signed.signature)
    registries.must_be_meter(signer, reading.asset, reading.start)
    for one in versions:
        if one.digest == name:
            return Admitted(one, new=False)
        if one.reading.version == reading.version:
            raise ReadingConflicts(reading.version, one.digest)
    if versions and versions[-1].reading.version > reading.version:
        raise ReadingOutdated(reading.version, versions[-1].reading.version)
    must_be_plausible(reading, registries.properties(reading.asset, reading.start), rules.standby_w)
    return Admitted(AcceptedReading(signed=signed, digest=name, signer=signer, at=now), new=True)


def must_be_plausible(reading: Reading, properties: AssetProperties, standby_w: int = 0) -> None:
    """Refuse what an asset cannot have drawn or fed in: beyond its rated power, or the wrong way for its kind.

    A meter that is an asset of its own has no rated power, and so no bound.
    """
    if properties.kind is AssetKind.METER and properties.power_w == 0:
        return
    most = _flow(properties.power_w, reading.seconds)
    low, high = Wh(-most), most
    if properties.kind in _DRAWS_ONLY:
        high = NO_ENERGY
    elif properties.kind in _FEEDS_IN_ONLY:
        low = Wh(-_flow(standby_w, reading.seconds))
    if not low <= reading.net <= high:
        raise ReadingImplausible(reading.net, low, high)


def _flow(watts: int, seconds: int) -> Wh:
    """Return what flows at a power in a time: rounded up, since a counter may tick just then."""
    return spread(Wh(watts * seconds), _HOUR)


_unpacked = lru_cache(maxsize=4096)(unpack_asset)
