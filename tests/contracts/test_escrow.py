"""Money enters by deposits, leaves by withdrawals after a delay, and the credits are always the tokens held."""

import pytest

from contracts.artifacts import load
from tests.contracts.awkward import awkward_euro
from tests.contracts.machine import Revm
from tests.contracts.orders import address_of
from tests.contracts.permits import permit
from tests.contracts.town import DELAY, EURO, NANO, Contract, Town, refused

CONSUMER = "the consumer"
CENT = EURO // 100


def number(town, member=CONSUMER):
    return town.accounts[member]


# accounts


def test_anybody_opens_an_account_for_a_holder(town):
    outcome = town.send("a passer-by", "open_account", address_of("a newcomer"))
    opened = town.read("account_count")
    holder = "0x" + address_of("a newcomer").hex()
    assert town.read("account", opened) == (holder, 0, 0)
    assert town.settlement.events(outcome) == [("AccountOpened", {"account": opened, "holder": holder})]


def test_nobody_holds_no_account(town):
    with refused("escrow: holder is nobody"):
        town.send("a passer-by", "open_account", bytes(20))


# paying in


def test_a_deposit_becomes_credit(town):
    before = town.credit(CONSUMER)
    town.euro.send("the admin", "mint", address_of("a sponsor"), CENT)
    town.euro.send("a sponsor", "approve", town.settlement.address, CENT)
    outcome = town.send("a sponsor", "deposit", number(town), CENT)
    assert town.credit(CONSUMER) == before + NANO // 100
    fields = {"account": number(town), "payer": "0x" + address_of("a sponsor").hex(), "token_units": CENT}
    assert town.settlement.events(outcome) == [("Deposited", fields)]


def test_a_deposit_needs_an_account_and_an_amount(town):
    town.euro.send("the admin", "mint", address_of(CONSUMER), EURO)
    town.euro.send(CONSUMER, "approve", town.settlement.address, EURO)
    with refused("escrow: no such account"):
        town.send(CONSUMER, "deposit", 99, EURO)
    with refused("escrow: no such account"):
        town.send(CONSUMER, "deposit", 0, EURO)
    with refused("escrow: amount is zero"):
        town.send(CONSUMER, "deposit", number(town), 0)
    town.send(CONSUMER, "deposit", number(town), EURO)


def test_a_deposit_without_approval_is_refused_by_the_token(town):
    town.euro.send("the admin", "mint", address_of(CONSUMER), EURO)
    with refused("euro: allowance is short"):
        town.send(CONSUMER, "deposit", number(town), EURO)


def test_all_credits_together_fit_in_an_account(town):
    room = (2**64 - 1) // 1_000 - town.read("tokens_held")
    town.euro.send("the admin", "mint", address_of(CONSUMER), 2 * room)
    town.euro.send(CONSUMER, "approve", town.settlement.address, 2 * room)
    for units in (room + 1, 2**256 - 1):
        with refused("escrow: amount is too large"):
            town.send(CONSUMER, "deposit", number(town), units)
    town.send(CONSUMER, "deposit", number(town), room)
    with refused("escrow: amount is too large"):
        town.send(CONSUMER, "deposit", number(town, "the producer"), 1)


# permits


def with_permit(town, payer, units, **changes):
    nonce = town.euro.read("nonces", address_of(payer))
    terms = {"owner": payer, "spender": town.settlement.address, "units": units, "nonce": nonce, "deadline": 2**40}
    return permit(town.euro.address, **(terms | changes))


def test_a_permit_stands_for_an_approval(town):
    town.euro.send("the admin", "mint", address_of(CONSUMER), EURO)
    before = town.credit(CONSUMER)
    town.send(CONSUMER, "deposit_with_permit", number(town), EURO, *with_permit(town, CONSUMER, EURO))
    assert town.credit(CONSUMER) == before + NANO


def test_a_permit_that_somebody_sent_first_still_pays_in(town):
    town.euro.send("the admin", "mint", address_of(CONSUMER), EURO)
    deadline, v, r, s = with_permit(town, CONSUMER, EURO)
    spender = town.settlement.address
    town.euro.send("a nuisance", "permit", address_of(CONSUMER), spender, EURO, deadline, v, r, s)
    before = town.credit(CONSUMER)
    town.send(CONSUMER, "deposit_with_permit", number(town), EURO, deadline, v, r, s)
    assert town.credit(CONSUMER) == before + NANO


def test_a_permit_that_is_not_the_payers_is_refused(town):
    town.euro.send("the admin", "mint", address_of(CONSUMER), EURO)
    with refused("escrow: permit is not valid"):
        town.send(CONSUMER, "deposit_with_permit", number(town), EURO, *with_permit(town, CONSUMER, EURO, nonce=7))


# taking out


def test_what_is_requested_is_paid_when_it_is_due(town):
    requested = town.send(CONSUMER, "request_withdrawal", number(town), 30 * EURO)
    due = town.machine.now + DELAY
    assert town.read("withdrawal", number(town)) == (30 * NANO, due)
    town.move_to(due)
    paid = town.send("a passer-by", "withdraw", number(town))
    assert town.credit(CONSUMER) == 70 * NANO
    assert town.euro.read("balanceOf", address_of(CONSUMER)) == 30 * EURO
    assert town.read("withdrawal", number(town)) == (0, 0)
    fields = {"account": number(town), "token_units": 30 * EURO}
    assert town.settlement.events(requested) == [("WithdrawalRequested", fields | {"due": due})]
    holder = "0x" + address_of(CONSUMER).hex()
    assert town.settlement.events(paid) == [("Withdrawn", fields | {"holder": holder})]


def test_nothing_is_paid_before_it_is_due(town):
    town.send(CONSUMER, "request_withdrawal", number(town), EURO)
    due = town.machine.now + DELAY
    town.move_to(due - 1)
    with refused("escrow: not due yet"):
        town.send(CONSUMER, "withdraw", number(town))
    town.move_to(due)
    town.send(CONSUMER, "withdraw", number(town))


def test_a_new_request_replaces_the_old_one_and_waits_anew(town):
    town.send(CONSUMER, "request_withdrawal", number(town), EURO)
    town.move_to(town.machine.now + DELAY)
    town.send(CONSUMER, "request_withdrawal", number(town), 2 * EURO)
    with refused("escrow: not due yet"):
        town.send(CONSUMER, "withdraw", number(town))
    town.move_to(town.machine.now + DELAY)
    town.send(CONSUMER, "withdraw", number(town))
    assert town.credit(CONSUMER) == 98 * NANO


def test_a_request_is_paid_once(town):
    town.send(CONSUMER, "request_withdrawal", number(town), EURO)
    town.move_to(town.machine.now + DELAY)
    town.send(CONSUMER, "withdraw", number(town))
    with refused("escrow: nothing is requested"):
        town.send(CONSUMER, "withdraw", number(town))


def test_a_cancelled_request_is_not_paid(town):
    town.send(CONSUMER, "request_withdrawal", number(town), EURO)
    outcome = town.send(CONSUMER, "cancel_withdrawal", number(town))
    assert town.settlement.events(outcome) == [("WithdrawalCancelled", {"account": number(town)})]
    town.move_to(town.machine.now + DELAY)
    with refused("escrow: nothing is requested"):
        town.send(CONSUMER, "withdraw", number(town))
    with refused("escrow: nothing is requested"):
        town.send(CONSUMER, "cancel_withdrawal", number(town))


def test_who_requested_more_than_is_there_gets_what_is_there(town):
    town.send(CONSUMER, "request_withdrawal", number(town), 1_000 * EURO)
    town.move_to(town.machine.now + DELAY)
    town.send(CONSUMER, "withdraw", number(town))
    assert town.credit(CONSUMER) == 0
    assert town.euro.read("balanceOf", address_of(CONSUMER)) == 100 * EURO


def test_a_request_on_an_empty_account_is_cleared(town):
    town.send("the fee collector", "request_withdrawal", number(town, "the fee collector"), EURO)
    town.move_to(town.machine.now + DELAY)
    town.send("the fee collector", "withdraw", number(town, "the fee collector"))
    assert town.read("withdrawal", number(town, "the fee collector")) == (0, 0)


@pytest.mark.parametrize(("name", "arguments"), [("request_withdrawal", (EURO,)), ("cancel_withdrawal", ())])
def test_only_the_holder_speaks_for_an_account(town, name, arguments):
    town.send(CONSUMER, "request_withdrawal", number(town), EURO)
    with refused("escrow: not the holder"):
        town.send("the operator", name, number(town), *arguments)
    with refused("escrow: no such account"):
        town.send("the operator", name, 99, *arguments)
    town.send(CONSUMER, name, number(town), *arguments)


def test_a_request_is_for_some_amount_that_an_account_can_hold(town):
    largest = (2**64 - 1) // 1_000
    with refused("escrow: amount is zero"):
        town.send(CONSUMER, "request_withdrawal", number(town), 0)
    with refused("escrow: amount is too large"):
        town.send(CONSUMER, "request_withdrawal", number(town), largest + 1)
    town.send(CONSUMER, "request_withdrawal", number(town), largest)


# tokens that misbehave


@pytest.fixture
def awkward_town():
    machine = Revm()
    token = Contract(machine, awkward_euro(), "the admin", 6)
    town = Town(machine, token)
    town.open(CONSUMER)
    token.send("the admin", "mint", address_of(CONSUMER), EURO)
    token.send(CONSUMER, "approve", town.settlement.address, EURO)
    return town


def test_a_token_that_delivers_less_is_refused(awkward_town):
    awkward_town.euro.send("the admin", "misbehave", True, False, 0)
    with refused("escrow: token delivered less"):
        awkward_town.send(CONSUMER, "deposit", number(awkward_town), EURO)
    awkward_town.euro.send("the admin", "misbehave", False, False, 0)
    awkward_town.send(CONSUMER, "deposit", number(awkward_town), EURO)


def test_a_token_that_says_no_is_believed(awkward_town):
    awkward_town.send(CONSUMER, "request_withdrawal", number(awkward_town), EURO)
    awkward_town.move_to(awkward_town.machine.now + DELAY)
    awkward_town.euro.send("the admin", "misbehave", False, True, 0)
    with refused("escrow: token refused"):
        awkward_town.send(CONSUMER, "deposit", number(awkward_town), EURO)
    with refused("escrow: token refused"):
        awkward_town.send(CONSUMER, "withdraw", number(awkward_town))
    awkward_town.euro.send("the admin", "misbehave", False, False, 0)
    awkward_town.send(CONSUMER, "withdraw", number(awkward_town))


def test_a_token_that_calls_back_gets_nothing_twice(awkward_town):
    awkward_town.send(CONSUMER, "request_withdrawal", number(awkward_town), EURO)
    awkward_town.move_to(awkward_town.machine.now + DELAY)
    awkward_town.euro.send("the admin", "misbehave", False, False, number(awkward_town))
    with refused(""):
        awkward_town.send(CONSUMER, "withdraw", number(awkward_town))
    assert awkward_town.credit(CONSUMER) == 100 * NANO


# what is fixed when it is deployed


def found(town, **changes):
    """Another settlement in the same town."""
    return Contract(town.machine, load("Settlement"), "the deployer", *town.arguments(**changes))


@pytest.mark.parametrize("decimals", [0, 9])
def test_a_token_of_up_to_nine_decimals_is_counted_in_nano(town, decimals):
    token = Contract(town.machine, awkward_euro(), "the admin", decimals)
    settlement = found(town, token=token.address)
    assert settlement.read("scale") == 10 ** (9 - decimals)
    assert settlement.read("token") == "0x" + token.address.hex()
    assert settlement.read("withdrawal_delay") == DELAY


def test_a_token_of_ten_decimals_is_refused(town):
    token = Contract(town.machine, awkward_euro(), "the admin", 10)
    with refused("escrow: too many decimals"):
        found(town, token=token.address)


def test_a_token_without_code_is_refused(town):
    with refused("escrow: token has no code"):
        found(town, token=b"\x01" * 20)


def test_a_delay_beyond_a_century_is_refused(town):
    with refused("escrow: delay is too long"):
        found(town, withdrawal_delay=2**32)
    found(town, withdrawal_delay=2**32 - 1)


# numbers run out


def test_the_last_account_number_is_given_out_and_no_more(own_town):
    town = own_town
    town.open("the newcomer")
    town.machine.raise_count(town.settlement.address, town.read("account_count"), 2**32 - 2, near=0)
    town.send("a passer-by", "open_account", address_of("the last one"))
    assert town.read("account_count") == 2**32 - 1
    with refused("escrow: no account number left"):
        town.send("a passer-by", "open_account", address_of("a late one"))
