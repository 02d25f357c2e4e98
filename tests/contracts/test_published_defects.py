"""What is wrong in the published contracts that ours stand in for, each as somebody would use it, and what ours say."""

import pytest

from contracts.artifacts import load
from tests.contracts.caller import Contract, refused
from tests.contracts.identities import DAY, NO_DATA, TRADE, VERI_KEY, Identities, hexed, role_of, signature
from tests.contracts.machine import GENESIS, Revm
from tests.contracts.orders import address_of, keccak

ROOT_ISSUER, ISSUER, MEMBER, STRANGER = "the root issuer", "the issuer", "a member", "a stranger"
SELLER, BUYER, AGENT = "the seller", "the buyer", "the seller's aggregator"
DIGEST = keccak(b"an order")


@pytest.fixture
def town() -> Identities:
    """Assets are certified by holders of `certifier`; `rates` are agreed with an owner."""
    town = Identities(Revm())
    town.define("certifier", issuers=(address_of(ROOT_ISSUER),))
    town.define("asset", issuer_role=role_of("certifier"))
    town.define("rates", issuer_role=role_of("certifier"), ends_at_sale=True)
    town.claim(ISSUER, "certifier", ROOT_ISSUER)
    return town


def kind_of(epoch: int) -> bytes:
    return keccak(TRADE + epoch.to_bytes(32))


def delegated(town, asset, epoch, agent=AGENT):
    return town.dids.read("validDelegate", asset.address, kind_of(epoch), address_of(agent))


# Who issues


def test_who_makes_itself_an_issuer_issues_nothing(town):
    with refused("claims: issued to oneself"):
        town.claim(STRANGER, "certifier", STRANGER)
    with refused("claims: issuer may not issue"):
        town.claim("an accomplice", "certifier", STRANGER)
    with refused("claims: issuer may not issue"):
        town.claim(MEMBER, "asset", STRANGER)
    town.claim(MEMBER, "asset", ISSUER)


def test_a_certifier_does_not_make_certifiers(town):
    with refused("claims: issuer may not issue"):
        town.claim("an accomplice", "certifier", ISSUER)
    town.claim("another certifier", "certifier", ROOT_ISSUER)


def test_a_revoked_issuer_registers_nothing_more_and_what_it_registered_counts_no_more(town):
    town.claim(MEMBER, "asset", ISSUER)
    arguments = town.claim_arguments("another", "asset", ISSUER)
    assert town.has(MEMBER, "asset")
    town.roles.send(ROOT_ISSUER, "revoke", role_of("certifier"), address_of(ISSUER))
    with refused("claims: issuer may not issue"):  # not even with a proof of before
        town.roles.send("anybody", "registerWithData", *arguments)
    assert not town.has(MEMBER, "asset")
    town.claim(ISSUER, "certifier", ROOT_ISSUER)
    town.roles.send("anybody", "registerWithData", *arguments)
    assert town.has(MEMBER, "asset")


# Who revokes


def test_a_stranger_revokes_nothing_by_naming_a_revoker(town):
    town.define("regulator", issuers=(address_of(ROOT_ISSUER),))
    town.define("certifier", issuers=(address_of(ROOT_ISSUER),), revoker_role=role_of("regulator"))
    town.claim("the regulator", "regulator", ROOT_ISSUER)
    for revoker in ("the regulator", ROOT_ISSUER):
        with refused("claims: not the revoker"):
            town.roles.send(STRANGER, "revokeAs", role_of("certifier"), address_of(ISSUER), address_of(revoker))
    with refused("claims: revoker may not revoke"):
        town.roles.send(STRANGER, "revoke", role_of("certifier"), address_of(ISSUER))
    assert town.has(ISSUER, "certifier")
    town.roles.send("the regulator", "revoke", role_of("certifier"), address_of(ISSUER))
    assert not town.has(ISSUER, "certifier")


def test_a_key_that_was_rotated_out_signs_and_revokes_nothing(town):
    town.dids.send(ROOT_ISSUER, "changeOwner", address_of(ROOT_ISSUER), address_of("the new key"))
    with refused("claims: issuer did not sign"):
        town.claim(MEMBER, "certifier", ROOT_ISSUER)
    with refused("claims: not the revoker"):
        town.roles.send(ROOT_ISSUER, "revoke", role_of("certifier"), address_of(ISSUER))
    town.claim(MEMBER, "certifier", ROOT_ISSUER, proved_by="the new key")


# What a registration may say


def test_a_later_registration_does_not_lower_the_version(town):
    town.define("asset", issuer_role=role_of("certifier"), version=2)
    town.claim(MEMBER, "asset", ISSUER, version=2)
    with refused("claims: version is lowered"):
        town.claim(MEMBER, "asset", ISSUER, version=1)
    town.roles.send(ISSUER, "revoke", role_of("asset"), address_of(MEMBER))
    with refused("claims: version is lowered"):  # nor after a revocation
        town.claim(MEMBER, "asset", ISSUER, version=1)
    town.claim(MEMBER, "asset", ISSUER, version=2)


def test_a_registration_with_a_past_expiry_is_no_silent_revocation(town):
    town.claim(MEMBER, "asset", ISSUER)
    with refused("claims: expiry is past"):
        town.claim(MEMBER, "asset", ISSUER, expiry=GENESIS - 1)
    assert town.has(MEMBER, "asset")


def test_an_agreement_does_not_serve_a_second_time_or_for_ever(town):
    arguments = town.claim_arguments(MEMBER, "asset", ISSUER, deadline=GENESIS + 100)
    town.roles.send("anybody", "registerWithData", *arguments)
    town.roles.send(ISSUER, "revoke", role_of("asset"), address_of(MEMBER))
    fresh_proof = town.claim_arguments(MEMBER, "asset", ISSUER, expiry=GENESIS + 2 * DAY)[8]
    with refused("claims: agreement was used"):
        town.roles.send("anybody", "registerWithData", *arguments[:3], GENESIS + 2 * DAY, *arguments[4:8], fresh_proof)
    town.pass_by(101)
    with refused("claims: deadline is past"):
        town.claim(MEMBER, "asset", ISSUER, deadline=GENESIS + 100)
    town.claim(MEMBER, "asset", ISSUER)


# What outlives a sale


def test_a_claim_agreed_with_the_seller_ends_with_the_sale(town):
    asset = town.asset(SELLER)
    town.claim(asset, "rates", ISSUER, agreed_by=SELLER)
    town.sell(asset, SELLER, BUYER)
    assert not town.has(asset, "rates")
    town.claim(asset, "rates", ISSUER, agreed_by=BUYER)
    assert town.has(asset, "rates")


def test_what_was_signed_for_the_seller_is_not_registered_after_the_sale(town):
    asset = town.asset(SELLER)
    of_seller = town.claim_arguments(asset, "rates", ISSUER, agreed_by=SELLER)
    town.sell(asset, SELLER, BUYER)
    with refused("claims: subject did not agree"):
        town.roles.send("anybody", "registerWithData", *of_seller)
    # the buyer agrees, and brings the proof that the issuer made for the seller's ownership
    of_buyer = town.claim_arguments(asset, "rates", ISSUER, agreed_by=BUYER, epoch=1, expiry=of_seller[3])
    with refused("claims: issuer did not sign"):
        town.roles.send("anybody", "registerWithData", *of_buyer)
    town.claim(asset, "rates", ISSUER, agreed_by=BUYER)


def test_the_sellers_keys_and_delegates_end_with_the_sale(town):
    asset = town.asset(SELLER)
    asset.send(SELLER, "delegate", TRADE, address_of(AGENT), 30 * DAY)
    asset.send(SELLER, "addDeviceKey", address_of("the seller's phone"), 30 * DAY)
    for signer in (SELLER, AGENT):
        assert asset.read("isValidSignature", DIGEST, signature(DIGEST, signer)) == bytes.fromhex("1626ba7e")
    town.sell(asset, SELLER, BUYER)
    for signer in (SELLER, AGENT, "the seller's phone"):
        assert asset.read("isValidSignature", DIGEST, signature(DIGEST, signer)) == b"\xff" * 4
    with refused("claims: subject did not agree"):
        town.claim(asset, "asset", ISSUER, agreed_by="the seller's phone")
    assert not delegated(town, asset, 2)
    assert asset.read("isValidSignature", DIGEST, signature(DIGEST, BUYER)) == bytes.fromhex("1626ba7e")


@pytest.mark.parametrize("form", ["addDelegate", "addDelegateSigned"])
def test_a_seller_cannot_hand_out_delegations_of_epochs_to_come(town, form):
    asset = town.asset(SELLER)
    signed = (27, bytes(32), bytes(32)) if form == "addDelegateSigned" else ()
    for kind in (kind_of(2), VERI_KEY, kind_of(1)):
        call = town.dids.calldata(form, asset.address, *signed, kind, address_of(AGENT), 30 * DAY)
        with refused("identity: use delegate"):
            asset.send(SELLER, "sendTransaction", town.dids.address, call, 0)
    # nor before the asset came into being, nor past it
    with refused("did: not the owner"):
        town.dids.send(SELLER, "addDelegate", asset.address, kind_of(2), address_of(AGENT), 30 * DAY)
    asset.send(SELLER, "delegate", TRADE, address_of(AGENT), 30 * DAY)
    town.sell(asset, SELLER, BUYER)
    assert delegated(town, asset, 1)
    assert not delegated(town, asset, 2)
    asset.send(BUYER, "delegate", TRADE, address_of(AGENT), 30 * DAY)
    assert delegated(town, asset, 2)


@pytest.mark.parametrize("form", ["changeOwner", "changeOwnerSigned"])
def test_a_seller_cannot_keep_the_did_past_the_sale(town, form):
    asset = town.asset(SELLER)
    signed = (27, bytes(32), bytes(32)) if form == "changeOwnerSigned" else ()
    call = town.dids.calldata(form, asset.address, *signed, address_of(SELLER))
    with refused("identity: DID stays its own"):
        asset.send(SELLER, "sendTransaction", town.dids.address, call, 0)
    revocation = town.dids.calldata("revokeDelegate", asset.address, VERI_KEY, address_of(AGENT))
    asset.send(SELLER, "sendTransaction", town.dids.address, revocation, 0)
    town.sell(asset, SELLER, BUYER)
    assert town.dids.read("identityOwner", asset.address) == hexed(asset.address)
    with refused("did: not the owner"):
        town.dids.send(SELLER, "addDelegate", asset.address, kind_of(2), address_of(AGENT), DAY)


def test_a_seller_cannot_accept_for_the_buyer(town):
    asset = town.asset(SELLER)
    asset.send(SELLER, "offer", address_of(BUYER))
    call = town.assets.calldata("accept_as", address_of(BUYER))
    with refused("identity: registry is closed"):
        asset.send(SELLER, "sendTransaction", town.assets.address, call, 0)
    with refused("registry: not offered to sender"):
        town.assets.send(SELLER, "accept_as", address_of(BUYER))
    asset.send(BUYER, "acceptOffer")


# Whose an asset is


def test_nobody_sets_up_an_asset_in_anothers_name(town):
    with refused("registry: not in another's name"):
        town.assets.send(STRANGER, "createIdentity", address_of(MEMBER))
    town.assets.send(MEMBER, "createIdentity", address_of(MEMBER))


def test_a_contract_that_calls_itself_an_asset_is_none(town):
    # the same code, behind another registry: it shows every interface, and names its own owner
    other = Identities(town.machine)
    impostor = other.asset(STRANGER)
    assert impostor.read("supportsInterface", bytes.fromhex("8da5cb5b"))
    assert impostor.read("owner") == hexed(address_of(STRANGER))
    assert not town.assets.read("verified", impostor.address)
    with refused("claims: subject did not agree"):
        town.claim(impostor, "asset", ISSUER, agreed_by=STRANGER)
    with refused("registry: not the owner"):
        town.assets.send(STRANGER, "offer", impostor.address, address_of(BUYER), 0)
    asset = town.asset(STRANGER)
    town.claim(asset, "asset", ISSUER, agreed_by=STRANGER)
    assert Contract.at(town.machine, load("AssetIdentity"), asset.address).read("owner") == hexed(address_of(STRANGER))
    assert town.roles.read("claim", asset.address, role_of("asset"))[4] == NO_DATA
