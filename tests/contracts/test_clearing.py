"""One contract may move credit between accounts: named once, after a time to leave, and never more than is there."""

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vyper.compiler import compile_code

from contracts.artifacts import Artifact
from tests.contracts.caller import Contract, refused
from tests.contracts.machine import Outcome, Revm
from tests.contracts.orders import address_of
from tests.contracts.town import DELAY, EURO, GUARDIAN, NANO, Town

SOURCE = """
# pragma version 0.4.3
interface Settlement:
    def move(entries: DynArray[uint256, 515]): nonpayable

@external
def move(settlement: address, entries: DynArray[uint256, 515]):
    extcall Settlement(settlement).move(entries)
"""


@cache
def mover() -> Artifact:
    """A contract that moves whatever anybody tells it to."""
    compiled = compile_code(SOURCE, output_formats=["abi", "bytecode"])
    code = bytes.fromhex(compiled["bytecode"][2:])
    return Artifact(
        name="Mover", abi=compiled["abi"], bytecode=code, runtime_size=0, source_digest="", compiler="", evm_version=""
    )


def entry(account: int, nano: int) -> int:
    return account << 96 | nano % 2**96


class Clearer:
    """The mover, beside a town."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.contract = Contract(town.machine, mover(), "the deployer")

    def name(self, sender: str = "the admin") -> Outcome:
        return self.town.send(sender, "name_clearer", self.contract.address)

    def move(self, *entries: tuple[int, int]) -> Outcome:
        words = [entry(*each) for each in entries]
        return self.contract.send("anybody", "move", self.town.settlement.address, words)

    def wait(self) -> None:
        self.town.move_to(self.town.machine.now + 2 * DELAY)


@pytest.fixture
def clearer(town) -> Clearer:
    """Named, and its time has come."""
    found = Clearer(town)
    found.name()
    found.wait()
    return found


@pytest.fixture
def two(town) -> tuple[int, int]:
    return town.accounts["the consumer"], town.accounts["the producer"]


def test_the_clearer_moves_credit(town, clearer, two):
    outcome = clearer.move((two[0], -NANO), (two[1], NANO))
    assert (town.credit("the consumer"), town.credit("the producer")) == (99 * NANO, 101 * NANO)
    [(name, fields)] = town.settlement.events(outcome)
    assert (name, list(fields["entries"])) == ("Moved", [entry(two[0], -NANO), entry(two[1], NANO)])


def test_nobody_else_moves_credit(town, clearer, two):
    with refused("clearing: not the clearer"):
        town.send("the operator", "move", [entry(two[0], -1), entry(two[1], 1)])


def test_nobody_moves_credit_before_a_clearer_is_named(town, two):
    with refused("clearing: not the clearer"):
        Clearer(town).move((two[0], -1), (two[1], 1))


def test_the_clearer_waits_for_twice_the_delay_of_withdrawals(town, two):
    clearer = Clearer(town)
    [(name, fields)] = town.settlement.events(clearer.name())
    assert (name, fields["since"]) == ("ClearerNamed", town.machine.now + 2 * DELAY)
    town.move_to(fields["since"] - 1)
    with refused("clearing: not the clearer"):
        clearer.move((two[0], -1), (two[1], 1))
    town.move_to(fields["since"])
    clearer.move((two[0], -1), (two[1], 1))


def test_who_does_not_trust_it_leaves_before_it_may_act(town, two):
    clearer = Clearer(town)
    clearer.name()
    town.move_to(town.machine.now + DELAY - 1)
    town.send("the consumer", "request_withdrawal", two[0], 100 * EURO)
    town.move_to(town.machine.now + DELAY)
    town.send("anybody", "withdraw", two[0])
    town.move_to(town.machine.now + 1)
    with refused("money: credit is short"):
        clearer.move((two[0], -1), (two[1], 1))


def test_in_an_empty_escrow_there_is_nobody_to_wait_for(town):
    other = town.another()
    Clearer(other).name()
    assert other.read("clearer") >> 160 == town.machine.now


def test_only_the_admin_names_the_clearer(town):
    with refused("roles: not the admin"):
        Clearer(town).name("the operator")


def test_the_clearer_is_named_once(town, clearer):
    with refused("clearing: named already"):
        Clearer(town).name()


def test_the_clearer_is_a_contract(town):
    with refused("clearing: clearer has no code"):
        town.send("the admin", "name_clearer", address_of("the operator"))


def test_debits_are_credits(town, clearer, two):
    with refused("clearing: debits are not credits"):
        clearer.move((two[0], -5), (two[1], 6))
    clearer.move((two[0], -5), (two[1], 5))


def test_all_that_is_there_moves_and_not_a_nano_more(town, clearer, two):
    with refused("money: credit is short"):
        clearer.move((two[0], -100 * NANO - 1), (two[1], 100 * NANO + 1))
    clearer.move((two[0], -100 * NANO), (two[1], 100 * NANO))
    assert town.credit("the consumer") == 0


def test_what_came_in_may_go_out_in_the_same_call(town, clearer, two):
    clearer.move((two[0], 7), (two[0], -100 * NANO - 7), (two[1], 100 * NANO))
    assert (town.credit("the consumer"), town.credit("the producer")) == (0, 200 * NANO)


def test_credit_goes_to_no_account_that_is_not_open(town, clearer, two):
    with refused("escrow: no such account"):
        clearer.move((two[0], -1), (town.read("account_count") + 1, 1))


def test_a_change_of_more_than_all_money_is_refused(town, clearer, two):
    with refused("money: credit is short"):
        clearer.move((two[1], 2**64), (two[0], -(2**64)))


def test_holder_and_epoch_stay_as_they_are(town, clearer, two):
    town.send("the consumer", "void_orders", two[0])
    clearer.move((two[0], -3), (two[1], 3))
    assert town.read("account", two[0]) == ("0x" + address_of("the consumer").hex(), 100 * NANO - 3, 1)


def test_a_pause_stops_it(town, clearer, two):
    town.send("the admin", "grant", GUARDIAN, address_of("the guardian"))
    town.send("the guardian", "pause")
    with refused("pause: paused"):
        clearer.move((two[0], -1), (two[1], 1))
    town.send("the admin", "unpause")
    clearer.move((two[0], -1), (two[1], 1))


@cache
def three() -> tuple[Town, Clearer]:
    town = Town(Revm())
    for name in ("a", "b", "c"):
        town.open_account(name, 1)
    clearer = Clearer(town)
    clearer.name()
    clearer.wait()
    return town, clearer


amounts = st.integers(-2 * NANO, 2 * NANO)


@given(moves=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), amounts), max_size=6), extra=st.data())
def test_the_contract_moves_what_a_sum_by_hand_does(moves: list[tuple[str, str, int]], extra: Any):
    town, clearer = three()
    with town.as_before():
        entries = [each for one, other, nano in moves for each in ((one, -nano), (other, nano))]
        entries = extra.draw(st.permutations(entries))
        held = {name: town.credit(name) for name in "abc"}
        for name, nano in entries:
            held[name] += nano
            if held[name] < 0:
                break
        words = [(town.accounts[name], nano) for name, nano in entries]
        if min(held.values()) < 0:
            with refused("money: credit is short"):
                clearer.move(*words)
        else:
            clearer.move(*words)
            assert held == {name: town.credit(name) for name in "abc"}
        assert sum(town.credit(name) for name in "abc") == 3 * NANO
