"""Anybody enrols an asset under its owner's account; what the registries say of it is cached, and bounded in time."""

import pytest

from contracts.artifacts import load
from tests.contracts.orders import address_of
from tests.contracts.registries import ASSET, BALANCING
from tests.contracts.town import CACHE, Contract, refused

PRODUCER, CONSUMER = "the producer", "the consumer"
FIRST_EPOCH = 1


@pytest.fixture
def roof(town):
    """A roof of the producer's that is certified and not enrolled yet."""
    town.identities["the roof"] = town.registries.create(PRODUCER)
    town.registries.certify(town.identities["the roof"], ASSET, holder=PRODUCER)
    return town.identities["the roof"]


def bound(town):
    return town.machine.now + CACHE


def test_an_asset_is_enrolled_under_its_owners_account_by_anybody(town, roof):
    number = town.accounts[PRODUCER]
    outcome = town.send("a passer-by", "enrol", roof, number)
    asset = town.read("asset_count")
    identity = "0x" + roof.hex()
    assert town.read("asset", asset) == (identity, number, bound(town), 0)
    assert town.read("asset_of", roof) == asset
    assert town.read("epoch_of", asset) == FIRST_EPOCH
    fields = {"asset": asset, "identity": identity, "account": number, "epoch": FIRST_EPOCH}
    assert town.settlement.events(outcome) == [("AssetEnrolled", fields | {"until": bound(town), "balancing_until": 0})]


def test_an_account_of_somebody_else_is_refused(town, roof):
    with refused("assets: not its owner's account"):
        town.enrol_again(CONSUMER, "the roof", sender=PRODUCER)
    town.enrol_again(PRODUCER, "the roof")


def test_what_the_asset_registry_does_not_know_is_refused(town):
    """Not even with a certificate, which anybody can have for an identity of its own."""
    town.registries.certify(address_of(PRODUCER), ASSET, holder=PRODUCER)
    with refused("assets: not its owner's account"):
        town.send(PRODUCER, "enrol", address_of(PRODUCER), town.accounts[PRODUCER])


def test_an_asset_that_was_retired_is_refused(town, roof):
    town.registries.retire(roof, PRODUCER)
    with refused("assets: not its owner's account"):
        town.enrol_again(PRODUCER, "the roof")


def test_an_asset_needs_an_account(town, roof):
    for number in (0, town.read("account_count") + 1, 2**200):
        with refused("assets: no such account"):
            town.send("a passer-by", "enrol", roof, number)
    town.enrol_again(PRODUCER, "the roof")


def test_an_asset_that_nobody_certified_is_refused(town):
    town.identities["a barn"] = town.registries.create(PRODUCER)
    with refused("assets: not certified"):
        town.enrol_again(PRODUCER, "a barn")
    town.registries.certify(town.identities["a barn"], ASSET, holder=PRODUCER)
    town.enrol_again(PRODUCER, "a barn")


def test_a_certificate_counts_to_the_second_before_its_expiry(town):
    for name, lasts in (("a barn", 60), ("a shed", 61)):
        town.identities[name] = town.registries.create(PRODUCER)
        town.registries.certify(town.identities[name], ASSET, holder=PRODUCER, expiry=town.machine.now + lasts)
    town.move_to(town.machine.now + 60)
    with refused("assets: not certified"):
        town.enrol_again(PRODUCER, "a barn")
    assert town.until(town.enrol_again(PRODUCER, "a shed")) == (town.machine.now, 0)


def test_a_certificate_that_was_revoked_is_refused(town, roof):
    town.registries.revoke(roof, ASSET)
    with refused("assets: not certified"):
        town.enrol_again(PRODUCER, "the roof")


# once an epoch


def test_an_asset_is_enrolled_once(town, roof):
    town.enrol_again(PRODUCER, "the roof")
    for sender in ("a passer-by", PRODUCER):
        with refused("assets: enrolled already"):
            town.enrol_again(PRODUCER, "the roof", sender)


def test_the_owner_moves_an_asset_to_another_of_its_accounts_and_nobody_else_does(town, roof):
    """A stranger that was quicker, and chose an account that it had opened for the owner, gains nothing."""
    town.send("a stranger", "open_account", address_of(PRODUCER))
    strangers_choice = town.read("account_count")
    town.send("a stranger", "enrol", roof, strangers_choice)
    before = town.read("asset_count")
    town.move_to(town.machine.now + 60)
    with refused("assets: enrolled already"):
        town.enrol_again(PRODUCER, "the roof", "a stranger")
    number = town.enrol_again(PRODUCER, "the roof", PRODUCER)
    assert town.until(before) == (town.machine.now - 1, 0)
    assert town.until(number) == (bound(town), 0)
    town.refresh(before)
    assert town.until(before) == (town.machine.now - 1, 0)
    assert town.read("asset_of", roof) == number


def test_the_last_asset_number_is_given_out_and_no_more(own_town):
    # the count lies behind the accounts, of which there is place for 2**32
    own_town.machine.raise_count(own_town.settlement.address, own_town.read("asset_count"), 2**32 - 2, near=2**32)
    assert own_town.enrol(PRODUCER, "the last roof") == 2**32 - 1
    with refused("assets: no asset number left"):
        own_town.enrol(PRODUCER, "one roof more")


# refreshing


def test_anybody_refreshes_and_the_bound_moves_on(town):
    number = town.assets[PRODUCER]
    town.move_to(town.machine.now + CACHE + 1)
    assert town.until(number)[0] < town.machine.now
    outcome = town.refresh(number, sender="a stranger")
    assert town.until(number) == (bound(town), 0)
    fields = {"asset": number, "until": bound(town), "balancing_until": 0}
    assert town.settlement.events(outcome) == [("AssetRefreshed", fields)]


def test_several_are_refreshed_at_once_and_at_most_64(town):
    numbers = [town.assets[PRODUCER], town.assets[CONSUMER]]
    town.move_to(town.machine.now + 60)
    town.refresh(*numbers)
    assert [town.until(number) for number in numbers] == [(bound(town), 0)] * 2
    town.refresh(*numbers * 32)
    with refused(""):
        town.refresh(*numbers * 32, numbers[0])


def test_what_was_never_enrolled_is_not_refreshed(town):
    for number in (0, town.read("asset_count") + 1, 2**200):
        with refused("assets: no such asset"):
            town.refresh(town.assets[PRODUCER], number)


def test_a_revocation_ends_an_asset_the_second_before_it_however_late_it_is_refreshed(town):
    number = town.assets[PRODUCER]
    town.move_to(town.machine.now + 60)
    revoked_at = town.machine.now
    town.registries.revoke(town.identities[PRODUCER], ASSET)
    town.move_to(revoked_at + 600)
    town.refresh(number)
    assert town.until(number) == (revoked_at - 1, 0)


def test_a_certificate_that_is_renewed_counts_again(town):
    number = town.assets[PRODUCER]
    town.registries.revoke(town.identities[PRODUCER], ASSET)
    town.refresh(number)
    assert town.until(number)[0] < town.machine.now
    town.move_to(town.machine.now + 60)
    town.registries.certify(town.identities[PRODUCER], ASSET, holder=PRODUCER)
    town.refresh(number)
    assert town.until(number) == (bound(town), 0)


def test_who_certified_must_still_count(town):
    """A certifier that the role no longer lists has certified nothing."""
    number = town.assets[PRODUCER]
    town.registries.define(ASSET, "another certifier")
    town.refresh(number)
    assert town.until(number)[0] < town.machine.now


def test_a_provider_is_one_until_its_claim_ends(town):
    number, identity = town.assets[PRODUCER], town.identities[PRODUCER]
    expiry = town.machine.now + 3_600
    town.registries.certify(identity, BALANCING, holder=PRODUCER, expiry=expiry)
    town.refresh(number)
    assert town.until(number) == (bound(town), expiry - 1)


def test_a_provider_is_one_from_its_enrolment_on(town, roof):
    town.registries.certify(roof, BALANCING, holder=PRODUCER)
    assert town.until(town.enrol_again(PRODUCER, "the roof")) == (bound(town), bound(town))


# what is fixed when it is deployed


@pytest.mark.parametrize("registry", ["asset_registry", "role_registry"])
def test_a_registry_without_code_is_refused(town, registry):
    with refused("assets: registry has no code"):
        Contract(town.machine, load("Settlement"), "the deployer", *town.arguments(**{registry: b"\x01" * 20}))


def test_a_cache_beyond_a_century_is_refused(town):
    with refused("assets: cache is too long"):
        Contract(town.machine, load("Settlement"), "the deployer", *town.arguments(cache_seconds=2**32))
    Contract(town.machine, load("Settlement"), "the deployer", *town.arguments(cache_seconds=2**32 - 1))


def test_what_the_contract_asks_and_for_how_long_it_believes_can_be_read(town):
    asked = ("did_registry", "asset_registry", "role_registry", "asset_role", "balancing_role", "grid_operator_role")
    values = town.arguments()[3:]
    assert [town.read(name) for name in (*asked, "cache_seconds")] == [
        "0x" + value.hex() if isinstance(value, bytes) and len(value) == 20 else value for value in values
    ]


def test_the_end_of_the_cache_never_overflows_its_place(town):
    """An asset of a settlement that believes for a century is current until the last second there is place for."""
    there = town.another(cache_seconds=2**32 - 1)
    there.open_account(PRODUCER)
    assert there.until(there.enrol_again(PRODUCER, PRODUCER)) == (2**32 - 1, 0)
