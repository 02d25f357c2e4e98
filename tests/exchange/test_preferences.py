"""Preferences: their form, their hash against eth-account's EIP-712, and what is refused."""

import json

import pytest
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import OrderMalformed
from exchange.order import NO_PREFERENCES
from exchange.preferences import ALTERNATIVE_TYPE, PREFERENCES_TYPE, Alternative, Preferences, check_fit, from_document
from exchange.units import MAX_ENERGY, MAX_RATE, MIN_RATE
from identity.claim_data import EnergyType
from identity.hashing import keccak
from identity.typed_data import Domain, digest
from tests.actors import CONTRACT, NEIGHBOUR, PRODUCER
from tests.strategies import addresses, energies, rates

SOLD = [energy_type for energy_type in EnergyType if energy_type is not EnergyType.NONE]
DOMAIN = Domain(31_337, CONTRACT.address)

alternatives = st.builds(
    Alternative.of,
    partners=st.lists(addresses, max_size=3),
    energy_types=st.lists(st.sampled_from(SOLD), max_size=3),
    most_energy=st.none() | energies,
    limit=st.none() | rates,
)
preferences = st.lists(alternatives, min_size=1, max_size=8).map(tuple).map(Preferences)


def members(typed: str) -> list[dict[str, str]]:
    fields = typed[typed.index("(") + 1 : typed.index(")")].split(",")
    return [dict(zip(("type", "name"), field.split(" "), strict=True)) for field in fields]


@given(preferences)
def test_the_hash_of_preferences_is_that_of_eth_account(wanted):
    signable = encode_typed_data(
        full_message={
            "types": {
                "EIP712Domain": members("(string name,string version,uint256 chainId,address verifyingContract)"),
                "Preferences": members(PREFERENCES_TYPE),
                "Alternative": members(ALTERNATIVE_TYPE),
            },
            "primaryType": "Preferences",
            "domain": {
                "name": DOMAIN.name,
                "version": DOMAIN.version,
                "chainId": DOMAIN.chain_id,
                "verifyingContract": "0x" + DOMAIN.contract.hex(),
            },
            "message": {
                "alternatives": [
                    {
                        "partners": ["0x" + partner.hex() for partner in wish.partners],
                        "energyTypes": [int(energy_type) for energy_type in wish.energy_types],
                        "mostEnergyWh": wish.most_energy or 0,
                        "limitMicroPerKwh": wish.limit or 0,
                        "limited": wish.limit is not None,
                    }
                    for wish in wanted.alternatives
                ]
            },
        }
    )
    theirs = keccak(b"\x19" + signable.version + signable.header + signable.body)
    assert digest(DOMAIN.separator(), wanted.hash()) == theirs


@given(preferences)
def test_preferences_come_back_from_their_document(wanted):
    document = json.loads(json.dumps(wanted.to_document()))
    assert from_document(document) == wanted
    assert from_document(document).hash() == wanted.hash() != NO_PREFERENCES


PV = Alternative(energy_types=(EnergyType.PV,))
FRIENDS = Alternative.of(partners=(PRODUCER.address, NEIGHBOUR.address))


@pytest.mark.parametrize(
    "other",
    [
        Alternative(),
        Alternative(energy_types=(EnergyType.WIND,)),
        Alternative(energy_types=(EnergyType.PV,), most_energy=1),
        Alternative(energy_types=(EnergyType.PV,), limit=0),
        FRIENDS,
    ],
)
def test_preferences_changed_in_one_field_have_another_hash(other):
    assert Preferences((other,)).hash() != Preferences((PV,)).hash()


def test_the_order_of_alternatives_counts_and_that_within_one_does_not():
    assert Preferences((PV, FRIENDS)).hash() != Preferences((FRIENDS, PV)).hash()
    assert Alternative.of(partners=(NEIGHBOUR.address, PRODUCER.address, NEIGHBOUR.address)) == FRIENDS


def many(count: int) -> tuple[bytes, ...]:
    return tuple(number.to_bytes(20, "big") for number in range(count))


@pytest.mark.parametrize(
    "fields",
    [
        {"partners": many(16)},
        {"energy_types": tuple(sorted(SOLD))},
        {"most_energy": 1},
        {"most_energy": MAX_ENERGY},
        {"limit": MIN_RATE},
        {"limit": MAX_RATE},
    ],
)
def test_an_alternative_at_the_edge_of_its_fields_is_taken(fields):
    Alternative(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"partners": many(17)},
        {"partners": many(2)[::-1]},
        {"partners": many(1) * 2},
        {"partners": (bytes(19),)},
        {"energy_types": (EnergyType.WIND, EnergyType.PV)},
        {"energy_types": (EnergyType.PV,) * 2},
        {"energy_types": (EnergyType.NONE,)},
        {"most_energy": 0},
        {"most_energy": MAX_ENERGY + 1},
        {"limit": MIN_RATE - 1},
        {"limit": MAX_RATE + 1},
    ],
)
def test_an_alternative_beyond_its_fields_is_refused(fields):
    with pytest.raises(ValueError):
        Alternative(**fields)


def test_eight_alternatives_are_taken_and_none_and_nine_are_refused():
    Preferences((PV,) * 8)
    for count in (0, 9):
        with pytest.raises(ValueError):
            Preferences((PV,) * count)


GOOD = Preferences(
    (Alternative.of(partners=many(1), energy_types=[EnergyType.PV], most_energy=5, limit=-1),)
).to_document()


def test_a_good_document_is_read():
    assert from_document(GOOD).alternatives[0].limit == -1


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"partners": None}, "alternatives[0].partners"),
        ({"partners": ["0x" + "AB" * 20]}, "alternatives[0].partners"),
        ({"partners": ["0x" + "ab" * 19]}, "alternatives[0].partners"),
        ({"partners": [7]}, "alternatives[0].partners"),
        ({"partners": ["0x" + "zz" * 20]}, "alternatives[0].partners"),
        ({"partners": ["0x" + "ab" * 20] * 2}, "alternatives[0]"),
        ({"energy_types": ["sun"]}, "alternatives[0].energy_types"),
        ({"energy_types": [["pv"]]}, "alternatives[0].energy_types"),
        ({"energy_types": ["none"]}, "alternatives[0]"),
        ({"most_energy_wh": True}, "alternatives[0].most_energy_wh"),
        ({"most_energy_wh": 0}, "alternatives[0]"),
        ({"limit_micro_per_kwh": "1"}, "alternatives[0].limit_micro_per_kwh"),
        ({"limit_micro_per_kwh": MAX_RATE + 1}, "alternatives[0]"),
        ({"price": 1}, "alternatives[0]"),
    ],
)
def test_a_document_is_refused_with_the_name_of_what_is_wrong(change, where):
    with pytest.raises(OrderMalformed) as refused:
        from_document({"alternatives": [GOOD["alternatives"][0] | change]})
    assert refused.value.fields[0][0] == where


@pytest.mark.parametrize("document", [None, [], {}, {"alternatives": {}}, {"alternatives": []}, GOOD | {"more": 1}])
def test_what_is_no_list_of_alternatives_is_refused(document):
    with pytest.raises(OrderMalformed):
        from_document(document)
    with pytest.raises(OrderMalformed):
        from_document({"alternatives": [document]})


def test_an_offer_may_name_partners():
    check_fit(Preferences((FRIENDS,)), 10, is_offer=True)


@pytest.mark.parametrize(
    "wanted",
    [(Alternative(),), (PV,), (FRIENDS, FRIENDS), (Alternative.of(partners=FRIENDS.partners, limit=3),)],
)
def test_an_offer_that_asks_for_more_than_partners_is_refused(wanted):
    check_fit(Preferences(wanted), 10, is_offer=False)
    with pytest.raises(OrderMalformed):
        check_fit(Preferences(wanted), 10, is_offer=True)


def test_an_alternative_may_have_the_limit_of_its_order_and_no_higher_one():
    check_fit(Preferences((PV, Alternative(limit=10))), 10, is_offer=False)
    with pytest.raises(OrderMalformed) as refused:
        check_fit(Preferences((PV, Alternative(limit=11))), 10, is_offer=False)
    assert refused.value.fields[0][0] == "alternatives[1].limit_micro_per_kwh"
