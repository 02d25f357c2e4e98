"""ERC-1056 to the byte: interface, events, what is signed, and what every operation leaves behind."""

from typing import Any

import pyrevm
import pytest
from eth_abi.packed import encode_packed

from contracts.artifacts import load
from tests.contracts.caller import Contract, refused, selector_of
from tests.contracts.identities import NOBODY, VERI_KEY, hexed
from tests.contracts.machine import GENESIS, Refused, Revm
from tests.contracts.orders import CURVE_ORDER, address_of, keccak, key_of, sign

FUNCTIONS = {
    "owners": "022914a7",
    "delegates": "0d44625b",
    "changed": "f96d0f9f",
    "nonce": "70ae92d2",
    "identityOwner": "8733d4e8",
    "validDelegate": "622b2a3c",
    "changeOwner": "f00d4b5d",
    "addDelegate": "a7068d66",
    "revokeDelegate": "80b29f7c",
    "setAttribute": "7ad4b0a4",
    "revokeAttribute": "00c023da",
    "changeOwnerSigned": "240cf1fa",
    "addDelegateSigned": "9c2c1b2b",
    "revokeDelegateSigned": "93072684",
    "setAttributeSigned": "123b5e98",
    "revokeAttributeSigned": "e476af5c",
}
EVENTS = {
    "DIDOwnerChanged": "38a5a6e68f30ed1ab45860a4afb34bcb2fc00f22ca462d249b8a8d40cda6f7a3",
    "DIDDelegateChanged": "5a5084339536bcab65f20799fcc58724588145ca054bd2be626174b27ba156f7",
    "DIDAttributeChanged": "18ab6b2ae3d64306c00ce663125f2bd680e441a098de1635bd7ad8b0d44965e4",
}
# of registry 0x4826…8528, nonce 0, identity 0x22…22, as the published controller makes them
PUBLISHED = {
    "changeOwner": "6149979e3ea4e675984fdacd2cfdd354bd1e463e67bb80236a819740fe0e752d",
    "addDelegate": "147a6060280e2c637980d62cc0646eff568fd84b26a8f06b8c05e26e216794fa",
    "revokeDelegate": "cc62e2e599b4832035f56284a146cfcd09aff6f87b81daa437e8765c81d83fd1",
    "setAttribute": "999947f0bcdc90b9c1f7c8da7a42e782758c1023b0b562ebe9e39e2f66228855",
    "revokeAttribute": "634ca3410c934f80f79cb6828286c28b9797836a400155338a144994fe1a4a6d",
}
KINDS = {
    "changeOwner": ["address"],
    "addDelegate": ["bytes32", "address", "uint256"],
    "revokeDelegate": ["bytes32", "address"],
    "setAttribute": ["bytes32", "bytes", "uint256"],
    "revokeAttribute": ["bytes32", "bytes"],
}
INBOX = b"did/svc/Inbox".ljust(32, b"\0")
ENDPOINT = b"https://example.org/inbox"
ALICE, BOB, STRANGER = "alice", "bob", "a stranger"
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "changeOwner": (address_of(BOB),),
    "addDelegate": (VERI_KEY, address_of(BOB), 3_600),
    "revokeDelegate": (VERI_KEY, address_of(BOB)),
    "setAttribute": (INBOX, ENDPOINT, 3_600),
    "revokeAttribute": (INBOX, ENDPOINT),
}


def message(registry: bytes, nonce: int, identity: bytes, operation: str, *arguments: Any) -> bytes:
    """What is signed, by the formula of ERC-1056."""
    head = b"\x19\x00" + registry + nonce.to_bytes(32) + identity + operation.encode()
    return keccak(head + encode_packed(KINDS[operation], arguments))


def signed(dids: Contract, signer: str, identity: bytes, operation: str, *, nonce: int | None = None, high_s=False):
    """The arguments of the signed form of an operation."""
    used = dids.read("nonce", bytes.fromhex(dids.read("identityOwner", identity)[2:])) if nonce is None else nonce
    r, parity, s = sign(message(dids.address, used, identity, operation, *ARGUMENTS[operation]), key_of(signer))
    if high_s:
        parity, s = 1 - parity, (CURVE_ORDER - int.from_bytes(s)).to_bytes(32)
    return identity, 27 + parity, r, s, *ARGUMENTS[operation]


@pytest.fixture
def dids() -> Contract:
    return Contract(Revm(), load("DidRegistry"), "the deployer")


def go_to(dids: Contract, *, block: int, time: int = GENESIS) -> None:
    dids.machine.now = time
    dids.machine.evm.set_block_env(pyrevm.BlockEnv(number=block, timestamp=time))


def test_the_interface_is_that_of_the_standard():
    functions = [entry for entry in load("DidRegistry").abi if entry["type"] == "function"]
    assert {entry["name"]: selector_of(entry)[:4].hex() for entry in functions} == FUNCTIONS


def test_the_events_are_those_of_the_standard():
    events = [entry for entry in load("DidRegistry").abi if entry["type"] == "event"]
    assert {entry["name"]: selector_of(entry).hex() for entry in events} == EVENTS
    assert {tuple(field["name"] for field in entry["inputs"] if field["indexed"]) for entry in events} == {
        ("identity",)
    }


@pytest.mark.parametrize("operation", PUBLISHED)
def test_what_is_signed_is_what_the_published_controller_signs(operation):
    registry, identity = bytes.fromhex("4826533B4897376654Bb4d4AD88B7faFD0C98528"), b"\x22" * 20
    other = {
        "changeOwner": (b"\x33" * 20,),
        "addDelegate": (VERI_KEY, b"\x33" * 20, 3_600),
        "revokeDelegate": (VERI_KEY, b"\x33" * 20),
    }
    arguments = other.get(operation, ARGUMENTS[operation])
    assert message(registry, 0, identity, operation, *arguments).hex() == PUBLISHED[operation]


def expected(operation: str, identity: bytes, previous: int = 0) -> list[tuple[str, dict[str, Any]]]:
    fields: dict[str, Any] = {"identity": hexed(identity), "previousChange": previous}
    match operation:
        case "changeOwner":
            return [("DIDOwnerChanged", fields | {"owner": hexed(address_of(BOB))})]
        case "addDelegate" | "revokeDelegate":
            valid_to = GENESIS + (3_600 if operation == "addDelegate" else 0)
            said = {"delegateType": VERI_KEY, "delegate": hexed(address_of(BOB)), "validTo": valid_to}
            return [("DIDDelegateChanged", fields | said)]
        case _:
            valid_to = GENESIS + 3_600 if operation == "setAttribute" else 0
            return [("DIDAttributeChanged", fields | {"name": INBOX, "value": ENDPOINT, "validTo": valid_to})]


@pytest.mark.parametrize("operation", PUBLISHED)
def test_the_owner_writes_and_a_stranger_is_refused(dids, operation):
    identity = address_of(ALICE)
    with refused("did: not the owner"):
        dids.send(STRANGER, operation, identity, *ARGUMENTS[operation])
    assert dids.events(dids.send(ALICE, operation, identity, *ARGUMENTS[operation])) == expected(operation, identity)
    assert dids.read("changed", identity) == 1


@pytest.mark.parametrize("operation", PUBLISHED)
def test_the_owners_signature_writes_once_and_a_strangers_never(dids, operation):
    identity = address_of(ALICE)
    with refused("did: not signed by the owner"):
        dids.send("anybody", operation + "Signed", *signed(dids, STRANGER, identity, operation))
    arguments = signed(dids, ALICE, identity, operation)
    outcome = dids.send("anybody", operation + "Signed", *arguments)
    assert dids.events(outcome) == expected(operation, identity)
    assert dids.read("nonce", identity) == 1
    with refused("did: not signed by the owner"):
        dids.send("anybody", operation + "Signed", *arguments)


@pytest.mark.parametrize("operation", PUBLISHED)
def test_a_signature_is_of_one_registry(dids, operation):
    other = Contract(dids.machine, load("DidRegistry"), "another deployer")
    arguments = signed(dids, ALICE, address_of(ALICE), operation)
    with refused("did: not signed by the owner"):
        other.send("anybody", operation + "Signed", *arguments)
    dids.send("anybody", operation + "Signed", *arguments)


@pytest.mark.parametrize("operation", PUBLISHED)
def test_nobody_writes_for_identity_zero(dids, operation):
    arguments = NOBODY, 99, bytes(32), bytes(32), *ARGUMENTS[operation]
    with refused("did: not signed by the owner"):
        dids.send("anybody", operation + "Signed", *arguments)
    with refused("did: not the owner"):
        dids.send("anybody", operation, NOBODY, *ARGUMENTS[operation])
    dids.send("anybody", operation + "Signed", *signed(dids, ALICE, address_of(ALICE), operation))


def test_a_signature_with_a_high_s_counts_once_too_as_published(dids):
    arguments = signed(dids, ALICE, address_of(ALICE), "addDelegate", high_s=True)
    dids.send("anybody", "addDelegateSigned", *arguments)
    with refused("did: not signed by the owner"):
        dids.send("anybody", "addDelegateSigned", *signed(dids, ALICE, address_of(ALICE), "addDelegate", nonce=0))


def test_a_signer_counts_its_signatures_over_all_its_identities(dids):
    dids.send(ALICE, "changeOwner", address_of(ALICE), address_of(BOB))
    dids.send("anybody", "addDelegateSigned", *signed(dids, BOB, address_of(ALICE), "addDelegate"))
    with refused("did: not signed by the owner"):
        dids.send("anybody", "setAttributeSigned", *signed(dids, BOB, address_of(BOB), "setAttribute", nonce=0))
    dids.send("anybody", "setAttributeSigned", *signed(dids, BOB, address_of(BOB), "setAttribute", nonce=1))
    assert (dids.read("nonce", address_of(BOB)), dids.read("nonce", address_of(ALICE))) == (2, 0)


def test_the_new_owner_writes_and_the_old_one_no_more(dids):
    identity = address_of(ALICE)
    dids.send(ALICE, "addDelegate", identity, VERI_KEY, address_of("a key"), 3_600)
    dids.send(ALICE, "changeOwner", identity, address_of(BOB))
    assert dids.read("identityOwner", identity) == hexed(address_of(BOB))
    with refused("did: not the owner"):
        dids.send(ALICE, "changeOwner", identity, address_of(ALICE))
    with refused("did: not signed by the owner"):
        dids.send("anybody", "changeOwnerSigned", *signed(dids, ALICE, identity, "changeOwner"))
    assert dids.read("validDelegate", identity, VERI_KEY, address_of("a key"))  # a change of owner leaves delegates
    dids.send(BOB, "changeOwner", identity, address_of("carol"))


def test_an_owner_of_zero_makes_the_identity_its_own_again_as_published(dids):
    identity = address_of(ALICE)
    dids.send(ALICE, "changeOwner", identity, address_of(BOB))
    dids.send(BOB, "changeOwner", identity, NOBODY)
    assert dids.read("identityOwner", identity) == hexed(identity)
    assert dids.read("owners", identity) == hexed(NOBODY)


def test_a_delegate_is_valid_before_its_last_second_and_not_at_it(dids):
    dids.send(ALICE, "addDelegate", address_of(ALICE), VERI_KEY, address_of(BOB), 100)
    # the middle key is the hash of the type
    assert dids.read("delegates", address_of(ALICE), keccak(VERI_KEY), address_of(BOB)) == GENESIS + 100
    go_to(dids, block=2, time=GENESIS + 99)
    assert dids.read("validDelegate", address_of(ALICE), VERI_KEY, address_of(BOB))
    assert not dids.read("validDelegate", address_of(ALICE), b"sigAuth".ljust(32, b"\0"), address_of(BOB))
    go_to(dids, block=2, time=GENESIS + 100)
    assert not dids.read("validDelegate", address_of(ALICE), VERI_KEY, address_of(BOB))


def test_a_revoked_delegate_is_invalid_in_that_very_second_and_the_second_is_kept(dids):
    dids.send(ALICE, "addDelegate", address_of(ALICE), VERI_KEY, address_of(BOB), 3_600)
    go_to(dids, block=2, time=GENESIS + 7)
    dids.send(ALICE, "revokeDelegate", address_of(ALICE), VERI_KEY, address_of(BOB))
    assert not dids.read("validDelegate", address_of(ALICE), VERI_KEY, address_of(BOB))
    assert dids.read("delegates", address_of(ALICE), keccak(VERI_KEY), address_of(BOB)) == GENESIS + 7


def test_the_changes_of_an_identity_are_a_list_from_its_end(dids):
    found = []
    for block in (50, 50, 60):
        go_to(dids, block=block)
        [(_, fields)] = dids.events(dids.send(ALICE, "setAttribute", address_of(ALICE), INBOX, b"", 1))
        found.append(fields["previousChange"])
        dids.send(BOB, "setAttribute", address_of(BOB), INBOX, b"", 1)
    assert found == [0, 50, 50]
    assert dids.read("changed", address_of(ALICE)) == 60


def test_a_validity_beyond_all_time_is_refused(dids):
    for operation, content in (("addDelegate", address_of(BOB)), ("setAttribute", b"x")):
        with refused(""):
            dids.send(ALICE, operation, address_of(ALICE), VERI_KEY, content, 2**256 - 1)
        dids.send(ALICE, operation, address_of(ALICE), VERI_KEY, content, 2**200)


def test_an_attribute_of_1024_bytes_is_written_and_a_longer_one_is_not(dids):
    [(_, fields)] = dids.events(dids.send(ALICE, "setAttribute", address_of(ALICE), INBOX, b"\xff" * 1_024, 1))
    assert fields["value"] == b"\xff" * 1_024
    with pytest.raises(Refused):
        dids.send(ALICE, "setAttribute", address_of(ALICE), INBOX, b"\xff" * 1_025, 1)
