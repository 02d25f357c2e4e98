"""No trade moves money that both signed orders do not allow. Each lie is refused beside the truth it stands for."""

import pytest

from tests.contracts.orders import Trade, merkle_root
from tests.contracts.scenes import ENERGY, FEE, RATE, bid_and_offer, one_trade, trade
from tests.contracts.town import FEE_CAP, NANO, refused

BID_LIMIT, OFFER_LIMIT = 300_000, 80_000


@pytest.fixture
def closed(town):
    town.close_gate()
    return town


def test_a_trade_moves_energy_times_rate(closed):
    outcome = closed.settle(one_trade(closed))
    assert closed.credit("the consumer") == 100 * NANO - ENERGY * (RATE + FEE)
    assert closed.credit("the producer") == 100 * NANO + ENERGY * RATE
    assert closed.credit("the fee collector") == ENERGY * FEE
    [(name, fields)] = closed.settlement.events(outcome)
    assert name == "Settled"
    assert [fields[key] for key in ("orders", "trades", "energy_wh", "value_nano", "fee_nano")] == [
        2, 1, ENERGY, ENERGY * RATE, ENERGY * FEE,
    ]  # fmt: skip


def test_at_a_negative_rate_the_seller_pays(closed):
    orders = [closed.bid("the consumer", limit=-10_000), closed.offer("the producer", limit=-50_000)]
    outcome = closed.settle(one_trade(closed, orders=orders, rate=-30_000, fee=5_000))
    assert closed.credit("the consumer") == 100 * NANO + ENERGY * 25_000
    assert closed.credit("the producer") == 100 * NANO - ENERGY * 30_000
    assert closed.credit("the fee collector") == ENERGY * 5_000
    [(_, fields)] = closed.settlement.events(outcome)
    assert fields["value_nano"] == -ENERGY * 30_000


def test_a_session_without_trades_is_settled(closed):
    outcome = closed.settle(closed.batch(bid_and_offer(closed), []))
    [(_, fields)] = closed.settlement.events(outcome)
    assert fields["trade_root"] == merkle_root([])
    assert closed.credit("the consumer") == closed.credit("the producer") == 100 * NANO


LIES = {
    "energy beyond the bid": ({"energy": 1_001}, {"energy": 1_000}, "trades: bid is used up"),
    "no energy": ({"energy": 0}, {"energy": 1}, "trades: energy is zero"),
    "below the offer": ({"rate": OFFER_LIMIT - 1}, {"rate": OFFER_LIMIT}, "trades: rate is below the offer"),
    "above the bid": ({"rate": BID_LIMIT - FEE + 1}, {"rate": BID_LIMIT - FEE}, "trades: rate is above the bid"),
    "fee beyond the bid": (
        {"rate": BID_LIMIT - FEE, "fee": FEE + 1},
        {"rate": BID_LIMIT - FEE - 1, "fee": FEE + 1},
        "trades: rate is above the bid",
    ),
    "fee beyond the cap": ({"fee": FEE_CAP + 1}, {"fee": FEE_CAP}, "fees: above the cap"),
    "the largest fee": ({"fee": 2**48 - 1}, {"fee": 0}, "trades: rate is above the bid"),
    "the lowest rate": ({"rate": -(2**47)}, {}, "trades: rate is below the offer"),
    "the highest rate": ({"rate": 2**47 - 1}, {}, "trades: rate is above the bid"),
    "a bit that means nothing": ({"high_bits": 1}, {}, "trades: no such order"),
    "all bits that mean nothing": ({"high_bits": 2**80 - 1}, {}, "trades: no such order"),
}


@pytest.mark.parametrize(("lie", "truth", "reason"), LIES.values(), ids=LIES.keys())
def test_a_lie_in_a_trade_is_refused_beside_the_truth(closed, lie, truth, reason):
    with refused(reason):
        closed.settle(one_trade(closed, **lie))
    closed.settle(one_trade(closed, **truth))


def test_energy_beyond_the_offer_is_refused(closed):
    orders = [closed.bid("the consumer", energy=2_000), closed.offer("the producer", energy=1_000)]
    with refused("trades: offer is used up"):
        closed.settle(one_trade(closed, orders=orders, energy=1_001))
    closed.settle(one_trade(closed, orders=orders, energy=1_000))


def test_trades_together_do_not_exceed_an_order(closed):
    closed.open("the neighbour")
    orders = [closed.bid("the consumer"), closed.offer("the producer"), closed.offer("the neighbour")]
    with refused("trades: bid is used up"):
        closed.settle(closed.batch(orders, [trade(energy=600), trade(offer=2, energy=401)]))
    closed.settle(closed.batch(orders, [trade(energy=600), trade(offer=2, energy=400)]))


def test_trades_together_do_not_exceed_an_offer(closed):
    closed.open("the neighbour")
    orders = [closed.bid("the consumer"), closed.offer("the producer"), closed.bid("the neighbour")]
    with refused("trades: offer is used up"):
        closed.settle(closed.batch(orders, [trade(energy=600), trade(bid=2, energy=401)]))
    closed.settle(closed.batch(orders, [trade(energy=600), trade(bid=2, energy=400)]))


def test_a_trade_with_its_sides_swapped_is_refused(closed):
    with refused("trades: sides are wrong"):
        closed.settle(one_trade(closed, bid=1, offer=0))
    closed.settle(one_trade(closed))


@pytest.mark.parametrize("side", ["bid", "offer"])
def test_two_orders_of_one_side_do_not_trade(closed, side):
    make = getattr(closed, side)
    with refused("trades: sides are wrong"):
        closed.settle(closed.batch([make("the consumer"), make("the producer")], [trade()]))


def test_an_order_does_not_trade_with_itself(closed):
    with refused("trades: sides are wrong"):
        closed.settle(one_trade(closed, bid=0, offer=0))


def test_an_account_does_not_trade_with_itself(closed):
    closed.enrol("the consumer", "the roof")
    orders = [closed.bid("the consumer"), closed.offer("the roof", signer="the consumer"), closed.offer("the producer")]
    with refused("trades: with oneself"):
        closed.settle(closed.batch(orders, [trade()]))
    closed.settle(closed.batch(orders, [trade(offer=2)]))


@pytest.mark.parametrize("index", [2, 511, 512, 513, 0x8001, 0xFFFF])
@pytest.mark.parametrize("which", ["bid", "offer"])
def test_an_order_that_is_not_there_does_not_trade(closed, which, index):
    with refused("trades: no such order"):
        closed.settle(one_trade(closed, **{which: index}))


def test_in_a_uniform_market_there_is_one_rate(closed):
    closed.open_market(2, uniform=True)
    closed.open("the neighbour")
    orders = [closed.bid("the consumer", market=2), closed.offer("the producer", market=2)]
    orders.append(closed.offer("the neighbour", market=2))

    def at(first, second):
        two = [trade(energy=500, rate=first), trade(offer=2, energy=500, rate=second)]
        return closed.batch(orders, two, market=2)

    with refused("trades: two rates"):
        closed.settle(at(RATE, RATE + 1))
    closed.settle(at(RATE, RATE))


def test_in_another_market_each_trade_has_its_rate(closed):
    closed.open("the neighbour")
    orders = [closed.bid("the consumer"), closed.offer("the producer"), closed.offer("the neighbour")]
    closed.settle(closed.batch(orders, [trade(energy=500), trade(offer=2, energy=500, rate=RATE + 1)]))


def test_one_lie_among_many_trades_undoes_all(closed):
    closed.open("the neighbour")
    orders = [closed.bid("the consumer"), closed.offer("the producer"), closed.offer("the neighbour")]
    with refused("trades: rate is below the offer"):
        closed.settle(closed.batch(orders, [trade(energy=500), trade(offer=2, energy=500, rate=0)]))
    assert closed.credit("the consumer") == closed.credit("the producer") == 100 * NANO


@pytest.mark.parametrize("trades", range(1, 18))
def test_the_root_is_that_of_a_standard_merkle_tree(closed, trades):
    orders = bid_and_offer(closed)
    batch = closed.batch(orders, [trade(energy=1 + i) for i in range(trades)])
    outcome = closed.settle(batch)
    [(_, fields)] = closed.settlement.events(outcome)
    assert fields["trade_root"] == batch.trade_root()


def test_a_word_holds_a_trade_of_the_greatest_terms():
    word = Trade(bid=0xFFFF, offer=0xFFFF, energy=2**48 - 1, rate=-1).word(2**48 - 1)
    assert word == 2**176 - 1
