"""The settings of the balancing market, under the names of the seed, with their defaults.

Ratios are parts per million, so that nothing is rounded: the seed's 0.2 is 200,000. A community's file says them in its
table `[balancing]` under the same names in small letters, ratios with `_ppm` behind them; they are part of the
parameters, and so of the hash that is committed with every session.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exchange.units import MILLION
from identity.address import Address, parse_address, to_text

ENABLE_BALANCING_MARKET = False
"""Whether there is a balancing market."""

BALANCING_SPOT_TRADE_RATIO = 200_000
"""How much of the energy traded on spot a balancing agent secures, up and down: ppm, 0.2."""

BALANCING_OFFER_DEMAND_RATIO = 100_000
"""How much of its energy an asset offers to take more of (demand, down): ppm, 0.1."""

BALANCING_OFFER_SUPPLY_RATIO = 100_000
"""How much of its energy an asset offers to give (supply, up): ppm, 0.1."""

BALANCING_FLEXIBLE_LOADS_SUPPORT = True
"""Whether loads offer to be shed (supply, up)."""

FREE_BALANCING_RATES = False
"""Whether a provider may ask more than the rate that its certificate names. Not of the seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancingSettings:
    """How a community balances. `agents` are nodes, each with whom it lets procure there besides its operator."""

    enabled: bool = ENABLE_BALANCING_MARKET
    spot_trade_ratio: int = BALANCING_SPOT_TRADE_RATIO
    offer_demand_ratio: int = BALANCING_OFFER_DEMAND_RATIO
    offer_supply_ratio: int = BALANCING_OFFER_SUPPLY_RATIO
    flexible_loads_support: bool = BALANCING_FLEXIBLE_LOADS_SUPPORT
    free_rates: bool = FREE_BALANCING_RATES
    agents: tuple[tuple[int, Address], ...] = ()
    _agents: dict[int, Address] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ratios = (self.spot_trade_ratio, self.offer_demand_ratio, self.offer_supply_ratio)
        if not all(0 <= ratio <= MILLION for ratio in ratios):
            raise ValueError("a balancing ratio is between nothing and the whole, in parts per million")
        if [node for node, _ in self.agents] != sorted({node for node, _ in self.agents}):
            raise ValueError("balancing agents are listed by node, in ascending order, and each node once")
        object.__setattr__(self, "_agents", dict(self.agents))

    def agent(self, node: int) -> Address | None:
        """Return whom the community lets procure for a node besides its operator, if anybody."""
        return self._agents.get(node)

    def to_document(self) -> dict[str, object]:
        """Return the settings as plain values for JSON, under the names of a community's file."""
        return {
            "enable_balancing_market": self.enabled,
            "balancing_spot_trade_ratio_ppm": self.spot_trade_ratio,
            "balancing_offer_demand_ratio_ppm": self.offer_demand_ratio,
            "balancing_offer_supply_ratio_ppm": self.offer_supply_ratio,
            "balancing_flexible_loads_support": self.flexible_loads_support,
            "free_balancing_rates": self.free_rates,
            "agents": [[node, to_text(agent)] for node, agent in self.agents],
        }


NO_BALANCING = BalancingSettings()


def settings_from_document(document: Mapping[str, Any]) -> BalancingSettings:
    """Read settings from plain values; raises `ValueError`, `KeyError` or `TypeError` for what is no such document."""
    rest = dict(document)
    settings = BalancingSettings(
        enabled=_truth(rest.pop("enable_balancing_market")),
        spot_trade_ratio=_whole(rest.pop("balancing_spot_trade_ratio_ppm")),
        offer_demand_ratio=_whole(rest.pop("balancing_offer_demand_ratio_ppm")),
        offer_supply_ratio=_whole(rest.pop("balancing_offer_supply_ratio_ppm")),
        flexible_loads_support=_truth(rest.pop("balancing_flexible_loads_support")),
        free_rates=_truth(rest.pop("free_balancing_rates")),
        agents=tuple((_whole(node), parse_address(agent)) for node, agent in rest.pop("agents")),
    )
    if rest:
        raise ValueError(f"balancing knows no {', '.join(sorted(rest))}")
    return settings


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value
