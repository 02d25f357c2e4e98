"""An asset is created by its owner, changes hands by offer and acceptance, and is retired; ownerships are numbered."""

import pytest
from eth_abi import encode

from contracts.artifacts import load
from tests.contracts.caller import refused, selector_of
from tests.contracts.identities import CREATION, DAY, NOBODY, Identities, digest_of, hexed, signature
from tests.contracts.machine import GENESIS, Revm
from tests.contracts.orders import address_of, keccak

OWNER, BUYER, STRANGER = "the owner", "the buyer", "a stranger"
EVENTS = {
    "IdentityCreated": "b9fb8e551e2c1eca32cadcff5fba92a08c15e5fdb3d0b5b77b3c0c299cb6d4e0",
    "IdentityOffered": "06f60810783b48f561226446a054a0a69c6ed28d2dcc1fa121d1c8f75932d44b",
    "IdentityTransferred": "935587b2ac44cbc8f19b54532d7d55c0bfb1f1d498f42f208eaf88fba9c65a63",
    "IdentityOfferRejected": "f8b19edda65b5d62bf5cffc44b06971c852691ffbdc99a3321d80ec842f1dc6d",
    "IdentityOfferCanceled": "02d7c2d528e37f89d262715cd5ed5727bd92404af478372c95f9ea366558794a",
}
INDEXED = {
    "IdentityCreated": ["identity", "owner", "at"],
    "IdentityOffered": ["identity", "owner", "at"],
    "IdentityTransferred": ["identity", "owner", "at"],
    "IdentityOfferRejected": ["identity", "offeredTo", "at"],
    "IdentityOfferCanceled": ["identity", "owner", "at"],
}


@pytest.fixture
def town() -> Identities:
    return Identities(Revm())


@pytest.fixture
def asset(town):
    return town.asset(OWNER)


def state(town, asset):
    return town.assets.read("tenure", asset.address)


def test_the_events_are_energy_webs():
    events = {entry["name"]: entry for entry in load("AssetRegistry").abi if entry["type"] == "event"}
    assert {name: selector_of(events[name]).hex() for name in EVENTS} == EVENTS
    indexed = {name: [field["name"] for field in events[name]["inputs"] if field["indexed"]] for name in EVENTS}
    assert indexed == INDEXED


# Creation


def test_an_owner_creates_an_asset_for_itself_and_nobody_in_its_name(town):
    with refused("registry: not in another's name"):
        town.assets.send(STRANGER, "createIdentity", address_of(OWNER))
    outcome = town.assets.send(OWNER, "createIdentity", address_of(OWNER))
    [(name, fields)] = town.assets.events(outcome)
    assert (name, fields["owner"], fields["at"]) == ("IdentityCreated", hexed(address_of(OWNER)), GENESIS)
    assert outcome.output[-20:] == bytes.fromhex(fields["identity"][2:])
    assert town.assets.read("verified", outcome.output[-20:])
    assert town.assets.read("tenure", outcome.output[-20:]) == (hexed(address_of(OWNER)), 1, GENESIS)


def test_an_asset_is_a_minimal_proxy_at_an_address_of_its_owner_and_number(town, asset):
    implementation = bytes.fromhex(town.assets.read("implementation")[2:])
    code = b"\x36\x3d\x3d\x37\x3d\x3d\x3d\x36\x3d\x73" + implementation
    code += b"\x5a\xf4\x3d\x82\x80\x3e\x90\x3d\x91\x60\x2b\x57\xfd\x5b\xf3"  # ERC-1167
    assert town.machine.code(asset.address).rstrip(b"\0") == code  # revm pads what it runs
    second = town.asset(OWNER)
    creation = b"\x60\x2d\x3d\x81\x60\x09\x3d\x39\xf3" + code
    salts = [keccak(encode(["address", "uint256"], [address_of(OWNER), number])) for number in (0, 1)]
    found = [keccak(b"\xff" + town.assets.address + salt + keccak(creation))[12:] for salt in salts]
    assert [asset.address, second.address] == found
    assert town.assets.read("created", address_of(OWNER)) == 2


def creation(town, *, signer=OWNER, owner=OWNER, number=0, deadline=GENESIS + 10):
    values = address_of(owner), number, deadline
    digest = digest_of("Merit Asset Registry", "1", town.assets.address, CREATION, *values)
    return address_of(owner), deadline, signature(digest, signer)


def test_an_asset_is_created_by_the_owners_signature_once_and_until_its_deadline(town):
    signed = creation(town)
    town.pass_by(11)
    with refused("registry: deadline is past"):
        town.assets.send("a relayer", "createIdentitySigned", *signed)
    town.pass_by(-1)
    outcome = town.assets.send("a relayer", "createIdentitySigned", *signed)
    assert town.assets.read("identityOwner", outcome.output[-20:]) == hexed(address_of(OWNER))
    with refused("registry: owner did not sign"):
        town.assets.send("a relayer", "createIdentitySigned", *signed)
    town.assets.send("a relayer", "createIdentitySigned", *creation(town, number=1, deadline=GENESIS + 99))


def test_an_asset_is_not_created_by_anothers_signature_nor_for_nobody(town):
    with refused("registry: owner did not sign"):
        town.assets.send(STRANGER, "createIdentitySigned", *creation(town, signer=STRANGER))
    with refused("registry: owner did not sign"):
        town.assets.send(STRANGER, "createIdentitySigned", NOBODY, GENESIS, bytes(64) + b"\x1b")
    with refused("registry: owner did not sign"):
        town.assets.send(STRANGER, "createIdentitySigned", address_of(OWNER), GENESIS, b"")
    town.assets.send(STRANGER, "createIdentitySigned", *creation(town))


def test_a_registry_needs_a_did_registry(town):
    code, shell = load("AssetRegistry").bytecode, load("AssetIdentity").bytecode
    with refused("registry: DIDs have no code"):
        town.machine.create("the deployer", code + encode(["address", "bytes"], [NOBODY, shell]))
    town.machine.create("the deployer", code + encode(["address", "bytes"], [town.dids.address, shell]))


def test_what_the_registry_did_not_create_is_no_asset(town):
    assert not town.assets.read("verified", address_of(STRANGER))
    assert town.assets.read("tenure", address_of(STRANGER)) == (hexed(NOBODY), 0, 0)
    for call in (("offer", address_of(BUYER), 0), ("cancel",), ("retire",)):
        with refused("registry: not the owner"):
            town.assets.send(STRANGER, call[0], address_of(STRANGER), *call[1:])
        with refused("registry: not the owner"):
            town.assets.send(STRANGER, f"{call[0]}_as", NOBODY, *call[1:])
    for call in ("accept", "reject"):
        with refused("registry: not offered to sender"):
            town.assets.send(STRANGER, f"{call}_as", NOBODY)


# Changing hands


def test_an_offer_that_is_accepted_makes_a_new_owner_and_a_new_epoch(town, asset):
    town.pass_by(5)
    offered, ours = town.assets.events(town.assets.send(OWNER, "offer", asset.address, address_of(BUYER), GENESIS + 9))
    parties = {"identity": hexed(asset.address), "owner": hexed(address_of(OWNER))}
    assert offered == ("IdentityOffered", parties | {"offeredTo": hexed(address_of(BUYER)), "at": GENESIS + 5})
    assert ours == ("AssetOffered", parties | {"to": hexed(address_of(BUYER)), "until": GENESIS + 9})
    assert town.assets.read("offer_of", asset.address) == (hexed(address_of(BUYER)), GENESIS + 9)
    assert state(town, asset) == (hexed(address_of(OWNER)), 1, GENESIS)
    town.pass_by(4)
    [event] = town.assets.events(town.assets.send(BUYER, "accept", asset.address))
    fields = {"identity": hexed(asset.address), "owner": hexed(address_of(BUYER)), "at": GENESIS + 9}
    assert event == ("IdentityTransferred", fields)
    assert state(town, asset) == (hexed(address_of(BUYER)), 2, GENESIS + 9)
    assert [town.assets.read("epoch_ended", asset.address, epoch) for epoch in (0, 1, 2)] == [0, GENESIS + 9, 0]
    assert town.assets.read("offer_of", asset.address) == (hexed(NOBODY), 0)
    with refused("registry: not the owner"):
        town.assets.send(OWNER, "offer", asset.address, address_of(OWNER), 0)


def test_only_the_owner_offers_and_only_to_somebody_else_than_the_asset(town, asset):
    with refused("registry: not the owner"):
        town.assets.send(STRANGER, "offer", asset.address, address_of(STRANGER), 0)
    with refused("registry: offered to nobody"):
        town.assets.send(OWNER, "offer", asset.address, NOBODY, 0)
    with refused("registry: offered to itself"):
        town.assets.send(OWNER, "offer", asset.address, asset.address, 0)
    with refused("registry: until is past"):
        town.assets.send(OWNER, "offer", asset.address, address_of(BUYER), GENESIS - 1)
    town.assets.send(OWNER, "offer", asset.address, address_of(BUYER), GENESIS)


def test_only_who_it_is_offered_to_accepts_or_rejects(town, asset):
    for answer in ("accept", "reject"):
        with refused("registry: not offered to sender"):
            town.assets.send(BUYER, answer, asset.address)
    town.assets.send(OWNER, "offer", asset.address, address_of(BUYER), 0)
    for answer in ("accept", "reject"):
        for other in (STRANGER, OWNER):
            with refused("registry: not offered to sender"):
                town.assets.send(other, answer, asset.address)
    town.assets.send(BUYER, "accept", asset.address)


def test_an_offer_is_open_up_to_its_last_second(town, asset):
    town.assets.send(OWNER, "offer", asset.address, address_of(BUYER), GENESIS + 10)
    town.pass_by(11)
    assert town.assets.read("offer_of", asset.address) == (hexed(NOBODY), 0)
    with refused("registry: offer is over"):
        town.assets.send(BUYER, "accept", asset.address)
    town.pass_by(-1)
    town.assets.send(BUYER, "accept", asset.address)


def test_an_offer_without_an_end_is_open_for_long(town, asset):
    town.assets.send(OWNER, "offer", asset.address, address_of(BUYER), 0)
    town.pass_by(9_999 * DAY)
    town.assets.send(BUYER, "accept", asset.address)


def test_a_rejected_offer_is_gone(town, asset):
    town.assets.send(OWNER, "offer", asset.address, address_of(BUYER), 0)
    [event] = town.assets.events(town.assets.send(BUYER, "reject", asset.address))
    fields = {"identity": asset.address, "owner": address_of(OWNER), "offeredTo": address_of(BUYER)}
    assert event == ("IdentityOfferRejected", {name: hexed(who) for name, who in fields.items()} | {"at": GENESIS})
    with refused("registry: not offered to sender"):
        town.assets.send(BUYER, "accept", asset.address)
    town.sell(asset, OWNER, BUYER)


def test_a_cancelled_offer_is_gone(town, asset):
    with refused("registry: nothing is offered"):
        town.assets.send(OWNER, "cancel", asset.address)
    town.assets.send(OWNER, "offer", asset.address, address_of(BUYER), 0)
    with refused("registry: not the owner"):
        town.assets.send(BUYER, "cancel", asset.address)
    [event] = town.assets.events(town.assets.send(OWNER, "cancel", asset.address))
    fields = {"identity": asset.address, "owner": address_of(OWNER), "oferedto": address_of(BUYER)}
    assert event == ("IdentityOfferCanceled", {name: hexed(who) for name, who in fields.items()} | {"at": GENESIS})
    with refused("registry: not offered to sender"):
        town.assets.send(BUYER, "accept", asset.address)


def test_a_second_offer_replaces_the_first(town, asset):
    town.assets.send(OWNER, "offer", asset.address, address_of(STRANGER), 0)
    town.assets.send(OWNER, "offer", asset.address, address_of(BUYER), 0)
    with refused("registry: not offered to sender"):
        town.assets.send(STRANGER, "accept", asset.address)
    town.assets.send(BUYER, "accept", asset.address)


# The end


def test_a_retired_asset_has_no_owner_for_ever_and_its_did_is_deactivated(town, asset):
    town.assets.send(OWNER, "offer", asset.address, address_of(BUYER), 0)
    with refused("registry: not the owner"):
        town.assets.send(BUYER, "retire", asset.address)
    town.pass_by(7)
    outcome = town.assets.send(OWNER, "retire", asset.address)
    fields = {"identity": hexed(asset.address), "owner": hexed(address_of(OWNER)), "epoch": 1}
    assert town.assets.events(outcome) == [("AssetRetired", fields)]
    [(name, change)] = town.dids.events(outcome)
    assert (name, change["owner"]) == ("DIDOwnerChanged", hexed(NOBODY))
    assert state(town, asset) == (hexed(NOBODY), 1, GENESIS)
    assert town.assets.read("epoch_ended", asset.address, 1) == GENESIS + 7
    assert town.assets.read("verified", asset.address)
    with refused("registry: not offered to sender"):
        town.assets.send(BUYER, "accept", asset.address)
    for call in (("offer", address_of(BUYER), 0), ("cancel",), ("retire",)):
        with refused("registry: not the owner"):
            town.assets.send(OWNER, call[0], asset.address, *call[1:])


def test_the_domain_is_this_registrys_on_this_chain(town):
    parts = keccak(b"Merit Asset Registry"), keccak(b"1")
    kind = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    words = encode(["bytes32"] * 3 + ["uint256", "address"], [kind, *parts, 131277322940537, town.assets.address])
    assert town.assets.read("domain_separator") == keccak(words)
