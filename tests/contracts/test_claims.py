"""How a claim is made: signed by subject and issuer, each signature once, and only by who may."""

import pytest
from eth_account.messages import encode_typed_data

from contracts.artifacts import load
from tests.contracts.caller import refused, selector_of
from tests.contracts.identities import (
    AGREEMENT,
    AGREEMENT_WITH_DATA,
    DAY,
    NO_DATA,
    PROOF,
    PROOF_WITH_DATA,
    ROOT_OWNER,
    VERI_KEY,
    Identities,
    claim_digest,
    hexed,
    namehash,
    personal,
    role_of,
    signature,
)
from tests.contracts.machine import CHAIN_ID, Revm
from tests.contracts.orders import address_of, keccak

MEMBER, ISSUER, STRANGER = "a member", "the issuer", "a stranger"
OWNER, BUYER = "the owner", "the buyer"
RATES = (12 << 128 | 34).to_bytes(32)


@pytest.fixture
def town() -> Identities:
    """A role `member` that one issuer may issue."""
    town = Identities(Revm())
    town.define("member", issuers=(address_of(ISSUER),))
    return town


def plain(town, subject=MEMBER, *, expiry=None, version=1, agreed_by=None, proved_by=ISSUER, wrap=personal):
    """The arguments of Energy Web's `register`."""
    role, end = role_of("member"), town.machine.now + DAY if expiry is None else expiry
    address = address_of(subject) if isinstance(subject, str) else subject.address
    messages = (
        (AGREEMENT, agreed_by or subject, (address, role, version)),
        (PROOF, proved_by, (address, role, version, end, address_of(ISSUER))),
    )
    signed = [
        signature(wrap(claim_digest(town.roles.address, kind, *values)), signer) for kind, signer, values in messages
    ]
    return address, role, version, end, address_of(ISSUER), *signed


# What is signed, and what is logged


def test_the_messages_of_energy_web_are_theirs_to_the_bit(town):
    assert keccak(AGREEMENT.encode()).hex() == "b16118fb93c5cd278fa80c5c3a11023e3f2b6b6ba1e8a1b0a9ac23a821df30f1"
    assert keccak(PROOF.encode()).hex() == "58155adb8e63b2801cf4976c036d0ed06b96f1a2cbb86b5d7a93ba394e8a5d10"
    assert town.roles.read("PROOF_TYPEHASH") == keccak(PROOF.encode())
    role = namehash("balancingprovider.roles.gsy.iam.ewc")
    assert role.hex() == "f767ba2e1ac9f92a612fe87ee6e420d7d5dcf26187ea41cee8a0182fec166a95"
    values = b"\x22" * 20, role, 1, 2_000_000_000, b"\x33" * 20
    digest = claim_digest(b"\x11" * 20, PROOF, *values, chain_id=31_337)
    assert digest.hex() == "12e1f3d3093667a99132da2cbe2501c8826827578fffddb2f8e5a197b76a9177"


def test_the_messages_are_typed_data_as_every_wallet_encodes_it(town):
    values = address_of(MEMBER), role_of("member"), 1, 2**40, address_of(ISSUER), RATES, 0
    fields = [field.split() for field in PROOF_WITH_DATA[PROOF_WITH_DATA.index("(") + 1 : -1].split(",")]
    signable = encode_typed_data(
        domain_data={
            "name": "Claim Manager",
            "version": "1.0",
            "chainId": CHAIN_ID,
            "verifyingContract": hexed(town.roles.address),
        },
        message_types={"ProofWithData": [{"type": kind, "name": name} for kind, name in fields]},
        message_data={name: value for (_, name), value in zip(fields, values, strict=True)},
    )
    wallet = keccak(b"\x19" + signable.version + signable.header + signable.body)
    assert wallet == claim_digest(town.roles.address, PROOF_WITH_DATA, *values)
    assert town.roles.read("domain_separator") == signable.header


def test_a_claim_without_data_is_registered_as_energy_web_does(town):
    arguments = plain(town)
    [theirs, ours] = town.roles.events(town.roles.send("anybody", "register", *arguments))
    fields = {
        "subject": hexed(address_of(MEMBER)),
        "role": role_of("member"),
        "version": 1,
        "expiry": arguments[3],
        "issuer": hexed(address_of(ISSUER)),
    }
    assert theirs == ("RoleRegistered", fields)
    assert ours == ("ClaimRegistered", fields | {"number": 1, "data": NO_DATA, "epoch": 0})
    assert town.has(MEMBER, "member")
    assert town.roles.read("proofHashes", personal(claim_digest(town.roles.address, PROOF, *arguments[:5])))
    entry = next(entry for entry in load("RoleRegistry").abi if entry.get("name") == "RoleRegistered")
    assert selector_of(entry).hex() == "1ecd600d4f2b81f27694fe111b8c8a1025cacd2e8ebcbddf6eb95436e390fe14"
    assert not any(field["indexed"] for field in entry["inputs"])


def test_a_claim_with_data_keeps_it(town):
    now = town.machine.now
    town.claim(MEMBER, "member", ISSUER, data=RATES, expiry=now + 9)
    record = (1, now, now + 9, hexed(address_of(ISSUER)), RATES, 0, 0)
    assert town.roles.read("claim", address_of(MEMBER), role_of("member")) == record
    assert town.roles.read("claim_at", address_of(MEMBER), role_of("member"), 1) == record
    assert town.roles.read("claim_count", role_of("member"), address_of(MEMBER)) == 1


def test_a_signature_without_the_second_wrap_is_refused(town):
    with refused("claims: subject did not agree"):
        town.roles.send("anybody", "register", *plain(town, wrap=lambda digest: digest))
    town.roles.send("anybody", "register", *plain(town))


def test_a_signature_for_another_chain_is_refused(town):
    arguments = plain(town)
    elsewhere = Identities(Revm(chain_id=77))
    elsewhere.define("member", issuers=(address_of(ISSUER),))
    assert elsewhere.roles.address == town.roles.address
    with refused("claims: subject did not agree"):
        elsewhere.roles.send("anybody", "register", *arguments)
    town.roles.send("anybody", "register", *arguments)


# Who must have signed


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"agreed_by": STRANGER}, "claims: subject did not agree"),
        ({"agreed_by": ISSUER}, "claims: subject did not agree"),
        ({"proved_by": STRANGER}, "claims: issuer did not sign"),
        ({"proved_by": MEMBER}, "claims: issuer did not sign"),
        ({"epoch": 1}, "claims: issuer did not sign"),
    ],
)
def test_subject_and_issuer_both_sign(town, change, reason):
    with refused(reason):
        town.claim(MEMBER, "member", ISSUER, **change)
    town.claim(MEMBER, "member", ISSUER)


def test_every_word_of_the_call_was_signed(town):
    arguments = town.claim_arguments(MEMBER, "member", ISSUER)
    # version, expiry, data, deadline: who agreed or proved something else is somebody else
    for place, other in ((2, 0), (3, arguments[3] + 1), (5, RATES), (6, arguments[6] + 1)):
        changed = arguments[:place] + (other,) + arguments[place + 1 :]
        with refused("claims: issuer did not sign" if place == 3 else "claims: subject did not agree"):
            town.roles.send("anybody", "registerWithData", *changed)
    town.roles.send("anybody", "registerWithData", *arguments)


@pytest.mark.parametrize("broken", ["no bytes", "64 bytes", "high s", "v of 0"])
@pytest.mark.parametrize(
    ("place", "reason"), [(7, "claims: subject did not agree"), (8, "claims: issuer did not sign")]
)
def test_a_signature_has_65_bytes_and_a_low_s(town, broken, place, reason):
    arguments = town.claim_arguments(MEMBER, "member", ISSUER)
    kind, signer, values = (
        (AGREEMENT_WITH_DATA, MEMBER, (*arguments[:3], arguments[5], arguments[6])),
        (PROOF_WITH_DATA, ISSUER, (*arguments[:6], 0)),
    )[place - 7]
    good = arguments[place]
    assert town.agreement(signer, kind, *values) == good
    bad = {
        "no bytes": b"",
        "64 bytes": good[:64],
        "high s": town.agreement(signer, kind, *values, high_s=True),
        "v of 0": good[:64] + b"\0",
    }[broken]
    with refused(reason):
        town.roles.send("anybody", "registerWithData", *arguments[:place], bad, *arguments[place + 1 :])
    town.roles.send("anybody", "registerWithData", *arguments)


def test_a_key_that_speaks_as_the_subject_agrees_for_it_while_it_is_valid(town):
    town.dids.send(MEMBER, "addDelegate", address_of(MEMBER), VERI_KEY, address_of("a phone"), 100)
    town.claim(MEMBER, "member", ISSUER, agreed_by="a phone")
    town.pass_by(100)
    with refused("claims: subject did not agree"):
        town.claim(MEMBER, "member", ISSUER, agreed_by="a phone")


def test_a_key_that_speaks_as_the_issuer_proves_for_it_and_another_kind_of_key_does_not(town):
    for kind, key in ((VERI_KEY, "a machine"), (b"sigAuth".ljust(32, b"\0"), "a login")):
        town.dids.send(ISSUER, "addDelegate", address_of(ISSUER), kind, address_of(key), DAY)
    with refused("claims: issuer did not sign"):
        town.claim(MEMBER, "member", ISSUER, proved_by="a login")
    town.claim(MEMBER, "member", ISSUER, proved_by="a machine")


def test_a_signature_of_nobody_speaks_for_no_identity(town):
    arguments = town.claim_arguments(MEMBER, "member", ISSUER)
    garbage = bytes(64) + b"\x1b"
    for subject in (bytes(20), address_of(MEMBER)):
        with refused("claims: subject did not agree"):
            town.roles.send("anybody", "registerWithData", subject, *arguments[1:7], garbage, arguments[8])
    # nor where an identity made nobody its delegate
    town.dids.send(MEMBER, "addDelegate", address_of(MEMBER), VERI_KEY, bytes(20), DAY)
    with refused("claims: subject did not agree"):
        town.roles.send("anybody", "registerWithData", *arguments[:7], garbage, arguments[8])
    town.roles.send("anybody", "registerWithData", *arguments)


def test_an_assets_owner_agrees_for_it_and_nobody_else(town):
    asset = town.asset(OWNER)
    asset.send(OWNER, "addDeviceKey", address_of("the meter"), DAY)
    for other in ("the meter", STRANGER, ISSUER):
        with refused("claims: subject did not agree"):
            town.claim(asset, "member", ISSUER, agreed_by=other)
    town.claim(asset, "member", ISSUER, agreed_by=OWNER)
    assert town.roles.read("claim", asset.address, role_of("member"))[5] == 1


def test_nobody_agrees_for_a_retired_asset(town):
    asset = town.asset(OWNER)
    town.claim(asset, "member", ISSUER, agreed_by=OWNER)
    asset.send(OWNER, "retire")
    with refused("claims: subject did not agree"):
        town.claim(asset, "member", ISSUER, agreed_by=OWNER, deadline=town.machine.now + 1)


def test_an_asset_may_be_the_issuer_by_its_owner(town):
    asset = town.asset(OWNER)
    town.define("reading", issuers=(asset.address,))
    with refused("claims: issuer did not sign"):
        town.claim(MEMBER, "reading", ISSUER, issuer_address=asset.address, proved_by=STRANGER)
    town.claim(MEMBER, "reading", ISSUER, issuer_address=asset.address, proved_by=OWNER)


# What may be registered


def test_only_a_defined_role_is_claimed(town):
    with refused("claims: no such role"):
        town.claim(MEMBER, "nothing", ISSUER)
    town.claim(MEMBER, "member", ISSUER)


def test_a_version_is_at_most_the_roles(town):
    town.define("member", issuers=(address_of(ISSUER),), version=3)
    with refused("claims: version is too high"):
        town.claim(MEMBER, "member", ISSUER, version=4)
    town.claim(MEMBER, "member", ISSUER, version=3)


def test_an_expiry_lies_ahead_and_within_the_roles_bound(town):
    now = town.machine.now
    with refused("claims: expiry is past"):
        town.claim(MEMBER, "member", ISSUER, expiry=now)
    with refused("claims: expiry is too late"):
        town.claim(MEMBER, "member", ISSUER, expiry=2**64)
    town.claim(MEMBER, "member", ISSUER, expiry=2**64 - 1)
    town.define("member", issuers=(address_of(ISSUER),), most_seconds=DAY)
    with refused("claims: expiry is too late"):
        town.claim(MEMBER, "member", ISSUER, expiry=now + DAY + 1)
    town.claim(MEMBER, "member", ISSUER, expiry=now + DAY)
    town.define("member", issuers=(address_of(ISSUER),), most_seconds=2**64 - 1)
    with refused("claims: expiry is too late"):
        town.claim(MEMBER, "member", ISSUER, expiry=2**64)
    town.claim(MEMBER, "member", ISSUER, expiry=now + 1)


def test_an_agreement_serves_up_to_the_second_of_its_deadline(town):
    arguments = town.claim_arguments(MEMBER, "member", ISSUER, deadline=town.machine.now + 10)
    town.pass_by(11)
    with refused("claims: deadline is past"):
        town.roles.send("anybody", "registerWithData", *arguments)
    town.pass_by(-1)
    town.roles.send("anybody", "registerWithData", *arguments)


def test_an_agreement_serves_once(town):
    now = town.machine.now
    town.claim(MEMBER, "member", ISSUER, deadline=now)
    with refused("claims: agreement was used"):
        town.claim(MEMBER, "member", ISSUER, deadline=now, expiry=now + DAY)
    town.claim(MEMBER, "member", ISSUER, deadline=now + 1, expiry=now + DAY)


def test_a_proof_serves_once(town):
    now = town.machine.now
    town.claim(MEMBER, "member", ISSUER, expiry=now + DAY)
    with refused("claims: proof was used"):
        town.claim(MEMBER, "member", ISSUER, expiry=now + DAY)
    town.claim(MEMBER, "member", ISSUER, expiry=now + DAY + 1)


def test_an_issuer_by_role_must_hold_it_at_that_moment(town):
    town.define("certifier", issuers=(address_of("the root of trust"),))
    town.define("asset", issuer_role=role_of("certifier"))
    with refused("claims: issuer may not issue"):
        town.claim(MEMBER, "asset", ISSUER)
    town.claim(ISSUER, "certifier", "the root of trust", expiry=town.machine.now + 100)
    town.claim(MEMBER, "asset", ISSUER)
    town.pass_by(100)
    with refused("claims: issuer may not issue"):
        town.claim("another", "asset", ISSUER)


def test_where_issuers_are_listed_others_may_not(town):
    with refused("claims: issuer may not issue"):
        town.claim(MEMBER, "member", STRANGER)
    town.define("member")  # nobody is listed, and no role is named
    with refused("claims: issuer may not issue"):
        town.claim(MEMBER, "member", ISSUER)
    town.define("member", issuers=(address_of(ISSUER), address_of(STRANGER)))
    town.claim(MEMBER, "member", STRANGER)


@pytest.mark.parametrize(
    ("held", "all_of_them", "enough"),
    [
        ((), False, False),
        ((), True, False),
        (("member",), False, True),
        (("member",), True, False),
        (("person",), False, True),
        (("person",), True, False),
        (("member", "person"), False, True),
        (("member", "person"), True, True),
    ],
)
def test_prerequisites_are_held_all_or_any(town, held, all_of_them, enough):
    listed = {"issuers": (address_of(ISSUER),)}
    town.define("person", **listed)
    needed = role_of("member"), role_of("person")
    town.define("voter", prerequisites=needed, all_prerequisites=all_of_them, **listed)
    for label in held:
        town.claim(MEMBER, label, ISSUER)
    if enough:
        town.claim(MEMBER, "voter", ISSUER)
    else:
        with refused("claims: prerequisites missing"):
            town.claim(MEMBER, "voter", ISSUER)


def test_a_prerequisite_that_was_revoked_is_not_held(town):
    town.define("voter", prerequisites=(role_of("member"),), issuers=(address_of(ISSUER),))
    town.claim(MEMBER, "member", ISSUER)
    town.roles.send(ISSUER, "revoke", role_of("member"), address_of(MEMBER))
    with refused("claims: prerequisites missing"):
        town.claim(MEMBER, "voter", ISSUER)


def test_the_owner_of_a_roles_name_holds_it_by_its_own_word_where_it_lists_itself(town):
    town.define("helper", issuers=(address_of(ROOT_OWNER),))
    town.claim(ROOT_OWNER, "helper", ROOT_OWNER)
    town.define("member", issuers=(address_of(ISSUER),))
    with refused("claims: issuer may not issue"):
        town.claim(ROOT_OWNER, "member", ROOT_OWNER)


def test_nobody_issues_to_itself_nor_to_what_it_controls(town):
    with refused("claims: issued to oneself"):
        town.claim(ISSUER, "member", ISSUER)
    asset = town.asset(ISSUER)
    with refused("claims: issued to oneself"):
        town.claim(asset, "member", ISSUER, agreed_by=ISSUER)
    town.dids.send(MEMBER, "changeOwner", address_of(MEMBER), address_of(ISSUER))
    with refused("claims: issued to oneself"):
        town.claim(MEMBER, "member", ISSUER, agreed_by=ISSUER)
    # nor by way of an issuer that somebody else's key controls
    town.dids.send(ISSUER, "changeOwner", address_of(ISSUER), address_of(OWNER))
    with refused("claims: issued to oneself"):
        town.claim(town.asset(OWNER), "member", ISSUER, agreed_by=OWNER, proved_by=OWNER)
    town.claim(town.asset(BUYER), "member", ISSUER, agreed_by=BUYER, proved_by=OWNER)


def test_a_proof_that_names_no_epoch_makes_no_claim_that_ends_at_a_sale(town):
    asset = town.asset(OWNER)
    town.define("member", issuers=(address_of(ISSUER),), ends_at_sale=True)
    with refused("claims: proof names no epoch"):
        town.roles.send("anybody", "register", *plain(town, asset, agreed_by=OWNER))
    town.roles.send("anybody", "register", *plain(town))  # who cannot be sold may
    town.claim(asset, "member", ISSUER, agreed_by=OWNER)
    town.define("member", issuers=(address_of(ISSUER),), ends_at_sale=False)
    town.roles.send("anybody", "register", *plain(town, asset, agreed_by=OWNER, expiry=town.machine.now + 2))
