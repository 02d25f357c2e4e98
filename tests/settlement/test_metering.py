"""Whether a reading is taken: each refusal beside the reading that is just good enough."""

from dataclasses import replace

import pytest
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from exchange.units import Wh
from identity.address import to_text
from identity.claim_data import AssetKind, AssetProperties, EnergyType
from identity.errors import AssetNotCertified, AssetWithoutOwner, BadSignature, UnknownAsset
from identity.facts import AssetCreated, AssetRetired, AssetTransferred
from identity.typed_data import Domain
from settlement.metering import MeteringRules
from settlement.metering_errors import (
    MeterKeyUnknown,
    PeriodNotOver,
    ReadingConflicts,
    ReadingImplausible,
    ReadingOffGrid,
    ReadingOutdated,
    ReadingTooLate,
)
from settlement.reading import Reading, SignedReading
from tests.actors import AGENT, CONSUMER, CONTRACT, NEIGHBOUR, STRANGER
from tests.registries import EVER, delegation
from tests.settlement.metered_street import (
    CAR,
    DEVICE,
    FLAT,
    MAIN,
    OVER,
    ROOF,
    RULES,
    SEPARATOR,
    SLOT,
    SPARE,
    START,
    Street,
    certified,
    metered_by,
    named,
    reading,
    signed,
)


@pytest.fixture(scope="module")
def _street():
    return Street()


@pytest.fixture
def street(_street):
    """Registries are shared; what is held is the test's own."""
    fresh = Street.__new__(Street)
    fresh.registries, fresh.rules, fresh.held = _street.registries, RULES, type(_street.held)()
    return fresh


readings = st.builds(
    Reading,
    asset=st.binary(min_size=20, max_size=20),
    start=st.integers(0, (1 << 40) - 1),
    seconds=st.integers(1, (1 << 32) - 1),
    net=st.integers(-(1 << 63), (1 << 63) - 1),
    version=st.integers(1, (1 << 63) - 1),
)


@given(readings)
def test_a_reading_is_hashed_as_others_hash_typed_data(what):
    message = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Reading": [
                {"name": "asset", "type": "address"},
                {"name": "start", "type": "uint40"},
                {"name": "seconds", "type": "uint32"},
                {"name": "netWh", "type": "int64"},
                {"name": "version", "type": "uint64"},
            ],
        },
        "primaryType": "Reading",
        "domain": {
            "name": "Merit",
            "version": "1",
            "chainId": 1337,
            "verifyingContract": to_text(CONTRACT.address),
        },
        "message": {
            "asset": to_text(what.asset),
            "start": what.start,
            "seconds": what.seconds,
            "netWh": what.net,
            "version": what.version,
        },
    }
    assert what.struct_hash() == encode_typed_data(full_message=message).body
    assert encode_typed_data(full_message=message).header == Domain(1337, CONTRACT.address).separator()


@pytest.mark.parametrize(
    "change", [{"start": -1}, {"seconds": 0}, {"net": 1 << 63}, {"version": 0}, {"asset": b"\1"}, {"start": 1 << 40}]
)
def test_a_value_that_no_field_holds_makes_no_reading(change):
    assert replace(reading()) == reading()
    with pytest.raises(ValueError):
        replace(reading(), **change)


def test_a_reading_by_the_meters_key_is_taken(street):
    admitted = street.hear()
    assert admitted.new
    assert admitted.accepted.signer == DEVICE.address
    assert street.held.versions(FLAT, START) == (admitted.accepted,)


def test_a_signature_of_nothing_is_refused(street):
    good = signed(reading())
    with pytest.raises(BadSignature):
        street.take(replace(good, signature=b"\xff" * 64))
    with pytest.raises(MeterKeyUnknown):  # of another reading: then nobody knows whose it is
        street.take(replace(good, signature=signed(reading(net=-501)).signature))
    assert street.take(good).new


@pytest.mark.parametrize("who", [STRANGER, CONSUMER, SPARE], ids=lambda actor: actor.role)
def test_a_reading_by_another_key_is_refused_even_by_the_owners(street, who):
    with pytest.raises(MeterKeyUnknown):
        street.take(signed(reading(), who))
    assert not street.held.versions(FLAT, START)


def test_an_agent_that_trades_for_an_asset_does_not_speak_for_its_meter():
    street = Street(delegation(FLAT, AGENT.address, EVER), metered_by(FLAT, SPARE))
    with pytest.raises(MeterKeyUnknown):
        street.take(signed(reading(), AGENT))
    assert street.take(signed(reading(), SPARE)).new


def test_a_key_that_was_taken_back_counts_for_slots_that_began_before():
    street = Street(metered_by(FLAT, valid_to=START + 1))
    assert street.hear().new
    with pytest.raises(MeterKeyUnknown):
        street.hear(start=OVER, now=OVER + SLOT)


def test_the_meter_key_of_who_sold_counts_for_the_time_before_the_sale():
    sold = (
        AssetTransferred(FLAT, NEIGHBOUR.address, OVER),
        replace(certified(FLAT, AssetProperties(AssetKind.LOAD, EnergyType.NONE, 4_000), at=OVER), epoch=2),
        metered_by(FLAT, SPARE, epoch=2),
    )
    street = Street(*sold)
    assert street.hear(now=OVER + SLOT).new
    with pytest.raises(MeterKeyUnknown):
        street.hear(start=OVER, now=OVER + SLOT)
    assert street.take(signed(reading(start=OVER), SPARE), OVER + SLOT).new


def test_an_asset_that_nobody_knows_owns_or_certified_has_no_readings():
    bare, gone = named("bare"), named("gone")
    made = (AssetCreated(bare, CONSUMER.address, 0), AssetCreated(gone, CONSUMER.address, 0), AssetRetired(gone, 7))
    street = Street(*made, metered_by(bare), metered_by(gone))
    with pytest.raises(UnknownAsset):
        street.hear(asset=named("nowhere"))
    with pytest.raises(AssetWithoutOwner):
        street.hear(asset=gone)
    with pytest.raises(AssetNotCertified):
        street.hear(asset=bare)
    assert Street(*made, metered_by(bare), certified(bare, PV)).hear(asset=bare, net=5).new


PV = AssetProperties(AssetKind.PV, EnergyType.PV, 1_000)


def test_what_is_certified_counts_as_of_the_slot():
    greater = replace(certified(ROOF, replace(PV, power_w=20_000), at=OVER))
    street = Street(greater)
    with pytest.raises(ReadingImplausible):
        street.hear(asset=ROOF, net=3_000)
    assert street.hear(asset=ROOF, net=3_000, start=OVER, now=OVER + SLOT).new
    assert street.hear(asset=ROOF, net=2_000).new


def test_a_reading_of_a_whole_slot_is_taken_and_of_another_time_refused(street):
    for start, seconds in ((START + 1, SLOT), (START, 2 * SLOT), (START, SLOT - 1)):
        with pytest.raises(ReadingOffGrid):
            street.hear(start=start, seconds=seconds, now=START + 10 * SLOT)
    assert street.hear().new


def test_a_reading_is_taken_when_its_slot_is_over_and_not_before(street):
    with pytest.raises(PeriodNotOver):
        street.hear(now=OVER - 1)
    assert street.hear(now=OVER).new


def test_a_reading_is_taken_before_the_cut_off_and_not_at_it(street):
    with pytest.raises(ReadingTooLate):
        street.hear(now=OVER + RULES.cut_off)
    assert street.hear(now=OVER + RULES.cut_off - 1).new


def test_sending_a_reading_again_is_harmless_also_after_the_cut_off(street):
    first = street.hear()
    for now in (OVER, OVER + 5, OVER + RULES.cut_off):
        again = street.hear(now=now)
        assert (again.new, again.accepted) == (False, first.accepted)


def test_another_signature_of_the_same_reading_is_the_same_reading():
    street = Street(metered_by(FLAT, SPARE))
    first = street.hear()
    again = street.take(signed(reading(), SPARE), OVER + 5)
    assert (again.new, again.accepted) == (False, first.accepted)


def test_who_cannot_sign_for_the_meter_learns_nothing_of_what_is_held(street):
    street.hear()
    for net in (-500, -501):
        with pytest.raises(MeterKeyUnknown):
            street.take(signed(reading(net=net), STRANGER))


def test_another_value_under_the_same_version_is_refused_and_under_a_later_one_taken(street):
    street.hear()
    with pytest.raises(ReadingConflicts):
        street.hear(net=-501)
    corrected = street.hear(net=-501, version=2).accepted
    assert street.held.versions(FLAT, START)[-1] == corrected


def test_a_version_older_than_the_one_held_is_refused_unless_it_was_taken_before(street):
    street.hear(version=1)
    street.hear(net=-400, version=3)
    with pytest.raises(ReadingOutdated):
        street.hear(net=-450, version=2)
    assert not street.hear(version=1).new


@pytest.mark.parametrize(
    ("asset", "most", "too_much"),
    [
        (FLAT, -1_000, -1_001),
        (FLAT, 0, 1),
        (ROOF, 2_000, 2_001),
        (ROOF, 0, -1),
        (CAR, 2_750, 2_751),
        (CAR, -2_750, -2_751),
    ],
)
def test_what_an_asset_can_do_is_taken_and_what_it_cannot_do_is_refused(street, asset, most, too_much):
    with pytest.raises(ReadingImplausible):
        street.hear(asset=asset, net=too_much)
    assert street.hear(asset=asset, net=most).new


def test_a_main_meter_has_no_rated_power_and_so_no_bound(street):
    assert street.hear(asset=MAIN, net=-1_000_000).new
    assert street.hear(asset=MAIN, net=1_000_000, start=OVER, now=OVER + SLOT).new


def test_a_roof_may_draw_its_standby_where_the_rules_say_so():
    street = Street(rules=replace(RULES, standby_w=20))
    with pytest.raises(ReadingImplausible):
        street.hear(asset=ROOF, net=-6)
    assert street.hear(asset=ROOF, net=-5).new


@pytest.mark.parametrize("change", [{"slot": 0}, {"cut_off": 0}, {"standby_w": -1}])
def test_rules_that_make_no_sense_are_none(change):
    with pytest.raises(ValueError):
        replace(MeteringRules(slot=SLOT, cut_off=1), **change)


def test_what_is_held_does_not_depend_on_the_order_it_is_told_in(street):
    taken = [street.hear(version=version, net=-version).accepted for version in (1, 2, 5)]
    backwards = type(street.held)(reversed(taken))
    assert backwards.versions(FLAT, START) == street.held.versions(FLAT, START) == tuple(taken)
    assert len(backwards) == 1


def test_a_signed_reading_says_beside_it_whether_it_was_estimated(street):
    accepted = street.take(signed(reading(), estimated=True)).accepted
    assert accepted.signed == SignedReading(reading(), DEVICE.sign(reading().digest(SEPARATOR)), estimated=True)
    assert accepted.reading.net == Wh(-500)
