"""Claims as the command line makes them: agreed to by the subject, proved by the issuer, in one place or in two."""

from dataclasses import dataclass
from typing import Self, TypeVar

from app.reaching import Reached
from identity.address import Address
from identity.claim_data import AssetKind, AssetProperties, BalancingRates, EnergyType, pack_market
from identity.claim_form import ClaimForm
from identity.claims import NO_DATA
from identity.credential_subject import text_of
from identity.energy_roles import EnergyRole
from identity.errors import MalformedAgreement, MalformedClaimData, UnknownRole
from identity.names import namehash

Named = TypeVar("Named", AssetKind, EnergyType)

SIGNED_FOR_DAYS = 7
"""How long an agreement serves, unless its signer says otherwise."""

DAY_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a claim or a credential is to certify, as the options of a verb give it; none was not given."""

    kind: AssetKind | None = None
    energy_type: EnergyType | None = None
    power_w: int | None = None
    capacity_wh: int = 0
    demand: int | None = None
    supply: int | None = None
    market: int | None = None

    @classmethod
    def of(
        cls,
        *,
        kind: str | None = None,
        energy_type: str | None = None,
        power_w: int | None = None,
        capacity_wh: int = 0,
        demand: int | None = None,
        supply: int | None = None,
        market: int | None = None,
    ) -> Self:
        """Read what the options of a verb say, where kinds and types are called as in a credential: `ev-charger`."""
        return cls(
            kind=None if kind is None else _called(AssetKind, kind),
            energy_type=None if energy_type is None else _called(EnergyType, energy_type),
            power_w=power_w,
            capacity_wh=capacity_wh,
            demand=demand,
            supply=supply,
            market=market,
        )

    def properties(self) -> AssetProperties:
        """Return the properties of an asset; refuses where they were not given."""
        if self.kind is None:
            raise MalformedClaimData(EnergyRole.ASSET, "name what kind of asset it is, with --kind")
        return AssetProperties(self.kind, self.source(), self.power_w or 0, self.capacity_wh)

    def source(self) -> EnergyType:
        """Return where the energy comes from: as it was given, else what the kind of asset has of itself."""
        own = {AssetKind.PV: EnergyType.PV, AssetKind.WIND: EnergyType.WIND, AssetKind.STORAGE: EnergyType.STORAGE}
        if self.energy_type is not None:
            return self.energy_type
        return EnergyType.NONE if self.kind is None else own.get(self.kind, EnergyType.NONE)

    def rates(self) -> BalancingRates:
        """Return the two rates of a balancing provider; refuses where they were not given."""
        if self.demand is None or self.supply is None:
            raise MalformedClaimData(EnergyRole.BALANCING_PROVIDER, "name both rates, with --demand and --supply")
        return BalancingRates(self.demand, self.supply)

    def data(self, role: str) -> bytes:
        """Return the 32 bytes of a claim to the role of this name."""
        match role.partition(".")[0]:
            case EnergyRole.ASSET:
                return self.properties().pack()
            case EnergyRole.BALANCING_PROVIDER:
                return self.rates().pack()
            case EnergyRole.GRID_OPERATOR:
                return pack_market(self.market or 0)
            case _:
                return NO_DATA


def _called(names: type[Named], text: str) -> Named:
    found = {text_of(entry): entry for entry in names}
    if text not in found:
        raise MalformedClaimData(EnergyRole.ASSET, f"{text!r} is none of {', '.join(found)}")
    return found[text]


def agree(exchange: Reached, role: str, subject: Address, key: bytes, data: bytes, *, days: int) -> ClaimForm:
    """Return the subject's agreement to a role, in the version it has now, good for so many days."""
    registering = exchange.registering
    version = registering.roles.version(namehash(role))
    if version == 0:
        raise UnknownRole(role)
    form = ClaimForm(
        chain_id=exchange.evm.chain_id,
        registry=registering.roles.address,
        subject=subject,
        role=role,
        version=version,
        data=data,
        deadline=exchange.evm.head().timestamp + days * DAY_SECONDS,
    )
    return form.agreed(key)


def issue(exchange: Reached, form: ClaimForm, key: bytes, *, days: int, issuer: Address | None = None) -> ClaimForm:
    """Return the form with the issuer's proof; refuses a form of another chain or registry."""
    registering = exchange.registering
    if (form.chain_id, form.registry) != (exchange.evm.chain_id, registering.roles.address):
        raise MalformedAgreement("it is of another chain, or another registry")
    expiry = exchange.evm.head().timestamp + days * DAY_SECONDS
    return registering.prove(form, key, expiry=expiry, issuer=issuer)
