"""The test euro: an ERC-20 of six decimals with permits."""

import pytest

from contracts.artifacts import load
from tests.contracts.machine import CHAIN_ID, Revm
from tests.contracts.orders import CURVE_ORDER, address_of, domain
from tests.contracts.permits import permit
from tests.contracts.town import Contract, refused

ALICE, BOB = "the owner", "the spender"
NOBODY = bytes(20)


@pytest.fixture
def euro():
    euro = Contract(Revm(), load("TestEuro"), "the minter")
    euro.send("the minter", "mint", address_of(ALICE), 100)
    return euro


def balances(euro):
    return euro.read("balanceOf", address_of(ALICE)), euro.read("balanceOf", address_of(BOB))


def test_it_says_what_it_is(euro):
    assert [euro.read(name) for name in ("name", "symbol", "decimals", "version")] == ["Test Euro", "tEUR", 6, "1"]
    assert euro.read("minter") == "0x" + address_of("the minter").hex()
    assert euro.read("DOMAIN_SEPARATOR") == domain(CHAIN_ID, euro.address, "Test Euro")


def test_only_the_minter_mints(euro):
    with refused("euro: not the minter"):
        euro.send(ALICE, "mint", address_of(ALICE), 1)
    with refused("euro: nobody to receive"):
        euro.send("the minter", "mint", NOBODY, 1)
    euro.send("the minter", "mint", address_of(BOB), 1)
    assert euro.read("totalSupply") == 101


def test_a_transfer_moves_what_is_there(euro):
    with refused("euro: balance is short"):
        euro.send(ALICE, "transfer", address_of(BOB), 101)
    with refused("euro: nobody to receive"):
        euro.send(ALICE, "transfer", NOBODY, 100)
    euro.send(ALICE, "transfer", address_of(BOB), 100)
    assert balances(euro) == (0, 100)


def test_a_transfer_to_oneself_changes_nothing(euro):
    euro.send(ALICE, "transfer", address_of(ALICE), 60)
    assert balances(euro) == (100, 0)


def test_an_allowance_is_used_up(euro):
    euro.send(ALICE, "approve", address_of(BOB), 50)
    euro.send(BOB, "transferFrom", address_of(ALICE), address_of(BOB), 30)
    with refused("euro: allowance is short"):
        euro.send(BOB, "transferFrom", address_of(ALICE), address_of(BOB), 21)
    euro.send(BOB, "transferFrom", address_of(ALICE), address_of(BOB), 20)
    assert balances(euro) == (50, 50)


def test_an_allowance_without_end_does_not_run_down(euro):
    euro.send(ALICE, "approve", address_of(BOB), 2**256 - 1)
    euro.send(BOB, "transferFrom", address_of(ALICE), address_of(BOB), 30)
    assert euro.read("allowance", address_of(ALICE), address_of(BOB)) == 2**256 - 1


def allow(euro, **changes):
    terms = {"owner": ALICE, "spender": address_of(BOB), "units": 70, "nonce": 0, "deadline": 2**40}
    return permit(euro.address, **(terms | changes))


def test_a_permit_allows_once(euro):
    signed = allow(euro)
    euro.send(BOB, "permit", address_of(ALICE), address_of(BOB), 70, *signed)
    assert euro.read("allowance", address_of(ALICE), address_of(BOB)) == 70
    with refused("euro: not the owner's permit"):
        euro.send(BOB, "permit", address_of(ALICE), address_of(BOB), 70, *signed)


def test_a_permit_of_somebody_else_is_refused(euro):
    with refused("euro: not the owner's permit"):
        euro.send(BOB, "permit", address_of(ALICE), address_of(BOB), 70, *allow(euro, signer=BOB))
    with refused("euro: not the owner's permit"):
        euro.send(BOB, "permit", NOBODY, address_of(BOB), 70, 2**40, 99, b"\x01" * 32, b"\x01" * 32)


def test_a_permit_expires(euro):
    now = euro.machine.now
    with refused("euro: permit expired"):
        euro.send(BOB, "permit", address_of(ALICE), address_of(BOB), 70, *allow(euro, deadline=now - 1))
    euro.send(BOB, "permit", address_of(ALICE), address_of(BOB), 70, *allow(euro, deadline=now))


def test_the_higher_form_of_a_signature_is_refused(euro):
    deadline, v, r, s = allow(euro)
    high = (CURVE_ORDER - int.from_bytes(s)).to_bytes(32)
    with refused("euro: s is high"):
        euro.send(BOB, "permit", address_of(ALICE), address_of(BOB), 70, deadline, 55 - v, r, high)
