"""The 32 bytes of a claim: packed, read, and refused where they say nothing."""

import pytest
from eth_abi import encode
from hypothesis import given
from hypothesis import strategies as st

from identity.claim_data import (
    AssetKind,
    AssetProperties,
    BalancingRates,
    EnergyType,
    pack_market,
    unpack_asset,
    unpack_market,
    unpack_rates,
)
from identity.errors import MalformedClaimData

rates = st.integers(0, (1 << 47) - 1)
words = st.integers(1, (1 << 64) - 1)


@given(rates, rates)
def test_two_rates_are_one_word_demand_first(demand, supply):
    packed = BalancingRates(demand, supply).pack()
    assert packed == encode(["uint256"], [demand << 128 | supply])
    assert unpack_rates(packed) == BalancingRates(demand, supply)


@pytest.mark.parametrize("rate", [-1, 1 << 47])
def test_a_rate_that_no_order_can_name_is_refused(rate):
    for pair in ((rate, 1), (1, rate)):
        with pytest.raises(MalformedClaimData):
            BalancingRates(*pair)


def test_rates_on_the_chain_that_no_order_can_name_are_refused():
    with pytest.raises(MalformedClaimData):
        unpack_rates(b"\xff" * 32)


@given(words, words)
def test_an_assets_properties_are_read_as_they_were_packed(power, capacity):
    battery = AssetProperties(AssetKind.STORAGE, EnergyType.STORAGE, power, capacity)
    packed = battery.pack()
    assert unpack_asset(packed) == battery
    assert int.from_bytes(packed, "big") == 3 << 248 | 3 << 240 | power << 176 | capacity << 112


@pytest.mark.parametrize(
    "properties",
    [
        (AssetKind.LOAD, EnergyType.NONE, 3_000, 0),
        (AssetKind.PV, EnergyType.PV, 8_000, 0),
        (AssetKind.WIND, EnergyType.WIND, 2_000_000, 0),
        (AssetKind.STORAGE, EnergyType.PV, 5_000, 10_000),
        (AssetKind.POWER_PLANT, EnergyType.COGENERATION, 500_000, 0),
        (AssetKind.HEAT_PUMP, EnergyType.NONE, 4_000, 0),
        (AssetKind.EV_CHARGER, EnergyType.STORAGE, 11_000, 60_000),
        (AssetKind.METER, EnergyType.NONE, 0, 0),
        (AssetKind.MARKET_MAKER, EnergyType.GRID, 1_000_000, 0),
    ],
    ids=lambda properties: properties[0].name.lower(),
)
def test_every_kind_of_asset_can_be_certified(properties):
    assert unpack_asset(AssetProperties(*properties).pack()) == AssetProperties(*properties)


@pytest.mark.parametrize(
    ("wrong", "properties"),
    [
        ("a roof that sells wind", (AssetKind.PV, EnergyType.WIND, 8_000, 0)),
        ("a load that sells", (AssetKind.LOAD, EnergyType.PV, 3_000, 0)),
        ("a roof that stores", (AssetKind.PV, EnergyType.PV, 8_000, 1)),
        ("a battery that does not store", (AssetKind.STORAGE, EnergyType.STORAGE, 5_000, 0)),
        ("a roof without power", (AssetKind.PV, EnergyType.PV, 0, 0)),
        ("a negative power", (AssetKind.PV, EnergyType.PV, -1, 0)),
        ("a power of 65 bits", (AssetKind.PV, EnergyType.PV, 1 << 64, 0)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_properties_that_contradict_each_other_are_refused(wrong, properties):
    with pytest.raises(MalformedClaimData):
        AssetProperties(*properties)


@pytest.mark.parametrize(
    ("wrong", "data"),
    [
        ("nothing", bytes(32)),
        ("an unknown kind", b"\x63" + bytes(31)),
        ("an unknown energy type", b"\x02\x63" + bytes(30)),
        ("something behind it", AssetProperties(AssetKind.PV, EnergyType.PV, 1).pack()[:31] + b"\1"),
        ("too short", bytes(31)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bytes_that_certify_no_asset_are_refused(wrong, data):
    with pytest.raises(MalformedClaimData) as refused:
        unpack_asset(data)
    assert refused.value.code == "malformed-claim-data"


def test_a_grid_operators_claim_names_its_market():
    assert unpack_market(pack_market(7)) == 7
    assert pack_market(0) == bytes(32), "every market"
    with pytest.raises(MalformedClaimData):
        pack_market(-1)
