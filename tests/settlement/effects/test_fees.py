"""What is offered pays for the next block, can be replaced, and never goes above the cap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.effects.chain_settings import ChainSettings
from settlement.effects.fees import AboveCap, Asked, Fee, FeePolicy

GWEI = 10**9
FEES = st.integers(0, 1 << 40)
POLICIES = st.builds(
    FeePolicy, cap=st.integers(1, 1 << 40), floor=FEES, multiplier=st.integers(1, 4), bump_percent=st.integers(13, 100)
)
ASKED = st.builds(Asked, base_fee=FEES, tip=FEES)
POLICY = FeePolicy(cap=100 * GWEI, floor=0, multiplier=2, bump_percent=13)


def replaces(after, before):
    """Whether the strictest node lets one offer replace another: both fees an eighth higher."""
    return all(
        8 * new >= 9 * old and new > old
        for new, old in ((after.max_fee, before.max_fee), (after.priority_fee, before.priority_fee))
    )


@given(POLICIES, ASKED)
def test_a_first_offer_pays_for_now_and_can_be_raised(policy, asked):
    fee = policy.first(asked)
    if isinstance(fee, AboveCap):
        assert fee.needed > fee.cap == policy.cap
    else:
        assert max(asked.tip, policy.floor) <= fee.priority_fee <= fee.max_fee
        assert asked.base_fee + fee.priority_fee <= fee.max_fee < policy.cap
        assert isinstance(policy.raised(fee, Asked(0, 0)), Fee)


@given(POLICIES, st.lists(ASKED, min_size=2, max_size=60))
def test_every_raise_replaces_what_was_offered_before(policy, asked):
    fee = policy.first(asked[0])
    for now in asked[1:]:
        if isinstance(fee, AboveCap):
            return
        before, fee = fee, policy.raised(fee, now)
        if isinstance(fee, Fee):
            assert replaces(fee, before)
            assert now.base_fee <= fee.max_fee <= policy.cap
            assert fee.priority_fee <= fee.max_fee


@given(POLICIES, ASKED)
def test_raises_end_with_all_that_may_be_offered(policy, asked):
    fee = policy.first(asked)
    if isinstance(fee, AboveCap):
        return
    for _ in range(400):
        before, fee = fee, policy.raised(fee, asked)
        if isinstance(fee, AboveCap):
            assert before == Fee(policy.cap, policy.cap)
            return
    raise AssertionError("raises go on for ever")


def test_a_first_offer_leaves_room_for_the_base_fee_to_double():
    assert POLICY.first(Asked(10 * GWEI, 2 * GWEI)) == Fee(22 * GWEI, 2 * GWEI)


def test_near_the_cap_there_is_less_room_and_still_some_raises():
    fee = POLICY.first(Asked(40 * GWEI, 2 * GWEI))
    assert fee == Fee(54_275_993_599, 2 * GWEI)
    for _ in range(5):
        fee = POLICY.raised(fee, Asked(40 * GWEI, 2 * GWEI))
    assert fee == Fee(100 * GWEI, 100 * GWEI)


def test_the_cap_is_told_with_what_it_would_take():
    assert str(POLICY.first(Asked(98 * GWEI, 2 * GWEI))) == (
        "it takes a fee of 113000000000 wei per gas, and the cap is 100000000000"
    )


def test_a_legacy_price_is_one_number():
    fee = POLICY.first(Asked(0, 20 * GWEI))
    assert fee == Fee(20 * GWEI, 20 * GWEI)
    assert POLICY.raised(fee, Asked(0, GWEI)) == Fee(22_600_000_000, 22_600_000_000)


@pytest.mark.parametrize(
    "settings",
    [
        {"bump_percent": 12},
        {"patience_seconds": 0},
        {"lease_seconds": 0},
        {"gas_cap": 20_999},
        {"max_fee_cap_wei": 1 << 63},
        {"priority_floor_wei": 2, "max_fee_cap_wei": 1},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_settings_that_make_no_sense_are_refused(settings):
    ChainSettings(chain_id=1)
    with pytest.raises(ValueError):
        ChainSettings(chain_id=1, **settings)
