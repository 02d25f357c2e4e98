"""Who has a role, now and at any time: expiry, revocation, versions, sales, and the issuers' own standing."""

import pytest

from contracts.artifacts import load
from tests.contracts.caller import refused, selector_of
from tests.contracts.identities import (
    DAY,
    NOBODY,
    REVOCATION,
    VERI_KEY,
    Identities,
    hexed,
    role_of,
)
from tests.contracts.machine import GENESIS, Revm
from tests.contracts.orders import address_of

MEMBER, ISSUER, ROOT_ISSUER, STRANGER = "a member", "the issuer", "the root issuer", "a stranger"
OWNER, BUYER = "the owner", "the buyer"


@pytest.fixture
def town() -> Identities:
    """`asset` is issued by holders of `certifier`, and that by one listed identity; each claim is of 1000 seconds."""
    town = Identities(Revm())
    town.define("certifier", issuers=(address_of(ROOT_ISSUER),))
    town.define("asset", issuer_role=role_of("certifier"))
    town.claim(ISSUER, "certifier", ROOT_ISSUER, expiry=GENESIS + 1_000)
    return town


def revoke(town, subject, label, by):
    return town.roles.send(by, "revoke", role_of(label), address_of(subject))


# One claim


def test_a_role_is_held_before_its_expiry_and_not_at_it(town):
    assert town.until(ISSUER, "certifier") == GENESIS + 999
    town.pass_by(999)
    assert town.has(ISSUER, "certifier")
    town.pass_by(1)
    assert not town.has(ISSUER, "certifier")
    assert town.had(ISSUER, "certifier", GENESIS + 999)
    assert town.until(ISSUER, "certifier") == GENESIS + 999


def test_a_role_is_not_held_before_it_was_registered(town):
    assert not town.had(ISSUER, "certifier", GENESIS - 1)
    assert town.had(ISSUER, "certifier", GENESIS)
    assert not town.had(STRANGER, "certifier", GENESIS)
    assert town.until(STRANGER, "certifier") == 0


def test_a_revoked_role_is_not_held_from_that_second_on(town):
    town.pass_by(10)
    [event] = town.roles.events(revoke(town, ISSUER, "certifier", ROOT_ISSUER))
    fields = {"role": role_of("certifier"), "subject": address_of(ISSUER), "revoker": address_of(ROOT_ISSUER)}
    assert event == ("Revoked", {name: hexed(v) if len(v) == 20 else v for name, v in fields.items()})
    assert not town.has(ISSUER, "certifier")
    assert town.had(ISSUER, "certifier", GENESIS + 9)
    assert town.until(ISSUER, "certifier") == GENESIS + 9
    assert town.roles.read("isRevoked", role_of("certifier"), address_of(ISSUER))
    # Energy Web's second word is the block, whatever its name there
    detail = town.roles.read("getRevocationDetail", role_of("certifier"), address_of(ISSUER))
    assert detail == (hexed(address_of(ROOT_ISSUER)), 1)
    assert town.roles.read("claim", address_of(ISSUER), role_of("certifier"))[6] == GENESIS + 10


def test_the_event_of_a_revocation_is_energy_webs():
    entry = next(entry for entry in load("RoleRegistry").abi if entry.get("name") == "Revoked")
    assert selector_of(entry).hex() == "0eacc78f9b7825280a64d8c70d21fdba612299a49e580dd9dcaa9e84325611b0"


def test_a_registration_after_a_revocation_is_a_new_claim_and_the_gap_remains(town):
    town.pass_by(10)
    revoke(town, ISSUER, "certifier", ROOT_ISSUER)
    town.pass_by(10)
    town.claim(ISSUER, "certifier", ROOT_ISSUER, expiry=GENESIS + 2_000)
    assert town.has(ISSUER, "certifier")
    held = [town.had(ISSUER, "certifier", GENESIS + second) for second in (0, 9, 10, 19, 20, 1_999, 2_000)]
    assert held == [True, True, False, False, True, True, False]
    assert not town.roles.read("isRevoked", role_of("certifier"), address_of(ISSUER))
    assert town.roles.read("getRevocationDetail", role_of("certifier"), address_of(ISSUER)) == (hexed(NOBODY), 0)
    assert town.roles.read("claim_at", address_of(ISSUER), role_of("certifier"), 1)[6] == GENESIS + 10


def test_the_newest_claim_counts_even_where_it_ends_sooner(town):
    town.pass_by(10)
    town.claim(ISSUER, "certifier", ROOT_ISSUER, expiry=GENESIS + 20)
    assert town.had(ISSUER, "certifier", GENESIS + 5)
    assert not town.had(ISSUER, "certifier", GENESIS + 20)


def test_of_two_claims_in_one_second_the_later_counts(town):
    town.claim(ISSUER, "certifier", ROOT_ISSUER, expiry=GENESIS + 5)
    assert town.until(ISSUER, "certifier") == GENESIS + 4
    assert town.had(ISSUER, "certifier", GENESIS)
    assert not town.had(ISSUER, "certifier", GENESIS + 5)


def test_a_version_asked_for_is_the_claims_own(town):
    town.define("certifier", issuers=(address_of(ROOT_ISSUER),), version=2)
    assert town.has(ISSUER, "certifier", 1)
    assert not town.has(ISSUER, "certifier", 2)
    town.claim(ISSUER, "certifier", ROOT_ISSUER, version=2)
    assert town.has(ISSUER, "certifier", 2)
    assert not town.has(ISSUER, "certifier", 3)


def test_a_version_asked_for_is_not_asked_of_the_issuers(town):
    town.define("asset", issuer_role=role_of("certifier"), version=5)
    town.claim(MEMBER, "asset", ISSUER, version=5)
    assert town.has(MEMBER, "asset", 5)
    assert not town.has(MEMBER, "asset", 6)


def test_a_role_whose_definition_lists_its_issuer_no_more_is_held_no_more(town):
    town.define("certifier", issuers=(address_of(STRANGER),))
    assert not town.has(ISSUER, "certifier")
    assert town.until(ISSUER, "certifier") == 0
    town.define("certifier", issuers=(address_of(STRANGER), address_of(ROOT_ISSUER)))
    assert town.has(ISSUER, "certifier")


# A chain of issuers


def test_a_role_ends_with_its_issuers_own(town):
    town.claim(MEMBER, "asset", ISSUER, expiry=GENESIS + 2_000)
    assert town.until(MEMBER, "asset") == GENESIS + 999
    town.pass_by(999)
    assert town.has(MEMBER, "asset")
    town.pass_by(1)
    assert not town.has(MEMBER, "asset")
    town.claim(ISSUER, "certifier", ROOT_ISSUER, expiry=GENESIS + 5_000)  # renewed
    assert town.has(MEMBER, "asset")
    assert town.until(MEMBER, "asset") == GENESIS + 1_999


def test_a_revoked_issuers_claims_count_no_more_and_those_before_still_do_for_then(town):
    town.claim(MEMBER, "asset", ISSUER, expiry=GENESIS + 500)
    town.pass_by(10)
    revoke(town, ISSUER, "certifier", ROOT_ISSUER)
    assert not town.has(MEMBER, "asset")
    assert town.had(MEMBER, "asset", GENESIS + 9)
    assert town.until(MEMBER, "asset") == GENESIS + 9


def chain(town: Identities, length: int) -> str:
    """Holders of roles, each issued by the one before; the first by a listed identity. Return the last one's name."""
    town.define("r1", issuers=(address_of(ROOT_ISSUER),))
    town.claim("holder 1", "r1", ROOT_ISSUER, expiry=GENESIS + 9 * DAY)
    for i in range(2, length + 1):
        town.define(f"r{i}", issuer_role=role_of(f"r{i - 1}"))
        town.claim(f"holder {i}", f"r{i}", f"holder {i - 1}", expiry=GENESIS + 9 * DAY)
    return f"holder {length}"


def test_a_chain_of_eight_claims_holds_and_of_nine_does_not(town):
    chain(town, 9)
    assert town.has("holder 8", "r8")
    assert town.until("holder 8", "r8") == GENESIS + 9 * DAY - 1
    assert not town.has("holder 9", "r9")
    assert town.until("holder 9", "r9") == 0
    town.define("r10", issuer_role=role_of("r9"))
    with refused("claims: issuer may not issue"):
        town.claim("holder 10", "r10", "holder 9")


def test_a_circle_of_issuers_holds_nothing(town):
    town.define("one", issuers=(address_of(ROOT_ISSUER),))
    town.define("other", issuer_role=role_of("one"))
    town.claim(MEMBER, "one", ROOT_ISSUER)
    town.claim(ISSUER, "other", MEMBER)
    town.define("one", issuer_role=role_of("other"))
    assert not town.has(MEMBER, "one")
    with refused("claims: issuer may not issue"):
        town.claim(MEMBER, "one", ISSUER)
    town.define("one", issuers=(address_of(ROOT_ISSUER),))
    assert town.has(ISSUER, "other")


def test_until_is_never_a_second_at_which_the_role_was_not_held(town):
    # the member's claim outlived the issuer's, which was renewed only after both had ended
    town.claim(MEMBER, "asset", ISSUER, expiry=GENESIS + 1_500)
    town.pass_by(2_000)
    town.claim(ISSUER, "certifier", ROOT_ISSUER, expiry=GENESIS + 5_000)
    assert not town.had(MEMBER, "asset", GENESIS + 1_499)
    assert town.until(MEMBER, "asset") == 0


def test_until_is_known_in_spite_of_an_issuers_renewal_after_the_end(town):
    town.claim(MEMBER, "asset", ISSUER, expiry=GENESIS + 500)
    town.pass_by(600)
    town.claim(ISSUER, "certifier", ROOT_ISSUER, expiry=GENESIS + 5_000)
    assert town.until(MEMBER, "asset") == GENESIS + 499


# Sales


def test_a_claim_bound_to_the_owner_ends_at_the_second_of_the_sale(town):
    town.define("rates", issuers=(address_of(ISSUER),), ends_at_sale=True)
    town.define("kind", issuers=(address_of(ISSUER),))
    asset = town.asset(OWNER)
    for label in ("rates", "kind"):
        town.claim(asset, label, ISSUER, agreed_by=OWNER)
    town.pass_by(10)
    town.sell(asset, OWNER, BUYER)
    assert not town.has(asset, "rates")
    assert town.has(asset, "kind")
    assert town.had(asset, "rates", GENESIS + 9)
    assert town.until(asset, "rates") == GENESIS + 9
    town.claim(asset, "rates", ISSUER, agreed_by=BUYER)
    assert town.has(asset, "rates")


def test_retiring_ends_it_too(town):
    town.define("rates", issuers=(address_of(ISSUER),), ends_at_sale=True)
    asset = town.asset(OWNER)
    town.claim(asset, "rates", ISSUER, agreed_by=OWNER)
    town.pass_by(10)
    asset.send(OWNER, "retire")
    assert not town.has(asset, "rates")
    assert town.until(asset, "rates") == GENESIS + 9


# Who may revoke


def test_an_issuer_revokes_its_own_claim_and_a_stranger_does_not(town):
    for by in (STRANGER, ISSUER, MEMBER):
        with refused("claims: revoker may not revoke"):
            revoke(town, ISSUER, "certifier", by)
    revoke(town, ISSUER, "certifier", ROOT_ISSUER)
    with refused("claims: revoked already"):
        revoke(town, ISSUER, "certifier", ROOT_ISSUER)


def test_there_must_be_something_to_revoke(town):
    with refused("claims: nothing to revoke"):
        revoke(town, STRANGER, "certifier", ROOT_ISSUER)
    revoke(town, ISSUER, "certifier", ROOT_ISSUER)


def test_a_listed_revoker_revokes(town):
    town.define(
        "certifier", issuers=(address_of(ROOT_ISSUER),), revokers=(address_of("x"), address_of("the regulator"))
    )
    revoke(town, ISSUER, "certifier", "the regulator")
    assert not town.has(ISSUER, "certifier")


def test_a_revoker_by_role_revokes_while_it_holds_the_role(town):
    town.define("regulator", issuers=(address_of(ROOT_ISSUER),))
    town.define("certifier", issuers=(address_of(ROOT_ISSUER),), revoker_role=role_of("regulator"))
    town.claim("the regulator", "regulator", ROOT_ISSUER, expiry=GENESIS + 10)
    town.claim("an old regulator", "regulator", ROOT_ISSUER, expiry=GENESIS + 1)
    town.pass_by(5)
    with refused("claims: revoker may not revoke"):
        revoke(town, ISSUER, "certifier", "an old regulator")
    revoke(town, ISSUER, "certifier", "the regulator")


def test_an_identity_is_spoken_for_by_its_owner_when_it_revokes(town):
    town.dids.send(ROOT_ISSUER, "changeOwner", address_of(ROOT_ISSUER), address_of("the successor"))
    arguments = role_of("certifier"), address_of(ISSUER), address_of(ROOT_ISSUER)
    with refused("claims: not the revoker"):
        revoke(town, ISSUER, "certifier", ROOT_ISSUER)  # its own key controls it no more
    with refused("claims: not the revoker"):
        town.roles.send(STRANGER, "revokeAs", *arguments)
    town.roles.send("the successor", "revokeAs", *arguments)
    assert town.roles.read("getRevocationDetail", *arguments[:2])[0] == hexed(address_of(ROOT_ISSUER))


def signed_revocation(town, *, signer=ROOT_ISSUER, registered_at=GENESIS, deadline=GENESIS + 100):
    role, subject, revoker = role_of("certifier"), address_of(ISSUER), address_of(ROOT_ISSUER)
    signed = town.agreement(signer, REVOCATION, role, subject, revoker, registered_at, deadline)
    return role, subject, revoker, deadline, signed


def test_a_signed_revocation_is_brought_by_anybody_until_its_deadline(town):
    with refused("claims: not the revoker"):
        town.roles.send("anybody", "revokeSigned", *signed_revocation(town, signer=STRANGER))
    town.pass_by(101)
    with refused("claims: deadline is past"):
        town.roles.send("anybody", "revokeSigned", *signed_revocation(town))
    town.pass_by(-1)
    town.roles.send("anybody", "revokeSigned", *signed_revocation(town))
    assert not town.has(ISSUER, "certifier")


def test_a_signed_revocation_does_not_serve_against_a_later_claim(town):
    town.roles.send("anybody", "revokeSigned", *signed_revocation(town))
    town.pass_by(1)
    town.claim(ISSUER, "certifier", ROOT_ISSUER)
    with refused("claims: not the revoker"):
        town.roles.send("anybody", "revokeSigned", *signed_revocation(town))
    town.roles.send("anybody", "revokeSigned", *signed_revocation(town, registered_at=GENESIS + 1))


def test_a_key_that_speaks_as_the_revoker_signs_for_it(town):
    town.dids.send(ROOT_ISSUER, "addDelegate", address_of(ROOT_ISSUER), VERI_KEY, address_of("a machine"), DAY)
    town.roles.send("anybody", "revokeSigned", *signed_revocation(town, signer="a machine"))
    assert not town.has(ISSUER, "certifier")
