"""Who may read what: by ownership, by office, by grant; and what ends each of them."""

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from identity.access import (
    GRANTED_BY_OFFICE,
    READ_BY_OFFICE,
    TRAIL,
    By,
    Item,
    Kind,
    Purpose,
    Role,
    Scope,
    account_scope,
    judge_read,
    node_scope,
    parse_scope,
    session_scope,
)
from identity.access_errors import (
    GrantExpired,
    GrantRevoked,
    MalformedGrant,
    NotGranted,
    NotSignedIn,
    NotYoursToGrant,
    UnknownGrant,
)
from identity.effects.grant_document import (
    grant_from_document,
    grant_to_document,
    grant_typed_data,
    revocation_typed_data,
)
from identity.grants import MOST_GRANT_SECONDS, Grant, Grants, give, revocation_digest, take_back
from identity.signature import compact
from identity.typed_data import Domain
from tests.actors import AGENT, CONSUMER, CONTRACT, NEIGHBOUR, OPERATOR, PRODUCER, STRANGER
from tests.identity.standing import Said

NOW = 1_782_000_000
DOMAIN = Domain(1337, CONTRACT.address)
SEPARATOR = DOMAIN.separator()
HOME = account_scope(7)
METER = Scope.meter(AGENT.address)


@pytest.fixture
def said():
    """The consumer owns account 7 and a meter; the operator runs the exchange, the producer the grid of node 1."""
    said = Said()
    said.owners = {HOME: CONSUMER.address, METER: CONSUMER.address}
    said.roles = {
        (OPERATOR.address, Role.EXCHANGE_OPERATOR, None),
        (PRODUCER.address, Role.GRID_OPERATOR, 1),
        (NEIGHBOUR.address, Role.AUDITOR, None),
    }
    return said


@pytest.fixture
def grants():
    return Grants()


def grant_of(**changes):
    fields = {
        "grantor": CONSUMER.address,
        "grantee": STRANGER.address,
        "role": None,
        "purpose": Purpose.BILLING,
        "scope": HOME,
        "until": NOW + 100,
    }
    return Grant(**fields | changes)


def given_by(actor, grant, said, grants, at=NOW):
    event = give(grant, actor.sign(grant.digest(SEPARATOR)), at, separator=SEPARATOR, standing=said)
    grants.apply(event)
    return event.digest


def permitted(actor, scope, said, grants, at=NOW, **item):
    return judge_read(actor and actor.address, Item((scope,), **item), at, said, grants)


# By ownership and by office


def test_an_owner_reads_its_own(said, grants):
    for scope in (HOME, METER):
        assert permitted(CONSUMER, scope, said, grants).by is By.OWN


def test_somebody_else_does_not(said, grants):
    for scope in (HOME, METER, node_scope(1), session_scope(3), TRAIL):
        with pytest.raises(NotGranted):
            permitted(STRANGER, scope, said, grants)


def test_who_has_not_signed_in_is_asked_to(said, grants):
    with pytest.raises(NotSignedIn):
        permitted(None, HOME, said, grants)


def test_the_signer_of_an_order_reads_it_and_nothing_else_of_the_account(said, grants):
    assert permitted(STRANGER, HOME, said, grants, parties=(STRANGER.address,)).by is By.OWN
    with pytest.raises(NotGranted):
        permitted(STRANGER, HOME, said, grants)


def test_a_grid_operator_reads_the_aggregate_of_its_own_nodes_only(said, grants):
    assert permitted(PRODUCER, node_scope(1), said, grants).role is Role.GRID_OPERATOR
    for scope in (node_scope(2), HOME, METER, session_scope(3), TRAIL):
        with pytest.raises(NotGranted):
            permitted(PRODUCER, scope, said, grants)


def test_the_exchange_operator_reads_what_it_must_and_no_meters(said, grants):
    for scope in (HOME, node_scope(1), node_scope(2), session_scope(3), TRAIL):
        assert permitted(OPERATOR, scope, said, grants).role is Role.EXCHANGE_OPERATOR
    with pytest.raises(NotGranted):
        permitted(OPERATOR, METER, said, grants)


def test_an_auditor_reads_nothing_by_office(said, grants):
    for scope in (HOME, METER, node_scope(1), session_scope(3), TRAIL):
        with pytest.raises(NotGranted):
            permitted(NEIGHBOUR, scope, said, grants)
    assert all(Role.AUDITOR not in roles for roles in READ_BY_OFFICE.values())


# By grant


def test_what_was_granted_is_read_under_that_grant_until_it_ends(said, grants):
    name = given_by(CONSUMER, grant_of(), said, grants)
    permission = permitted(STRANGER, HOME, said, grants, NOW + 99)
    assert (permission.by, permission.grant, permission.purpose) == (By.GRANT, name, Purpose.BILLING)
    with pytest.raises(GrantExpired) as expired:
        permitted(STRANGER, HOME, said, grants, NOW + 100)
    assert (expired.value.grant, expired.value.until) == (name, NOW + 100)


def test_a_grant_is_for_its_reader_and_its_scope_only(said, grants):
    given_by(CONSUMER, grant_of(), said, grants)
    for actor, scope in ((AGENT, HOME), (STRANGER, METER), (STRANGER, account_scope(8))):
        with pytest.raises(NotGranted):
            permitted(actor, scope, said, grants)


@pytest.mark.parametrize("revoker", [CONSUMER], ids=["giver"])
def test_a_grant_that_was_revoked_counts_no_longer_and_stays_revoked_when_sent_again(said, grants, revoker):
    name = given_by(CONSUMER, grant_of(), said, grants)
    signature = revoker.sign(revocation_digest(name, SEPARATOR))
    grants.apply(take_back(grants.find(name), signature, NOW + 5, separator=SEPARATOR, standing=said))
    assert given_by(CONSUMER, grant_of(), said, grants) == name
    with pytest.raises(GrantRevoked) as revoked:
        permitted(STRANGER, HOME, said, grants, NOW + 6)
    assert (revoked.value.grant, revoked.value.revoked_at) == (name, NOW + 5)


def test_an_equal_grant_with_another_salt_is_another_grant(said, grants):
    name = given_by(CONSUMER, grant_of(), said, grants)
    signature = CONSUMER.sign(revocation_digest(name, SEPARATOR))
    grants.apply(take_back(grants.find(name), signature, NOW, separator=SEPARATOR, standing=said))
    assert given_by(CONSUMER, grant_of(salt=1), said, grants) != name
    assert permitted(STRANGER, HOME, said, grants).by is By.GRANT


def test_a_sale_ends_what_the_seller_granted(said, grants):
    given_by(CONSUMER, grant_of(scope=METER), said, grants)
    assert permitted(STRANGER, METER, said, grants).by is By.GRANT
    said.owners[METER] = NEIGHBOUR.address
    for actor in (STRANGER, CONSUMER):
        with pytest.raises(NotGranted):
            permitted(actor, METER, said, grants)


def test_an_asset_that_was_bought_back_is_shown_under_new_grants_only(said, grants):
    given_by(CONSUMER, grant_of(scope=METER), said, grants)
    said.since[METER] = NOW
    assert permitted(STRANGER, METER, said, grants).by is By.GRANT
    said.since[METER] = NOW + 1
    with pytest.raises(NotGranted):
        permitted(STRANGER, METER, said, grants, NOW + 1)
    name = given_by(CONSUMER, grant_of(scope=METER, salt=1), said, grants, NOW + 1)
    assert permitted(STRANGER, METER, said, grants, NOW + 1).grant == name


def test_who_buys_an_asset_may_take_back_what_was_granted_before(said, grants):
    name = given_by(CONSUMER, grant_of(scope=METER), said, grants)
    signature = NEIGHBOUR.sign(revocation_digest(name, SEPARATOR))
    with pytest.raises(NotYoursToGrant):
        take_back(grants.find(name), signature, NOW, separator=SEPARATOR, standing=said)
    said.owners[METER] = NEIGHBOUR.address
    grants.apply(take_back(grants.find(name), signature, NOW, separator=SEPARATOR, standing=said))
    assert grants.find(name).revoked_at == NOW


def test_a_role_that_was_lost_ends_what_it_granted(said, grants):
    given_by(OPERATOR, grant_of(grantor=OPERATOR.address, scope=TRAIL, purpose=Purpose.AUDIT), said, grants)
    assert permitted(STRANGER, TRAIL, said, grants).by is By.GRANT
    said.roles = set()
    with pytest.raises(NotGranted):
        permitted(STRANGER, TRAIL, said, grants)


def test_a_grant_to_a_role_is_for_whoever_holds_it_at_that_moment(said, grants):
    grant = grant_of(grantor=OPERATOR.address, grantee=None, role=Role.AUDITOR, scope=TRAIL, purpose=Purpose.AUDIT)
    name = given_by(OPERATOR, grant, said, grants)
    permission = permitted(NEIGHBOUR, TRAIL, said, grants)
    assert (permission.role, permission.grant) == (Role.AUDITOR, name)
    with pytest.raises(NotGranted):
        permitted(STRANGER, TRAIL, said, grants)
    said.roles = {held for held in said.roles if held[1] is not Role.AUDITOR}
    with pytest.raises(NotGranted):
        permitted(NEIGHBOUR, TRAIL, said, grants)


def test_the_trail_opens_every_book_and_no_account(said, grants):
    given_by(OPERATOR, grant_of(grantor=OPERATOR.address, scope=TRAIL, purpose=Purpose.AUDIT), said, grants)
    assert permitted(STRANGER, session_scope(3), said, grants).scope == TRAIL
    for scope in (HOME, METER, node_scope(1)):
        with pytest.raises(NotGranted):
            permitted(STRANGER, scope, said, grants)


def test_the_book_of_one_session_opens_no_other_and_not_the_trail(said, grants):
    given_by(OPERATOR, grant_of(grantor=OPERATOR.address, scope=session_scope(3)), said, grants)
    assert permitted(STRANGER, session_scope(3), said, grants).by is By.GRANT
    for scope in (session_scope(4), TRAIL):
        with pytest.raises(NotGranted):
            permitted(STRANGER, scope, said, grants)


# Giving


@pytest.mark.parametrize("scope", [HOME, METER], ids=str)
def test_an_account_and_a_meter_are_granted_by_their_owner_and_by_no_office(said, grants, scope):
    assert given_by(CONSUMER, grant_of(scope=scope), said, grants)
    with pytest.raises(NotYoursToGrant):
        given_by(OPERATOR, grant_of(grantor=OPERATOR.address, scope=scope), said, grants)
    assert GRANTED_BY_OFFICE[scope.kind] == ()


def test_nobody_grants_in_somebody_elses_name(said, grants):
    with pytest.raises(NotYoursToGrant):
        given_by(STRANGER, grant_of(grantee=AGENT.address), said, grants)


def test_a_grant_ends_and_not_too_late(said, grants):
    assert given_by(CONSUMER, grant_of(until=NOW + MOST_GRANT_SECONDS), said, grants)
    for until in (NOW, NOW + MOST_GRANT_SECONDS + 1):
        with pytest.raises(MalformedGrant):
            given_by(CONSUMER, grant_of(until=until), said, grants)


@pytest.mark.parametrize(
    "wrong",
    [
        {"grantee": None},
        {"role": Role.AUDITOR},
        {"grantee": CONSUMER.address},
        {"grantee": bytes(20)},
        {"until": 1 << 40},
        {"salt": 1 << 64},
    ],
    ids=["nobody", "reader and role", "itself", "zero", "no end", "large salt"],
)
def test_what_is_no_grant_cannot_be_made(wrong):
    with pytest.raises(MalformedGrant):
        grant_of(**wrong)


def test_a_grant_nobody_gave_is_unknown(grants):
    with pytest.raises(UnknownGrant):
        grants.find(bytes(32))


@pytest.mark.parametrize(
    "grant",
    [
        grant_of(salt=9),
        grant_of(grantor=OPERATOR.address, grantee=None, role=Role.AUDITOR, scope=TRAIL, purpose=Purpose.AUDIT),
        grant_of(scope=METER),
    ],
    ids=["account to a reader", "trail to a role", "meter"],
)
def test_a_wallet_signs_the_same_digest(grant):
    payload = grant_typed_data(grant, DOMAIN)
    signed = Account.sign_typed_data(CONSUMER.key, full_message=payload)
    assert compact(bytes(signed.signature)) == CONSUMER.sign(grant.digest(SEPARATOR))
    revoked = Account.sign_typed_data(CONSUMER.key, full_message=revocation_typed_data(b"\7" * 32, DOMAIN))
    assert compact(bytes(revoked.signature)) == CONSUMER.sign(revocation_digest(b"\7" * 32, SEPARATOR))
    assert grant_from_document(grant_to_document(grant)) == grant


@given(
    st.one_of(
        st.builds(account_scope, st.integers(0, (1 << 32) - 1)),
        st.builds(node_scope, st.integers(0, (1 << 32) - 1)),
        st.builds(session_scope, st.integers(0, (1 << 80) - 1)),
        st.builds(Scope.meter, st.binary(min_size=20, max_size=20)),
        st.just(TRAIL),
    )
)
def test_a_scope_has_one_text(scope):
    assert parse_scope(scope.text) == scope


@pytest.mark.parametrize(
    "text",
    [
        "",
        "trail ",
        "Trail",
        "account",
        "account:",
        "account:07",
        "account:-1",
        "account:٣",
        f"account:{1 << 32}",
        f"session:{1 << 80}",
        "node:1:2",
        "meter:0x" + "AB" * 20,
        "meter:0x" + "ab" * 19,
        "meter:7",
        "weather:1",
        "trail:1",
    ],
)
def test_what_is_no_scope_is_refused(text):
    with pytest.raises(MalformedGrant):
        parse_scope(text)


def test_every_kind_says_who_reads_and_who_grants_it():
    assert {*READ_BY_OFFICE} == {*GRANTED_BY_OFFICE} == {*Kind}
