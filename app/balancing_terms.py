"""The table `[balancing]` of a community's file: the seed's settings, and who procures for which node."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from exchange.balancing_settings import (
    BALANCING_FLEXIBLE_LOADS_SUPPORT,
    BALANCING_OFFER_DEMAND_RATIO,
    BALANCING_OFFER_SUPPLY_RATIO,
    BALANCING_SPOT_TRADE_RATIO,
    ENABLE_BALANCING_MARKET,
    FREE_BALANCING_RATES,
    BalancingSettings,
)
from exchange.delivery import Market, Mechanism, Product
from exchange.units import MILLION
from identity.address import parse_address

_MOST_SECONDS = 366 * 24 * 3600
_MOST_CENTS = 1_000_000_000


class _Terms(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ProcuringAgent(_Terms):
    """Whom the community lets procure balancing for a node, besides the node's operator: an account's holder."""

    node: str
    holder: str = Field(pattern="^0x[0-9a-fA-F]{40}$")


class Balancing(_Terms):
    """The balancing market: the seed's settings under their names, ratios in parts per million.

    Its gate opens once everything else is cleared, and closes `lead_seconds` before delivery starts. What nodes procure
    is paid from their accounts, each of which begins with `deposit_cents`.
    """

    enable_balancing_market: bool = ENABLE_BALANCING_MARKET
    balancing_spot_trade_ratio_ppm: int = Field(default=BALANCING_SPOT_TRADE_RATIO, ge=0, le=MILLION)
    balancing_offer_demand_ratio_ppm: int = Field(default=BALANCING_OFFER_DEMAND_RATIO, ge=0, le=MILLION)
    balancing_offer_supply_ratio_ppm: int = Field(default=BALANCING_OFFER_SUPPLY_RATIO, ge=0, le=MILLION)
    balancing_flexible_loads_support: bool = BALANCING_FLEXIBLE_LOADS_SUPPORT
    free_balancing_rates: bool = FREE_BALANCING_RATES
    lead_seconds: int = Field(default=60, ge=0, le=_MOST_SECONDS)
    deposit_cents: int = Field(default=0, ge=0, le=_MOST_CENTS)
    agents: tuple[ProcuringAgent, ...] = Field(default=(), strict=False)

    def settings(self, numbers: Mapping[str, int]) -> BalancingSettings:
        """Return the settings as the exchange has them; `numbers` are those of the nodes, by name."""
        return BalancingSettings(
            enabled=self.enable_balancing_market,
            spot_trade_ratio=self.balancing_spot_trade_ratio_ppm,
            offer_demand_ratio=self.balancing_offer_demand_ratio_ppm,
            offer_supply_ratio=self.balancing_offer_supply_ratio_ppm,
            flexible_loads_support=self.balancing_flexible_loads_support,
            free_rates=self.free_balancing_rates,
            agents=tuple(sorted((numbers[agent.node], parse_address(agent.holder)) for agent in self.agents)),
        )

    def markets(self, first: int, others: Sequence[Market], window: int) -> tuple[Market, ...]:
        """Return the markets up and down, numbered from `first` on, beside all the `others`; none without balancing."""
        if not self.enable_balancing_market:
            return ()
        return tuple(
            Market(
                number=first + place,
                title=title,
                product=product,
                period=min(market.period for market in others),
                opening=min(market.lead - market.matching for market in others),
                lead=self.lead_seconds,
                window=window,
                mechanism=Mechanism.PAY_AS_OFFER,
            )
            for place, (title, product) in enumerate(
                (("balancing-up", Product.BALANCING_UP), ("balancing-down", Product.BALANCING_DOWN))
            )
        )
