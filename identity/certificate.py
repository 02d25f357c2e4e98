"""What a certifier or operator says of somebody, as the subject of a credential: from plain values to its fields."""

from identity.claim_data import AssetProperties, BalancingRates, EnergyType
from identity.credential_subject import (
    ASSET,
    BALANCING_PROVIDER,
    ENERGY_TYPE,
    GRID_OPERATOR,
    ROLE,
    RoleSubject,
    text_of,
)
from identity.did import CanonicalDid
from identity.energy_roles import EnergyRole
from identity.names import role_name


def of_asset(holder: CanonicalDid, label: str, properties: AssetProperties, version: int = 1) -> RoleSubject:
    """Return that `holder` is an asset with these properties, in the community with this label."""
    fields = (
        ("kind", text_of(properties.kind)),
        ("energyType", text_of(properties.energy_type)),
        ("ratedPowerW", str(properties.power_w)),
        ("capacityWh", str(properties.capacity_wh)),
    )
    return RoleSubject(ASSET, holder, role_name(EnergyRole.ASSET, label), version, fields)


def of_energy_type(holder: CanonicalDid, label: str, energy_type: EnergyType, version: int = 1) -> RoleSubject:
    """Return that the asset `holder` sells energy of this type, and nothing else about it."""
    fields = (("energyType", text_of(energy_type)),)
    return RoleSubject(ENERGY_TYPE, holder, role_name(EnergyRole.ASSET, label), version, fields)


def of_balancing_provider(holder: CanonicalDid, label: str, rates: BalancingRates, version: int = 1) -> RoleSubject:
    """Return that the asset `holder` may offer balancing at these rates."""
    fields = (("demandRate", str(rates.demand_micro_per_kwh)), ("supplyRate", str(rates.supply_micro_per_kwh)))
    return RoleSubject(BALANCING_PROVIDER, holder, role_name(EnergyRole.BALANCING_PROVIDER, label), version, fields)


def of_grid_operator(holder: CanonicalDid, label: str, market: int, version: int = 1) -> RoleSubject:
    """Return that `holder` runs the grid at a market; 0 is every market."""
    fields = (("market", str(market)),)
    return RoleSubject(GRID_OPERATOR, holder, role_name(EnergyRole.GRID_OPERATOR, label), version, fields)


def of_role(holder: CanonicalDid, label: str, role: EnergyRole, version: int = 1) -> RoleSubject:
    """Return that `holder` has a role that says no more than that."""
    return RoleSubject(ROLE, holder, role_name(role, label), version)
