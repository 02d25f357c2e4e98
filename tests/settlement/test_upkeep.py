"""What the contract is to be told: whom to enrol, about whom to ask anew, and when there is nothing to do."""

import pytest

from identity.energy_roles import EnergyRole
from identity.facts import (
    AccountOpened,
    AssetCreated,
    AssetEnrolled,
    AssetRefreshed,
    AssetTransferred,
    ClaimRevoked,
)
from identity.registry import Registry
from settlement.upkeep import Upkeep, upkeep
from tests.actors import BATTERY, CONSUMER, PRODUCER
from tests.registries import ASSET_ROLE, CERTIFIER, ROLES, claim, role_facts

NOW = 1_000_000
CACHE = 1_000
IDLE = Upkeep((), ())
EXPIRY = NOW + 100_000


def registry(*facts):
    known = Registry(ROLES)
    for fact in (*role_facts(), *facts):
        known.apply(fact)
    return known


OPENED = (AccountOpened(1, PRODUCER.address), AccountOpened(2, CONSUMER.address), AccountOpened(3, PRODUCER.address))
CREATED = AssetCreated(BATTERY.address, PRODUCER.address, 10)
CERTIFIED = claim(BATTERY.address, EnergyRole.ASSET, at=20, expiry=EXPIRY, epoch=1)


def enrolled(until, balancing_until=0):
    return (*OPENED, CREATED, CERTIFIED, AssetEnrolled(1, BATTERY.address, 1, 1, until, balancing_until))


def test_a_certified_asset_is_enrolled_under_the_first_account_of_its_owner():
    assert upkeep(registry(*OPENED, CREATED, CERTIFIED), NOW, CACHE) == Upkeep(((BATTERY.address, 1),), ())


@pytest.mark.parametrize(
    "facts",
    [
        (*OPENED, CREATED),
        (CREATED, CERTIFIED),
        (*OPENED, CREATED, CERTIFIED, ClaimRevoked(BATTERY.address, ASSET_ROLE, CERTIFIER.address, 30)),
    ],
    ids=["not certified", "an owner without an account", "revoked"],
)
def test_what_the_contract_would_refuse_is_not_asked_for(facts):
    assert upkeep(registry(*facts), NOW, CACHE) == IDLE


@pytest.mark.parametrize(
    ("until", "due"),
    [(NOW + CACHE, False), (NOW + CACHE // 2, False), (NOW + CACHE // 2 - 1, True), (NOW - 1, True)],
)
def test_an_answer_is_refreshed_when_half_of_its_time_is_over(until, due):
    assert upkeep(registry(*enrolled(until)), NOW, CACHE) == (Upkeep((), (1,)) if due else IDLE)


def test_nothing_is_refreshed_where_the_registries_have_no_more_to_give():
    assert upkeep(registry(*enrolled(EXPIRY - 1)), EXPIRY - 10, CACHE) == IDLE


def test_an_answer_that_promises_too_much_is_refreshed_once():
    revoked = ClaimRevoked(BATTERY.address, ASSET_ROLE, CERTIFIER.address, NOW - 5)
    assert upkeep(registry(*enrolled(NOW + CACHE), revoked), NOW, CACHE) == Upkeep((), (1,))
    assert upkeep(registry(*enrolled(NOW + CACHE), revoked, AssetRefreshed(1, NOW - 6, 0)), NOW, CACHE) == IDLE


def test_a_balancing_providers_answer_is_refreshed_too():
    balancing = claim(BATTERY.address, EnergyRole.BALANCING_PROVIDER, at=20, expiry=EXPIRY, epoch=1)
    assert upkeep(registry(*enrolled(NOW + CACHE), balancing), NOW, CACHE) == Upkeep((), (1,))
    refreshed = AssetRefreshed(1, NOW + CACHE, NOW + CACHE)
    assert upkeep(registry(*enrolled(NOW + CACHE), balancing, refreshed), NOW, CACHE) == IDLE


def test_after_a_sale_the_old_enrolment_is_ended_and_the_new_owner_enrolled():
    sold = AssetTransferred(BATTERY.address, CONSUMER.address, NOW - 5)
    known = registry(*enrolled(NOW + CACHE), sold)
    assert upkeep(known, NOW, CACHE) == Upkeep(((BATTERY.address, 2),), (1,))
    known.apply(AssetRefreshed(1, NOW - 6, 0))
    known.apply(AssetEnrolled(2, BATTERY.address, 2, 2, NOW + CACHE, 0))
    assert upkeep(known, NOW, CACHE) == IDLE
