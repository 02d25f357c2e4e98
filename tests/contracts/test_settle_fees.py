"""Every node on the way of a trade gets what its row says, within its cap and its tree; a malformed row is refused."""

import pytest

from tests.contracts.orders import Row
from tests.contracts.scenes import ENERGY, RATE, trade
from tests.contracts.town import FEE_CAP, NANO, refused

FEEDER, WEST, EAST, LONE = 10, 11, 12, 20
LOWEST = -(2**40)
"""An offer's limit that no test goes below."""
LAST, TOP = 1 << 81, 1 << 80


@pytest.fixture
def closed(town):
    """A feeder with two communities, each with an account of its own, and a market that is a tree of its own."""
    for number, tree, name in (
        (FEEDER, FEEDER, "the feeder"),
        (WEST, FEEDER, "the west"),
        (EAST, FEEDER, "the east"),
        (LONE, LONE, "the lone"),
    ):
        town.open_account(name)
        town.open_market(number, tree=tree, collector=name)
    town.open("the neighbour")
    town.close_gate()
    return town


def orders(town, market=FEEDER):
    terms = {"market": market}
    return [
        town.bid("the consumer", **terms),
        town.offer("the producer", limit=LOWEST, **terms),
        town.offer("the neighbour", limit=LOWEST, **terms),
    ]


def batch(town, *trades, market=FEEDER, **changes):
    return town.batch(orders(town, market), trades, market=market, **changes)


def row(*shares, top):
    return Row(shares, top)


ACROSS = row((EAST, 3_000), (FEEDER, 10_000), (WEST, 4_000), top=FEEDER)
WITHIN = row((WEST, 4_000), top=WEST)


def word(node, rate, *flags):
    return sum(flags) | node << 48 | rate


# money


def test_each_node_gets_its_rate_and_the_buyer_pays_them_all(closed):
    outcome = closed.settle(batch(closed, trade(energy=300, row=ACROSS), trade(offer=2, energy=500, row=WITHIN)))
    assert closed.credit("the east") == 300 * 3_000
    assert closed.credit("the feeder") == 300 * 10_000
    assert closed.credit("the west") == 800 * 4_000
    assert closed.credit("the consumer") == 100 * NANO - 300 * (RATE + 17_000) - 500 * (RATE + 4_000)
    assert closed.credit("the producer") == 100 * NANO + 300 * RATE
    [(_, fields)] = closed.settlement.events(outcome)
    assert fields["fee_nano"] == 300 * 17_000 + 500 * 4_000


def test_trades_of_one_row_are_paid_together(closed):
    closed.settle(batch(closed, trade(energy=300, row=WITHIN), trade(offer=2, energy=500, row=WITHIN)))
    assert closed.credit("the west") == 800 * 4_000


def test_nodes_of_one_account_are_paid_each(closed):
    closed.open_market(13, tree=FEEDER, collector="the west")
    both = row((13, 1_000), (FEEDER, 0), (WEST, 2_000), top=FEEDER)
    closed.settle(batch(closed, trade(row=both)))
    assert closed.credit("the west") == ENERGY * 3_000


def test_a_top_that_takes_nothing_is_named_all_the_same(closed):
    free = row((FEEDER, 0), top=FEEDER)
    outcome = closed.settle(batch(closed, trade(row=free)))
    [(_, fields)] = closed.settlement.events(outcome)
    assert fields["fee_nano"] == 0
    assert fields["trade_root"] == batch(closed, trade(row=free)).trade_root()


def test_a_fee_account_may_spend_in_the_batch_what_it_gets_in_it(closed):
    closed.open_market(14, tree=FEEDER, collector="the producer")
    paid = row((14, 50_000), top=14)
    sold = batch(closed, trade(rate=-50_000, row=paid))
    closed.send("the producer", "request_withdrawal", closed.accounts["the producer"], 100 * 10**6)
    closed.move_to(closed.machine.now + 1_800)
    closed.send("the producer", "withdraw", closed.accounts["the producer"])
    with refused("money: credit is short"):
        closed.settle(batch(closed, trade(rate=-50_001, row=paid)))
    closed.settle(sold)
    assert closed.credit("the producer") == 0


def test_the_row_is_in_the_leaf(closed):
    trades = trade(energy=300, row=ACROSS), trade(offer=2, energy=500, row=WITHIN)
    settled = batch(closed, *trades)
    [(_, fields)] = closed.settlement.events(closed.settle(settled))
    assert fields["trade_root"] == settled.trade_root()
    assert (
        settled.but(trades=[trade(energy=300, row=ACROSS), trade(energy=500, row=ACROSS)]).trade_root()
        != fields["trade_root"]
    )


# limits


def test_the_bid_s_limit_holds_for_all_fees_together(closed):
    with refused("trades: rate is above the bid"):
        closed.settle(batch(closed, trade(rate=300_000 - 17_000 + 1, row=ACROSS)))
    closed.settle(batch(closed, trade(rate=300_000 - 17_000, row=ACROSS)))


@pytest.mark.parametrize("node", [WEST, FEEDER, EAST])
def test_no_node_takes_more_than_its_cap(closed, node):
    def capped(rate):
        shares = dict.fromkeys((WEST, FEEDER, EAST), 1) | {node: rate}
        return batch(closed, trade(row=row(*shares.items(), top=FEEDER)))

    with refused("fees: above the cap"):
        closed.settle(capped(FEE_CAP + 1))
    closed.settle(capped(FEE_CAP))


def test_a_node_of_another_tree_takes_nothing(closed):
    for node in (LONE, 1, 99, 0):
        with refused("fees: not of this tree"):
            closed.settle(batch(closed, trade(row=row((node, 1), (FEEDER, 1), top=FEEDER))))
    with refused("fees: not of this tree"):
        closed.settle(batch(closed, trade(row=row((FEEDER, 1), top=FEEDER)), market=LONE))
    closed.settle(batch(closed, trade(row=row((LONE, 1), top=LONE)), market=LONE))
    closed.settle(batch(closed, trade(row=row((WEST, 1), (FEEDER, 1), top=FEEDER))))


def test_a_session_of_any_node_pays_any_node_of_its_tree(closed):
    closed.settle(batch(closed, trade(row=ACROSS), market=WEST))
    assert closed.credit("the east") == ENERGY * 3_000


def test_a_node_that_nobody_could_pay_is_refused(closed):
    closed.open_market(15, tree=FEEDER, fee_cap=2**48 - 1)
    much = {"market": FEEDER, "energy": 2**48 - 1}
    both = [closed.bid("the consumer", limit=2**47 - 1, **much), closed.offer("the producer", limit=0, **much)]

    def at(energy, rate):
        return closed.batch(both, [trade(energy=energy, rate=0, row=row((15, rate), top=15))], market=FEEDER)

    with refused("money: credit is too large"):
        closed.settle(at(2**48 - 1, 2**47 - 1))
    closed.settle(at(1, 2**36))


def test_the_longest_row_is_paid_and_a_longer_one_refused(closed):
    numbers = range(100, 132)
    for number in numbers:
        closed.open_market(number, tree=FEEDER, fee_cap=2**48 - 1)

    def long(nodes):
        return batch(closed, trade(row=row(*((number, 1_000) for number in numbers[:nodes]), top=115)))

    # what they take together does not run over into what else is known of a row
    greatest = row(*((number, 2**48 - 1) for number in numbers[:31]), top=115)
    with refused("trades: rate is above the bid"):
        closed.settle(batch(closed, trade(rate=LOWEST, row=greatest)))
    with refused("fees: row is too long"):
        closed.settle(long(32))
    closed.settle(long(31))
    assert closed.credit("the fee collector") == ENERGY * 31_000


# rows


MALFORMED = {
    "a bit that means nothing": ([word(FEEDER, 1, LAST, TOP, 1 << 82)], "fees: unused bits are set"),
    "the highest bit": ([word(FEEDER, 1, LAST, TOP, 1 << 255)], "fees: unused bits are set"),
    "no top": ([word(FEEDER, 1, LAST)], "fees: row has no top"),
    "two tops": ([word(WEST, 1, TOP), word(FEEDER, 1, TOP, LAST)], "fees: row has two tops"),
    "no end": ([word(FEEDER, 1, TOP)], "fees: last row is open"),
    "no end of the second": ([word(FEEDER, 1, LAST, TOP), word(WEST, 1, TOP)], "fees: last row is open"),
    "a node twice": ([word(WEST, 1), word(FEEDER, 1, TOP), word(WEST, 1, LAST)], "fees: node is there twice"),
    "a row that no trade has": ([word(FEEDER, 1, LAST, TOP), word(WEST, 1, LAST, TOP)], "fees: row is not used"),
}


@pytest.mark.parametrize(("fees", "reason"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_row_is_refused(closed, fees, reason):
    with refused(reason):
        closed.settle(batch(closed, trade(place=0, row=WITHIN), fees=fees))
    closed.settle(batch(closed, trade(place=0, row=WITHIN), fees=[word(FEEDER, 1, LAST, TOP)]))


def test_rows_ascend_by_their_tops(closed):
    trades = trade(energy=300, place=0), trade(offer=2, energy=500, place=1)
    feeder, west = word(FEEDER, 1, LAST, TOP), word(WEST, 1, LAST, TOP)
    with refused("fees: out of order"):
        closed.settle(batch(closed, *trades, fees=[west, feeder]))
    closed.settle(batch(closed, *trades, fees=[feeder, west]))


@pytest.mark.parametrize("place", [1, 127, 128, 129, 2**47])
def test_a_row_that_is_not_there_is_no_trade_s(closed, place):
    with refused("trades: no such row"):
        closed.settle(batch(closed, trade(row=WITHIN, place=place)))
    closed.settle(batch(closed, trade(row=WITHIN, place=0)))


def test_the_largest_number_of_rows_is_128(closed):
    def many(count):
        trades = [trade(energy=1, row=row((FEEDER, number), top=FEEDER)) for number in range(count)]
        return batch(closed, *trades)

    with refused("fees: too many rows"):
        closed.settle(many(129))
    closed.settle(many(128))
    assert closed.credit("the feeder") == sum(range(128))


def test_a_batch_without_trades_has_no_rows(closed):
    with refused("fees: row is not used"):
        closed.settle(batch(closed, fees=[word(FEEDER, 1, LAST, TOP)]))
    closed.settle(batch(closed, fees=[]))


def test_rows_that_are_not_in_the_calldata_are_refused(closed):
    calldata = closed.settle_calldata(batch(closed, trade(row=WITHIN)))
    at = 4 + 32 * 9

    def sent(place, value):
        data = calldata[:place] + value.to_bytes(32) + calldata[place + 32 :]
        return closed.machine.send("the operator", closed.settlement.address, data)

    for wrong in (len(calldata) - 4 - 31, 2**32, 2**256 - 1):
        with refused("settle: calldata is short"):
            sent(at, wrong)
    for wrong in (2, 2**32, 2**251, 2**256 - 1):
        with refused("settle: calldata is short"):
            sent(len(calldata) - 64, wrong)
    closed.machine.send("the operator", closed.settlement.address, calldata)


# one price


@pytest.fixture
def uniform(closed):
    """The feeder's and a third community's trades have one price; those within the west have not."""
    closed.open_account("the north")
    closed.open_market(30, collector="the feeder", uniform=True)
    closed.open_market(31, tree=30, collector="the west")
    closed.open_market(32, tree=30, collector="the east", uniform=True)
    return closed


ROOT, LEFT, RIGHT = 30, 31, 32
UP_FROM_LEFT = row((LEFT, 4_000), (ROOT, 10_000), (RIGHT, 3_000), top=ROOT)
UP_FROM_RIGHT = row((RIGHT, 3_000), (ROOT, 10_000), top=ROOT)
AT_ROOT = row((ROOT, 10_000), (LEFT, 4_000), top=ROOT)


def priced(town, *pairs, **changes):
    trades = [trade(energy=100, rate=rate, row=row) for rate, row in pairs]
    return batch(town, *trades, market=ROOT, **changes)


def test_the_price_at_the_top_is_one_for_all_trades_made_there(uniform):
    sellers = (RATE - 4_000, UP_FROM_LEFT), (RATE - 3_000, UP_FROM_RIGHT)
    for rate in (RATE - 1, RATE + 1):
        with refused("trades: two rates"):
            uniform.settle(priced(uniform, *sellers, (rate, AT_ROOT)))
    uniform.settle(priced(uniform, *sellers, (RATE, AT_ROOT)))


@pytest.mark.parametrize("rate", [RATE, 0, -RATE])
def test_the_trades_of_one_row_have_one_rate_where_its_top_promises_it(uniform, rate):
    for wrong in (rate - 1, rate + 1, -rate - 1):
        with refused("trades: two rates"):
            uniform.settle(priced(uniform, (rate, AT_ROOT), (wrong, AT_ROOT)))
    uniform.settle(priced(uniform, (rate, AT_ROOT), (rate, AT_ROOT)))


def test_each_top_has_its_own_price(uniform):
    local = row((RIGHT, 3_000), top=RIGHT)
    with refused("trades: two rates"):
        uniform.settle(priced(uniform, (RATE, AT_ROOT), (RATE - 9, local), (RATE - 8, local)))
    uniform.settle(priced(uniform, (RATE, AT_ROOT), (RATE - 9, local), (RATE - 9, local)))


def test_where_the_top_promises_nothing_each_trade_has_its_price(uniform):
    local = row((LEFT, 4_000), top=LEFT)
    uniform.settle(priced(uniform, (RATE, AT_ROOT), (RATE - 9, local), (RATE - 8, local)))


def test_the_promise_of_the_session_s_market_is_none_for_other_tops(uniform):
    local = row((LEFT, 4_000), top=LEFT)
    trades = [trade(energy=100, rate=rate, row=local) for rate in (RATE, RATE + 1)]
    uniform.settle(batch(uniform, *trades, market=RIGHT))


@pytest.mark.parametrize("rate", [RATE, -RATE])
def test_all_parts_have_one_price_at_a_node(uniform, rate):
    def part(number, *pairs):
        return priced(uniform, *pairs, part=number, parts=5)

    local = row((RIGHT, 3_000), top=RIGHT)
    uniform.settle(part(0))
    uniform.settle(part(1, (rate, AT_ROOT), (rate - 4_000, UP_FROM_LEFT)))
    uniform.settle(part(2, (rate + 5, local)))
    for wrong in ((rate + 1, AT_ROOT), (rate, UP_FROM_RIGHT), (rate - 3_001, UP_FROM_RIGHT), (rate, local)):
        with refused("trades: two rates"):
            uniform.settle(part(3, wrong))
    uniform.settle(part(3, (rate - 3_000, UP_FROM_RIGHT), (rate + 5, local)))
    uniform.settle(part(4))


def test_another_session_has_another_price(uniform):
    uniform.settle(priced(uniform, (RATE, AT_ROOT), parts=2))
    other = [order.but(product=2) for order in orders(uniform, ROOT)]
    uniform.settle(
        uniform.batch(other, [trade(rate=RATE + 1, row=AT_ROOT)], market=ROOT, product=2, parts=2),
    )
