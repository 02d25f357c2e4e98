"""Status lists and mandates: what is taken back is refused, and what cannot be known is refused too."""

import gzip
from base64 import b64encode

import pytest

from identity.credential import StatusEntry
from identity.credential_subject import BALANCING_PROVIDER, ROLE, MandateSubject
from identity.energy_roles import EnergyRole
from identity.facts import AssetTransferred
from identity.verdict import Fault, Trust
from tests.actors import AGENT, BATTERY, CONSUMER, METER, PROSUMER, STRANGER
from tests.identity.certified import (
    END,
    FORMS,
    LIST,
    NOW,
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
from tests.registries import CERTIFIER, COMMUNITY

PROVIDER = EnergyRole.BALANCING_PROVIDER


@pytest.fixture
def street():
    return Street()


@pytest.fixture
def rates():
    """The battery's rates, certified by the certifier."""
    return credential(given(BALANCING_PROVIDER, BATTERY))


# Status lists


@pytest.mark.parametrize("form", FORMS)
def test_a_credential_whose_bit_is_set_is_revoked_and_its_neighbour_is_not(street, rates, form):
    street.publish(6, 8)
    assert street.verify(BATTERY, PROVIDER, shown(rates, form=form)).holds
    street.publish(7)
    refused(street.verify(BATTERY, PROVIDER, shown(rates, form=form)), Fault.REVOKED)


def test_a_list_that_cannot_be_had_is_a_refusal(street, rates):
    street.lists.clear()
    refused(street.verify(BATTERY, PROVIDER, shown(rates)), Fault.STATUS_UNREACHABLE)


@pytest.mark.parametrize(
    "raw", [b"\0", b"\1", bytes(131_071 >> 3)], ids=["one byte 0", "one byte 1", "one bit too few"]
)
def test_a_list_of_one_byte_for_each_credential_is_a_refusal(street, rates, raw):
    """Energy Web's server writes such lists, of length 1, and its verifier reads them by bytes."""
    street.publish(encoded=b64encode(gzip.compress(raw)).decode())
    refused(street.verify(BATTERY, PROVIDER, shown(rates)), Fault.STATUS_LIST_WRONG)


def test_an_index_beyond_the_list_is_a_refusal(street):
    for index, fault in ((131_071, None), (131_072, Fault.STATUS_LIST_WRONG)):
        verdict = street.judge(shown(credential(given(BALANCING_PROVIDER, BATTERY), index=index)))
        assert verdict.holds == (fault is None)
        if fault:
            refused(verdict, fault)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ("no credential", lambda: "gone"),
        ("another kind", lambda: text_of(credential(given(ROLE, METER), CERTIFIER), CERTIFIER.key, "jwt")),
        ("another list", lambda: text_of(credential(listed(LIST + "/2"), CERTIFIER), CERTIFIER.key, "jwt")),
        (
            "for another purpose",
            lambda: text_of(credential(listed(purpose="suspension"), CERTIFIER), CERTIFIER.key, "jwt"),
        ),
        ("expired", lambda: text_of(credential(listed(), CERTIFIER, expires_at=NOW), CERTIFIER.key, "jwt")),
        ("not yet issued", lambda: text_of(credential(listed(), CERTIFIER, issued_at=NOW + 1), CERTIFIER.key, "jwt")),
        ("signed by somebody else", lambda: text_of(credential(listed(), CERTIFIER), STRANGER.key, "jwt")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_list_that_is_not_the_one_that_was_named_is_a_refusal(street, rates, wrong, text):
    street.lists[LIST] = text()
    refused(street.verify(BATTERY, PROVIDER, shown(rates)), Fault.STATUS_LIST_WRONG)


def test_a_strangers_list_says_nothing_and_the_community_operators_does(street, rates):
    """The role's revokers are holders of the community operator's role; a stranger cannot clear a set bit either."""
    street.publish(by=STRANGER)
    refused(street.verify(BATTERY, PROVIDER, shown(rates)), Fault.STATUS_NOT_BY_REVOKER)
    street.publish(by=COMMUNITY)
    assert street.verify(BATTERY, PROVIDER, shown(rates)).holds
    street.publish(7, by=COMMUNITY)
    refused(street.verify(BATTERY, PROVIDER, shown(rates)), Fault.REVOKED)


def test_a_listed_revokers_list_counts(street):
    street.apply(role("certifier", issuers=[COMMUNITY], revokers=(AGENT.address,)))
    issued = shown(credential(given(ROLE, METER), COMMUNITY), COMMUNITY)
    street.publish(by=AGENT)
    assert street.verify(METER, EnergyRole.CERTIFIER, issued).holds
    street.publish(by=CERTIFIER)
    refused(street.verify(METER, EnergyRole.CERTIFIER, issued), Fault.STATUS_NOT_BY_REVOKER, METER)


# Mandates, and lists by themselves


def test_a_mandate_is_the_owners_for_its_ownership(street):
    subject = MandateSubject(did(AGENT), did(BATTERY), "merit.trade.v1", 1)
    mandate = shown(credential(subject, PROSUMER), PROSUMER)
    verdict = street.judge(mandate)
    assert verdict.holds
    assert verdict.chain[0].trust is Trust.OWNS_ASSET
    refused(street.judge(shown(credential(subject, STRANGER), STRANGER)), Fault.NOT_THE_OWNER, AGENT)
    refused(street.judge(mandate, at=END), Fault.EXPIRED, AGENT)
    later = MandateSubject(did(AGENT), did(BATTERY), "merit.trade.v1", 2)
    refused(street.judge(shown(credential(later, PROSUMER), PROSUMER)), Fault.ENDED_AT_SALE, AGENT)
    elsewhere = MandateSubject(did(AGENT), did(BATTERY, 1), "merit.trade.v1", 1)
    refused(street.judge(shown(credential(elsewhere, PROSUMER), PROSUMER)), Fault.WRONG_CHAIN, AGENT)
    street.apply(AssetTransferred(BATTERY.address, CONSUMER.address, NOW))
    refused(street.judge(mandate), Fault.NOT_THE_OWNER, AGENT)


def test_a_mandate_with_a_status_is_taken_back_by_its_owner_only(street):
    subject = MandateSubject(did(AGENT), did(BATTERY), "merit.trade.v1", 1)
    mandate = shown(credential(subject, PROSUMER, status=StatusEntry(LIST, 7)), PROSUMER)
    street.publish(by=PROSUMER)
    assert street.judge(mandate).holds
    street.publish(7, by=PROSUMER)
    refused(street.judge(mandate), Fault.REVOKED, AGENT)
    street.publish(7, by=COMMUNITY)
    refused(street.judge(mandate), Fault.STATUS_NOT_BY_REVOKER, AGENT)


def test_a_list_is_judged_by_its_proof_and_times(street):
    published = credential(listed())
    assert street.judge(shown(published)).holds
    refused(street.judge(shown(published, STRANGER)), Fault.NOT_THE_ISSUERS_KEY, CERTIFIER)
