"""Who may offer and who may bid in a balancing session, and at which rate: as of its gate closure.

An offer is a provider's, and asks no more than what its asset is certified to be paid: the supply rate for up, the
demand rate for down. A bid is the need of a node, and comes from an account of the node's operator, or of whom the
community has named as the node's balancing agent.
"""

from exchange.delivery import Product
from exchange.order import Order, Side
from exchange.parameters import Parameters
from identity.address import Address, to_text
from identity.claim_data import AssetProperties, BalancingRates, unpack_asset, unpack_rates
from identity.errors import (
    AssetNotCertified,
    MalformedClaimData,
    NotABalancingAgent,
    NotABalancingProvider,
    RateAboveCertified,
)
from identity.registry import Registry, Standing


def check_balancing(order: Order, standing: Standing, parameters: Parameters, registry: Registry, at: int) -> None:
    """Refuse an offer above its certified rate as of `at`, and a bid of who does not procure for the asset's node.

    That the asset is a balancing provider, where it offers, was checked before.
    """
    if order.side is Side.OFFER:
        if not parameters.balancing.free_rates:
            certified = rate_for(order.product, certified_rates(registry, standing, at))
            if order.limit > certified:
                raise RateAboveCertified(to_text(order.asset), order.limit, certified)
        return
    node, holder = parameters.node_of(order.asset), standing.account.holder
    if holder not in (parameters.tree[node].operator, parameters.balancing.agent(node)):
        raise NotABalancingAgent(to_text(holder), node)


def certified_rates(registry: Registry, standing: Standing, at: int) -> BalancingRates:
    """Return what an asset is certified to be paid for balancing as of `at`; refuses one whose claim says nothing."""
    identity = standing.asset.identity
    verdict = registry.authority.holds(identity, registry.roles.balancing, at)
    try:
        return unpack_rates(verdict.data)
    except MalformedClaimData as refusal:
        raise NotABalancingProvider(to_text(identity), at, refusal.why) from refusal


def certified_properties(registry: Registry, asset: Address, at: int) -> AssetProperties:
    """Return what an asset is certified to be as of `at`; refuses one whose claim says nothing."""
    verdict = registry.authority.holds(asset, registry.roles.asset, at)
    try:
        return unpack_asset(verdict.data)
    except MalformedClaimData as refusal:
        raise AssetNotCertified(to_text(asset), at, refusal.why) from refusal


def rate_for(product: Product, rates: BalancingRates) -> int:
    """Return the rate of a direction: supply is up, demand is down."""
    return rates.supply_micro_per_kwh if product is Product.BALANCING_UP else rates.demand_micro_per_kwh
