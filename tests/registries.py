"""What the registries would have logged for a street where assets are certified: the facts, without a chain."""

from collections.abc import Iterator

from identity.address import Address
from identity.energy_roles import RULES, EnergyRole, definition, role_node
from identity.facts import (
    AssetCreated,
    AssetEnrolled,
    ClaimRegistered,
    DelegateChanged,
    IdentityFact,
)
from identity.purposes import TRADE, delegate_type
from identity.registry import RequiredRoles
from tests.actors import Actor

LABEL = "street"
NAMESPACE_OWNER, COMMUNITY, CERTIFIER = Actor("namespace owner"), Actor("community operator"), Actor("certifier")
EVER = (1 << 40) - 1
GRID_OPERATOR = Actor("grid operator")
ASSET_ROLE, BALANCING_ROLE, GRID_OPERATOR_ROLE = (
    role_node(role, LABEL) for role in (EnergyRole.ASSET, EnergyRole.BALANCING_PROVIDER, EnergyRole.GRID_OPERATOR)
)
ROLES = RequiredRoles(asset=ASSET_ROLE, balancing=BALANCING_ROLE, grid_operator=GRID_OPERATOR_ROLE)


def role_facts(at: int = 0, label: str = LABEL) -> Iterator[IdentityFact]:
    """Every role of the field is defined; there is a community operator, a certifier and a grid operator, for ever."""
    for role in RULES:
        yield definition(role, label, NAMESPACE_OWNER.address, at)
    yield claim(COMMUNITY.address, EnergyRole.COMMUNITY_OPERATOR, NAMESPACE_OWNER, at, label=label)
    yield claim(CERTIFIER.address, EnergyRole.CERTIFIER, COMMUNITY, at, label=label)
    yield claim(GRID_OPERATOR.address, EnergyRole.GRID_OPERATOR, COMMUNITY, at, label=label)


def claim(
    subject: Address,
    role: EnergyRole,
    issuer: Actor = CERTIFIER,
    at: int = 0,
    expiry: int = EVER,
    epoch: int = 0,
    label: str = LABEL,
) -> ClaimRegistered:
    """The issuer says that the subject has the role."""
    return ClaimRegistered(
        subject=subject,
        role=role_node(role, label),
        version=1,
        expiry=expiry,
        issuer=issuer.address,
        data=bytes(32),
        epoch=epoch,
        at=at,
    )


def asset_facts(
    number: int, identity: Address, owner: Address, account: int, at: int = 0, expiry: int = EVER
) -> Iterator[IdentityFact]:
    """The asset is created by its owner, certified until before `expiry`, and enrolled."""
    yield AssetCreated(identity, owner, at)
    yield claim(identity, EnergyRole.ASSET, at=at, expiry=expiry, epoch=1)
    yield AssetEnrolled(number, identity, account, 1, expiry - 1, 0)


def delegation(identity: Address, agent: Address, valid_to: int, epoch: int = 1, at: int = 0) -> DelegateChanged:
    """The asset says that the agent may trade for it before `valid_to`, in an ownership epoch."""
    return DelegateChanged(identity, delegate_type(TRADE, epoch), agent, valid_to, at)
