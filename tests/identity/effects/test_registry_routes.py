"""The registries over HTTP: what is shown of assets, roles and delegations while they last, and when they end."""

from dataclasses import replace

import pytest

from identity.address import to_text
from identity.assertion import VERI_KEY
from identity.claim_data import AssetKind, AssetProperties, BalancingRates, EnergyType
from identity.did import to_did
from identity.energy_roles import EnergyRole
from identity.facts import (
    AccountOpened,
    AssetCreated,
    AssetOffered,
    AssetRetired,
    AssetTransferred,
    ClaimRevoked,
    DelegateChanged,
    OfferWithdrawn,
)
from identity.names import role_name
from identity.purposes import METER_DATA, delegate_type
from tests.actors import AGENT, CONSUMER, METER, NEIGHBOUR, PRODUCER, STRANGER
from tests.identity.effects.shown_street import BEGIN, CHAIN_ID, NOW, ShownStreet, asset_at
from tests.registries import ASSET_ROLE, CERTIFIER, COMMUNITY, EVER, LABEL, asset_facts, claim, delegation, role_facts

ROOF, LOAD, OLD = (asset_at(number) for number in (1, 2, 3))
PV = AssetProperties(AssetKind.PV, EnergyType.PV, 5_000)
RATES = BalancingRates(330_000, 350_000)
SOLD = NOW - 1_000
CERTIFIERS = role_name(EnergyRole.CERTIFIER, LABEL)
ASSETS = role_name(EnergyRole.ASSET, LABEL)


@pytest.fixture
def street():
    """A roof of the producer, traded for by the agent; a load of the consumer; an old asset that is retired."""
    street = ShownStreet()
    street.tell(*role_facts(BEGIN), AccountOpened(1, PRODUCER.address), AccountOpened(2, CONSUMER.address))
    street.tell(AssetCreated(ROOF, PRODUCER.address, BEGIN))
    street.tell(replace(claim(ROOF, EnergyRole.ASSET, at=BEGIN, epoch=1), data=PV.pack()))
    street.tell(*list(asset_facts(1, ROOF, PRODUCER.address, 1, BEGIN))[2:])
    street.tell(delegation(ROOF, AGENT.address, NOW + 100, at=BEGIN + 5))
    street.tell(*asset_facts(2, LOAD, CONSUMER.address, 2, BEGIN))
    street.tell(AssetCreated(OLD, PRODUCER.address, BEGIN), AssetRetired(OLD, BEGIN + 50))
    return street


def shown(street, asset=ROOF):
    return street.got(f"/v1/assets/{to_text(asset)}")


# Assets


def test_assets_are_listed_by_address_a_page_at_a_time(street):
    everything = [each["asset"] for each in street.got("/v1/assets")["assets"]]
    assert everything == [to_text(asset) for asset in sorted((ROOF, LOAD, OLD))]
    first = street.got("/v1/assets", limit=2)
    second = street.got("/v1/assets", limit=2, cursor=first["next"])
    assert [each["asset"] for each in first["assets"] + second["assets"]] == everything
    assert second["next"] is None


def test_assets_are_listed_by_owner_and_by_account(street):
    owned = street.got("/v1/assets", owner=to_text(PRODUCER.address))["assets"]
    assert [each["asset"] for each in owned] == [to_text(ROOF)], "what was retired belongs to nobody"
    traded = street.got("/v1/assets", account=2)["assets"]
    assert [each["asset"] for each in traded] == [to_text(LOAD)]


def test_an_asset_is_found_by_its_address_and_by_its_did(street):
    by_did = street.got(f"/v1/assets/{to_did(CHAIN_ID, ROOF)}")
    assert by_did == shown(street)
    assert by_did["did"] == to_did(CHAIN_ID, ROOF)


@pytest.mark.parametrize(
    ("asset", "refusal"),
    [
        (to_text(STRANGER.address), (404, "no-such-asset")),
        (to_did(1, ROOF), (404, "no-such-asset")),
        ("did:ethr:nowhere:" + to_text(ROOF), (404, "unknown-network")),
        ("did:ethr:0x539:0x12", (422, "malformed-did")),
        ("roof", (422, "malformed-address")),
    ],
)
def test_what_is_no_asset_here_is_refused(street, asset, refusal):
    assert street.refused(f"/v1/assets/{asset}") == refusal


def test_a_certified_asset_shows_what_is_certified_and_on_whose_word(street):
    (certified,) = shown(street)["claims"]
    assert (certified["role"], certified["holds"], certified["failed"]) == (ASSETS, True, None)
    assert certified["says"] == {"kind": "pv", "energy_type": "pv", "rated_power_w": 5_000, "capacity_wh": 0}
    assert [link["issuer"] for link in certified["chain"]][:2] == [
        to_text(CERTIFIER.address),
        to_text(COMMUNITY.address),
    ]


def test_a_revoked_claim_shows_since_when_it_fails(street):
    street.tell(ClaimRevoked(ROOF, ASSET_ROLE, CERTIFIER.address, NOW - 5))
    (revoked,) = shown(street)["claims"]
    assert (revoked["holds"], revoked["revoked_at"]) == (False, NOW - 5)
    assert (revoked["failed"]["step"], revoked["failed"]["since"]) == ("revoked", NOW - 5)
    assert revoked["held_until"] == NOW - 6


def test_a_claim_whose_certifier_lost_its_role_fails_at_the_certifier(street):
    street.tell(ClaimRevoked(CERTIFIER.address, claim(ROOF, EnergyRole.CERTIFIER).role, COMMUNITY.address, NOW - 5))
    (orphaned,) = shown(street)["claims"]
    assert not orphaned["holds"]
    assert (orphaned["failed"]["step"], orphaned["failed"]["subject"]) == ("revoked", to_text(CERTIFIER.address))
    assert orphaned["failed"]["role"] == CERTIFIERS


def test_an_offer_is_shown_until_it_is_over(street):
    street.tell(AssetOffered(ROOF, PRODUCER.address, NEIGHBOUR.address, NOW + 10, NOW))
    assert shown(street)["offer"] == {"to": to_text(NEIGHBOUR.address), "until": NOW + 10, "at": NOW}
    street.now = NOW + 10
    assert shown(street)["offer"] is not None, "it can be accepted in its last second"
    street.now = NOW + 11
    assert shown(street)["offer"] is None


@pytest.mark.parametrize("rejected", [True, False])
def test_an_offer_that_was_withdrawn_is_not_shown(street, rejected):
    street.tell(AssetOffered(ROOF, PRODUCER.address, NEIGHBOUR.address, 0, NOW))
    assert shown(street)["offer"]["until"] is None
    street.tell(OfferWithdrawn(ROOF, rejected, NOW))
    assert shown(street)["offer"] is None


def test_a_sold_asset_shows_both_owners_and_what_ended_with_the_sale(street):
    balancing = claim(ROOF, EnergyRole.BALANCING_PROVIDER, at=BEGIN + 1, epoch=1)
    street.tell(replace(balancing, data=RATES.pack()))
    street.tell(AssetOffered(ROOF, PRODUCER.address, NEIGHBOUR.address, 0, SOLD - 1))
    assert [each["holds"] for each in shown(street)["claims"]] == [True, True]
    street.tell(AssetTransferred(ROOF, NEIGHBOUR.address, SOLD))
    sold = shown(street)
    assert (sold["owner"], sold["epoch"], sold["enrolment"]) == (to_text(NEIGHBOUR.address), 2, None)
    assert [(each["owner"], each["ended"]) for each in sold["owners"]] == [
        (to_text(PRODUCER.address), SOLD),
        (to_text(NEIGHBOUR.address), None),
    ]
    assert sold["offer"] is None
    by_role = {each["role"]: each for each in sold["claims"]}
    assert by_role[ASSETS]["holds"], "what it is does not change with its owner"
    ended = by_role[role_name(EnergyRole.BALANCING_PROVIDER, LABEL)]
    assert (ended["failed"]["step"], ended["failed"]["since"]) == ("ended-at-sale", SOLD)
    assert ended["says"] == {"demand_micro_per_kwh": 330_000, "supply_micro_per_kwh": 350_000}
    (delegated,) = sold["delegations"]
    assert (delegated["standing"], delegated["ended_at"], delegated["epoch"]) == ("ended-at-sale", SOLD, 1)


def test_a_retired_asset_is_nobodys_since(street):
    retired = shown(street, OLD)
    assert (retired["owner"], retired["retired_at"]) == (None, BEGIN + 50)


def test_device_keys_are_shown_while_they_last_and_after(street):
    street.tell(DelegateChanged(ROOF, VERI_KEY, METER.address, NOW + 1, NOW))
    (key,) = shown(street)["device_keys"]
    assert (key["key"], key["valid"]) == (to_text(METER.address), True)
    street.now = NOW + 1
    assert not shown(street)["device_keys"][0]["valid"]


# Delegations


def test_delegations_are_found_by_asset_and_by_agent(street):
    by_asset = street.got("/v1/delegations", asset=to_text(ROOF))["delegations"]
    assert by_asset == street.got("/v1/delegations", agent=to_text(AGENT.address))["delegations"]
    (only,) = by_asset
    assert (only["purpose"], only["standing"], only["valid_to"]) == ("merit.trade.v1", "current", NOW + 100)
    both = {"asset": to_text(ROOF), "agent": to_text(AGENT.address)}
    assert street.got("/v1/delegations", **both)["delegations"] == by_asset
    assert street.got("/v1/delegations", **both | {"agent": to_text(STRANGER.address)})["delegations"] == []


def test_a_delegation_is_over_in_the_second_it_ends(street):
    street.now = NOW + 99
    assert street.got("/v1/delegations", asset=to_text(ROOF))["delegations"][0]["standing"] == "current"
    street.now = NOW + 100
    (expired,) = street.got("/v1/delegations", asset=to_text(ROOF))["delegations"]
    assert (expired["standing"], expired["ended_at"]) == ("ended", NOW + 100)


def test_delegations_of_an_agent_come_a_page_of_assets_at_a_time(street):
    street.tell(delegation(LOAD, AGENT.address, NOW + 100, at=NOW))
    first = street.got("/v1/delegations", agent=to_text(AGENT.address), limit=1)
    second = street.got("/v1/delegations", agent=to_text(AGENT.address), limit=1, cursor=first["next"])
    assets = [each["asset"] for each in first["delegations"] + second["delegations"]]
    assert (assets, second["next"]) == ([to_text(asset) for asset in sorted((ROOF, LOAD))], None)


def test_delegations_of_nobody_in_particular_are_not_listed(street):
    assert street.refused("/v1/delegations") == (422, "malformed-request")


def test_delegations_of_what_is_no_asset_are_refused(street):
    assert street.refused("/v1/delegations", asset=to_text(STRANGER.address)) == (404, "no-such-asset")


# Roles


def test_roles_are_listed_by_name_with_who_issues_them(street):
    roles = street.got("/v1/roles")["roles"]
    assert [each["name"] for each in roles] == sorted(role_name(role, LABEL) for role in EnergyRole)
    by_name = {each["name"]: each for each in roles}
    assert by_name[ASSETS]["issuer_role"] == CERTIFIERS
    assert "least_energy" in by_name[role_name(EnergyRole.COMMUNITY_OPERATOR, LABEL)]["may_change"]
    assert street.got("/v1/roles", cursor=roles[-2]["name"])["roles"] == roles[-1:]


def test_a_role_shows_who_has_claims_and_whether_they_hold(street):
    holders = street.got(f"/v1/roles/{ASSETS}")["holders"]
    assert [(each["subject"], each["holds"]) for each in holders] == [
        (to_text(asset), True) for asset in sorted((ROOF, LOAD))
    ]
    before = street.got(f"/v1/roles/{ASSETS}", at=BEGIN - 1)["holders"]
    assert {each["failed"]["step"] for each in before} == {"not-yet-registered"}
    page = street.got(f"/v1/roles/{ASSETS}", limit=1)
    assert page["next"] == page["holders"][0]["subject"]


def test_a_role_that_is_not_defined_is_refused(street):
    assert street.refused("/v1/roles/plumber.roles.street.merit") == (404, "unknown-role")
    assert street.refused("/v1/roles/Plumber") == (422, "malformed-name")


# Authority


def asked(street, signer, **parameters):
    found = {"asset": to_text(ROOF), "signer": to_text(signer.address)} | parameters
    answer = street.got("/v1/authority", **found)
    return answer["may"], answer["as"] or answer["code"]


def test_owner_and_delegate_may_and_a_stranger_may_not(street):
    assert asked(street, PRODUCER) == (True, "owner")
    assert asked(street, AGENT) == (True, "delegate")
    assert asked(street, STRANGER) == (False, "not-authorised")


def test_why_not_is_said_in_the_codes_of_refused_orders(street):
    assert asked(street, AGENT, at=NOW + 100) == (False, "mandate-ended")
    assert asked(street, PRODUCER, at=BEGIN - 1) == (False, "asset-without-owner")
    assert asked(street, PRODUCER, asset=to_text(OLD)) == (False, "asset-without-owner")
    assert asked(street, PRODUCER, balancing=True) == (False, "not-a-balancing-provider")
    street.tell(AssetTransferred(ROOF, NEIGHBOUR.address, SOLD))
    assert asked(street, AGENT) == (False, "asset-not-enrolled"), "the buyer has yet to enrol it"


def test_after_a_sale_the_old_delegate_is_told_which_owner_named_it(street):
    enrolled = list(asset_facts(3, ROOF, NEIGHBOUR.address, 3, BEGIN))[2]
    street.tell(AssetTransferred(ROOF, NEIGHBOUR.address, SOLD), AccountOpened(3, NEIGHBOUR.address))
    street.tell(replace(enrolled, epoch=2, until=EVER))
    answer = street.got("/v1/authority", asset=to_text(ROOF), signer=to_text(AGENT.address))
    assert (answer["code"], answer["because"]["epoch"], answer["because"]["ended"]) == (
        "mandate-of-earlier-owner",
        1,
        SOLD,
    )
    assert asked(street, NEIGHBOUR) == (True, "owner")
    assert asked(street, PRODUCER) == (False, "ownership-ended")


def test_another_purpose_has_its_own_delegates(street):
    reading = DelegateChanged(ROOF, delegate_type(METER_DATA, 1), STRANGER.address, NOW + 9, NOW)
    assert asked(street, STRANGER, purpose="merit.data.meter.v1") == (False, "not-authorised")
    street.tell(reading)
    assert asked(street, STRANGER, purpose="merit.data.meter.v1") == (True, "delegate")
    assert asked(street, STRANGER) == (False, "not-authorised")
    nowhere = {"asset": to_text(ROOF), "signer": to_text(AGENT.address), "purpose": "merit.nothing"}
    assert street.refused("/v1/authority", **nowhere) == (422, "unknown-purpose")
