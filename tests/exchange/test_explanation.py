"""Why an order was matched or not: one story for each code, and agreement with every clearing."""

import pytest
from hypothesis import given

from exchange import explanation
from exchange.clear import Resting, clear
from exchange.explanation import Outcome, why
from exchange.order import Side
from tests.strategies import SESSION, books, fees, resting

BID, OFFER = Side.BID, Side.OFFER
FEE = 20_000


def outcome(entry: Resting, *others: Resting, **said) -> Outcome:
    clearing = clear([] if said else [entry, *others], session=SESSION, fee=FEE)
    return why(entry, clearing, FEE, **said)


def test_a_bid_that_is_filled_is_told_the_rate_and_the_fee():
    told = outcome(resting(BID, 300_000, 5, sequence=1), resting(OFFER, 100_000, 9, sequence=2))
    assert (told.code, told.filled, told.own_use) == ("filled", 5, 0)
    assert told.sentence == "All of it was traded at 0.100000 per kWh plus 0.020000 of fees."


def test_an_offer_that_is_filled_is_told_the_rate_alone():
    told = outcome(resting(OFFER, 100_000, 5, sequence=1), resting(BID, 300_000, 9, sequence=2))
    assert told.sentence == "All of it was traded at 0.280000 per kWh."


def test_an_order_filled_in_part_is_told_that_it_set_the_rate():
    told = outcome(resting(OFFER, 100_000, 9, sequence=1), resting(BID, 300_000, 5, sequence=2))
    assert (told.code, told.filled) == ("partly-filled", 5)
    assert "0.100000 per kWh: 5 Wh were traded, and for 4 Wh" in told.sentence


def test_a_bid_alone_is_told_that_there_was_no_offer():
    told = outcome(resting(BID, 300_000, 5, sequence=1), resting(BID, 200_000, 5, sequence=2))
    assert (told.code, told.sentence) == ("not-matched-no-counterparty", "There was no offer to match it with.")


def test_an_offer_alone_is_told_that_there_was_no_bid():
    assert outcome(resting(OFFER, 1, 5, sequence=1)).sentence == "There was no bid to match it with."


def test_a_bid_below_every_offer_is_told_the_best_offer():
    told = outcome(resting(BID, 100_000, 5, sequence=1), resting(OFFER, 90_000, 5, sequence=2))
    assert told.code == "not-matched-limit"
    assert told.sentence == "Nothing was traded: the best offer came to 0.090000 per kWh plus 0.020000 of fees."


def test_a_bid_below_the_rate_is_told_the_rate():
    told = outcome(
        resting(BID, 100_000, 5, sequence=1),
        resting(BID, 300_000, 5, sequence=2),
        resting(OFFER, 90_000, 5, sequence=3),
    )
    assert told.code == "not-matched-limit"
    assert told.sentence == (
        "Its limit of 0.100000 per kWh is below the clearing rate of 0.185000 per kWh plus 0.020000 of fees."
    )


def test_an_offer_above_the_rate_is_told_the_rate():
    told = outcome(
        resting(OFFER, 200_000, 5, sequence=1),
        resting(OFFER, 90_000, 9, sequence=2),
        resting(BID, 300_000, 5, sequence=3),
    )
    assert told.sentence == "Its limit of 0.200000 per kWh is above the clearing rate of 0.090000 per kWh."


def test_an_order_at_the_rate_is_told_that_others_came_first():
    told = outcome(
        resting(OFFER, 90_000, 5, sequence=2),
        resting(OFFER, 90_000, 9, sequence=1),
        resting(BID, 300_000, 5, sequence=3),
    )
    assert (told.code, told.filled) == ("not-matched-margin", 0)


def test_a_bid_at_the_rate_and_the_fee_is_told_that_others_came_first():
    told = outcome(
        resting(BID, 110_000, 5, sequence=2),
        resting(BID, 110_000, 9, sequence=1),
        resting(OFFER, 50_000, 5, sequence=3),
    )
    assert told.code == "not-matched-margin"
    assert told.sentence == (
        "Its limit is the clearing rate of 0.090000 per kWh plus 0.020000 of fees, and others came first."
    )


def test_an_order_used_up_at_home_is_told_so():
    told = outcome(resting(BID, 300_000, 5, sequence=1, account=1), resting(OFFER, 90_000, 9, sequence=2, account=1))
    assert (told.code, told.filled, told.own_use) == ("own-energy", 0, 5)


def test_an_order_partly_used_at_home_is_told_about_the_rest():
    told = outcome(resting(BID, 300_000, 9, sequence=1, account=1), resting(OFFER, 90_000, 5, sequence=2, account=1))
    assert (told.code, told.own_use) == ("not-matched-no-counterparty", 5)
    assert told.sentence == "5 Wh were own energy, used at home; for the rest: there was no offer to match it with."


def test_an_order_that_lapsed_is_told_of_the_crossing():
    told = outcome(
        resting(BID, 300_000, 9, sequence=2, account=1, home="house"),
        resting(OFFER, 90_000, 5, sequence=1, account=1, home="barn"),
    )
    assert told.code == "lapsed-own-crossing"


def test_an_order_that_was_taken_back_is_told_so():
    assert outcome(resting(BID, 300_000, 9, sequence=1), cancelled=True).code == "cancelled"


def test_an_order_whose_authority_had_ended_is_told_why():
    told = outcome(resting(BID, 300_000, 9, sequence=1), excluded="not-authorised")
    assert told.code == "excluded"
    assert "(not-authorised)" in told.sentence


@given(books(), fees)
def test_every_outcome_agrees_with_the_clearing(book, fee):
    clearing = clear(book, session=SESSION, fee=fee)
    told = {entry.digest: why(entry, clearing, fee) for entry in book}
    assert sum(one.filled for one in told.values()) == 2 * clearing.energy
    for entry in book:
        one = told[entry.digest]
        rest = entry.order.energy - one.filled - one.own_use
        assert (rest == 0) == (one.code in (explanation.FILLED, explanation.OWN_ENERGY))
        assert (rest > 0 and one.filled > 0) == (one.code == explanation.PARTLY_FILLED)
        assert (entry.digest in clearing.lapsed) == (one.code == explanation.LAPSED)
        net = entry.order.limit - fee * (entry.order.side is BID)
        if one.code == explanation.LIMIT and clearing.rate is not None:
            assert net < clearing.rate if entry.order.side is BID else net > clearing.rate
        if one.code == explanation.MARGIN:
            assert net == clearing.rate


@pytest.mark.parametrize("side", Side)
def test_a_rate_below_zero_is_written_with_its_sign(side):
    told = outcome(
        resting(side, -500_000 + FEE * (side is BID), 5, sequence=1),
        resting(Side(1 - side), -500_000 + FEE * (side is OFFER), 5, sequence=2),
    )
    assert "-0.500000 per kWh" in told.sentence
