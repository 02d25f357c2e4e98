"""Who owns an asset when the gate closes trades it: sale, retirement and certificates, both sides of each second.

A gate that had closed before is settled as it was agreed; for a gate that closes afterwards, the old owner's enrolment
counts at most until the cache runs out, and not at all once anybody has refreshed it.
"""

from contextlib import nullcontext

import pytest

from tests.contracts.registries import ASSET
from tests.contracts.scenes import one_trade, trade
from tests.contracts.town import CACHE, GATE_CLOSURE, START, refused

SELLER, BUYER, CONSUMER = "the producer", "the buyer", "the consumer"


def sell(town, at):
    """The producer's asset changes hands at that second."""
    town.move_to(at)
    town.registries.sell(town.identities[SELLER], SELLER, BUYER)


def of_seller(town):
    return one_trade(town)


def of_buyer(town, number):
    orders = [town.bid(CONSUMER), town.offer(SELLER, signer=BUYER).but(asset=number)]
    return one_trade(town, orders=orders)


def test_a_sale_at_the_second_the_gate_closes_ends_the_sellers_orders(town):
    sell(town, at=GATE_CLOSURE)
    town.refresh(town.assets[SELLER])
    with refused("assets: not current"):
        town.settle(of_seller(town))


def test_a_sale_the_second_after_the_gate_closed_does_not(town):
    sell(town, at=GATE_CLOSURE + 1)
    town.refresh(town.assets[SELLER])
    town.settle(of_seller(town))


def test_who_bought_an_asset_enrols_it_under_its_own_account_and_trades(town):
    town.open(BUYER, 0)
    sell(town, at=GATE_CLOSURE)
    number = town.enrol_again(BUYER, SELLER)
    assert town.read("asset", number)[1] == town.accounts[BUYER]
    assert town.read("epoch_of", number) == 2
    assert town.read("asset_of", town.identities[SELLER]) == number
    town.settle(of_buyer(town, number))
    assert town.credit(BUYER) > 0


def test_the_sellers_signature_does_not_trade_the_buyers_enrolment(town):
    town.open(BUYER, 0)
    old = town.assets[SELLER]
    sell(town, at=GATE_CLOSURE)
    number = town.enrol_again(BUYER, SELLER)
    with refused("orders: signer may not trade"):
        town.settle(one_trade(town, orders=[town.bid(CONSUMER), town.offer(SELLER).but(asset=number)]))
    with refused("orders: signer may not trade"):
        town.settle(of_buyer(town, old))
    town.settle(of_buyer(town, number))


def test_without_a_sale_the_offeree_enrols_nothing(town):
    town.open(BUYER, 0)
    town.registries.offer(town.identities[SELLER], SELLER, BUYER)
    with refused("assets: not its owner's account"):
        town.enrol_again(BUYER, SELLER)


@pytest.mark.parametrize("earlier", [0, 1])
def test_a_stale_cache_counts_up_to_its_bound_and_not_a_second_longer(town, earlier):
    """Nobody refreshed after the sale, so the contract believes what it was told last: for so long, at most."""
    town.move_to(GATE_CLOSURE - earlier)
    town.refresh(town.assets[SELLER])
    town.move_to(GATE_CLOSURE)
    town.refresh(town.assets[CONSUMER])
    sell(town, at=GATE_CLOSURE)
    town.move_to(GATE_CLOSURE + CACHE)
    later = {"start": START + CACHE, "valid_until": START + CACHE}
    batch = town.batch([town.bid(CONSUMER, **later), town.offer(SELLER, **later)], [trade()], start=START + CACHE)
    with refused("assets: not current") if earlier else nullcontext():
        town.settle(batch)


def test_a_refresh_after_a_sale_never_lengthens(town):
    number = town.assets[SELLER]
    sell(town, at=GATE_CLOSURE)
    sold_at = town.machine.now
    for later in (60, CACHE, 2 * CACHE):
        town.move_to(sold_at + later)
        town.refresh(number)
        assert town.until(number) == (sold_at - 1, 0)


def test_a_refresh_after_a_sale_does_not_lengthen_what_had_run_out_before(town):
    number = town.assets[SELLER]
    before = town.until(number)
    sell(town, at=before[0] + 600)
    town.refresh(number)
    assert town.until(number) == before


def test_an_asset_that_comes_back_to_its_seller_is_enrolled_anew(town):
    first = town.assets[SELLER]
    sell(town, at=GATE_CLOSURE - 600)
    town.registries.sell(town.identities[SELLER], BUYER, SELLER)
    town.refresh(first)
    assert town.until(first)[0] < GATE_CLOSURE - 600
    again = town.enrol_again(SELLER, SELLER)
    assert town.read("epoch_of", again) == 3
    town.close_gate()
    town.settle(of_seller(town))


def test_an_asset_retired_at_gate_closure_is_refused(town):
    town.move_to(GATE_CLOSURE)
    town.registries.retire(town.identities[SELLER], SELLER)
    town.refresh(town.assets[SELLER])
    with refused("assets: not current"):
        town.settle(of_seller(town))


def test_an_asset_retired_the_second_after_is_settled(town):
    town.move_to(GATE_CLOSURE + 1)
    town.registries.retire(town.identities[SELLER], SELLER)
    town.refresh(town.assets[SELLER])
    town.settle(of_seller(town))


def test_a_certificate_revoked_at_gate_closure_is_refused(town):
    town.move_to(GATE_CLOSURE)
    town.registries.revoke(town.identities[SELLER], ASSET)
    town.refresh(town.assets[SELLER])
    with refused("assets: not current"):
        town.settle(of_seller(town))


def test_a_certificate_revoked_the_second_after_is_settled(town):
    town.move_to(GATE_CLOSURE + 1)
    town.registries.revoke(town.identities[SELLER], ASSET)
    town.refresh(town.assets[SELLER])
    town.settle(of_seller(town))


@pytest.mark.parametrize("later", [0, 1])
def test_a_certifier_struck_off_the_role_has_certified_nothing_from_then_on(town, later):
    """By the new definition the claim never counted; but for a gate that had closed it did."""
    town.move_to(GATE_CLOSURE + later)
    town.registries.define(ASSET, "another certifier")
    town.refresh(town.assets[SELLER])
    with nullcontext() if later else refused("assets: not current"):
        town.settle(of_seller(town))


def test_a_certificate_that_expires_at_gate_closure_is_refused(town):
    town.enrol(SELLER, "a roof", expiry=GATE_CLOSURE)
    town.enrol(SELLER, "a barn", expiry=GATE_CLOSURE + 1)
    town.close_gate()
    with refused("assets: not current"):
        town.settle(one_trade(town, orders=[town.bid(CONSUMER), town.offer("a roof", signer=SELLER)]))
    town.settle(one_trade(town, orders=[town.bid(CONSUMER), town.offer("a barn", signer=SELLER)]))
