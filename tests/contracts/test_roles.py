"""One role, one duty; the admin is handed over in two steps."""

import pytest

from contracts.artifacts import load
from tests.contracts.orders import address_of
from tests.contracts.town import GUARDIAN, OPERATOR, START, Contract, refused

NOBODY = bytes(20)
DUTIES = {
    OPERATOR: ("settle", "roles: not an operator"),
    GUARDIAN: ("pause", "roles: not a guardian"),
}
ACTORS = {OPERATOR: "the operator", GUARDIAN: "the guardian"}


def do_duty(town, sender, role):
    match DUTIES[role][0]:
        case "settle":
            town.settle(town.batch([], []), sender)
        case "pause":
            town.send(sender, "pause")


@pytest.mark.parametrize("role", DUTIES)
def test_who_has_a_role_does_its_duty(town, role):
    town.move_to(START)
    do_duty(town, ACTORS[role], role)


@pytest.mark.parametrize("role", DUTIES)
def test_who_has_all_other_roles_is_refused(town, role):
    town.move_to(START)
    town.send("the admin", "grant", 3 - role, address_of("the busybody"))
    with refused(DUTIES[role][1]):
        do_duty(town, "the busybody", role)


@pytest.mark.parametrize("role", DUTIES)
def test_the_admin_has_no_duty_of_its_own(town, role):
    town.move_to(START)
    with refused(DUTIES[role][1]):
        do_duty(town, "the admin", role)


def test_granting_adds_and_revoking_takes_away(town):
    member = address_of("the helper")
    granted = town.send("the admin", "grant", OPERATOR | GUARDIAN, member)
    assert town.read("roles_of", member) == OPERATOR | GUARDIAN
    revoked = town.send("the admin", "revoke", OPERATOR, member)
    assert town.read("roles_of", member) == GUARDIAN
    helper = "0x" + member.hex()
    assert town.settlement.events(granted) == [("RoleGranted", {"role": OPERATOR | GUARDIAN, "member": helper})]
    assert town.settlement.events(revoked) == [("RoleRevoked", {"role": OPERATOR, "member": helper})]


@pytest.mark.parametrize("role", [0, 4, 5, 2**255])
@pytest.mark.parametrize("act", ["grant", "revoke"])
def test_a_role_that_does_not_exist_is_refused(town, act, role):
    with refused("roles: no such role"):
        town.send("the admin", act, role, address_of("the helper"))


def test_nobody_gets_no_role(town):
    with refused("roles: member is nobody"):
        town.send("the admin", "grant", OPERATOR, NOBODY)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("grant", (1, b"\x01" * 20)), ("revoke", (1, b"\x01" * 20)), ("propose_admin", (b"\x01" * 20,)), ("unpause", ())],
)
def test_only_the_admin_does_what_admins_do(town, name, arguments):
    town.send("the admin", name, *arguments)
    with refused("roles: not the admin"):
        town.send("the operator", name, *arguments)


def test_the_admin_hands_over_in_two_steps(town):
    proposed = town.send("the admin", "propose_admin", address_of("the heir"))
    assert town.read("admin") == "0x" + address_of("the admin").hex()
    accepted = town.send("the heir", "accept_admin")
    assert town.read("admin") == "0x" + address_of("the heir").hex()
    assert town.read("proposed_admin") == "0x" + NOBODY.hex()
    heir, admin = ("0x" + address_of(name).hex() for name in ("the heir", "the admin"))
    assert town.settlement.events(proposed) == [("AdminProposed", {"proposed": heir})]
    assert town.settlement.events(accepted) == [("AdminChanged", {"previous": admin, "current": heir})]


def test_who_was_not_proposed_does_not_become_admin(town):
    town.send("the admin", "propose_admin", address_of("the heir"))
    with refused("roles: not the proposed admin"):
        town.send("the pretender", "accept_admin")


def test_a_proposal_is_cancelled_by_proposing_nobody(town):
    town.send("the admin", "propose_admin", address_of("the heir"))
    town.send("the admin", "propose_admin", NOBODY)
    with refused("roles: not the proposed admin"):
        town.send("the heir", "accept_admin")


def test_a_settlement_without_an_admin_is_refused(town):
    with refused("roles: admin is nobody"):
        Contract(town.machine, load("Settlement"), "the deployer", *town.arguments(admin=NOBODY))
