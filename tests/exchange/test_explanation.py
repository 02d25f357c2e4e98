"""Why an order was matched or not: one story for each code, and agreement with every clearing."""

from operator import attrgetter

import pytest
from hypothesis import given, settings

from exchange import explanation
from exchange.clear import Resting, clear
from exchange.delivery import Mechanism
from exchange.explanation import Outcome, why
from exchange.order import Side
from tests.exchange.trees import one_node
from tests.strategies import SESSION, books, fees, resting

BID, OFFER = Side.BID, Side.OFFER
FEE = 20_000


def outcome(entry: Resting, *others: Resting, **said) -> Outcome:
    clearing = clear([] if said else [entry, *others], session=SESSION, tree=one_node(FEE))
    return why(entry, clearing, one_node(FEE), **said)


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


@pytest.mark.parametrize("mechanism", Mechanism, ids=attrgetter("title"))
@settings(max_examples=40)
@given(books(), fees)
def test_every_outcome_agrees_with_the_clearing(mechanism, book, fee):
    clearing = clear(book, session=SESSION, tree=one_node(fee), mechanism=mechanism)
    told = {entry.digest: why(entry, clearing, one_node(fee), mechanism=mechanism) for entry in book}
    assert sum(one.filled for one in told.values()) == 2 * clearing.energy
    for entry in book:
        one = told[entry.digest]
        rest = entry.order.energy - one.filled - one.own_use
        assert (rest == 0) == (one.code in (explanation.FILLED, explanation.OWN_ENERGY))
        assert (rest > 0 and one.filled > 0) == (one.code == explanation.PARTLY_FILLED)
        assert (entry.digest in clearing.lapsed) == (one.code == explanation.LAPSED)
        net = entry.order.limit - fee * (entry.order.side is BID)
        is_bid = entry.order.side is BID
        if one.code == explanation.LIMIT and clearing.trades:
            bound = clearing.rate if clearing.rate is not None else clearing.low if is_bid else clearing.high
            assert net < bound if is_bid else net > bound
        if one.code == explanation.MARGIN:
            if mechanism.is_uniform:
                assert net == clearing.rate
            else:  # somebody came first: a trade at a rate that the order would have agreed to
                assert any(net >= trade.rate if is_bid else net <= trade.rate for trade in clearing.trades)


@pytest.mark.parametrize("side", Side)
def test_a_rate_below_zero_is_written_with_its_sign(side):
    told = outcome(
        resting(side, -500_000 + FEE * (side is BID), 5, sequence=1),
        resting(Side(1 - side), -500_000 + FEE * (side is OFFER), 5, sequence=2),
    )
    assert "-0.500000 per kWh" in told.sentence


# Where each trade has a rate of its own


def told_by(mechanism: Mechanism, entry: Resting, *others: Resting) -> Outcome:
    clearing = clear([entry, *others], session=SESSION, tree=one_node(FEE), mechanism=mechanism)
    return why(entry, clearing, one_node(FEE), mechanism=mechanism)


def test_pay_as_bid_tells_a_buyer_its_limit_and_a_seller_the_rates_of_its_buyers():
    dear, cheap = resting(BID, 320_000, 5, sequence=1), resting(BID, 220_000, 1, sequence=2)
    offer = resting(OFFER, 100_000, 6, sequence=3)
    told = told_by(Mechanism.PAY_AS_BID, dear, cheap, offer)
    assert told.sentence == "All of it was traded at 0.300000 per kWh plus 0.020000 of fees."
    told = told_by(Mechanism.PAY_AS_BID, offer, dear, cheap)
    assert told.sentence == "All of it was traded at 0.200000 to 0.300000 per kWh (0.283333 on average)."


def test_pay_as_offer_tells_a_seller_its_limit_and_a_buyer_the_rates_of_its_sellers():
    cheap, dear = resting(OFFER, 100_000, 5, sequence=1), resting(OFFER, 160_000, 5, sequence=2)
    bid = resting(BID, 320_000, 10, sequence=3)
    assert told_by(Mechanism.PAY_AS_OFFER, dear, cheap, bid).sentence == "All of it was traded at 0.160000 per kWh."
    assert told_by(Mechanism.PAY_AS_OFFER, bid, cheap, dear).sentence == (
        "All of it was traded at 0.100000 to 0.160000 per kWh (0.130000 on average) plus 0.020000 of fees."
    )


@pytest.mark.parametrize("mechanism", [Mechanism.PAY_AS_BID, Mechanism.PAY_AS_OFFER], ids=attrgetter("title"))
def test_an_order_filled_in_part_is_not_told_that_it_set_the_rate(mechanism):
    told = told_by(mechanism, resting(OFFER, 100_000, 9, sequence=1), resting(BID, 120_000, 5, sequence=2))
    assert (told.code, told.sentence) == (
        "partly-filled",
        "5 Wh were traded at 0.100000 per kWh, and for 4 Wh nobody was left who agreed to its limit.",
    )


LEFT_OUT = {
    "a bid below every rate": (
        Mechanism.PAY_AS_BID,
        resting(BID, 100_000, 5, sequence=9),
        "not-matched-limit",
        "Its limit of 0.100000 per kWh is below the lowest rate traded of 0.230000 per kWh plus 0.020000 of fees.",
    ),
    "a bid as good as the last": (
        Mechanism.PAY_AS_BID,
        resting(BID, 250_000, 5, sequence=9),
        "not-matched-margin",
        "Its limit is the lowest rate traded of 0.230000 per kWh plus 0.020000 of fees, and others came first.",
    ),
    "an offer the bids agreed to": (
        Mechanism.PAY_AS_BID,
        resting(OFFER, 110_000, 5, sequence=9),
        "not-matched-margin",
        "Cheaper or earlier offers took every bid down to its limit of 0.110000 per kWh.",
    ),
    "an offer the dearer of the bids agreed to": (
        Mechanism.PAY_AS_BID,
        resting(OFFER, 240_000, 5, sequence=9),
        "not-matched-margin",
        "Cheaper or earlier offers took every bid down to its limit of 0.240000 per kWh.",
    ),
    "an offer above every bid": (
        Mechanism.PAY_AS_BID,
        resting(OFFER, 400_000, 5, sequence=9),
        "not-matched-limit",
        "Its limit of 0.400000 per kWh is above the highest rate traded of 0.280000 per kWh.",
    ),
    "a bid that others outbid": (
        Mechanism.PAY_AS_OFFER,
        resting(BID, 200_000, 5, sequence=9),
        "not-matched-margin",
        "Dearer or earlier bids took every offer up to its limit of 0.200000 per kWh.",
    ),
    "a bid the cheaper of the offers agreed to": (
        Mechanism.PAY_AS_OFFER,
        resting(BID, 115_000, 5, sequence=9),
        "not-matched-margin",
        "Dearer or earlier bids took every offer up to its limit of 0.115000 per kWh.",
    ),
    "a bid below every offer": (
        Mechanism.PAY_AS_OFFER,
        resting(BID, 100_000, 5, sequence=9),
        "not-matched-limit",
        "Its limit of 0.100000 per kWh is below the lowest rate traded of 0.090000 per kWh plus 0.020000 of fees.",
    ),
    "an offer that others undercut": (
        Mechanism.PAY_AS_OFFER,
        resting(OFFER, 110_000, 5, sequence=9),
        "not-matched-limit",
        "Its limit of 0.110000 per kWh is above the highest rate traded of 0.100000 per kWh.",
    ),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_an_order_left_out_is_told_what_kept_it_out(case):
    mechanism, entry, code, sentence = LEFT_OUT[case]
    bids = [resting(BID, 300_000, 5, sequence=1), resting(BID, 250_000, 5, sequence=2)]
    offers = [resting(OFFER, 90_000, 5, sequence=3), resting(OFFER, 100_000, 5, sequence=4)]
    told = told_by(mechanism, entry, *bids, *offers)
    assert (told.code, told.sentence) == (code, sentence)
