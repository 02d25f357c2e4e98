"""Whether a role is held: chains of issuers in full, and each known way of getting round them."""

from dataclasses import replace

import pytest

from identity.credential import StatusEntry
from identity.credential_subject import ASSET, BALANCING_PROVIDER, ENERGY_TYPE, ROLE
from identity.energy_roles import EnergyRole, definition, role_node
from identity.facts import (
    AssetRetired,
    AssetTransferred,
    ClaimRegistered,
    ClaimRevoked,
    DelegateChanged,
    OwnerChanged,
)
from identity.role_verdict import Step
from identity.verdict import Fault, Trust
from identity.verification import MAX_CHAIN, MOST_CREDENTIALS
from tests.actors import AGENT, BATTERY, CONSUMER, METER, NEIGHBOUR, PROSUMER, STRANGER, Actor
from tests.identity.certified import (
    BEGIN,
    CHAIN_ID,
    END,
    FORMS,
    LIST,
    NOW,
    RATES,
    Street,
    credential,
    did,
    given,
    listed,
    refused,
    role,
    shown,
    text_of,
)
from tests.registries import CERTIFIER, COMMUNITY, EVER, LABEL, NAMESPACE_OWNER

PROVIDER = EnergyRole.BALANCING_PROVIDER
PROVIDER_ROLE = role_node(PROVIDER, LABEL)
INSTALLER = Actor("installer")
ROTATED = Actor("the certifier's new key")
DATA = given(BALANCING_PROVIDER, BATTERY).claim_data()


@pytest.fixture
def street():
    return Street()


@pytest.fixture
def rates():
    """The battery's rates, certified by the certifier."""
    return credential(given(BALANCING_PROVIDER, BATTERY))


def claimed(subject=BATTERY, issuer=CERTIFIER, at=BEGIN, expiry=EVER, data=DATA, role=PROVIDER_ROLE, epoch=1):
    return ClaimRegistered(
        subject=subject.address,
        role=role,
        version=1,
        expiry=expiry,
        issuer=issuer.address,
        data=data,
        epoch=epoch,
        at=at,
    )


# Who holds a role


@pytest.mark.parametrize("form", FORMS)
def test_a_certified_asset_holds_its_role_and_the_verdict_names_the_chain(street, rates, form):
    verdict = street.verify(BATTERY, PROVIDER, shown(rates, form=form))
    assert verdict.holds
    assert [(link.issuer, link.trust, link.credential) for link in verdict.chain] == [
        (CERTIFIER.address, Trust.HOLDS_ROLE, rates.name),
        (COMMUNITY.address, Trust.HOLDS_ROLE, None),
        (NAMESPACE_OWNER.address, Trust.LISTED, None),
    ]
    assert verdict.data == DATA
    assert verdict.to_document()["failed"] is None


def test_without_a_credential_it_does_not(street):
    refused(street.verify(BATTERY, PROVIDER), Step.NEVER)


def test_a_claim_on_the_chain_needs_no_credential(street):
    street.apply(claimed())
    verdict = street.verify(BATTERY, PROVIDER)
    assert (verdict.holds, verdict.data, verdict.chain[0].credential) == (True, DATA, None)
    assert len(verdict.chain) == 3


def test_a_whole_chain_of_credentials_counts(street):
    street.publish(by=COMMUNITY, url=LIST + "/c")
    shop = shown(credential(given(ROLE, INSTALLER), COMMUNITY, status=StatusEntry(LIST + "/c", 8)), COMMUNITY, "eip712")
    street.publish(by=INSTALLER, url=LIST + "/i")
    roof = shown(credential(given(ASSET, BATTERY), INSTALLER, status=StatusEntry(LIST + "/i", 9)), INSTALLER)
    verdict = street.verify(BATTERY, EnergyRole.ASSET, roof, shop)
    assert verdict.holds, verdict.failure
    assert [link.credential is None for link in verdict.chain] == [False, False, True]
    refused(street.verify(BATTERY, EnergyRole.ASSET, roof), Step.NEVER, INSTALLER)


def test_an_energy_type_alone_does_not_make_an_asset_but_counts_by_itself(street):
    green = shown(credential(given(ENERGY_TYPE, BATTERY)))
    assert street.judge(green).holds
    refused(street.verify(BATTERY, EnergyRole.ASSET, green), Step.NEVER)


def test_the_first_credential_that_counts_is_enough(street, rates):
    late = credential(given(BALANCING_PROVIDER, BATTERY), index=8, expires_at=NOW)
    assert street.verify(BATTERY, PROVIDER, shown(late), shown(rates)).holds
    refused(street.verify(BATTERY, PROVIDER, shown(late)), Fault.EXPIRED)


# The credential itself


@pytest.mark.parametrize(
    ("at", "fault"),
    [(BEGIN - 1, Fault.NOT_YET_VALID), (BEGIN, None), (END - 1, None), (END, Fault.EXPIRED)],
)
def test_a_credential_counts_from_its_issuance_until_before_its_expiry(street, rates, at, fault):
    street.publish(issued_at=0, expires_at=END + 9)
    verdict = street.verify(BATTERY, PROVIDER, shown(rates), at=at)
    if fault is None:
        assert verdict.holds
    else:
        refused(verdict, fault)


@pytest.mark.parametrize("form", FORMS)
def test_a_credential_that_a_stranger_signed_in_the_issuers_name_is_refused(street, rates, form):
    assert street.verify(BATTERY, PROVIDER, shown(rates, CERTIFIER, form)).holds
    refused(street.verify(BATTERY, PROVIDER, shown(rates, STRANGER, form)), Fault.NOT_THE_ISSUERS_KEY)


@pytest.mark.parametrize("form", FORMS)
def test_a_rotated_out_key_signs_no_more(street, rates, form):
    """Energy Web's login and its verifier ask the address in the DID, not the owner that the registry names."""
    street.apply(OwnerChanged(CERTIFIER.address, ROTATED.address, NOW))
    refused(street.verify(BATTERY, PROVIDER, shown(rates, CERTIFIER, form)), Fault.NOT_THE_ISSUERS_KEY)
    assert street.verify(BATTERY, PROVIDER, shown(rates, CERTIFIER, form), at=NOW - 1).holds


def test_the_new_key_signs_instead(street, rates):
    street.apply(OwnerChanged(CERTIFIER.address, ROTATED.address, NOW))
    street.lists[LIST] = text_of(credential(listed()), ROTATED.key, "jwt")
    assert street.verify(BATTERY, PROVIDER, shown(rates, ROTATED)).holds


def test_a_deactivated_issuer_signs_nothing(street, rates):
    street.apply(OwnerChanged(CERTIFIER.address, bytes(20), NOW))
    refused(street.verify(BATTERY, PROVIDER, shown(rates)), Fault.NOT_THE_ISSUERS_KEY)


@pytest.mark.parametrize(("valid_to", "counts"), [(NOW + 1, True), (NOW - 1, False)])
def test_a_key_that_the_issuer_named_signs_while_it_is_named(street, rates, valid_to, counts):
    street.apply(DelegateChanged(CERTIFIER.address, b"veriKey".ljust(32, b"\0"), METER.address, valid_to, BEGIN))
    verdict = street.verify(BATTERY, PROVIDER, shown(rates, METER))
    assert verdict.holds == counts


def test_an_asset_or_an_issuer_on_another_chain_is_another(street, rates):
    assert street.judge(shown(rates)).holds
    elsewhere = replace(rates.subject, holder=did(BATTERY, CHAIN_ID + 1))
    refused(street.judge(shown(replace(rates, subject=elsewhere))), Fault.WRONG_CHAIN)
    refused(street.judge(shown(replace(rates, issuer=did(CERTIFIER, 1)))), Fault.WRONG_CHAIN)


@pytest.mark.parametrize(("version", "asked", "holds"), [(1, 0, True), (1, 1, True), (0, 1, False), (2, 0, False)])
def test_the_version_is_what_was_asked_for_and_exists(street, version, asked, holds):
    issued = shown(credential(given(BALANCING_PROVIDER, BATTERY, version=version)))
    verdict = street.verify(BATTERY, PROVIDER, issued, version=asked)
    assert verdict.holds == holds
    if not holds:
        refused(verdict, Fault.WRONG_VERSION)


def test_a_credential_that_lasts_longer_than_the_role_allows_is_refused(street):
    street.apply(role("certifier", issuer_role="communityoperator", most_seconds=END - BEGIN))
    street.publish(by=COMMUNITY)
    good = credential(given(ROLE, INSTALLER), COMMUNITY)
    assert street.judge(shown(good, COMMUNITY)).holds
    long = credential(given(ROLE, INSTALLER), COMMUNITY, expires_at=END + 1)
    refused(street.judge(shown(long, COMMUNITY)), Fault.TOO_LONG_LIVED, INSTALLER)


# The chain of issuers


@pytest.mark.parametrize("issuer", [STRANGER, COMMUNITY, NAMESPACE_OWNER], ids=lambda issuer: issuer.role)
def test_a_credential_of_an_issuer_without_the_issuers_role_is_refused(street, issuer):
    street.publish(by=issuer)
    issued = credential(given(BALANCING_PROVIDER, BATTERY), issuer)
    refused(street.verify(BATTERY, PROVIDER, shown(issued, issuer)), Step.NEVER, issuer)


def test_an_issuer_that_made_itself_one_is_refused(street):
    """The published verifier ignores its verdict on the issuer's own issuer: such a chain is accepted there."""
    street.publish(by=STRANGER)
    issued = shown(credential(given(BALANCING_PROVIDER, BATTERY), STRANGER), STRANGER)
    for maker in (STRANGER, AGENT):
        street.publish(by=maker, url=LIST + "/m")
        standing = credential(given(ROLE, STRANGER), maker, status=StatusEntry(LIST + "/m", 1))
        verdict = street.verify(BATTERY, PROVIDER, issued, shown(standing, maker))
        refused(verdict, Fault.SELF_ISSUED if maker is STRANGER else Step.NEVER, maker)
    street.publish(by=COMMUNITY, url=LIST + "/m")
    standing = credential(given(ROLE, STRANGER), COMMUNITY, status=StatusEntry(LIST + "/m", 1))
    assert street.verify(BATTERY, PROVIDER, issued, shown(standing, COMMUNITY)).holds


def test_nobody_issues_to_what_it_owns(street):
    street.apply(claimed(PROSUMER, COMMUNITY, data=bytes(32), role=role_node(EnergyRole.CERTIFIER, LABEL), epoch=0))
    street.publish(by=PROSUMER)
    mine = credential(given(BALANCING_PROVIDER, BATTERY), PROSUMER)
    refused(street.verify(BATTERY, PROVIDER, shown(mine, PROSUMER)), Fault.SELF_ISSUED)
    yours = credential(given(BALANCING_PROVIDER, NEIGHBOUR), PROSUMER)
    assert street.verify(NEIGHBOUR, PROVIDER, shown(yours, PROSUMER)).holds


def test_a_revoked_issuers_credentials_end_with_its_role(street, rates):
    street.apply(ClaimRevoked(CERTIFIER.address, role_node(EnergyRole.CERTIFIER, LABEL), COMMUNITY.address, NOW))
    assert street.verify(BATTERY, PROVIDER, shown(rates), at=NOW - 1).holds
    refused(street.verify(BATTERY, PROVIDER, shown(rates)), Step.REVOKED, CERTIFIER)


def test_a_listed_issuer_needs_no_role_and_any_other_none(street):
    street.apply(role("certifier", issuers=[INSTALLER], issuer_role="communityoperator"))
    for issuer, fault in ((INSTALLER, None), (COMMUNITY, Fault.ISSUER_NOT_AUTHORISED)):
        street.publish(by=issuer)
        verdict = street.verify(METER, EnergyRole.CERTIFIER, shown(credential(given(ROLE, METER), issuer), issuer))
        assert verdict.holds == (fault is None)
        if fault:
            refused(verdict, fault, METER)
        else:
            assert verdict.chain[0].trust is Trust.LISTED


def test_a_role_without_issuers_is_issued_by_nobody(street):
    street.apply(role("certifier"))
    street.publish(by=COMMUNITY)
    verdict = street.verify(METER, EnergyRole.CERTIFIER, shown(credential(given(ROLE, METER), COMMUNITY), COMMUNITY))
    refused(verdict, Fault.ISSUER_NOT_AUTHORISED, METER)


@pytest.mark.parametrize(
    ("kind", "valid_to", "counts"),
    [(b"veriKey", NOW + 1, True), (b"veriKey", NOW, False), (b"sigAuth", NOW + 1, False)],
)
def test_a_key_of_a_listed_issuer_may_issue_in_its_own_name(street, kind, valid_to, counts):
    street.apply(role("certifier", issuers=[COMMUNITY]))
    street.apply(DelegateChanged(COMMUNITY.address, kind.ljust(32, b"\0"), INSTALLER.address, valid_to, BEGIN))
    street.publish(by=INSTALLER)
    issued = credential(given(ROLE, METER), INSTALLER)
    verdict = street.verify(METER, EnergyRole.CERTIFIER, shown(issued, INSTALLER))
    assert verdict.holds == counts
    if counts:
        assert verdict.chain[0].trust is Trust.KEY_OF_LISTED


def test_a_key_that_was_named_later_did_not_issue_before(street):
    street.apply(role("certifier", issuers=[COMMUNITY]))
    street.apply(DelegateChanged(COMMUNITY.address, b"veriKey".ljust(32, b"\0"), INSTALLER.address, END, NOW))
    street.publish(by=INSTALLER)
    issued = shown(credential(given(ROLE, METER), INSTALLER), INSTALLER)
    assert street.verify(METER, EnergyRole.CERTIFIER, issued).holds
    refused(street.verify(METER, EnergyRole.CERTIFIER, issued, at=NOW - 1), Fault.ISSUER_NOT_AUTHORISED, METER)


def test_a_circle_of_issuers_is_refused(street):
    street.apply(role("certifier", issuer_role="certifier"))
    makers = [(STRANGER, AGENT), (AGENT, NEIGHBOUR), (NEIGHBOUR, STRANGER)]
    evidence = []
    for place, (holder, maker) in enumerate(makers):
        street.publish(by=maker, url=f"{LIST}/{place}")
        issued = credential(given(ROLE, holder), maker, status=StatusEntry(f"{LIST}/{place}", 1))
        evidence.append(shown(issued, maker))
    refused(street.verify(STRANGER, EnergyRole.CERTIFIER, *evidence), Fault.CYCLE, STRANGER)


@pytest.mark.parametrize(("links", "holds"), [(MAX_CHAIN, True), (MAX_CHAIN + 1, False)])
def test_a_chain_may_have_eight_links_and_no_more(street, links, holds):
    people = [Actor(f"person {place}") for place in range(links + 1)]
    evidence = []
    for place, (holder, maker) in enumerate(zip(people, people[1:], strict=False)):
        last = place == links - 1
        street.apply(role(f"r{place}", issuers=[maker] if last else (), issuer_role=None if last else f"r{place + 1}"))
        street.publish(by=maker, url=f"{LIST}/{place}")
        issued = credential(given(ROLE, holder, f"r{place}"), maker, status=StatusEntry(f"{LIST}/{place}", 1))
        evidence.append(shown(issued, maker))
    verdict = street.verify(people[0], "r0", *evidence)
    assert verdict.holds == holds
    if not holds:
        refused(verdict, Fault.TOO_DEEP, people[MAX_CHAIN])


def test_a_pile_of_credentials_is_not_looked_through(street):
    bad = [
        shown(credential(given(BALANCING_PROVIDER, BATTERY), index=index, expires_at=NOW))
        for index in range(MOST_CREDENTIALS)
    ]
    good = shown(credential(given(BALANCING_PROVIDER, BATTERY)))
    assert street.verify(BATTERY, PROVIDER, *bad[1:], good).holds
    assert not street.verify(BATTERY, PROVIDER, *bad, good).holds


@pytest.mark.parametrize("name", ["balancingprovider.roles.other.merit", "No Name", ""])
def test_a_role_whose_name_is_not_its_node_is_refused(street, rates, name):
    defined = definition(PROVIDER, LABEL, NAMESPACE_OWNER.address)
    street.apply(replace(defined, name=name))
    refused(street.verify(BATTERY, PROVIDER, shown(rates)), Fault.ROLE_MISNAMED)


def test_a_misnamed_role_is_refused_on_the_chain_too(street):
    street.apply(claimed())
    defined = definition(EnergyRole.CERTIFIER, LABEL, NAMESPACE_OWNER.address)
    assert street.verify(BATTERY, PROVIDER).holds
    street.apply(replace(defined, name="auditor.roles.street.merit"))
    refused(street.verify(BATTERY, PROVIDER), Fault.ROLE_MISNAMED, CERTIFIER)


def test_a_role_that_is_not_defined_is_held_by_nobody(street):
    unknown = credential(given(ROLE, METER, "wizard"), COMMUNITY)
    refused(street.judge(shown(unknown, COMMUNITY)), Fault.ROLE_UNDEFINED, METER)
    refused(street.verify(METER, "wizard", shown(unknown, COMMUNITY)), Fault.ROLE_UNDEFINED, METER)


# What the chain says besides


def test_a_credential_that_says_what_the_chain_says_counts_and_any_other_does_not(street, rates):
    street.apply(claimed())
    assert street.judge(shown(rates)).holds
    better = credential(given(BALANCING_PROVIDER, BATTERY, fields=(RATES[0], ("supplyRate", "990000"))))
    refused(street.judge(shown(better)), Fault.DIFFERS_FROM_CHAIN)


def test_an_energy_type_is_that_of_the_asset_on_the_chain(street):
    asset = given(ASSET, BATTERY)
    street.apply(claimed(data=asset.claim_data(), role=role_node(EnergyRole.ASSET, LABEL)))
    assert street.judge(shown(credential(given(ENERGY_TYPE, BATTERY)))).holds
    wind = credential(given(ENERGY_TYPE, BATTERY, fields=(("energyType", "wind"),)))
    refused(street.judge(shown(wind)), Fault.DIFFERS_FROM_CHAIN)


def test_what_was_revoked_on_the_chain_is_not_saved_by_an_earlier_credential(street, rates):
    street.apply(claimed())
    street.apply(ClaimRevoked(BATTERY.address, PROVIDER_ROLE, CERTIFIER.address, NOW))
    refused(street.verify(BATTERY, PROVIDER, shown(rates)), Fault.REVOKED_ON_CHAIN)
    anew = credential(given(BALANCING_PROVIDER, BATTERY), issued_at=NOW + 1)
    assert street.verify(BATTERY, PROVIDER, shown(anew), at=NOW + 1).holds


def test_rates_agreed_with_the_seller_end_with_the_sale(street, rates):
    street.apply(AssetTransferred(BATTERY.address, CONSUMER.address, NOW))
    assert street.verify(BATTERY, PROVIDER, shown(rates), at=NOW - 1).holds
    refused(street.verify(BATTERY, PROVIDER, shown(rates)), Fault.ENDED_AT_SALE)
    meanwhile = credential(given(BALANCING_PROVIDER, BATTERY), issued_at=NOW)
    refused(street.verify(BATTERY, PROVIDER, shown(meanwhile)), Fault.ENDED_AT_SALE)
    anew = credential(given(BALANCING_PROVIDER, BATTERY), issued_at=NOW + 1)
    assert street.verify(BATTERY, PROVIDER, shown(anew), at=NOW + 1).holds


def test_what_an_asset_is_does_not_end_with_the_sale(street):
    built = shown(credential(given(ASSET, BATTERY)))
    street.apply(AssetTransferred(BATTERY.address, CONSUMER.address, NOW))
    assert street.verify(BATTERY, EnergyRole.ASSET, built).holds


def test_a_retired_asset_provides_nothing(street, rates):
    street.apply(AssetRetired(BATTERY.address, NOW))
    refused(street.verify(BATTERY, PROVIDER, shown(rates)), Fault.ENDED_AT_SALE)
