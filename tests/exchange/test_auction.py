"""The auction's kernel against the slow reference, and against the laws of a uniform-price auction."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.auction import Auction, Columns, auction
from exchange.units import MAX_ENERGY, MAX_RATE
from tests.exchange.reference_auction import MarketResult, Result, Row, most_energy, reference_auction
from tests.strategies import many_markets, rows


def columns(side: list[Row]) -> Columns:
    table = np.array(side, dtype=np.int64).reshape(-1, 3)
    return Columns(table[:, 0], table[:, 1], table[:, 2])


def as_result(cleared: Auction) -> Result:
    numbers = zip(
        cleared.energy.tolist(), cleared.rate.tolist(), cleared.low.tolist(), cleared.high.tolist(), strict=True
    )
    trades = zip(cleared.bid.tolist(), cleared.offer.tolist(), cleared.quantity.tolist(), strict=True)
    return Result(
        [MarketResult(e, r, low, high) if e else MarketResult(0, None, None, None) for e, r, low, high in numbers],
        cleared.bid_fill.tolist(),
        cleared.offer_fill.tolist(),
        list(trades),
    )


def cleared(bids: list[Row], offers: list[Row], markets: int = 1) -> Result:
    return as_result(auction(columns(bids), columns(offers), markets))


@given(many_markets())
def test_the_kernel_gives_what_the_slow_reference_gives(books):
    bids, offers, markets = books
    assert cleared(bids, offers, markets) == reference_auction(bids, offers, markets)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("markets", "orders", "levels"), [(1, 3000, 40), (1, 3000, 1 << 46), (300, 3000, 6), (40, 4000, 900)]
)
def test_large_books_with_many_ties_agree_with_the_slow_reference(seed, markets, orders, levels):
    draw = random.Random(f"{seed} {markets} {orders} {levels}")

    def side() -> list[Row]:
        return [
            Row(draw.randrange(markets), draw.randint(-levels, levels), draw.choice((1, 250, draw.randint(1, 5000))))
            for _ in range(orders)
        ]

    bids, offers = side(), side()
    assert cleared(bids, offers, markets) == reference_auction(bids, offers, markets)


@given(rows(1), rows(1))
def test_no_rate_would_let_more_energy_be_traded(bids, offers):
    assert cleared(bids, offers).markets[0].energy == most_energy(bids, offers)


@given(many_markets())
def test_nobody_is_filled_beyond_the_limit_and_nobody_inside_it_goes_short(books):
    bids, offers, markets = books
    result = cleared(bids, offers, markets)
    for side, fills, sign in ((bids, result.bid_fill, 1), (offers, result.offer_fill, -1)):
        for row, fill in zip(side, fills, strict=True):
            rate = result.markets[row.market].rate
            assert 0 <= fill <= row.energy
            if fill:
                assert sign * (row.rate - rate) >= 0
            if rate is not None and sign * (row.rate - rate) > 0:
                assert fill == row.energy


@given(many_markets())
def test_trades_add_up_to_the_fills_of_both_sides(books):
    bids, offers, markets = books
    result = cleared(bids, offers, markets)
    bought, sold = [0] * len(bids), [0] * len(offers)
    for bid, offer, energy in result.trades:
        assert energy > 0
        assert bids[bid].market == offers[offer].market
        bought[bid] += energy
        sold[offer] += energy
    assert (bought, sold) == (result.bid_fill, result.offer_fill)
    assert sum(bought) == sum(sold) == sum(market.energy for market in result.markets)


@given(many_markets(), st.integers(0, 5))
def test_a_market_clears_the_same_alone_and_in_company(books, chosen):
    bids, offers, markets = books
    market = chosen % markets
    alone = cleared(
        [row._replace(market=0) for row in bids if row.market == market],
        [row._replace(market=0) for row in offers if row.market == market],
    )
    assert cleared(bids, offers, markets).markets[market] == alone.markets[0]


def test_a_bid_filled_in_part_sets_the_rate():
    assert cleared([Row(0, 30, 10)], [Row(0, 10, 5)]).markets == [MarketResult(5, 30, 30, 30)]


def test_an_offer_filled_in_part_sets_the_rate():
    assert cleared([Row(0, 30, 5)], [Row(0, 10, 10)]).markets == [MarketResult(5, 10, 10, 10)]


def test_where_both_sides_end_together_the_rate_is_the_midpoint():
    assert cleared([Row(0, 30, 5)], [Row(0, 10, 5)]).markets == [MarketResult(5, 20, 10, 30)]


def test_a_bid_left_over_raises_the_low_end():
    assert cleared([Row(0, 30, 5), Row(0, 12, 5)], [Row(0, 10, 5)]).markets == [MarketResult(5, 21, 12, 30)]


def test_an_offer_left_over_lowers_the_high_end():
    assert cleared([Row(0, 30, 5)], [Row(0, 10, 5), Row(0, 25, 5)]).markets == [MarketResult(5, 17, 10, 25)]


def test_a_midpoint_below_zero_is_rounded_down_too():
    assert cleared([Row(0, -2, 5)], [Row(0, -5, 5)]).markets == [MarketResult(5, -4, -5, -2)]


def test_a_bid_at_the_offer_trades():
    assert cleared([Row(0, 10, 5)], [Row(0, 10, 5)]).markets == [MarketResult(5, 10, 10, 10)]


def test_a_bid_just_below_the_offer_does_not_trade():
    assert cleared([Row(0, 9, 5)], [Row(0, 10, 5)]) == Result([MarketResult(0, None, None, None)], [0], [0], [])


def test_among_equal_bids_the_earlier_row_is_filled_first():
    assert cleared([Row(0, 10, 4), Row(0, 10, 4)], [Row(0, 5, 6)]).bid_fill == [4, 2]


def test_among_unequal_bids_the_dearer_row_is_filled_first():
    assert cleared([Row(0, 10, 4), Row(0, 11, 4)], [Row(0, 5, 6)]).bid_fill == [2, 4]


def test_among_equal_offers_the_earlier_row_is_filled_first():
    assert cleared([Row(0, 10, 6)], [Row(0, 5, 4), Row(0, 5, 4)]).offer_fill == [4, 2]


@pytest.mark.parametrize(("bids", "offers"), [([], []), ([Row(0, 1, 1)], []), ([], [Row(0, 1, 1)])])
def test_a_side_without_orders_trades_nothing(bids, offers):
    assert cleared(bids, offers, 3) == reference_auction(bids, offers, 3)


@pytest.mark.slow
def test_the_widest_rates_of_many_markets_are_cleared():
    # rates of 48 bits and market numbers of 17: together more than one sorting key holds
    bids = [Row(market, rate, 3) for market in range(70_000) for rate in (-MAX_RATE - 1, MAX_RATE)]
    offers = [Row(market, rate, 2) for market in reversed(range(70_000)) for rate in (MAX_RATE, -MAX_RATE - 1)]
    result = cleared(bids, offers, 70_000)
    assert result.bid_fill == [0, 3] * 70_000
    assert result.offer_fill == [1, 2] * 70_000
    assert set(result.markets) == {MarketResult(3, MAX_RATE, MAX_RATE, MAX_RATE)}


@pytest.mark.parametrize("markets", [1, 2])
@pytest.mark.parametrize("orders", [16_384, 16_385, 33_000])
def test_sums_beyond_sixty_two_bits_stay_exact(orders, markets):
    bids = [Row(i % markets, 5, MAX_ENERGY) for i in range(orders)]
    offers = [Row(i % markets, i % 5, MAX_ENERGY - 1) for i in range(orders)]
    assert cleared(bids, offers, markets) == reference_auction(bids, offers, markets)


@settings(max_examples=15)
@given(many_markets())
def test_whole_numbers_of_python_and_of_the_machine_give_the_same(books):
    bids, offers, markets = books
    # bids nobody answers, in a market of their own, whose sum alone leaves 62 bits
    unanswered = [Row(markets, 0, MAX_ENERGY)] * 16_400
    wide = cleared(bids + unanswered, offers, markets + 1)
    narrow = cleared(bids, offers, markets)
    assert wide.markets[:markets] == narrow.markets
    assert (wide.bid_fill[: len(bids)], wide.offer_fill, wide.trades) == (
        narrow.bid_fill,
        narrow.offer_fill,
        narrow.trades,
    )


@pytest.mark.parametrize("row", [Row(1, 0, 1), Row(-1, 0, 1), Row(0, 0, 0), Row(0, 0, -1), Row(0, 0, MAX_ENERGY + 1)])
def test_a_row_out_of_range_is_refused_on_either_side(row):
    with pytest.raises(ValueError):
        cleared([row], [])
    with pytest.raises(ValueError):
        cleared([], [row])


@pytest.mark.parametrize("row", [Row(0, 0, 1), Row(0, 0, MAX_ENERGY), Row(0, 1 << 60, 1), Row(0, -(1 << 60), 1)])
def test_a_row_at_the_edge_of_its_range_is_taken_on_either_side(row):
    assert cleared([row], []).bid_fill == cleared([], [row]).offer_fill == [0]


@pytest.mark.parametrize("rate", [(1 << 60) + 1, -(1 << 60) - 1])
def test_a_rate_out_of_range_is_refused(rate):
    with pytest.raises(ValueError, match="2\\^60"):
        cleared([Row(0, rate, 1)], [])


def test_columns_of_different_length_are_refused():
    one, two = np.zeros(1, dtype=np.int64), np.ones(2, dtype=np.int64)
    with pytest.raises(ValueError, match="one length"):
        auction(Columns(one, one, two), columns([]), 1)
