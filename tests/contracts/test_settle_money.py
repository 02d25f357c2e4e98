"""Nobody goes below zero, nobody is paid what nobody paid, and what is earned in a batch may be spent in it."""

import pytest

from tests.contracts.orders import Trade, address_of
from tests.contracts.scenes import one_trade, trade
from tests.contracts.town import DELAY, EURO, GATE_CLOSURE, NANO, refused


@pytest.fixture
def closed(town):
    town.close_gate()
    return town


def test_a_buyer_pays_all_it_has_and_not_a_nano_more(closed):
    wanted = [closed.bid("the consumer", energy=10**6), closed.offer("the producer", energy=10**6)]
    with refused("money: credit is short"):
        closed.settle(one_trade(closed, orders=wanted, energy=10**6, rate=100_001, fee=0))
    closed.settle(one_trade(closed, orders=wanted, energy=10**6, rate=100_000, fee=0))
    assert closed.credit("the consumer") == 0


def test_the_fee_counts_as_what_a_buyer_pays(closed):
    wanted = [closed.bid("the consumer", energy=10**6), closed.offer("the producer", energy=10**6)]
    with refused("money: credit is short"):
        closed.settle(one_trade(closed, orders=wanted, energy=10**6, rate=99_999, fee=2))
    closed.settle(one_trade(closed, orders=wanted, energy=10**6, rate=99_999, fee=1))


def test_a_seller_at_a_negative_rate_is_refused_when_it_cannot_pay(closed):
    orders = [closed.bid("the consumer", energy=10**6), closed.offer("the producer", energy=10**6, limit=-200_000)]
    with refused("money: credit is short"):
        closed.settle(one_trade(closed, orders=orders, energy=10**6, rate=-100_001, fee=0))
    closed.settle(one_trade(closed, orders=orders, energy=10**6, rate=-100_000, fee=0))


def test_one_who_cannot_pay_stops_the_whole_batch(closed):
    closed.open("the pauper", 1)
    orders = [
        closed.bid("the consumer"),
        closed.offer("the producer", energy=10**5),
        closed.bid("the pauper", energy=10**5),
    ]
    with refused("money: credit is short"):
        closed.settle(closed.batch(orders, [trade(), trade(bid=2, energy=20_000)]))
    assert closed.credit("the producer") == 100 * NANO
    closed.settle(closed.batch(orders, [trade(), trade(bid=2, energy=5_000)]))


@pytest.mark.parametrize("salt", range(6))
def test_what_is_earned_in_a_batch_may_be_spent_in_it(closed, salt):
    # the trader's two orders lie in either order among the others, as the salts have it
    closed.open("the trader", 1)
    closed.enrol("the trader", "the trader's battery")
    terms = {"energy": 10_000, "salt": salt}
    orders = [
        closed.bid("the consumer", **terms),
        closed.offer("the trader's battery", signer="the trader", **terms),
        closed.bid("the trader", **terms),
        closed.offer("the producer", **terms),
    ]
    move = {"energy": 10_000, "fee": 0}
    sold, bought = Trade(bid=0, offer=1, rate=250_000, **move), Trade(bid=2, offer=3, rate=200_000, **move)
    with refused("money: credit is short"):
        closed.settle(closed.batch(orders, [bought]))
    closed.settle(closed.batch(orders, [sold, bought]))
    assert closed.credit("the trader") == NANO + 10_000 * 50_000


def test_money_that_nobody_could_have_is_refused(closed):
    much = {"energy": 2**48 - 1, "limit": 2**47 - 1}
    orders = [closed.bid("the consumer", **much), closed.offer("the producer", **much)]
    with refused("money: credit is too large"):
        closed.settle(one_trade(closed, orders=orders, energy=2**48 - 1, rate=2**47 - 1, fee=0))
    closed.settle(one_trade(closed))


def test_a_fee_that_nobody_could_have_is_refused(closed):
    closed.open_market(4, fee_cap=2**48 - 1)
    terms = {"energy": 2**48 - 1, "market": 4}
    orders = [closed.bid("the consumer", limit=2**47 - 1, **terms), closed.offer("the producer", limit=0, **terms)]

    def at(energy, fee):
        return closed.batch(orders, [trade(energy=energy, rate=0, fee=fee)], market=4)

    with refused("money: credit is too large"):
        closed.settle(at(2**48 - 1, 2**47 - 1))
    closed.settle(at(1, 2**36))


def test_who_withdraws_before_the_batch_cannot_pay_in_it(town):
    number = town.accounts["the consumer"]
    town.send("the consumer", "request_withdrawal", number, 100 * EURO)
    town.move_to(max(GATE_CLOSURE, town.machine.now + DELAY))
    batch = one_trade(town)
    town.send("the consumer", "withdraw", number)
    with refused("money: credit is short"):
        town.settle(batch)
    town.pay_in("the consumer", EURO)
    town.settle(batch)


def test_who_requested_a_withdrawal_still_pays_first(town):
    number = town.accounts["the consumer"]
    town.send("the consumer", "request_withdrawal", number, 100 * EURO)
    town.move_to(max(GATE_CLOSURE, town.machine.now + DELAY))
    town.settle(one_trade(town))
    town.send("the consumer", "withdraw", number)
    left = 100 * NANO - 800 * 170_000
    assert town.euro.read("balanceOf", address_of("the consumer")) == left // 1_000
    assert town.credit("the consumer") == left % 1_000


def test_a_batch_leaves_holder_and_epoch_alone(closed):
    closed.send("the producer", "void_orders", closed.accounts["the producer"])
    before = [closed.read("account", closed.accounts[name])[::2] for name in ("the producer", "the consumer")]
    closed.settle(one_trade(closed))
    assert [closed.read("account", closed.accounts[name])[::2] for name in ("the producer", "the consumer")] == before
