"""Only a balancing provider offers balancing, up or down, as of gate closure; who buys it need be none."""

import pytest

from tests.contracts.orders import BALANCING_DOWN, BALANCING_UP
from tests.contracts.registries import BALANCING
from tests.contracts.scenes import ENERGY, RATE, bid_and_offer, trade
from tests.contracts.town import CACHE, GATE_CLOSURE, NANO, refused

PROVIDER = "the producer"
DIRECTIONS = [BALANCING_UP, BALANCING_DOWN]


@pytest.fixture
def provider(town):
    """The producer's asset with a claim to provide balancing that nobody revoked yet."""
    certify(town)
    return town


def certify(town, **terms):
    town.registries.certify(town.identities[PROVIDER], BALANCING, holder=PROVIDER, **terms)
    town.refresh(town.assets[PROVIDER])


def balancing(town, product):
    return town.batch(bid_and_offer(town, product=product), [trade()], product=product)


@pytest.mark.parametrize("product", DIRECTIONS)
def test_a_balancing_provider_offers_and_anybody_buys(provider, product):
    provider.close_gate()
    provider.settle(balancing(provider, product))
    assert provider.credit(PROVIDER) == 100 * NANO + ENERGY * RATE


@pytest.mark.parametrize("product", DIRECTIONS)
def test_who_is_no_provider_does_not_offer_balancing(town, product):
    town.close_gate()
    with refused("assets: not a balancing provider"):
        town.settle(balancing(town, product))


@pytest.mark.parametrize("product", DIRECTIONS)
def test_an_offer_is_refused_whether_it_traded_or_not(town, product):
    town.close_gate()
    with refused("assets: not a balancing provider"):
        town.settle(town.batch([town.offer(PROVIDER, product=product)], [], product=product))
    town.settle(town.batch([town.bid(PROVIDER, product=product)], [], product=product))


@pytest.mark.parametrize("product", [0, 1, 2, 5, 255])
def test_other_products_need_no_provider(town, product):
    town.close_gate()
    town.settle(balancing(town, product))


def test_who_is_a_provider_up_to_gate_closure_offers(town):
    certify(town, expiry=GATE_CLOSURE + 1)
    town.close_gate()
    town.settle(balancing(town, BALANCING_UP))


def test_who_is_a_provider_until_the_second_before_is_refused(town):
    certify(town, expiry=GATE_CLOSURE)
    town.close_gate()
    with refused("assets: not a balancing provider"):
        town.settle(balancing(town, BALANCING_UP))


def test_a_provider_revoked_as_the_gate_closes_is_refused(provider):
    provider.close_gate()
    provider.registries.revoke(provider.identities[PROVIDER], BALANCING)
    provider.refresh(provider.assets[PROVIDER])
    with refused("assets: not a balancing provider"):
        provider.settle(balancing(provider, BALANCING_UP))


def test_a_provider_revoked_the_second_after_is_settled(provider):
    provider.move_to(GATE_CLOSURE + 1)
    provider.registries.revoke(provider.identities[PROVIDER], BALANCING)
    provider.refresh(provider.assets[PROVIDER])
    provider.settle(balancing(provider, BALANCING_UP))


def test_a_provider_that_nobody_refreshed_is_one_for_no_longer_than_the_cache(provider):
    number = provider.assets[PROVIDER]
    assert provider.until(number)[1] == provider.machine.now + CACHE
    provider.registries.revoke(provider.identities[PROVIDER], BALANCING)
    provider.close_gate()
    provider.settle(balancing(provider, BALANCING_UP))


def test_a_provider_whose_asset_is_current_no_more_is_refused_as_any_other(provider):
    provider.close_gate()
    provider.registries.retire(provider.identities[PROVIDER], PROVIDER)
    provider.refresh(provider.assets[PROVIDER])
    with refused("assets: not current"):
        provider.settle(balancing(provider, BALANCING_UP))


def test_the_rates_agreed_with_the_seller_do_not_go_to_the_buyer(provider):
    """The claim ends with the sale; the buyer's asset trades, and offers balancing once it is certified anew."""
    provider.open_account("the buyer")
    provider.move_to(GATE_CLOSURE - 60)
    provider.registries.sell(provider.identities[PROVIDER], PROVIDER, "the buyer")
    number = provider.enrol_again("the buyer", PROVIDER)
    provider.close_gate()
    bid, offer = bid_and_offer(provider, product=BALANCING_UP)
    batch = provider.batch([bid, offer.but(signer="the buyer")], [trade()], product=BALANCING_UP)
    with refused("assets: not a balancing provider"):
        provider.settle(batch)
    provider.registries.certify(provider.identities[PROVIDER], BALANCING, holder="the buyer")
    provider.refresh(number)
    provider.settle(batch)
