"""The roles a community needs, who issues which, and what each may change.

The owner of the community's namespace lists the community operator's issuer: itself. The community operator makes
certifiers, grid operators, exchange operators, meter operators and auditors; certifiers certify assets and balancing
providers. What a claim to a role says in its 32 bytes stands in `claim_data.py`.
"""

from dataclasses import dataclass
from enum import StrEnum

from identity.address import Address
from identity.facts import RoleDefined
from identity.names import ROOT, namehash, role_name


class EnergyRole(StrEnum):
    """A role by its label."""

    ASSET = "asset"
    BALANCING_PROVIDER = "balancingprovider"
    COMMUNITY_OPERATOR = "communityoperator"
    GRID_OPERATOR = "gridoperator"
    EXCHANGE_OPERATOR = "exchangeoperator"
    AUDITOR = "auditor"
    METER_OPERATOR = "meteroperator"
    CERTIFIER = "certifier"


class Parameter(StrEnum):
    """What a community can agree on anew, and who may do so depends on a role."""

    HOMES = "homes"
    LEAST_ENERGY = "least_energy"
    MOST_ENERGY = "most_energy"
    LOWEST_LIMIT = "lowest_limit"
    HIGHEST_LIMIT = "highest_limit"
    FEE = "fee"
    FEE_ACCOUNT = "fee_account"
    IMPORT_LIMIT = "import_limit"
    EXPORT_LIMIT = "export_limit"
    MECHANISM = "mechanism"
    OPENING = "opening"
    LEAD = "lead"
    RECEIPTS = "receipts"
    BALANCING = "balancing"
    IMBALANCE_PRICE = "imbalance_price"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRule:
    """One role of the field: what it is for, which role issues it, what it may change.

    No `issuer`: the owner of the community's namespace is its one issuer. `ends_at_sale`: a claim of an asset ends
    with the ownership it was made in, since it was agreed with that owner.
    """

    role: EnergyRole
    purpose: str
    issuer: EnergyRole | None
    prerequisites: tuple[EnergyRole, ...] = ()
    ends_at_sale: bool = False
    may_change: tuple[Parameter, ...] = ()


RULES = {
    rule.role: rule
    for rule in (
        RoleRule(
            role=EnergyRole.COMMUNITY_OPERATOR,
            purpose="answers for the community: makes the roles below, and says which home an asset belongs to",
            issuer=None,
            may_change=(
                Parameter.HOMES,
                Parameter.LEAST_ENERGY,
                Parameter.MOST_ENERGY,
                Parameter.LOWEST_LIMIT,
                Parameter.HIGHEST_LIMIT,
            ),
        ),
        RoleRule(
            role=EnergyRole.GRID_OPERATOR,
            purpose="runs a part of the grid: opens its markets, sets their fees and limits",
            issuer=EnergyRole.COMMUNITY_OPERATOR,
            may_change=(Parameter.FEE, Parameter.FEE_ACCOUNT, Parameter.IMPORT_LIMIT, Parameter.EXPORT_LIMIT),
        ),
        RoleRule(
            role=EnergyRole.EXCHANGE_OPERATOR,
            purpose="runs the exchange: takes orders, clears, settles",
            issuer=EnergyRole.COMMUNITY_OPERATOR,
            may_change=(
                Parameter.MECHANISM,
                Parameter.OPENING,
                Parameter.LEAD,
                Parameter.RECEIPTS,
                Parameter.BALANCING,
            ),
        ),
        RoleRule(
            role=EnergyRole.METER_OPERATOR,
            purpose="answers for meters and their readings",
            issuer=EnergyRole.COMMUNITY_OPERATOR,
            may_change=(Parameter.IMBALANCE_PRICE,),
        ),
        RoleRule(
            role=EnergyRole.AUDITOR,
            purpose="reads what it was granted, and reports",
            issuer=EnergyRole.COMMUNITY_OPERATOR,
        ),
        RoleRule(
            role=EnergyRole.CERTIFIER,
            purpose="certifies what an asset is, and what it may be paid for balancing",
            issuer=EnergyRole.COMMUNITY_OPERATOR,
        ),
        RoleRule(
            role=EnergyRole.ASSET,
            purpose="may trade: its kind, energy type, rated power and capacity are certified",
            issuer=EnergyRole.CERTIFIER,
        ),
        RoleRule(
            role=EnergyRole.BALANCING_PROVIDER,
            purpose="may offer balancing at the two rates of the claim",
            issuer=EnergyRole.CERTIFIER,
            prerequisites=(EnergyRole.ASSET,),
            ends_at_sale=True,
        ),
    )
}
"""Every role, in an order in which issuers come before what they issue."""


def role_node(role: EnergyRole, label: str) -> bytes:
    """Return the node of a role of the community with this label."""
    return namehash(role_name(role, label))


def role_nodes(label: str) -> dict[EnergyRole, bytes]:
    """Return the nodes of all roles of the community with this label, issuers first."""
    return {role: role_node(role, label) for role in RULES}


def definition(role: EnergyRole, label: str, owner: Address, at: int = 0, version: int = 1) -> RoleDefined:
    """Return how the role is defined in the community with this label, whose namespace belongs to `owner`.

    Who issued a claim may always revoke it. Besides, the community operator may revoke every claim but its own kind,
    and the namespace's owner that one.
    """
    rule = RULES[role]
    top = rule.issuer is None
    return RoleDefined(
        node=role_node(role, label),
        name=role_name(role, label),
        version=version,
        issuers=(owner,) if top else (),
        issuer_role=ROOT if rule.issuer is None else role_node(rule.issuer, label),
        revokers=(owner,) if top else (),
        revoker_role=ROOT if top else role_node(EnergyRole.COMMUNITY_OPERATOR, label),
        prerequisites=tuple(role_node(needed, label) for needed in rule.prerequisites),
        all_prerequisites=True,
        most_seconds=0,
        ends_at_sale=rule.ends_at_sale,
        metadata=bytes(32),
        at=at,
    )


def who_may_change(parameter: Parameter) -> EnergyRole:
    """Return the role that a parameter is bound to: each to one."""
    return next(rule.role for rule in RULES.values() if parameter in rule.may_change)
