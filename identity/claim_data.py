"""What a claim says in its 32 bytes on the chain: an asset's certified properties, or its two balancing rates.

asset: kind (1 byte), energy type (1), rated power in W (8), capacity in Wh (8), then zeros.
balancing provider: demand rate (16), supply rate (16), both in millionths of the currency per kWh.
grid operator: the number of the market it is for (32); zero is every market. Other roles: zeros.
Big-endian throughout. Whatever else the bytes hold is refused, so that equal claims have equal bytes.
"""

from dataclasses import dataclass
from enum import IntEnum

from identity.energy_roles import EnergyRole
from identity.errors import MalformedClaimData

_RATE_LIMIT = 1 << 47
"""No order can name a rate as high as this: its field on the chain has 48 bits, signed."""

_WORD_BYTES = 32


class AssetKind(IntEnum):
    """What an asset is."""

    LOAD = 1
    PV = 2
    STORAGE = 3
    WIND = 4
    POWER_PLANT = 5
    HEAT_PUMP = 6
    EV_CHARGER = 7
    METER = 8
    MARKET_MAKER = 9


class EnergyType(IntEnum):
    """Where the energy comes from that an asset sells, as certified; preferences name it."""

    NONE = 0
    PV = 1
    WIND = 2
    STORAGE = 3
    HYDRO = 4
    BIOMASS = 5
    COGENERATION = 6
    GRID = 7
    OTHER = 255


_SELLS_NOTHING = frozenset({AssetKind.LOAD, AssetKind.HEAT_PUMP, AssetKind.METER})
_STORES = frozenset({AssetKind.STORAGE, AssetKind.EV_CHARGER})
_OWN_TYPE = {AssetKind.PV: EnergyType.PV, AssetKind.WIND: EnergyType.WIND}


@dataclass(frozen=True, slots=True)
class AssetProperties:
    """What a certifier says of an asset: kind, energy type, rated power in W, capacity in Wh (0: stores nothing)."""

    kind: AssetKind
    energy_type: EnergyType
    power_w: int
    capacity_wh: int = 0

    def __post_init__(self) -> None:
        for what, number in (("rated power", self.power_w), ("capacity", self.capacity_wh)):
            if not 0 <= number < 1 << 64:
                raise _not(EnergyRole.ASSET, f"{what} is not a whole number of 64 bits")
        if self.power_w == 0 and self.kind is not AssetKind.METER:
            raise _not(EnergyRole.ASSET, "only a meter has no rated power")
        if (self.capacity_wh > 0) != (self.kind in _STORES):
            raise _not(EnergyRole.ASSET, "storages and chargers of cars have a capacity, and nothing else has")
        if self.kind in _SELLS_NOTHING and self.energy_type is not EnergyType.NONE:
            raise _not(EnergyRole.ASSET, "what sells no energy has no energy type")
        if _OWN_TYPE.get(self.kind, self.energy_type) is not self.energy_type:
            raise _not(EnergyRole.ASSET, "sun and wind give energy of their own type")

    def pack(self) -> bytes:
        """Return the 32 bytes of the claim."""
        return (
            bytes((self.kind, self.energy_type))
            + self.power_w.to_bytes(8, "big")
            + self.capacity_wh.to_bytes(8, "big")
            + bytes(14)
        )


@dataclass(frozen=True, slots=True)
class BalancingRates:
    """What a balancing provider is paid per kWh: `demand` for taking energy, `supply` for giving it (µ/kWh)."""

    demand_micro_per_kwh: int
    supply_micro_per_kwh: int

    def __post_init__(self) -> None:
        for what, rate in (("demand", self.demand_micro_per_kwh), ("supply", self.supply_micro_per_kwh)):
            if not 0 <= rate < _RATE_LIMIT:
                raise _not(EnergyRole.BALANCING_PROVIDER, f"the {what} rate is not a whole number from 0 to 2^47 - 1")

    def pack(self) -> bytes:
        """Return the 32 bytes of the claim."""
        return self.demand_micro_per_kwh.to_bytes(16, "big") + self.supply_micro_per_kwh.to_bytes(16, "big")


def unpack_asset(data: bytes) -> AssetProperties:
    """Read the data of a claim to the role of an asset."""
    _sized(EnergyRole.ASSET, data)
    if any(data[18:]):
        raise _not(EnergyRole.ASSET, "the last 14 bytes are not zero")
    try:
        kind, energy_type = AssetKind(data[0]), EnergyType(data[1])
    except ValueError as error:
        raise _not(EnergyRole.ASSET, str(error)) from error
    return AssetProperties(kind, energy_type, int.from_bytes(data[2:10], "big"), int.from_bytes(data[10:18], "big"))


def unpack_rates(data: bytes) -> BalancingRates:
    """Read the data of a claim to the role of a balancing provider."""
    _sized(EnergyRole.BALANCING_PROVIDER, data)
    return BalancingRates(int.from_bytes(data[:16], "big"), int.from_bytes(data[16:], "big"))


def pack_market(market: int) -> bytes:
    """Return the data of a claim to the role of a grid operator: of one market, or of all (0)."""
    if not 0 <= market < 1 << 256:
        raise _not(EnergyRole.GRID_OPERATOR, "the number of a market is not negative, and fits 32 bytes")
    return market.to_bytes(_WORD_BYTES, "big")


def unpack_market(data: bytes) -> int:
    """Read the data of a claim to the role of a grid operator: the number of its market, 0 for all."""
    _sized(EnergyRole.GRID_OPERATOR, data)
    return int.from_bytes(data, "big")


def _sized(role: EnergyRole, data: bytes) -> None:
    if len(data) != _WORD_BYTES:
        raise _not(role, f"{len(data)} bytes long, not 32")


def _not(role: EnergyRole, why: str) -> MalformedClaimData:
    return MalformedClaimData(role.value, why)
