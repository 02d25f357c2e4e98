"""A session is settled once: after its gate closed, before its window ends, in one part or in several in order."""

import pytest

from tests.contracts.orders import SPOT, keccak, merkle_root, session_id
from tests.contracts.scenes import RATE, bid_and_offer, one_trade, trade
from tests.contracts.town import GATE_CLOSURE, LEAD, PERIOD, START, WINDOW, refused


@pytest.fixture
def closed(town):
    town.close_gate()
    return town


def record(batch, trade_root):
    return keccak(batch.order_root + trade_root + batch.parameters + batch.parts.to_bytes(32))


def test_what_is_recorded_hashes_what_was_settled(closed):
    batch = one_trade(closed)
    outcome = closed.settle(batch)
    recorded = closed.read("record", batch.session, 0)
    assert recorded == record(batch, batch.trade_root())
    assert recorded == closed.read("record_of", batch.order_root, batch.trade_root(), batch.parameters, 1)
    assert closed.read("parts_settled", batch.session) == (1, 1)
    [(_, fields)] = closed.settlement.events(outcome)
    told = {key: fields[key] for key in ("session", "part", "parts", "order_root", "trade_root", "parameters")}
    assert told == {
        "session": session_id(1, SPOT, START),
        "part": 0,
        "parts": 1,
        "order_root": batch.order_root,
        "trade_root": batch.trade_root(),
        "parameters": batch.parameters,
    }


def test_of_a_session_that_is_not_settled_nothing_is_recorded(closed):
    assert closed.read("record", session_id(1, SPOT, START), 0) == bytes(32)
    assert closed.read("parts_settled", session_id(1, SPOT, START)) == (0, 0)
    with refused("sessions: no such part"):
        closed.read("record", session_id(1, SPOT, START), 2**16 - 1)


def test_a_session_is_settled_once(closed):
    closed.settle(one_trade(closed))
    with refused("sessions: settled already"):
        closed.settle(one_trade(closed))
    with refused("sessions: settled already"):
        closed.settle(closed.batch([], [], parts=2))


def test_products_and_periods_are_sessions_of_their_own(closed):
    closed.settle(one_trade(closed))
    other = closed.batch(bid_and_offer(closed, product=2), [trade(energy=100)], product=2)
    closed.settle(other)
    closed.move_to(GATE_CLOSURE + PERIOD)
    start = START + PERIOD
    closed.settle(closed.batch(bid_and_offer(closed, start=start, valid_until=start), [trade(energy=100)], start=start))


def test_a_session_is_settled_from_gate_closure_on(town):
    town.move_to(GATE_CLOSURE - 1)
    with refused("sessions: gate is open"):
        town.settle(one_trade(town))
    town.move_to(GATE_CLOSURE)
    town.settle(one_trade(town))


def test_a_session_is_settled_until_its_window_ends(town):
    town.move_to(START + WINDOW + 1)
    with refused("sessions: window is over"):
        town.settle(one_trade(town))
    town.move_to(START + WINDOW)
    town.settle(one_trade(town))


def test_from_2106_on_nothing_is_settled(town):
    """A time has 32 bits in an asset's word; beyond them no asset shall seem current."""
    last = 2**32 - 2**32 % PERIOD + PERIOD  # its gate closes a few minutes before
    town.move_to(2**32 + PERIOD)
    town.settle(town.batch([], [], start=last))
    with refused(""):
        town.settle(town.batch([], [], start=last + PERIOD))


def test_delivery_starts_on_the_grid_of_periods(closed):
    for start in (START - 1, START + 1):
        closed.move_to(start)
        with refused("sessions: off the period grid"):
            closed.settle(closed.batch([], [], start=start))
    closed.settle(closed.batch([], []))


def test_the_first_gate_closes_after_the_beginning_of_time(closed):
    terms = closed.accounts["the fee collector"], 0, LEAD, LEAD, 2**32 - 1, False
    closed.send("the grid operator", "open_market", 3, 3, *terms)
    with refused("sessions: start is too early"):
        closed.settle(closed.batch([], [], market=3, start=LEAD))
    closed.settle(closed.batch([], [], market=3, start=2 * LEAD))


def test_a_market_that_is_not_open_settles_nothing(closed):
    for market in (0, 2, 2**32 - 1):
        with refused("markets: not open"):
            closed.settle(closed.batch([], [], market=market))
    closed.open_market(2)
    closed.settle(closed.batch([], [], market=2))


# several parts


def part(town, number, trades, *, parts=2, **changes):
    return town.batch(bid_and_offer(town), trades, part=number, parts=parts, **changes)


def test_parts_are_settled_in_order(closed):
    with refused("sessions: part is out of order"):
        closed.settle(part(closed, 1, []))
    first = part(closed, 0, [trade(energy=300)])
    closed.settle(first)
    assert closed.read("parts_settled", first.session) == (1, 2)
    for wrong in (0, 2):
        with refused("sessions: part is out of order" if wrong == 0 else "sessions: no such part"):
            closed.settle(part(closed, wrong, []))
    second = part(closed, 1, [trade(energy=700)])
    closed.settle(second)
    assert closed.read("parts_settled", first.session) == (2, 2)
    for settled in (first, second):
        assert closed.read("record", settled.session, settled.part) == record(settled, settled.trade_root())


def test_a_finished_session_takes_no_further_part(closed):
    closed.settle(part(closed, 0, []))
    closed.settle(part(closed, 1, []))
    for number, parts in ((0, 2), (1, 2), (2, 3)):
        with refused("sessions: settled already"):
            closed.settle(part(closed, number, [], parts=parts))


def test_a_session_of_one_part_takes_no_second(closed):
    closed.settle(part(closed, 0, [], parts=1))
    with refused("sessions: settled already"):
        closed.settle(part(closed, 1, [], parts=2))


def test_there_is_no_part_beyond_the_declared_ones(closed):
    for number, parts in ((0, 0), (1, 1), (5, 2)):
        with refused("sessions: no such part"):
            closed.settle(part(closed, number, [], parts=parts))
    closed.settle(part(closed, 0, [], parts=1))


def test_the_number_of_parts_does_not_change(closed):
    closed.settle(part(closed, 0, []))
    for parts in (3, 4):
        with refused("sessions: other number of parts"):
            closed.settle(part(closed, 1, [], parts=parts))
    closed.settle(part(closed, 1, []))


@pytest.mark.parametrize("which", ["order_root", "parameters"])
def test_all_parts_have_the_same_roots(closed, which):
    closed.settle(part(closed, 0, []))
    with refused("sessions: other roots"):
        closed.settle(part(closed, 1, [], **{which: b"\x33" * 32}))
    closed.settle(part(closed, 1, []))


def test_parts_together_do_not_exceed_an_order(closed):
    first = part(closed, 0, [trade(energy=600)])
    closed.settle(first)
    assert [closed.read("filled", order.digest()) for order in first.orders] == [600, 600]
    with refused("trades: bid is used up"):
        closed.settle(part(closed, 1, [trade(energy=401)]))
    closed.settle(part(closed, 1, [trade(energy=400)]))
    assert [closed.read("filled", order.digest()) for order in first.orders] == [1_000, 1_000]


def test_in_a_session_of_one_part_no_fill_is_kept(closed):
    batch = one_trade(closed)
    closed.settle(batch)
    assert [closed.read("filled", order.digest()) for order in batch.orders] == [0, 0]


@pytest.mark.parametrize("rate", [RATE, -RATE])
def test_in_a_uniform_market_all_parts_have_one_rate(closed, rate):
    closed.open_market(2, uniform=True)
    orders = [closed.bid("the consumer", market=2), closed.offer("the producer", limit=-(2**40), market=2)]

    def at(number, *rates):
        trades = [trade(energy=100, rate=rate) for rate in rates]
        return closed.batch(orders, trades, market=2, part=number, parts=4)

    closed.settle(at(0))
    closed.settle(at(1, rate))
    with refused("trades: two rates"):
        closed.settle(at(2, rate + 1))
    closed.settle(at(2, rate))
    closed.settle(at(3))


def test_a_part_that_is_refused_leaves_nothing_behind(closed):
    with refused("trades: bid is used up"):
        closed.settle(part(closed, 0, [trade(energy=1_001)]))
    assert closed.read("parts_settled", session_id(1, SPOT, START)) == (0, 0)
    closed.settle(part(closed, 0, [], parts=1))
    assert closed.read("record", session_id(1, SPOT, START), 0) == record(part(closed, 0, [], parts=1), merkle_root([]))
