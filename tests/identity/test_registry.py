"""Who may act for which asset: judged as of a moment, each refusal beside its twin."""

import pytest

from identity.errors import AssetNotCurrent, AuthorityRefused, NotAuthorised, OrdersVoided, UnknownAsset
from identity.registry import (
    Account,
    AccountOpened,
    Asset,
    AssetEnrolled,
    AssetRenewed,
    DelegateNamed,
    EpochBegun,
    Registry,
)
from tests.actors import AGENT, BATTERY, CONSUMER, METER, PRODUCER, STRANGER

CLOSURE = 1_800_000_000
ASSET = METER.address


@pytest.fixture
def registry() -> Registry:
    """The producer holds account 3; its asset 9 is enrolled until an hour after gate closure."""
    registry = Registry()
    registry.apply(AccountOpened(3, PRODUCER.address))
    registry.apply(AssetEnrolled(9, ASSET, 3, CLOSURE + 3600))
    return registry


def test_the_holder_may_act_for_the_asset(registry):
    standing = registry.judge(ASSET, PRODUCER.address, 0, CLOSURE)
    assert standing.asset == Asset(9, ASSET, 3, CLOSURE + 3600)
    assert standing.account == Account(3, PRODUCER.address)
    assert not standing.as_delegate


def test_a_stranger_may_not_act_for_the_asset(registry):
    with pytest.raises(NotAuthorised) as refusal:
        registry.judge(ASSET, STRANGER.address, 0, CLOSURE)
    assert (refusal.value.code, refusal.value.account) == ("not-authorised", 3)


def test_the_asset_itself_is_not_its_holder(registry):
    with pytest.raises(NotAuthorised):
        registry.judge(ASSET, ASSET, 0, CLOSURE)


def test_an_asset_nobody_enrolled_is_unknown(registry):
    with pytest.raises(UnknownAsset):
        registry.judge(BATTERY.address, PRODUCER.address, 0, CLOSURE)


def test_a_delegate_may_act_up_to_and_including_the_last_moment(registry):
    registry.apply(DelegateNamed(3, AGENT.address, CLOSURE))
    assert registry.judge(ASSET, AGENT.address, 0, CLOSURE).as_delegate


def test_a_delegate_may_not_act_a_second_later(registry):
    registry.apply(DelegateNamed(3, AGENT.address, CLOSURE - 1))
    with pytest.raises(NotAuthorised):
        registry.judge(ASSET, AGENT.address, 0, CLOSURE)


def test_a_delegate_of_another_account_may_not_act(registry):
    registry.apply(AccountOpened(4, CONSUMER.address))
    registry.apply(DelegateNamed(4, AGENT.address, CLOSURE))
    with pytest.raises(NotAuthorised):
        registry.judge(ASSET, AGENT.address, 0, CLOSURE)


def test_a_delegate_revoked_before_gate_closure_may_not_act(registry):
    registry.apply(DelegateNamed(3, AGENT.address, CLOSURE + 3600))
    registry.apply(DelegateNamed(3, AGENT.address, CLOSURE - 1))
    with pytest.raises(NotAuthorised):
        registry.judge(ASSET, AGENT.address, 0, CLOSURE)


def test_a_delegate_revoked_at_gate_closure_has_acted_in_time(registry):
    registry.apply(DelegateNamed(3, AGENT.address, CLOSURE + 3600))
    registry.apply(DelegateNamed(3, AGENT.address, CLOSURE))
    assert registry.judge(ASSET, AGENT.address, 0, CLOSURE).as_delegate


def test_a_revoked_delegate_may_be_named_again(registry):
    registry.apply(DelegateNamed(3, AGENT.address, 0))
    registry.apply(DelegateNamed(3, AGENT.address, CLOSURE))
    assert registry.delegation(3, AGENT.address) == CLOSURE
    assert registry.judge(ASSET, AGENT.address, 0, CLOSURE).as_delegate


def test_an_enrolment_that_ends_at_gate_closure_is_current(registry):
    registry.apply(AssetRenewed(9, CLOSURE))
    assert registry.judge(ASSET, PRODUCER.address, 0, CLOSURE).asset.until == CLOSURE


def test_an_asset_retired_before_gate_closure_is_not_current(registry):
    registry.apply(AssetRenewed(9, CLOSURE - 1))
    with pytest.raises(AssetNotCurrent) as refusal:
        registry.judge(ASSET, PRODUCER.address, 0, CLOSURE)
    assert (refusal.value.code, refusal.value.until) == ("asset-not-current", CLOSURE - 1)


def test_a_retired_asset_may_be_renewed(registry):
    registry.apply(AssetRenewed(9, CLOSURE - 1))
    registry.apply(AssetRenewed(9, CLOSURE + 1))
    assert registry.judge(ASSET, PRODUCER.address, 0, CLOSURE).asset.account == 3


def test_what_was_signed_in_the_present_epoch_counts(registry):
    registry.apply(EpochBegun(3, 1, CLOSURE - 1))
    assert registry.judge(ASSET, PRODUCER.address, 1, CLOSURE).account.epoch == 1


def test_what_was_voided_before_gate_closure_does_not_count(registry):
    registry.apply(EpochBegun(3, 1, CLOSURE - 1))
    with pytest.raises(OrdersVoided) as refusal:
        registry.judge(ASSET, PRODUCER.address, 0, CLOSURE)
    assert (refusal.value.signed, refusal.value.current) == (0, 1)


@pytest.mark.parametrize("since", [CLOSURE, CLOSURE + 1])
def test_what_was_voided_at_or_after_gate_closure_had_been_agreed(registry, since):
    registry.apply(EpochBegun(3, 1, since))
    assert registry.judge(ASSET, PRODUCER.address, 0, CLOSURE).account.number == 3


def test_what_had_been_agreed_stays_agreed_however_often_its_signer_voids(registry):
    registry.apply(EpochBegun(3, 1, CLOSURE + 1))
    registry.apply(EpochBegun(3, 2, CLOSURE + 2))
    for epoch in range(3):
        assert registry.judge(ASSET, PRODUCER.address, epoch, CLOSURE)
    assert (registry.epoch_ended(3, 0), registry.epoch_ended(3, 2)) == (CLOSURE + 1, None)


def test_what_is_signed_in_an_epoch_to_come_does_not_count(registry):
    with pytest.raises(OrdersVoided):
        registry.judge(ASSET, PRODUCER.address, 1, CLOSURE)


def test_refusals_come_in_the_documented_order(registry):
    registry.apply(AssetRenewed(9, CLOSURE - 1))
    registry.apply(EpochBegun(3, 1, CLOSURE - 1))

    def refusal(asset: bytes) -> type[AuthorityRefused]:
        with pytest.raises(AuthorityRefused) as caught:
            registry.judge(asset, STRANGER.address, 0, CLOSURE)
        return caught.type

    assert refusal(BATTERY.address) is UnknownAsset
    assert refusal(ASSET) is AssetNotCurrent
    registry.apply(AssetRenewed(9, CLOSURE))
    assert refusal(ASSET) is OrdersVoided
    registry.apply(EpochBegun(3, 1, CLOSURE))
    assert refusal(ASSET) is NotAuthorised


def test_accounts_and_assets_are_found_by_what_they_are_known_by(registry):
    registry.apply(AccountOpened(2, PRODUCER.address))
    registry.apply(AccountOpened(5, CONSUMER.address))
    assert [account.number for account in registry.accounts_of(PRODUCER.address)] == [2, 3]
    assert registry.asset_by_number(9) == registry.asset(ASSET)
    assert registry.asset_by_number(10) is None
    assert registry.delegation(3, STRANGER.address) is None


def test_a_new_epoch_keeps_holder_and_assets(registry):
    registry.apply(EpochBegun(3, 1, CLOSURE))
    assert registry.accounts[3] == Account(3, PRODUCER.address, 1)
    assert registry.asset(ASSET).account == 3
