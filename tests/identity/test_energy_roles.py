"""The roles of a community: who issues which, and what each may change."""

import pytest

from identity.energy_roles import RULES, EnergyRole, Parameter, definition, role_node, role_nodes, who_may_change
from identity.names import ROOT, namehash
from tests.actors import Actor

OWNER = Actor("owner of the namespace").address


def test_every_role_has_a_rule():
    assert set(RULES) == set(EnergyRole)


def test_every_role_is_issued_by_one_that_is_made_before():
    made = []
    for role, rule in RULES.items():
        assert rule.issuer is None or rule.issuer in made
        assert set(rule.prerequisites) <= set(made)
        made.append(role)


def test_the_owner_of_the_namespace_makes_the_community_operator_and_nobody_else():
    assert [role for role, rule in RULES.items() if rule.issuer is None] == [EnergyRole.COMMUNITY_OPERATOR]
    top = definition(EnergyRole.COMMUNITY_OPERATOR, "sunny", OWNER)
    assert (top.issuers, top.issuer_role, top.revokers, top.revoker_role) == ((OWNER,), ROOT, (OWNER,), ROOT)


@pytest.mark.parametrize("role", [EnergyRole.ASSET, EnergyRole.BALANCING_PROVIDER])
def test_certifiers_issue_what_assets_hold_and_the_operator_may_revoke_it(role):
    defined = definition(role, "sunny", OWNER, at=9)
    assert (defined.issuers, defined.revokers) == ((), ())
    assert defined.issuer_role == role_node(EnergyRole.CERTIFIER, "sunny")
    assert defined.revoker_role == role_node(EnergyRole.COMMUNITY_OPERATOR, "sunny")
    assert namehash(defined.name) == defined.node == role_nodes("sunny")[role]
    assert defined.at == 9


def test_only_the_balancing_provider_ends_with_a_sale():
    ending = [role for role in EnergyRole if definition(role, "sunny", OWNER).ends_at_sale]
    assert ending == [EnergyRole.BALANCING_PROVIDER]


@pytest.mark.parametrize("parameter", Parameter)
def test_every_parameter_is_bound_to_one_role(parameter):
    bound = [role for role, rule in RULES.items() if parameter in rule.may_change]
    assert bound == [who_may_change(parameter)]


@pytest.mark.parametrize("role", [EnergyRole.ASSET, EnergyRole.BALANCING_PROVIDER, EnergyRole.AUDITOR])
def test_who_is_certified_or_audits_changes_nothing(role):
    assert RULES[role].may_change == ()
