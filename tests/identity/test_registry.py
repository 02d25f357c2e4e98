"""Who may act for which asset: judged as of a moment, each refusal beside its twin."""

import pytest

from identity.energy_roles import EnergyRole
from identity.errors import (
    AssetNotCertified,
    AssetNotCurrent,
    AssetNotEnrolled,
    AssetSold,
    AssetWithoutOwner,
    AuthorityRefused,
    MandateEnded,
    MandateOfEarlierOwner,
    NotABalancingProvider,
    NotAuthorised,
    OrdersVoided,
    OwnershipEnded,
    UnknownAsset,
)
from identity.facts import (
    AccountOpened,
    AssetCreated,
    AssetEnrolled,
    AssetRefreshed,
    AssetRetired,
    AssetTransferred,
    ClaimRevoked,
    EpochBegun,
)
from identity.registry import Account, Asset, Registry
from tests.actors import AGENT, BATTERY, CONSUMER, METER, PRODUCER, STRANGER
from tests.registries import ASSET_ROLE, BALANCING_ROLE, CERTIFIER, EVER, ROLES, asset_facts, claim, delegation
from tests.registries import role_facts as roles_defined

CLOSURE = 1_800_000_000
ASSET = METER.address
SELLERS, BUYERS = 3, 4


@pytest.fixture
def registry() -> Registry:
    """The producer holds account 3, under which its asset is enrolled as number 9; the consumer holds account 4."""
    registry = Registry(ROLES)
    for fact in roles_defined():
        registry.apply(fact)
    registry.apply(AccountOpened(SELLERS, PRODUCER.address))
    registry.apply(AccountOpened(BUYERS, CONSUMER.address))
    for fact in asset_facts(9, ASSET, PRODUCER.address, SELLERS):
        registry.apply(fact)
    return registry


def sold(registry: Registry, at: int) -> None:
    """The producer sells the asset to the consumer, who enrols it as number 10."""
    registry.apply(AssetTransferred(ASSET, CONSUMER.address, at))
    registry.apply(AssetEnrolled(10, ASSET, BUYERS, 2, EVER, 0))


def refusal(registry: Registry, asset=ASSET, signer=STRANGER, epoch=0, at=CLOSURE, **more) -> AuthorityRefused:
    """Return how the registry refuses."""
    with pytest.raises(AuthorityRefused) as caught:
        registry.judge(asset, signer.address, epoch, at, **more)
    return caught.value


def test_the_owner_may_act_for_the_asset(registry):
    standing = registry.judge(ASSET, PRODUCER.address, 0, CLOSURE)
    assert standing.asset == Asset(9, ASSET, SELLERS, 1, EVER - 1, 0)
    assert standing.account == Account(SELLERS, PRODUCER.address)
    assert not standing.as_delegate


def test_a_stranger_may_not_act_for_the_asset(registry):
    refused = refusal(registry)
    assert type(refused) is NotAuthorised
    assert (refused.code, refused.why) == ("not-authorised", "never named for it")


def test_the_asset_itself_is_not_its_owner(registry):
    assert type(refusal(registry, signer=METER)) is NotAuthorised


def test_an_asset_nobody_created_is_unknown(registry):
    assert type(refusal(registry, BATTERY.address, PRODUCER)) is UnknownAsset


def test_an_asset_nobody_enrolled_is_refused_as_that(registry):
    registry.apply(AssetCreated(BATTERY.address, PRODUCER.address, 0))
    assert type(refusal(registry, BATTERY.address, PRODUCER)) is AssetNotEnrolled
    for fact in list(asset_facts(10, BATTERY.address, PRODUCER.address, SELLERS))[1:]:
        registry.apply(fact)
    assert registry.judge(BATTERY.address, PRODUCER.address, 0, CLOSURE).asset.number == 10


# Delegation


def test_a_delegate_may_act_up_to_and_including_its_last_second(registry):
    registry.apply(delegation(ASSET, AGENT.address, CLOSURE + 1))
    assert registry.judge(ASSET, AGENT.address, 0, CLOSURE).as_delegate


def test_a_delegate_may_not_act_a_second_later(registry):
    registry.apply(delegation(ASSET, AGENT.address, CLOSURE))
    refused = refusal(registry, signer=AGENT)
    assert (type(refused), refused.ended) == (MandateEnded, CLOSURE)


def test_a_delegate_of_another_asset_may_not_act(registry):
    registry.apply(delegation(BATTERY.address, AGENT.address, EVER))
    assert type(refusal(registry, signer=AGENT)) is NotAuthorised


def test_a_delegate_for_another_purpose_may_not_act(registry):
    from identity.facts import DelegateChanged
    from identity.purposes import METER_DATA, delegate_type

    registry.apply(DelegateChanged(ASSET, delegate_type(METER_DATA, 1), AGENT.address, EVER, 0))
    assert type(refusal(registry, signer=AGENT)) is NotAuthorised


def test_a_delegate_dismissed_before_gate_closure_may_not_act(registry):
    registry.apply(delegation(ASSET, AGENT.address, EVER))
    registry.apply(delegation(ASSET, AGENT.address, CLOSURE - 1, at=CLOSURE - 1))
    assert type(refusal(registry, signer=AGENT)) is MandateEnded


def test_a_delegate_dismissed_after_gate_closure_has_acted_in_time(registry):
    registry.apply(delegation(ASSET, AGENT.address, EVER))
    registry.apply(delegation(ASSET, AGENT.address, CLOSURE + 1, at=CLOSURE + 1))
    assert registry.judge(ASSET, AGENT.address, 0, CLOSURE).as_delegate
    assert type(refusal(registry, signer=AGENT, at=CLOSURE + 1)) is MandateEnded


def test_a_dismissed_delegate_may_be_named_again(registry):
    registry.apply(delegation(ASSET, AGENT.address, 1))
    registry.apply(delegation(ASSET, AGENT.address, CLOSURE + 1))
    assert registry.judge(ASSET, AGENT.address, 0, CLOSURE).as_delegate


# Sale


def test_after_the_sale_the_buyer_may_act_under_its_own_account(registry):
    sold(registry, CLOSURE - 1)
    standing = registry.judge(ASSET, CONSUMER.address, 0, CLOSURE)
    assert (standing.asset.number, standing.account.number) == (10, BUYERS)


def test_after_the_sale_the_seller_may_not_act(registry):
    sold(registry, CLOSURE - 1)
    refused = refusal(registry, signer=PRODUCER)
    assert (type(refused), refused.ended) == (OwnershipEnded, CLOSURE - 1)


def test_what_the_seller_signed_for_a_gate_that_closed_before_the_sale_stands(registry):
    sold(registry, CLOSURE + 1)
    standing = registry.judge(ASSET, PRODUCER.address, 0, CLOSURE, number=9)
    assert (standing.asset.number, standing.account.number) == (9, SELLERS)
    assert type(refusal(registry, signer=CONSUMER)) is not OwnershipEnded


def test_in_the_second_of_the_sale_the_asset_is_the_buyers(registry):
    sold(registry, CLOSURE)
    assert registry.judge(ASSET, CONSUMER.address, 0, CLOSURE)
    assert type(refusal(registry, signer=PRODUCER)) is OwnershipEnded


def test_the_sellers_delegate_may_not_act_for_the_buyer(registry):
    registry.apply(delegation(ASSET, AGENT.address, EVER))
    assert registry.judge(ASSET, AGENT.address, 0, CLOSURE)
    sold(registry, CLOSURE - 1)
    refused = refusal(registry, signer=AGENT)
    assert (type(refused), refused.epoch) == (MandateOfEarlierOwner, 1)
    registry.apply(delegation(ASSET, AGENT.address, EVER, epoch=2))
    assert registry.judge(ASSET, AGENT.address, 0, CLOSURE).account.number == BUYERS


def test_a_delegate_named_for_an_ownership_to_come_may_not_act_yet(registry):
    registry.apply(delegation(ASSET, AGENT.address, EVER, epoch=2))
    assert type(refusal(registry, signer=AGENT)) is NotAuthorised


def test_an_order_taken_from_the_seller_does_not_become_the_buyers(registry):
    registry.apply(delegation(ASSET, CONSUMER.address, EVER))
    assert registry.judge(ASSET, CONSUMER.address, 0, CLOSURE, number=9).as_delegate
    sold(registry, CLOSURE - 1)
    assert type(refusal(registry, signer=CONSUMER, number=9)) is AssetSold


def test_a_sold_asset_trades_once_its_buyer_has_enrolled_it(registry):
    registry.apply(AssetTransferred(ASSET, CONSUMER.address, CLOSURE - 1))
    refused = refusal(registry, signer=CONSUMER)
    assert (type(refused), refused.epoch) == (AssetNotEnrolled, 2)


def test_an_enrolment_not_kept_current_until_the_sale_ends_early(registry):
    registry.apply(AssetRefreshed(9, CLOSURE - 10, 0))
    assert registry.judge(ASSET, PRODUCER.address, 0, CLOSURE)  # while it can still be refreshed
    sold(registry, CLOSURE + 1)
    refused = refusal(registry, signer=PRODUCER)
    assert (type(refused), refused.until) == (AssetNotCurrent, CLOSURE - 10)


def test_a_retired_asset_may_not_trade(registry):
    registry.apply(AssetRetired(ASSET, CLOSURE))
    assert type(refusal(registry, signer=PRODUCER)) is AssetWithoutOwner
    assert registry.judge(ASSET, PRODUCER.address, 0, CLOSURE - 1)


def test_an_owner_may_enrol_anew_under_another_account(registry):
    registry.apply(AccountOpened(5, PRODUCER.address))
    registry.apply(AssetRefreshed(9, CLOSURE - 1, 0))
    registry.apply(AssetEnrolled(11, ASSET, 5, 1, EVER, 0))
    assert registry.judge(ASSET, PRODUCER.address, 0, CLOSURE).account.number == 5
    assert registry.judge(ASSET, PRODUCER.address, 0, CLOSURE - 1, number=9).account.number == SELLERS
    assert type(refusal(registry, signer=PRODUCER, number=9)) is AssetNotCurrent


# Certificates


def test_an_asset_whose_certificate_expires_after_gate_closure_may_trade(registry):
    registry.apply(claim(ASSET, EnergyRole.ASSET, expiry=CLOSURE + 1, epoch=1, at=1))
    assert registry.judge(ASSET, PRODUCER.address, 0, CLOSURE)


def test_an_asset_whose_certificate_expires_at_gate_closure_may_not(registry):
    registry.apply(claim(ASSET, EnergyRole.ASSET, expiry=CLOSURE, epoch=1, at=1))
    refused = refusal(registry, signer=PRODUCER)
    assert type(refused) is AssetNotCertified
    assert f"expired at {CLOSURE}" in refused.why


def test_a_revocation_counts_at_once_though_the_contract_has_not_heard_of_it(registry):
    registry.apply(ClaimRevoked(ASSET, ASSET_ROLE, CERTIFIER.address, CLOSURE))
    assert registry.asset(ASSET).until > CLOSURE
    refused = refusal(registry, signer=PRODUCER)
    assert f"revoked at {CLOSURE}" in refused.why
    assert registry.judge(ASSET, PRODUCER.address, 0, CLOSURE - 1)


def test_a_certificate_stands_and_falls_with_its_issuer(registry):
    from identity.energy_roles import role_node
    from tests.registries import COMMUNITY, LABEL

    certifiers = role_node(EnergyRole.CERTIFIER, LABEL)
    registry.apply(ClaimRevoked(CERTIFIER.address, certifiers, COMMUNITY.address, CLOSURE))
    assert registry.judge(ASSET, PRODUCER.address, 0, CLOSURE - 1)
    assert type(refusal(registry, signer=PRODUCER)) is AssetNotCertified


def test_a_certificate_of_the_asset_outlives_its_sale_and_of_the_agreement_does_not(registry):
    registry.apply(claim(ASSET, EnergyRole.BALANCING_PROVIDER, epoch=1))
    sold(registry, CLOSURE)
    assert registry.judge(ASSET, CONSUMER.address, 0, CLOSURE)
    refused = refusal(registry, signer=CONSUMER, balancing=True)
    assert (type(refused), refused.code) == (NotABalancingProvider, "not-a-balancing-provider")
    assert f"ended with its sale at {CLOSURE}" in refused.why


def test_only_a_balancing_provider_offers_balancing(registry):
    assert type(refusal(registry, signer=PRODUCER, balancing=True)) is NotABalancingProvider
    registry.apply(claim(ASSET, EnergyRole.BALANCING_PROVIDER, epoch=1, expiry=CLOSURE + 1))
    assert registry.judge(ASSET, PRODUCER.address, 0, CLOSURE, balancing=True)
    assert type(refusal(registry, signer=PRODUCER, at=CLOSURE + 1, balancing=True)) is NotABalancingProvider
    registry.apply(ClaimRevoked(ASSET, BALANCING_ROLE, CERTIFIER.address, CLOSURE))
    assert type(refusal(registry, signer=PRODUCER, balancing=True)) is NotABalancingProvider


# Epochs of the account


def test_what_was_signed_in_the_present_epoch_counts(registry):
    registry.apply(EpochBegun(SELLERS, 1, CLOSURE - 1))
    assert registry.judge(ASSET, PRODUCER.address, 1, CLOSURE).account.epoch == 1


def test_what_was_voided_before_gate_closure_does_not_count(registry):
    registry.apply(EpochBegun(SELLERS, 1, CLOSURE - 1))
    refused = refusal(registry, signer=PRODUCER)
    assert (type(refused), refused.signed, refused.current) == (OrdersVoided, 0, 1)


@pytest.mark.parametrize("since", [CLOSURE, CLOSURE + 1])
def test_what_was_voided_at_or_after_gate_closure_had_been_agreed(registry, since):
    registry.apply(EpochBegun(SELLERS, 1, since))
    assert registry.judge(ASSET, PRODUCER.address, 0, CLOSURE).account.number == SELLERS


def test_what_had_been_agreed_stays_agreed_however_often_its_signer_voids(registry):
    registry.apply(EpochBegun(SELLERS, 1, CLOSURE + 1))
    registry.apply(EpochBegun(SELLERS, 2, CLOSURE + 2))
    for epoch in range(3):
        assert registry.judge(ASSET, PRODUCER.address, epoch, CLOSURE)
    assert (registry.epoch_ended(SELLERS, 0), registry.epoch_ended(SELLERS, 2)) == (CLOSURE + 1, None)


def test_what_is_signed_in_an_epoch_to_come_does_not_count(registry):
    assert type(refusal(registry, signer=PRODUCER, epoch=1)) is OrdersVoided


# The rest


def test_refusals_come_in_the_documented_order(registry):
    registry.apply(EpochBegun(SELLERS, 1, CLOSURE - 1))
    registry.apply(ClaimRevoked(ASSET, ASSET_ROLE, CERTIFIER.address, 1))
    registry.apply(AssetRefreshed(9, 1, 0))
    registry.apply(AssetRetired(ASSET, CLOSURE + 1))
    assert type(refusal(registry, BATTERY.address)) is UnknownAsset
    assert type(refusal(registry, at=CLOSURE + 1)) is AssetWithoutOwner
    assert type(refusal(registry, number=99)) is AssetNotEnrolled
    assert type(refusal(registry, balancing=True)) is AssetNotCertified
    registry.apply(claim(ASSET, EnergyRole.ASSET, epoch=1, at=2))
    assert type(refusal(registry, balancing=True)) is AssetNotCurrent
    registry.apply(AssetRefreshed(9, CLOSURE, 0))
    assert type(refusal(registry, balancing=True)) is NotABalancingProvider
    registry.apply(claim(ASSET, EnergyRole.BALANCING_PROVIDER, epoch=1))
    registry.apply(AssetRefreshed(9, CLOSURE, CLOSURE))
    assert type(refusal(registry, balancing=True)) is OrdersVoided
    assert type(refusal(registry, epoch=1, balancing=True)) is NotAuthorised


def test_accounts_and_assets_are_found_by_what_they_are_known_by(registry):
    registry.apply(AccountOpened(2, PRODUCER.address))
    assert [account.number for account in registry.accounts_of(PRODUCER.address)] == [2, 3]
    assert registry.asset_by_number(9) == registry.asset(ASSET)
    assert registry.asset_by_number(10) is None
    sold(registry, CLOSURE)
    assert registry.asset(ASSET).number == 10
    assert registry.asset_by_number(9).account == SELLERS
    with pytest.raises(UnknownAsset):
        registry.asset(BATTERY.address)


def test_an_older_enrolment_that_is_refreshed_does_not_become_the_newest(registry):
    sold(registry, CLOSURE)
    registry.apply(AssetRefreshed(9, CLOSURE - 1, 0))
    assert (registry.asset(ASSET).number, registry.asset_by_number(9).until) == (10, CLOSURE - 1)


def test_a_new_epoch_keeps_holder_and_assets(registry):
    registry.apply(EpochBegun(SELLERS, 1, CLOSURE))
    assert registry.accounts[SELLERS] == Account(SELLERS, PRODUCER.address, 1)
    assert registry.asset(ASSET).account == SELLERS


@pytest.mark.parametrize(
    "fact",
    [
        EpochBegun(99, 1, 0),
        AssetEnrolled(1, ASSET, 99, 1, 0, 0),
        AssetRefreshed(99, 0, 0),
        AssetTransferred(BATTERY.address, PRODUCER.address, 0),
        ClaimRevoked(BATTERY.address, ASSET_ROLE, CERTIFIER.address, 0),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_a_fact_about_what_was_never_there_is_a_key_error(registry, fact):
    with pytest.raises(KeyError):
        registry.apply(fact)
