"""The same bytes run on London's and on Prague's rules: a whole story on each, in signed transactions and blocks."""

import pytest

from tests.contracts.machine import PyEvm
from tests.contracts.orders import address_of
from tests.contracts.permits import permit
from tests.contracts.scenes import ENERGY, FEE, RATE, one_trade
from tests.contracts.town import DELAY, EURO, GATE_CLOSURE, NANO, Town, refused


@pytest.mark.parametrize("fork", ["London", "Prague"])
def test_from_a_deposit_to_a_withdrawal(fork):
    town = Town(PyEvm(fork))
    town.open("the producer")
    town.open("the consumer")

    town.euro.send("the admin", "mint", address_of("the consumer"), EURO)
    signed = permit(
        town.euro.address, owner="the consumer", spender=town.settlement.address, units=EURO, nonce=0, deadline=2**40
    )
    town.send("the consumer", "deposit_with_permit", town.accounts["the consumer"], EURO, *signed)

    with refused("sessions: gate is open"):
        town.settle(one_trade(town))
    town.move_to(GATE_CLOSURE)
    with refused("trades: rate is below the offer"):
        town.settle(one_trade(town, rate=0))
    with refused("orders: signer may not trade"):
        orders = [town.bid("the consumer", signer="a thief"), town.offer("the producer")]
        town.settle(one_trade(town, orders=orders))
    batch = one_trade(town)
    [(name, fields)] = town.settlement.events(town.settle(batch))
    assert (name, fields["trade_root"]) == ("Settled", batch.trade_root())
    with refused("sessions: settled already"):
        town.settle(batch)
    assert town.credit("the consumer") == 101 * NANO - ENERGY * (RATE + FEE)
    assert town.credit("the producer") == 100 * NANO + ENERGY * RATE

    town.send("the guardian", "pause")
    number = town.accounts["the producer"]
    town.send("the producer", "request_withdrawal", number, 10**9)
    with refused("escrow: not due yet"):
        town.send("the producer", "withdraw", number)
    town.move_to(town.machine.now + DELAY)
    town.send("the producer", "withdraw", number)
    assert town.euro.read("balanceOf", address_of("the producer")) == (100 * NANO + ENERGY * RATE) // 1_000
