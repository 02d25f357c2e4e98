"""From plain values to the subject of a credential, whose data is the claim's on the chain."""

from hypothesis import given
from hypothesis import strategies as st

from identity.certificate import of_asset, of_balancing_provider, of_energy_type, of_grid_operator, of_role
from identity.claim_data import AssetKind, AssetProperties, BalancingRates, EnergyType, pack_market
from identity.energy_roles import EnergyRole
from tests.actors import AGENT, BATTERY
from tests.identity.certified import did
from tests.registries import LABEL

words = st.integers(1, (1 << 64) - 1)


@given(st.sampled_from([AssetKind.STORAGE, AssetKind.EV_CHARGER]), st.sampled_from(EnergyType), words, words)
def test_an_assets_certificate_says_what_its_claim_says(kind, energy_type, power, capacity):
    properties = AssetProperties(kind, energy_type, power, capacity)
    subject = of_asset(did(BATTERY), LABEL, properties)
    assert subject.claim_data() == properties.pack()
    assert subject.agrees_with(properties.pack())
    assert of_energy_type(did(BATTERY), LABEL, energy_type).agrees_with(properties.pack())


@given(st.integers(0, (1 << 47) - 1), st.integers(0, (1 << 47) - 1))
def test_a_providers_certificate_says_what_its_claim_says(demand, supply):
    rates = BalancingRates(demand, supply)
    subject = of_balancing_provider(did(BATTERY), LABEL, rates)
    assert subject.claim_data() == rates.pack()
    other = BalancingRates(demand ^ 1, supply)
    assert subject.agrees_with(other.pack()) == (not any(other.pack()))


def test_a_grid_operator_is_certified_for_its_market_and_others_for_their_role():
    assert of_grid_operator(did(AGENT), LABEL, 7).claim_data() == pack_market(7)
    auditor = of_role(did(AGENT), LABEL, EnergyRole.AUDITOR)
    assert (auditor.role_name, auditor.claim_data()) == ("auditor.roles.street.merit", None)
