"""The authority index: who may act in which role when, by whose word, and if not, which step fails first."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest

from identity.address import Address
from identity.authority import AuthorityIndex
from identity.energy_roles import EnergyRole, definition, role_node
from identity.errors import AssetNotCertified, AssetWithoutOwner, MandateEnded, NotAuthorised, UnknownAsset
from identity.facts import (
    AssetCreated,
    AssetOffered,
    AssetRetired,
    AssetTransferred,
    AttributeChanged,
    ClaimRevoked,
    DelegateChanged,
    NamespaceOwned,
    OfferWithdrawn,
    OwnerChanged,
)
from identity.purposes import METER_DATA, TRADE, delegate_type
from identity.role_verdict import How, Link, Step
from tests.actors import AGENT, BATTERY, CONSUMER, METER, OPERATOR, PRODUCER, STRANGER
from tests.registries import (
    ASSET_ROLE,
    CERTIFIER,
    COMMUNITY,
    EVER,
    LABEL,
    NAMESPACE_OWNER,
    claim,
    delegation,
    role_facts,
)

ASSET = METER.address
NOON = 1_800_000_000
CERTIFIERS, OPERATORS = (role_node(role, LABEL) for role in (EnergyRole.CERTIFIER, EnergyRole.COMMUNITY_OPERATOR))


def fold(*facts) -> AuthorityIndex:
    index = AuthorityIndex()
    for fact in facts:
        index.apply(fact)
    return index


@pytest.fixture
def index() -> AuthorityIndex:
    """The producer's asset was created an hour before noon, and certified half an hour before."""
    created = AssetCreated(ASSET, PRODUCER.address, NOON - 3_600)
    return fold(*role_facts(NOON - 7_200), created, claim(ASSET, EnergyRole.ASSET, at=NOON - 1_800, epoch=1))


def test_the_owner_may_act_for_any_purpose(index):
    for purpose in (TRADE, METER_DATA):
        mandate = index.may_act(PRODUCER.address, ASSET, purpose, NOON)
        assert (mandate.as_delegate, mandate.tenure.epoch) == (False, 1)


def test_a_delegate_may_act_for_its_purpose_only(index):
    index.apply(DelegateChanged(ASSET, delegate_type(METER_DATA, 1), AGENT.address, NOON + 1, NOON - 60))
    assert index.may_act(AGENT.address, ASSET, METER_DATA, NOON).as_delegate
    with pytest.raises(NotAuthorised, match="never named"):
        index.may_act(AGENT.address, ASSET, TRADE, NOON)
    with pytest.raises(MandateEnded, match=f"ended at {NOON + 1}"):
        index.may_act(AGENT.address, ASSET, METER_DATA, NOON + 1)


def test_a_device_key_is_no_delegate(index):
    index.apply(DelegateChanged(ASSET, b"veriKey".ljust(32, b"\0"), AGENT.address, EVER, NOON - 60))
    with pytest.raises(NotAuthorised):
        index.may_act(AGENT.address, ASSET, TRADE, NOON)


def test_an_asset_is_nobody_s_before_it_is_created_and_once_it_is_retired(index):
    index.apply(AssetRetired(ASSET, NOON))
    for at in (NOON - 3_601, NOON):
        with pytest.raises(AssetWithoutOwner):
            index.may_act(PRODUCER.address, ASSET, TRADE, at)
    for at in (NOON - 3_600, NOON - 1):
        assert index.may_act(PRODUCER.address, ASSET, TRADE, at)
    with pytest.raises(UnknownAsset):
        index.may_act(PRODUCER.address, BATTERY.address, TRADE, NOON)


def test_an_offer_changes_nothing_until_it_is_accepted(index):
    before = index.digest()
    index.apply(AssetOffered(ASSET, PRODUCER.address, CONSUMER.address, 0, NOON))
    index.apply(OfferWithdrawn(ASSET, True, NOON))
    assert index.digest() == before
    index.apply(AssetTransferred(ASSET, CONSUMER.address, NOON))
    assert index.may_act(CONSUMER.address, ASSET, TRADE, NOON).tenure.epoch == 2


def test_of_several_sales_in_one_second_the_last_counts(index):
    for buyer in (CONSUMER, STRANGER, PRODUCER):
        index.apply(AssetTransferred(ASSET, buyer.address, NOON))
    assert [tenure.epoch for tenure in index.tenures.of(ASSET)] == [1, 2, 3, 4]
    assert index.may_act(PRODUCER.address, ASSET, TRADE, NOON).tenure.epoch == 4
    with pytest.raises(NotAuthorised):
        index.may_act(CONSUMER.address, ASSET, TRADE, NOON)


def test_who_ever_might_have_acted_is_known(index):
    index.apply(delegation(ASSET, AGENT.address, 0))
    index.apply(AssetTransferred(ASSET, CONSUMER.address, NOON))
    assert all(index.ever(actor.address, ASSET, TRADE) for actor in (PRODUCER, CONSUMER, AGENT))
    assert not index.ever(STRANGER.address, ASSET, TRADE)


# Roles


def test_a_role_is_held_by_a_chain_up_to_a_listed_issuer(index):
    verdict = index.holds(ASSET, ASSET_ROLE, NOON)
    assert verdict.holds
    assert verdict.chain == (
        Link(CERTIFIER.address, ASSET_ROLE, How.HOLDS_ROLE),
        Link(COMMUNITY.address, CERTIFIERS, How.HOLDS_ROLE),
        Link(NAMESPACE_OWNER.address, OPERATORS, How.LISTED),
    )


def failing(index, subject=ASSET, role=ASSET_ROLE, at=NOON, version=0):
    failure = index.holds(subject, role, at, version).failure
    return failure.step, failure.subject, failure.since


def test_the_first_step_that_fails_is_named(index):
    issuer, operator = CERTIFIER.address, COMMUNITY.address
    assert failing(index, role=bytes(32)) == (Step.UNDEFINED, ASSET, None)
    assert failing(index, subject=STRANGER.address) == (Step.NEVER, STRANGER.address, None)
    assert failing(index, at=NOON - 1_801) == (Step.NOT_YET, ASSET, NOON - 1_800)
    assert failing(index, version=2) == (Step.VERSION, ASSET, None)
    index.apply(claim(ASSET, EnergyRole.ASSET, at=NOON - 100, expiry=NOON, epoch=1))
    assert failing(index) == (Step.EXPIRED, ASSET, NOON)
    index.apply(ClaimRevoked(ASSET, ASSET_ROLE, issuer, NOON - 1))
    assert failing(index) == (Step.REVOKED, ASSET, NOON - 1)
    index.apply(claim(ASSET, EnergyRole.ASSET, at=NOON, epoch=1))
    assert index.holds(ASSET, ASSET_ROLE, NOON).holds
    index.apply(ClaimRevoked(operator, OPERATORS, NAMESPACE_OWNER.address, NOON))
    assert failing(index) == (Step.REVOKED, operator, NOON)
    assert [link.issuer for link in index.holds(ASSET, ASSET_ROLE, NOON).chain] == [issuer, operator]
    assert "revoked" in str(index.holds(ASSET, ASSET_ROLE, NOON).failure)


def test_whoever_is_no_longer_listed_has_issued_nothing(index):
    replaced = definition(EnergyRole.COMMUNITY_OPERATOR, LABEL, STRANGER.address, NOON)
    assert index.holds(ASSET, ASSET_ROLE, NOON).holds
    index.apply(replaced)
    assert failing(index) == (Step.ISSUER, COMMUNITY.address, None)
    assert index.held_until(ASSET, ASSET_ROLE) == 0


def test_who_issues_to_each_other_holds_nothing():
    looped = definition(EnergyRole.CERTIFIER, LABEL, NAMESPACE_OWNER.address)
    looped = replace(looped, issuers=(), issuer_role=looped.node)
    index = fold(
        looped,
        claim(CERTIFIER.address, EnergyRole.CERTIFIER, OPERATOR),
        claim(OPERATOR.address, EnergyRole.CERTIFIER, CERTIFIER),
    )
    assert failing(index, CERTIFIER.address, CERTIFIERS)[0] is Step.TOO_LONG
    assert index.held_until(CERTIFIER.address, CERTIFIERS) == 0


def test_a_claim_is_judged_at_past_moments_by_what_was_known_of_it(index):
    index.apply(ClaimRevoked(ASSET, ASSET_ROLE, CERTIFIER.address, NOON))
    index.apply(claim(ASSET, EnergyRole.ASSET, at=NOON + 60, epoch=1))
    held = [index.holds(ASSET, ASSET_ROLE, NOON + seconds).holds for seconds in (-1, 0, 59, 60)]
    assert held == [True, False, False, True]


def test_a_certificate_is_asked_for_where_it_is_needed(index):
    index.apply(ClaimRevoked(ASSET, ASSET_ROLE, CERTIFIER.address, NOON))
    assert index.may_act(PRODUCER.address, ASSET, METER_DATA, NOON)
    with pytest.raises(AssetNotCertified, match=f"revoked at {NOON}"):
        index.may_act(PRODUCER.address, ASSET, TRADE, NOON, role=ASSET_ROLE)
    assert index.may_act(PRODUCER.address, ASSET, TRADE, NOON - 1, role=ASSET_ROLE)


def test_what_is_remembered_of_a_chain_is_forgotten_when_the_chain_changes(index):
    assert index.held_until(ASSET, ASSET_ROLE) == EVER - 1
    index.apply(ClaimRevoked(CERTIFIER.address, CERTIFIERS, COMMUNITY.address, NOON))
    assert index.held_until(ASSET, ASSET_ROLE) == NOON - 1
    balancing = role_node(EnergyRole.BALANCING_PROVIDER, LABEL)
    index.apply(claim(CERTIFIER.address, EnergyRole.CERTIFIER, COMMUNITY, at=NOON))
    index.apply(claim(ASSET, EnergyRole.BALANCING_PROVIDER, at=NOON, epoch=1))
    assert index.held_until(ASSET, balancing) == EVER - 1
    index.apply(AssetTransferred(ASSET, CONSUMER.address, NOON + 5))
    assert index.held_until(ASSET, balancing) == NOON + 4
    assert index.held_until(ASSET, ASSET_ROLE) == EVER - 1


# The digest

FACTS = [
    *role_facts(NOON - 7_200),
    NamespaceOwned(bytes(32), OPERATOR.address, 0),
    OwnerChanged(STRANGER.address, OPERATOR.address, 1),
    AssetCreated(ASSET, PRODUCER.address, 1),
    AssetCreated(BATTERY.address, CONSUMER.address, 1),
    claim(ASSET, EnergyRole.ASSET, epoch=1, at=2),
    claim(BATTERY.address, EnergyRole.ASSET, epoch=1, at=2),
    delegation(ASSET, AGENT.address, 60),
    delegation(BATTERY.address, AGENT.address, 60),
    AssetTransferred(ASSET, CONSUMER.address, 3),
    ClaimRevoked(BATTERY.address, ASSET_ROLE, CERTIFIER.address, 3),
    AssetRetired(BATTERY.address, 4),
]


def test_every_fact_of_authority_changes_the_digest():
    index = AuthorityIndex()
    digests = [index.digest()]
    for fact in FACTS:
        index.apply(fact)
        digests.append(index.digest())
    assert all(before != after for before, after in pairwise(digests))
    assert len(set(digests)) == len(digests)


def test_what_an_identity_says_of_itself_is_no_authority():
    index = fold(*FACTS)
    before = index.digest()
    index.apply(AttributeChanged(ASSET, b"did/svc/x".ljust(32, b"\0"), b"https://example.org", 9, 1))
    assert index.digest() == before


def test_facts_about_different_things_give_one_digest_in_any_order():
    expected = fold(*FACTS).digest()
    shuffled = random.Random(7)
    for _ in range(20):
        about: dict[bytes, list] = {}
        for fact in FACTS:
            about.setdefault(
                getattr(fact, "identity", getattr(fact, "subject", getattr(fact, "node", b""))), []
            ).append(fact)
        queues = list(about.values())
        mixed = []
        while queues:
            queue = shuffled.choice(queues)
            mixed.append(queue.pop(0))
            queues = [each for each in queues if each]
        assert fold(*mixed).digest() == expected


def test_asking_changes_nothing():
    index = fold(*FACTS)
    before = index.digest()
    for asset in (ASSET, BATTERY.address, Address(bytes(20))):
        index.held_until(asset, ASSET_ROLE)
        index.holds(asset, ASSET_ROLE, NOON)
        index.ever(AGENT.address, asset, TRADE)
        index.controller(asset)
    assert index.digest() == before
    assert index.controller(STRANGER.address) == OPERATOR.address
