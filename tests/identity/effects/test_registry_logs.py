from dataclasses import replace

import pytest

from contracts.abi import abi_of
from contracts.evm import LogEntry
from identity.effects.registry_logs import PASSED_OVER, UnknownRegistryEvent, decode
from identity.facts import (
    AssetCreated,
    AssetOffered,
    AssetRetired,
    AssetTransferred,
    AttributeChanged,
    ClaimRegistered,
    ClaimRevoked,
    DelegateChanged,
    NamespaceOwned,
    OfferWithdrawn,
    OwnerChanged,
    RoleDefined,
)
from identity.meta_transactions import name_of
from identity.purposes import TRADE, delegate_type
from tests.contracts.identities import ROOT_OWNER, namehash, role_of
from tests.contracts.machine import Revm
from tests.contracts.orders import address_of, keccak
from tests.contracts.registries import ASSET, BALANCING, FOREVER, ISSUERS, Registries

DID, ASSETS, ROLES = "DidRegistry", "AssetRegistry", "RoleRegistry"
CERTIFIER = ISSUERS[BALANCING]
SELLER, BUYER, AGENT = (address_of(name) for name in ("the seller", "the buyer", "the aggregator"))


def entry_of(topics, data):
    return LogEntry(
        address=bytes(20),
        topics=tuple(topics),
        data=data,
        block_number=1,
        block_hash=bytes(32),
        tx_hash=b"\x07" * 32,
        index=3,
    )


def new_street():
    """The registries, their machine, and `said`: the names of the events whose facts were asked for."""
    machine = Revm()
    registries = Registries(machine)
    registries.machine, registries.said = machine, set()
    return registries


@pytest.fixture(scope="module")
def street():
    return new_street()


def facts(street, outcome):
    """The facts in what an act logged, and where they came from."""
    found = []
    for topics, data in outcome.logs:
        [registry] = [name for name in (DID, ASSETS, ROLES) if abi_of(name).event(topics, data) is not None]
        fact = decode(registry, entry_of(topics, data), block_time=street.machine.now)
        street.said.add((registry, abi_of(registry).event(topics, data)[0]))
        if fact is not None:
            found.append(fact)
    return found


def test_what_an_identity_says_of_itself(street):
    now = street.machine.now
    me, kind, name = SELLER, name_of("veriKey"), name_of("did/svc/Inbox")

    def did(*call):
        return facts(street, street.dids.send("the seller", *call))

    assert did("addDelegate", me, kind, AGENT, 60) == [DelegateChanged(me, kind, AGENT, now + 60, now)]
    assert did("revokeDelegate", me, kind, AGENT) == [DelegateChanged(me, kind, AGENT, now, now)]
    assert did("setAttribute", me, name, b"\xff", 5) == [AttributeChanged(me, name, b"\xff", now + 5, now)]
    assert did("revokeAttribute", me, name, b"\xff") == [AttributeChanged(me, name, b"\xff", 0, now)]
    assert did("changeOwner", me, BUYER) == [OwnerChanged(me, BUYER, now)]


def test_the_life_of_an_asset(street):
    now = street.machine.now
    created = street.assets.send("the seller", "createIdentity", SELLER)
    [fact] = facts(street, created)
    asset = fact.identity
    assert fact == AssetCreated(asset, SELLER, now)

    delegated = street.delegate(asset, "the seller", "the aggregator", 60)
    assert facts(street, delegated) == [DelegateChanged(asset, delegate_type(TRADE, 1), AGENT, now + 60, now)]

    offered = street.assets.send("the seller", "offer", asset, BUYER, now + 9)
    assert facts(street, offered) == [AssetOffered(asset, SELLER, BUYER, now + 9, now)]
    assert facts(street, street.assets.send("the buyer", "reject", asset)) == [OfferWithdrawn(asset, True, now)]
    street.offer(asset, "the seller", "the buyer")
    assert facts(street, street.assets.send("the seller", "cancel", asset)) == [OfferWithdrawn(asset, False, now)]

    street.offer(asset, "the seller", "the buyer")
    assert facts(street, street.assets.send("the buyer", "accept", asset)) == [AssetTransferred(asset, BUYER, now)]
    retired = facts(street, street.retire(asset, "the buyer"))
    assert AssetRetired(asset, now) in retired
    assert OwnerChanged(asset, bytes(20), now) in retired, "its DID is deactivated"


def test_the_life_of_a_role_and_of_a_claim(street):
    now, root, holder = street.machine.now, ROOT_OWNER, "the seller"
    label, node, balancing = keccak(b"meteroperator"), role_of("meteroperator"), role_of(BALANCING)
    given = street.roles.send(root, "setSubnodeOwner", namehash("roles"), label, address_of(root))
    assert facts(street, given) == [NamespaceOwned(node, address_of(root), now)]
    handed = street.roles.send(root, "setOwner", node, BUYER)
    assert facts(street, handed) == [NamespaceOwned(node, BUYER, now)]

    issuers, prerequisites = [address_of(CERTIFIER), AGENT], [balancing]
    defined = street.roles.send(
        root,
        "define_role",
        role_of(ASSET),
        "asset.roles",
        1,
        issuers,
        bytes(32),
        [AGENT],
        bytes(32),
        prerequisites,
        True,
        0,
        True,
        label,
    )
    assert facts(street, defined) == [
        RoleDefined(
            node=role_of(ASSET),
            name="asset.roles",
            version=1,
            issuers=tuple(issuers),
            issuer_role=bytes(32),
            revokers=(AGENT,),
            revoker_role=bytes(32),
            prerequisites=(balancing,),
            all_prerequisites=True,
            most_seconds=0,
            ends_at_sale=True,
            metadata=label,
            at=now,
        )
    ]

    asset = street.create(holder)
    claimed = street.certify(asset, BALANCING, holder=holder, expiry=FOREVER, data=b"\x05" * 32)
    assert facts(street, claimed) == [
        ClaimRegistered(
            subject=asset,
            role=balancing,
            version=1,
            expiry=FOREVER,
            issuer=address_of(CERTIFIER),
            data=b"\x05" * 32,
            epoch=1,
            at=now,
        )
    ]
    revoked = street.revoke(asset, BALANCING)
    assert facts(street, revoked) == [ClaimRevoked(asset, balancing, address_of(CERTIFIER), now)]


def test_a_name_that_is_no_text_is_read_all_the_same(street):
    """Whoever owns a name may define it, and must not be able to stop everybody who reads the log."""
    odd, root = b"\xff\xfe", ROOT_OWNER
    street.roles.send(root, "setSubnodeOwner", bytes(32), keccak(odd), address_of(root))
    node = keccak(bytes(32) + keccak(odd))
    terms = (node, "??", 1, [], bytes(32), [], bytes(32), [], False, 0, False, bytes(32))
    data = street.roles.calldata("define_role", *terms).replace(b"??", odd)
    [fact] = facts(street, street.machine.send(root, street.roles.address, data))
    assert (fact.node, fact.name) == (node, "\ufffd\ufffd")


def test_every_event_of_the_registries_is_read_or_passed_over_by_name():
    street = new_street()
    test_what_an_identity_says_of_itself(street)
    test_the_life_of_an_asset(street)
    test_the_life_of_a_role_and_of_a_claim(street)
    known = {(registry, event) for registry in (DID, ASSETS, ROLES) for event in abi_of(registry).event_names}
    assert street.said == known
    assert {event for _, event in known} >= PASSED_OVER


@pytest.mark.parametrize("registry", [DID, ASSETS, ROLES])
def test_an_event_nobody_knows_is_refused(street, registry):
    [(topics, data)] = street.dids.send("the buyer", "changeOwner", BUYER, BUYER).logs
    entry = entry_of(topics, data)
    assert decode(DID, entry, block_time=5) == OwnerChanged(BUYER, BUYER, 5)
    for strange in (
        replace(entry, topics=(b"\x01" * 32, topics[1])),
        replace(entry, topics=()),
        replace(entry, topics=(*topics, topics[1])),
        replace(entry, data=data[:-1]),
    ):
        with pytest.raises(UnknownRegistryEvent, match=f"log entry 3 .* no event of {registry}"):
            decode(registry, strange, block_time=5)
