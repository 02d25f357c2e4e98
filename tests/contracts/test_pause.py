"""A pause stops new commitments and never traps money."""

from tests.contracts.town import DELAY, EURO, refused


def test_a_guardian_pauses_and_the_admin_lifts_it(town):
    town.send("the guardian", "pause")
    assert town.read("paused") is True
    town.send("the admin", "unpause")
    assert town.read("paused") is False


def test_the_guardian_does_not_lift_its_own_pause(town):
    town.send("the guardian", "pause")
    with refused("roles: not the admin"):
        town.send("the guardian", "unpause")


def test_nothing_is_settled_while_paused(town):
    town.close_gate()
    town.send("the guardian", "pause")
    with refused("pause: paused"):
        town.settle(town.batch([], []))
    town.send("the admin", "unpause")
    town.settle(town.batch([], []))


def test_nothing_is_paid_in_while_paused(town):
    town.send("the guardian", "pause")
    with refused("pause: paused"):
        town.pay_in("the consumer", EURO)
    town.send("the admin", "unpause")
    town.send("the consumer", "deposit", town.accounts["the consumer"], EURO)


def test_money_comes_out_while_paused(town):
    town.send("the guardian", "pause")
    number = town.accounts["the consumer"]
    town.send("the consumer", "request_withdrawal", number, EURO)
    town.send("the consumer", "cancel_withdrawal", number)
    town.send("the consumer", "request_withdrawal", number, 100 * EURO)
    town.move_to(town.machine.now + DELAY)
    town.send("the consumer", "withdraw", number)
    assert town.credit("the consumer") == 0
