"""Who owns what and holds which role: by the registries' word, as of the moment a read is judged."""

from dataclasses import replace

import pytest

from app.standing import ChainStanding
from identity.access import TRAIL, Item, Purpose, Role, Scope, account_scope, judge_read, node_scope
from identity.access_errors import NotGranted
from identity.claim_data import pack_market
from identity.energy_roles import EnergyRole, role_node, role_nodes
from identity.facts import AccountOpened, AssetCreated, AssetRetired, AssetTransferred, ClaimRevoked
from identity.grants import Grant, Grants, give
from identity.registry import Registry
from tests.actors import BATTERY, CONSUMER, CONTRACT, NEIGHBOUR, OPERATOR, PRODUCER, STRANGER
from tests.registries import COMMUNITY, LABEL, ROLES, asset_facts, claim, role_facts

BEGIN, NOW = 1_781_000_000, 1_782_000_000
METER = Scope.meter(BATTERY.address)


class Street:
    """The registries of a street, and the standing that follows from them. The consumer owns the battery."""

    def __init__(self):
        self.registry, self.grants = Registry(ROLES), Grants()
        self.standing = ChainStanding(lambda: self.registry, role_nodes(LABEL), frozenset({OPERATOR.address}))
        self.tell(
            *role_facts(BEGIN),
            AccountOpened(7, CONSUMER.address),
            *asset_facts(1, BATTERY.address, CONSUMER.address, 7, BEGIN),
        )

    def tell(self, *facts):
        for fact in facts:
            self.registry.apply(fact)

    def give(self, actor, scope, at):
        grant = Grant(
            grantor=actor.address,
            grantee=STRANGER.address,
            role=None,
            purpose=Purpose.BILLING,
            scope=scope,
            until=NOW + 10_000,
            salt=at,
        )
        digest = grant.digest(CONTRACT.key)
        self.grants.apply(give(grant, actor.sign(digest), at, separator=CONTRACT.key, standing=self.standing))

    def may(self, actor, scope, at=NOW):
        try:
            judge_read(actor.address, Item((scope,)), at, self.standing, self.grants)
        except NotGranted:
            return False
        return True

    def holds(self, actor, role, at=NOW, node=None):
        return self.standing.holds(actor.address, role, at, node)


@pytest.fixture
def street():
    return Street()


def given_role(actor, role, issuer=COMMUNITY, at=BEGIN, data=bytes(32), **terms):
    return replace(claim(actor.address, EnergyRole(role), issuer, at, **terms), data=data)


def revoked_role(actor, role, at):
    return ClaimRevoked(actor.address, role_node(EnergyRole(role), LABEL), COMMUNITY.address, at)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.COMMUNITY_OPERATOR])
def test_a_role_is_held_from_its_claim_until_it_is_revoked(street, role):
    assert not street.holds(STRANGER, role)
    street.tell(given_role(STRANGER, role, at=NOW - 50))
    assert [street.holds(STRANGER, role, at) for at in (NOW - 51, NOW - 50, NOW)] == [False, True, True]
    street.tell(revoked_role(STRANGER, role, NOW))
    assert [street.holds(STRANGER, role, at) for at in (NOW - 1, NOW)] == [True, False]


def test_a_claim_that_has_expired_reads_nothing_more(street):
    street.tell(given_role(STRANGER, Role.METER_OPERATOR, expiry=NOW + 1))
    assert street.may(STRANGER, METER, NOW)
    assert not street.may(STRANGER, METER, NOW + 1)


def test_a_claim_by_nobody_who_may_issue_it_is_none(street):
    street.tell(given_role(STRANGER, Role.METER_OPERATOR, issuer=NEIGHBOUR))
    street.tell(given_role(PRODUCER, Role.METER_OPERATOR))
    assert not street.may(STRANGER, METER)
    assert street.may(PRODUCER, METER)
    street.tell(ClaimRevoked(COMMUNITY.address, role_node(EnergyRole.COMMUNITY_OPERATOR, LABEL), bytes(20), NOW))
    assert not street.may(PRODUCER, METER), "its issuer is nobody any more"


def test_a_role_of_another_community_opens_nothing_here(street):
    street.tell(*role_facts(BEGIN, "elsewhere"))
    street.tell(given_role(STRANGER, Role.METER_OPERATOR, label="elsewhere"))
    assert not street.may(STRANGER, METER)
    street.tell(given_role(STRANGER, Role.METER_OPERATOR))
    assert street.may(STRANGER, METER)


def test_a_grid_operator_reads_its_own_market_or_with_number_zero_all(street):
    street.tell(given_role(PRODUCER, Role.GRID_OPERATOR, data=pack_market(1)))
    street.tell(given_role(NEIGHBOUR, Role.GRID_OPERATOR, data=pack_market(0)))
    assert street.may(PRODUCER, node_scope(1))
    assert not street.may(PRODUCER, node_scope(2))
    assert street.may(NEIGHBOUR, node_scope(2))
    assert street.holds(PRODUCER, Role.GRID_OPERATOR)


def test_the_exchanges_own_keys_operate_it_and_so_does_who_is_given_the_role(street):
    assert street.may(OPERATOR, TRAIL)
    assert not street.may(STRANGER, TRAIL)
    street.tell(given_role(STRANGER, Role.EXCHANGE_OPERATOR))
    assert street.may(STRANGER, TRAIL)
    street.tell(revoked_role(STRANGER, Role.EXCHANGE_OPERATOR, NOW))
    assert not street.may(STRANGER, TRAIL)
    assert not street.holds(OPERATOR, Role.AUDITOR)


def test_a_revoked_auditor_reads_nothing_that_was_granted_to_auditors(street):
    grant = Grant(
        grantor=OPERATOR.address,
        grantee=None,
        role=Role.AUDITOR,
        purpose=Purpose.AUDIT,
        scope=TRAIL,
        until=NOW + 100,
    )
    signature = OPERATOR.sign(grant.digest(CONTRACT.key))
    street.grants.apply(give(grant, signature, NOW - 10, separator=CONTRACT.key, standing=street.standing))
    street.tell(given_role(STRANGER, Role.AUDITOR))
    assert street.may(STRANGER, TRAIL)
    street.tell(revoked_role(STRANGER, Role.AUDITOR, NOW))
    assert not street.may(STRANGER, TRAIL)


def test_the_former_owner_of_a_sold_asset_reads_its_meter_no_more(street):
    assert street.may(CONSUMER, METER)
    assert not street.may(NEIGHBOUR, METER)
    street.tell(AssetTransferred(BATTERY.address, NEIGHBOUR.address, NOW))
    assert street.may(CONSUMER, METER, NOW - 1)
    assert not street.may(CONSUMER, METER)
    assert street.may(NEIGHBOUR, METER), "though it has not enrolled the asset yet"
    assert street.standing.owner(account_scope(7), NOW) == CONSUMER.address, "the account stays who held it"
    street.tell(AssetRetired(BATTERY.address, NOW + 5))
    assert street.may(NEIGHBOUR, METER, NOW + 4)
    assert not street.may(NEIGHBOUR, METER, NOW + 5)


def test_a_seller_who_buys_back_does_not_revive_what_it_granted(street):
    street.give(CONSUMER, METER, NOW - 90)
    assert street.may(STRANGER, METER, NOW - 81)
    street.tell(AssetTransferred(BATTERY.address, NEIGHBOUR.address, NOW - 80))
    assert not street.may(STRANGER, METER, NOW - 80)
    street.tell(AssetTransferred(BATTERY.address, CONSUMER.address, NOW - 70))
    assert street.may(CONSUMER, METER)
    assert not street.may(STRANGER, METER)
    street.give(CONSUMER, METER, NOW - 60)
    assert street.may(STRANGER, METER)


def test_what_does_not_exist_belongs_to_nobody_and_makes_nobody_a_member(street):
    for scope in (account_scope(8), Scope.meter(STRANGER.address), node_scope(1), TRAIL):
        assert street.standing.owner(scope, NOW) is None
    street.tell(AssetCreated(STRANGER.address, NEIGHBOUR.address, NOW))
    assert street.standing.owner(Scope.meter(STRANGER.address), NOW - 1) is None
    assert street.standing.is_member(CONSUMER.address)
    assert not street.standing.is_member(NEIGHBOUR.address)
