"""Fees in a statement: who paid which node, and what an account got that several nodes pay into."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.trade import Trade
from settlement.effects.routes import line_document
from settlement.effects.statement_page import page_of
from settlement.statement import LineKind, Statements, past_lines, totals
from tests.strategies import SESSION, digests, energies, fee_row, fee_rows, one_fee, rates

HOMES, BARNS, FEEDER = 11, 12, 13
"""Two communities under one feeder, by number."""

PAYEES = {HOMES: 1, BARNS: 2, FEEDER: 2}
"""The barns and the feeder have one account."""

BUYER, SELLER = 5, 6
ACCOUNTS = (1, 2, BUYER, SELLER)
ACROSS = fee_row(FEEDER, (HOMES, 2_000), (FEEDER, 3_000), (BARNS, 5_000))
TRADE = Trade(session=SESSION, bid=b"b" * 32, offer=b"o" * 32, energy=700, rate=100_000, fees=ACROSS)

parties = st.sampled_from(ACCOUNTS)
histories = st.lists(
    st.tuples(
        st.builds(
            Trade,
            session=st.just(SESSION),
            bid=digests,
            offer=digests,
            energy=energies,
            rate=rates,
            fees=fee_rows(nodes=st.sampled_from(sorted(PAYEES)), most=3),
        ),
        parties,
        parties,
    ),
    max_size=6,
)


def lines_of(account, *trades):
    return list(past_lines(account, [(trade, BUYER, SELLER) for trade in trades], (), PAYEES))


def test_the_buyer_sees_what_each_node_took():
    [bought] = lines_of(BUYER, TRADE)
    assert (bought.kind, bought.fees, bought.fee_rate) == (LineKind.BOUGHT, ACROSS.shares, 10_000)
    sums = totals([bought])
    assert sums.fees_by_node == {HOMES: 1_400_000, FEEDER: 2_100_000, BARNS: 3_500_000}
    assert list(sums.fees_by_node) == [HOMES, BARNS, FEEDER], "by number, whatever the way was"
    assert sums.fees == 7_000_000
    assert sums.income_by_node == {}


def test_the_seller_pays_no_fee():
    [sold] = lines_of(SELLER, TRADE)
    assert (sold.kind, sold.amount, sold.fees, sold.fee_rate) == (LineKind.SOLD, 70_000_000, (), 10_000)
    assert (totals([sold]).fees, totals([sold]).fees_by_node) == (0, {})


def test_an_account_of_several_nodes_has_a_line_for_each():
    feeder, barns = lines_of(2, TRADE)
    assert [(line.node, line.fee_rate, line.amount) for line in (feeder, barns)] == [
        (FEEDER, 3_000, 2_100_000),
        (BARNS, 5_000, 3_500_000),
    ]
    assert {line.reference for line in (feeder, barns)} == {TRADE.leaf()}
    sums = totals([feeder, barns])
    assert (sums.income_by_node, sums.earned) == ({BARNS: 3_500_000, FEEDER: 2_100_000}, 5_600_000)
    assert (sums.fees, sums.fees_by_node) == (0, {}), "it was paid fees, and paid none"


def test_the_top_that_takes_nothing_has_no_line():
    free = replace(TRADE, fees=one_fee(FEEDER, 0))
    assert lines_of(2, free) == []
    assert len(lines_of(2, replace(TRADE, fees=one_fee(FEEDER, 1)))) == 1
    assert totals(lines_of(BUYER, free)).fees_by_node == {}


def test_a_node_without_an_account_is_a_bug_and_no_money_is_lost_in_silence():
    with pytest.raises(KeyError):
        lines_of(2, replace(TRADE, fees=one_fee(99, 1)))


def test_a_page_may_end_between_two_fees_of_one_trade():
    made = Statements(lambda account, *_: lines_of(account, TRADE, replace(TRADE, energy=300)))
    lines = made.lines(2)
    seen, cursor = [], None
    while True:
        page, cursor = page_of(lines, cursor, 1)
        seen += page
        if cursor is None:
            break
    assert seen == lines
    assert len(seen) == 4


def test_a_line_shows_its_fees_by_node():
    [bought] = lines_of(BUYER, TRADE)
    [homes] = lines_of(1, TRADE)
    [sold] = lines_of(SELLER, TRADE)
    shown = {line.kind: line_document(line) for line in (bought, homes, sold)}
    assert shown[LineKind.BOUGHT]["fees"] == [
        {"node": HOMES, "rate_micro_per_kwh": 2_000},
        {"node": FEEDER, "rate_micro_per_kwh": 3_000},
        {"node": BARNS, "rate_micro_per_kwh": 5_000},
    ]
    assert shown[LineKind.FEE]["fees"] == [{"node": HOMES, "rate_micro_per_kwh": 2_000}]
    assert shown[LineKind.SOLD]["fees"] == []
    assert [shown[kind]["node"] for kind in (LineKind.BOUGHT, LineKind.FEE, LineKind.SOLD)] == [None, HOMES, None]


@given(histories)
def test_what_is_paid_to_a_node_is_what_its_account_gets_and_all_sums_to_nothing(history):
    sums = {account: totals(past_lines(account, history, (), PAYEES)) for account in ACCOUNTS}
    assert sum(one.balance for one in sums.values()) == 0
    for node, payee in PAYEES.items():
        paid = sum(one.fees_by_node.get(node, 0) for one in sums.values())
        assert paid == sums[payee].income_by_node.get(node, 0)
    for one in sums.values():
        assert sum(one.fees_by_node.values()) == one.fees
        assert one.balance == one.earned - one.paid
