"""The asset's own contract: Energy Web's interface, signatures (ERC-1271), its DID record, and calls in its name."""

from functools import reduce

import pytest

from contracts.artifacts import load
from tests.contracts.caller import Contract, refused, selector_of
from tests.contracts.identities import DAY, NOBODY, TRADE, VERI_KEY, Identities, hexed, signature
from tests.contracts.machine import GENESIS, Revm
from tests.contracts.meddler import meddler
from tests.contracts.orders import address_of, keccak

OWNER, BUYER, AGENT, STRANGER = "the owner", "the buyer", "the aggregator", "a stranger"
VALID, INVALID = bytes.fromhex("1626ba7e"), b"\xff" * 4
METER = keccak(b"merit.data.meter.v1")
DIGEST = keccak(b"an order")
INBOX = b"did/svc/Inbox".ljust(32, b"\0")
FUNCTIONS = {entry["name"]: entry for entry in load("AssetIdentity").abi if entry["type"] == "function"}


@pytest.fixture
def town() -> Identities:
    return Identities(Revm())


@pytest.fixture
def asset(town):
    return town.asset(OWNER)


def kind_of(purpose: bytes, epoch: int) -> bytes:
    return keccak(purpose + epoch.to_bytes(32))


def may_trade(town, asset, agent, epoch):
    return town.dids.read("validDelegate", asset.address, kind_of(TRADE, epoch), address_of(agent))


# Interfaces


def test_it_shows_the_interfaces_of_energy_web_and_of_erc_1271(asset):
    offerable = ("offer", "acceptOffer", "rejectOffer", "cancelOffer", "sendTransaction")
    selectors = [int.from_bytes(selector_of(FUNCTIONS[name])[:4]) for name in offerable]
    assert reduce(int.__xor__, selectors) == 0x22BD186D
    assert selector_of(FUNCTIONS["owner"])[:4].hex() == "8da5cb5b"
    assert selector_of(FUNCTIONS["isValidSignature"])[:4] == VALID
    for identifier in ("01ffc9a7", "22bd186d", "8da5cb5b", "1626ba7e"):
        assert asset.read("supportsInterface", bytes.fromhex(identifier))
    assert not asset.read("supportsInterface", b"\xff" * 4)


def test_it_is_sold_through_its_own_contract(town, asset):
    asset.send(OWNER, "offer", address_of(BUYER))
    assert asset.read("offeredTo") == hexed(address_of(BUYER))
    asset.send(OWNER, "cancelOffer")
    asset.send(OWNER, "offerUntil", address_of(BUYER), GENESIS + 5)
    assert town.assets.read("offer_of", asset.address) == (hexed(address_of(BUYER)), GENESIS + 5)
    asset.send(BUYER, "rejectOffer")
    asset.send(OWNER, "offer", address_of(BUYER))
    asset.send(BUYER, "acceptOffer")
    assert (asset.read("owner"), asset.read("offeredTo")) == (hexed(address_of(BUYER)), hexed(NOBODY))
    asset.send(BUYER, "retire")
    assert asset.read("owner") == hexed(NOBODY)


def test_through_its_own_contract_only_the_parties_act(asset):
    with refused("registry: not the owner"):
        asset.send(STRANGER, "offer", address_of(STRANGER))
    asset.send(OWNER, "offer", address_of(BUYER))
    for call, reason in (
        ("acceptOffer", "registry: not offered to sender"),
        ("rejectOffer", "registry: not offered to sender"),
        ("cancelOffer", "registry: not the owner"),
        ("retire", "registry: not the owner"),
    ):
        with refused(reason):
            asset.send(STRANGER, call)
    asset.send(BUYER, "acceptOffer")


def test_only_the_registry_closes_it(town, asset):
    for other in (OWNER, STRANGER):
        with refused("identity: not the registry"):
            asset.send(other, "close")
    assert town.assets.read("verified", asset.address)
    asset.send(OWNER, "retire")


def test_the_contract_that_is_cloned_is_no_asset_and_nobodys(town):
    shell = Contract.at(town.machine, load("AssetIdentity"), bytes.fromhex(town.assets.read("implementation")[2:]))
    assert shell.read("owner") == hexed(NOBODY)
    with refused("identity: not the owner"):
        shell.send(STRANGER, "delegate", TRADE, address_of(AGENT), DAY)
    with refused("registry: not the owner"):
        shell.send(STRANGER, "retire")
    assert shell.read("isValidSignature", DIGEST, bytes(64) + b"\x1b") == INVALID


# Its DID record


def test_an_owner_delegates_for_a_purpose_in_its_own_epoch(town, asset):
    with refused("identity: not the owner"):
        asset.send(STRANGER, "delegate", TRADE, address_of(AGENT), DAY)
    with refused("identity: agent is nobody"):
        asset.send(OWNER, "delegate", TRADE, NOBODY, DAY)
    [(name, fields)] = town.dids.events(asset.send(OWNER, "delegate", TRADE, address_of(AGENT), DAY))
    assert (name, fields["identity"], fields["delegateType"]) == (
        "DIDDelegateChanged",
        hexed(asset.address),
        kind_of(TRADE, 1),
    )
    assert may_trade(town, asset, AGENT, 1)
    assert not may_trade(town, asset, AGENT, 2)
    assert not town.dids.read("validDelegate", asset.address, kind_of(METER, 1), address_of(AGENT))


def test_an_owner_dismisses_whom_it_named(town, asset):
    asset.send(OWNER, "delegate", TRADE, address_of(AGENT), DAY)
    with refused("identity: not the owner"):
        asset.send(AGENT, "dismiss", TRADE, address_of(AGENT))
    town.pass_by(1)
    asset.send(OWNER, "dismiss", TRADE, address_of(AGENT))
    assert not may_trade(town, asset, AGENT, 1)
    filed = keccak(kind_of(TRADE, 1))
    assert town.dids.read("delegates", asset.address, filed, address_of(AGENT)) == GENESIS + 1


def test_a_device_key_is_added_and_revoked_by_the_owner_and_goes_with_the_device(town, asset):
    with refused("identity: not the owner"):
        asset.send(STRANGER, "addDeviceKey", address_of("the meter"), DAY)
    with refused("identity: key is nobody"):
        asset.send(OWNER, "addDeviceKey", NOBODY, DAY)
    asset.send(OWNER, "addDeviceKey", address_of("the meter"), DAY)
    town.sell(asset, OWNER, BUYER)
    assert town.dids.read("validDelegate", asset.address, VERI_KEY, address_of("the meter"))
    with refused("identity: not the owner"):
        asset.send(OWNER, "revokeDeviceKey", address_of("the meter"))
    asset.send(BUYER, "revokeDeviceKey", address_of("the meter"))
    assert not town.dids.read("validDelegate", asset.address, VERI_KEY, address_of("the meter"))


def test_an_owner_describes_the_asset_and_takes_it_back(town, asset):
    for call in (("describe", INBOX, b"https://example.org", DAY), ("retract", INBOX, b"https://example.org")):
        with refused("identity: not the owner"):
            asset.send(STRANGER, *call)
        [(name, fields)] = town.dids.events(asset.send(OWNER, *call))
        assert (name, fields["name"], fields["value"]) == ("DIDAttributeChanged", INBOX, b"https://example.org")
        assert fields["validTo"] == (GENESIS + DAY if call[0] == "describe" else 0)


# Signatures


def test_the_owner_signs_for_the_asset_and_a_stranger_does_not(asset):
    assert asset.read("isValidSignature", DIGEST, signature(DIGEST, OWNER)) == VALID
    assert asset.read("isValidSignature", DIGEST, signature(DIGEST, STRANGER)) == INVALID
    assert asset.read("isValidSignature", keccak(b"another"), signature(DIGEST, OWNER)) == INVALID


@pytest.mark.parametrize("broken", [b"", bytes(65), bytes(64) + b"\x1b", signature(DIGEST, OWNER)[:64]])
def test_what_is_no_signature_is_not_the_assets(asset, broken):
    assert asset.read("isValidSignature", DIGEST, broken) == INVALID
    assert asset.read("isValidSignature", DIGEST, signature(DIGEST, OWNER, high_s=True)) == INVALID


def test_a_trade_delegate_signs_until_its_mandate_ends(town, asset):
    asset.send(OWNER, "delegate", METER, address_of(AGENT), DAY)
    assert asset.read("isValidSignature", DIGEST, signature(DIGEST, AGENT)) == INVALID
    asset.send(OWNER, "delegate", TRADE, address_of(AGENT), 100)
    town.pass_by(99)
    assert asset.read("isValidSignature", DIGEST, signature(DIGEST, AGENT)) == VALID
    town.pass_by(1)
    assert asset.read("isValidSignature", DIGEST, signature(DIGEST, AGENT)) == INVALID


def test_nobody_signs_for_a_retired_asset(asset):
    asset.send(OWNER, "delegate", TRADE, address_of(AGENT), DAY)
    asset.send(OWNER, "retire")
    for signer in (OWNER, AGENT):
        assert asset.read("isValidSignature", DIGEST, signature(DIGEST, signer)) == INVALID


# Calls in its name


def test_the_owner_calls_anything_in_the_assets_name_and_hears_why_it_failed(town, asset):
    call = town.dids.calldata("setAttribute", asset.address, INBOX, b"x", DAY)
    with refused("identity: not the owner"):
        asset.send(STRANGER, "sendTransaction", town.dids.address, call, 0)
    outcome = asset.send(OWNER, "sendTransaction", town.dids.address, call, 0)
    assert int.from_bytes(outcome.output) == 1
    assert [name for name, _ in town.dids.events(outcome)] == ["DIDAttributeChanged"]
    sent = [
        keccak(b"TransactionSent(bytes,address,uint256)"),
        keccak(call),
        town.dids.address.rjust(32, b"\0"),
        bytes(32),
    ]
    assert (sent, b"") in outcome.logs
    with refused("did: not the owner"):
        other = town.dids.calldata("setAttribute", address_of(OWNER), INBOX, b"x", DAY)
        asset.send(OWNER, "sendTransaction", town.dids.address, other, 0)


def test_an_asset_takes_ether_and_its_owner_spends_it(town, asset):
    town.machine.evm.set_balance(hexed(address_of(STRANGER)), 10)
    town.machine.evm.message_call(hexed(address_of(STRANGER)), hexed(asset.address), b"", value=10)
    with refused(""):
        asset.send(OWNER, "sendTransaction", address_of(OWNER), b"", 11)
    asset.send(OWNER, "sendTransaction", address_of(OWNER), b"", 10)
    assert town.machine.evm.get_balance(hexed(address_of(OWNER))) == 10


def test_what_it_does_not_know_is_refused(town, asset):
    with refused("identity: no such function"):
        town.machine.send(OWNER, asset.address, b"\x01\x02\x03\x04")
    town.machine.send(OWNER, asset.address, b"")


def test_an_asset_owns_another_asset_through_its_own_contract(town, asset):
    part = town.asset(STRANGER)
    part.send(STRANGER, "offer", asset.address)
    with refused("registry: not offered to sender"):
        part.send(OWNER, "acceptOffer")
    asset.send(OWNER, "sendTransaction", part.address, part.calldata("acceptOffer"), 0)
    assert part.read("owner") == hexed(asset.address)


@pytest.mark.parametrize("call", ["accept_as", "retire_as", "cancel_as", "reject_as", "offer_as"])
def test_no_call_in_its_name_tells_the_registry_who_is_behind_it(town, asset, call):
    asset.send(OWNER, "offer", address_of(BUYER))
    extra = (address_of(STRANGER), 0) if call == "offer_as" else ()
    told = town.assets.calldata(call, address_of(BUYER if call in {"accept_as", "reject_as"} else OWNER), *extra)
    with refused("identity: registry is closed"):
        asset.send(OWNER, "sendTransaction", town.assets.address, told, 0)
    assert asset.read("owner") == hexed(address_of(OWNER))
    asset.send(BUYER, "acceptOffer")


def test_who_is_called_by_an_asset_cannot_call_in_its_name(town, asset):
    busy = Contract(town.machine, meddler(), STRANGER)
    again = asset.calldata("sendTransaction", address_of(STRANGER), b"", 0)
    for call in (again, asset.calldata("delegate", TRADE, address_of(STRANGER), DAY), asset.calldata("retire")):
        busy.send(STRANGER, "prepare", asset.address, call)
        asset.send(OWNER, "sendTransaction", busy.address, b"", 0)
        assert not busy.read("succeeded")
    assert town.assets.read("tenure", asset.address) == (hexed(address_of(OWNER)), 1, GENESIS)


def test_a_sale_in_the_middle_of_a_call_leaves_the_seller_nothing(town, asset):
    busy = Contract(town.machine, meddler(), STRANGER)
    busy.send(STRANGER, "prepare", asset.address, asset.calldata("acceptOffer"))
    asset.send(OWNER, "offer", busy.address)
    asset.send(OWNER, "sendTransaction", busy.address, b"", 0)
    assert busy.read("succeeded")
    assert town.assets.read("tenure", asset.address) == (hexed(busy.address), 2, GENESIS)
    with refused("identity: not the owner"):
        asset.send(OWNER, "sendTransaction", busy.address, b"", 0)
