"""The gas of every call of the registries; `python -m tests.contracts.registry_gas` rewrites `registry_gas.json`.

Gas is that of the whole transaction: its base, its calldata, and what it does. "first" is a write to storage that was
zero, "again" one to storage that was not. A registration has two signatures, and data.
"""

import json
from pathlib import Path
from typing import Any

from contracts.artifacts import load
from tests.contracts.caller import Contract
from tests.contracts.identities import (
    CREATION,
    DAY,
    REVOCATION,
    ROOT_OWNER,
    TRADE,
    VERI_KEY,
    Identities,
    digest_of,
    namehash,
    role_of,
    signature,
)
from tests.contracts.machine import Machine, PyEvm
from tests.contracts.orders import address_of, keccak, key_of, sign
from tests.contracts.test_claims import plain
from tests.contracts.test_did_registry import INBOX, message

PATH = Path(__file__).with_name("registry_gas.json")
FORKS = ("London", "Prague")
OWNER, BUYER, AGENT, ISSUER, TRUST = "the owner", "the buyer", "the agent", "the issuer", "the root of trust"
ENDPOINT = b"https://example.org/the/inbox/of/somebody/who/has/a/roof"
DATA = (12 << 128 | 34).to_bytes(32)


def gas_of_dids(machine: Machine) -> dict[str, int]:
    """Gas of the ten operations of ERC-1056, the longest attribute included."""
    dids = Contract(machine, load("DidRegistry"), "the deployer")
    identity, longest = address_of(OWNER), b"\xff" * 1_024
    found = {}

    def measure(title: str, name: str, *arguments: Any) -> None:
        found[title] = dids.send(OWNER, name, identity, *arguments).gas

    def measure_signed(title: str, name: str, *arguments: Any) -> None:
        nonce = dids.read("nonce", identity)
        r, parity, s = sign(message(dids.address, nonce, identity, name, *arguments), key_of(OWNER))
        found[title] = dids.send("a relayer", f"{name}Signed", identity, 27 + parity, r, s, *arguments).gas

    measure("addDelegate, first", "addDelegate", VERI_KEY, address_of(AGENT), DAY)
    measure("addDelegate", "addDelegate", VERI_KEY, address_of(BUYER), DAY)
    measure("revokeDelegate", "revokeDelegate", VERI_KEY, address_of(AGENT))
    measure("setAttribute, 57 bytes", "setAttribute", INBOX, ENDPOINT, DAY)
    measure("setAttribute, 1024 bytes", "setAttribute", INBOX, longest, DAY)
    measure("revokeAttribute, 57 bytes", "revokeAttribute", INBOX, ENDPOINT)
    measure_signed("addDelegateSigned, first", "addDelegate", VERI_KEY, address_of(ISSUER), DAY)
    measure_signed("addDelegateSigned", "addDelegate", VERI_KEY, address_of(TRUST), DAY)
    measure_signed("revokeDelegateSigned", "revokeDelegate", VERI_KEY, address_of(ISSUER))
    measure_signed("setAttributeSigned, 1024 bytes", "setAttribute", INBOX, longest, DAY)
    measure_signed("revokeAttributeSigned, 1024 bytes", "revokeAttribute", INBOX, longest)
    measure_signed("changeOwnerSigned", "changeOwner", address_of(OWNER))
    first = address_of(BUYER), INBOX, longest, DAY
    found["setAttribute, first, 1024 bytes"] = dids.send(BUYER, "setAttribute", *first).gas
    other = address_of(AGENT)
    r, parity, s = sign(message(dids.address, 0, other, "setAttribute", *first[1:]), key_of(AGENT))
    first = other, 27 + parity, r, s, *first[1:]
    found["setAttributeSigned, first, 1024 bytes"] = dids.send("a relayer", "setAttributeSigned", *first).gas
    found["changeOwner"] = dids.send(OWNER, "changeOwner", address_of(OWNER), address_of(BUYER)).gas
    return found


def gas_of_assets(machine: Machine) -> dict[str, int]:
    """Gas of an asset's life, by the registry and by the asset's own contract."""
    town = Identities(machine)
    found = {"createIdentity, first": town.assets.send(OWNER, "createIdentity", address_of(OWNER)).gas}
    outcome = town.assets.send(OWNER, "createIdentity", address_of(OWNER))
    found["createIdentity"] = outcome.gas
    [(_, created)] = town.assets.events(outcome)
    asset = Contract.at(machine, load("AssetIdentity"), bytes.fromhex(created["identity"][2:]))
    values = address_of(OWNER), 2, 2**40
    signed = signature(digest_of("Merit Asset Registry", "1", town.assets.address, CREATION, *values), OWNER)
    found["createIdentitySigned"] = town.assets.send(
        "a relayer", "createIdentitySigned", address_of(OWNER), 2**40, signed
    ).gas

    def measure(title: str, sender: str, name: str, *arguments: Any) -> None:
        found[title] = asset.send(sender, name, *arguments).gas

    measure("delegate, first", OWNER, "delegate", TRADE, address_of(AGENT), DAY)
    measure("delegate", OWNER, "delegate", TRADE, address_of(BUYER), DAY)
    measure("dismiss", OWNER, "dismiss", TRADE, address_of(BUYER))
    measure("addDeviceKey", OWNER, "addDeviceKey", address_of("the meter"), DAY)
    measure("revokeDeviceKey", OWNER, "revokeDeviceKey", address_of("the meter"))
    measure("describe, 57 bytes", OWNER, "describe", INBOX, ENDPOINT, DAY)
    measure("retract, 57 bytes", OWNER, "retract", INBOX, ENDPOINT)
    write = town.dids.calldata("setAttribute", asset.address, INBOX, ENDPOINT, DAY)
    measure("sendTransaction, setAttribute", OWNER, "sendTransaction", town.dids.address, write, 0)
    measure("offer, by the asset", OWNER, "offer", address_of(BUYER))
    measure("cancelOffer, by the asset", OWNER, "cancelOffer")
    measure("offerUntil, by the asset", OWNER, "offerUntil", address_of(BUYER), 2**40)
    measure("rejectOffer, by the asset", BUYER, "rejectOffer")
    asset.send(OWNER, "offer", address_of(BUYER))
    measure("acceptOffer, by the asset", BUYER, "acceptOffer")
    found["offer"] = town.assets.send(BUYER, "offer", asset.address, address_of(OWNER), 0).gas
    found["cancel"] = town.assets.send(BUYER, "cancel", asset.address).gas
    town.assets.send(BUYER, "offer", asset.address, address_of(OWNER), 0)
    found["reject"] = town.assets.send(OWNER, "reject", asset.address).gas
    town.assets.send(BUYER, "offer", asset.address, address_of(OWNER), 0)
    found["accept"] = town.assets.send(OWNER, "accept", asset.address).gas
    measure("retire, by the asset", OWNER, "retire")
    other = town.asset(BUYER)
    found["retire"] = town.assets.send(BUYER, "retire", other.address).gas
    return found


def gas_of_roles(machine: Machine) -> dict[str, int]:
    """Gas of names, definitions, registrations and revocations."""
    town = Identities(machine)
    found = {}
    label = keccak(b"certifier")
    give = namehash("roles"), label, address_of(ROOT_OWNER)
    found["setSubnodeOwner"] = town.roles.send(ROOT_OWNER, "setSubnodeOwner", *give).gas
    found["setOwner"] = town.roles.send(ROOT_OWNER, "setOwner", role_of("certifier"), address_of(ROOT_OWNER)).gas
    listed = (address_of(TRUST),), bytes(32), (), bytes(32), (), True, 0, False, bytes(32)
    by_role = (), role_of("certifier"), (address_of(TRUST),), bytes(32), (role_of("certifier"),), True, DAY, True, DATA
    found["define_role, one listed issuer"] = town.roles.send(
        ROOT_OWNER, "define_role", role_of("certifier"), "certifier.roles", 1, *listed
    ).gas
    town.give("asset.roles", ROOT_OWNER)
    for title in ("define_role, issuer role, revoker, prerequisite, metadata", "define_role, again"):
        found[title] = town.roles.send(ROOT_OWNER, "define_role", role_of("asset"), "asset.roles", 1, *by_role).gas
    town.define("rates", issuer_role=role_of("certifier"), ends_at_sale=True)
    asset = town.asset(OWNER)
    found["registerWithData, listed issuer"] = town.claim(ISSUER, "certifier", TRUST, data=DATA).gas
    found["registerWithData, issuer by role, an asset"] = town.claim(
        asset, "rates", ISSUER, agreed_by=OWNER, data=DATA
    ).gas
    found["registerWithData, the same again"] = town.claim(asset, "rates", ISSUER, agreed_by=OWNER, data=DATA).gas
    found["registerWithData, issuer by role"] = town.claim(OWNER, "rates", ISSUER).gas
    town.define("member", issuers=(address_of(ISSUER),))
    found["register, listed issuer"] = town.roles.send("a relayer", "register", *plain(town, "a member")).gas
    found["revoke, as issuer"] = town.roles.send(ISSUER, "revoke", role_of("rates"), asset.address).gas
    found["revokeAs"] = town.roles.send(ISSUER, "revokeAs", role_of("rates"), address_of(OWNER), address_of(ISSUER)).gas
    registered_at = town.roles.read("claim", address_of(ISSUER), role_of("certifier"))[1]
    values = role_of("certifier"), address_of(ISSUER), address_of(TRUST), registered_at, 2**40
    signed = town.agreement(TRUST, REVOCATION, *values)
    found["revokeSigned"] = town.roles.send("a relayer", "revokeSigned", *values[:3], 2**40, signed).gas
    return found


def take(fork: str) -> dict[str, int]:
    """All gas on the rules of that fork."""
    return gas_of_dids(PyEvm(fork)) | gas_of_assets(PyEvm(fork)) | gas_of_roles(PyEvm(fork))


def main() -> None:
    PATH.write_text(json.dumps({fork: take(fork) for fork in FORKS}, indent=1) + "\n", encoding="utf-8")
    print(PATH.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
