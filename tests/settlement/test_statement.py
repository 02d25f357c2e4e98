"""A statement: one line for each thing that moved energy or money, and sums that add up to the ledger."""

from dataclasses import asdict

from exchange.delivery import SessionKey
from settlement.chain_state import ChainState
from settlement.facts import BatchSettled, Deposited, Withdrawn
from settlement.statement import LineKind, Statements, fee_accounts, past_lines, totals
from tests.settlement.world import DOMAIN, honest_world

WORLD = honest_world()
AT = 1_000
"""When every movement of tokens is said to have been."""


def statements(books=WORLD.books, facts=WORLD.chain.facts):
    made = Statements()
    for book in books:
        made.add_book(book)
    for fact in facts:
        made.add_fact(fact, AT)
    return made


def accounts():
    return sorted({order.account for book in WORLD.books for order in book.orders} | {*WORLD.chain.credits})


def ledger():
    """The credits that the chain's facts add up to."""
    state = ChainState(DOMAIN.separator(), WORLD.chain.roles, scale=1)
    for witnessed in WORLD.chain.facts:
        fact = witnessed.fact
        settled = isinstance(fact, BatchSettled)
        state.apply(fact, WORLD.chain.calldata.get((fact.session, fact.part)) if settled else None)
    return state.ledger


def test_every_balance_is_what_the_ledger_says():
    made, kept = statements(), ledger()
    for account in accounts():
        assert totals(made.lines(account)).balance == kept.credit(account)
    assert any(kept.credit(account) for account in accounts())


def test_paid_less_earned_less_moved_is_the_balance():
    made = statements()
    for account in accounts():
        sums = totals(made.lines(account))
        assert sums.balance == sums.deposited - sums.withdrawn + sums.earned - sums.paid


def test_what_is_bought_is_sold_and_what_is_paid_is_earned():
    made = statements()
    sums = [totals(made.lines(account)) for account in accounts()]
    traded = sum(trade.energy for book in WORLD.books for trade in book.cleared.clearing.trades)
    assert sum(one.bought for one in sums) == sum(one.sold for one in sums) == traded
    assert sum(one.paid for one in sums) == sum(one.earned for one in sums)
    fees = sum(trade.fee for book in WORLD.books for trade in book.cleared.clearing.trades)
    assert sum(one.fees for one in sums) == fees > 0


def test_what_is_paid_to_a_node_is_the_income_of_its_account():
    sums = {account: totals(statements().lines(account)) for account in accounts()}
    paid: dict[int, int] = {}
    for one in sums.values():
        assert sum(one.fees_by_node.values()) == one.fees
        for node, fee in one.fees_by_node.items():
            paid[node] = paid.get(node, 0) + fee
    payees = fee_accounts(WORLD.books[0].parameters)
    assert paid
    assert {node: fee for one in sums.values() for node, fee in one.income_by_node.items()} == paid
    assert all(node in sums[payees[node]].income_by_node for node in paid)


def test_a_trade_has_a_line_for_the_buyer_the_seller_and_each_node():
    book = WORLD.books[0]
    made, trade = statements(), book.cleared.clearing.trades[0]
    account_of = {order.digest: order.account for order in book.orders}
    [share] = trade.fees.shares
    found = {
        kind: [line for line in made.lines(account) if (line.kind, line.reference) == (kind, trade.leaf())]
        for kind, account in (
            (LineKind.BOUGHT, account_of[trade.bid]),
            (LineKind.SOLD, account_of[trade.offer]),
            (LineKind.FEE, fee_accounts(book.parameters)[share.node]),
        )
    }
    amounts = {kind: [line.amount for line in lines] for kind, lines in found.items()}
    assert amounts == {LineKind.BOUGHT: [-trade.cost], LineKind.SOLD: [trade.value], LineKind.FEE: [trade.fee]}
    assert sum(amount for [amount] in amounts.values()) == 0
    [bought] = found[LineKind.BOUGHT]
    assert (bought.at, bought.session, bought.energy) == (book.key.delivery_start, book.key.number, trade.energy)
    assert (bought.rate, bought.fee_rate, bought.fees) == (trade.rate, trade.fee_rate, trade.fees.shares)
    [fee] = found[LineKind.FEE]
    assert (fee.node, fee.fee_rate, fee.energy) == (share.node, share.rate, 0), "the node did not touch the energy"


def test_own_energy_has_a_line_and_costs_nothing():
    book = WORLD.books[0]
    use = book.cleared.clearing.own_uses[0]
    account = next(order.account for order in book.orders if order.digest == use.bid)
    lines = [line for line in statements().lines(account) if line.kind is LineKind.OWN_USE]
    assert (lines[0].energy, lines[0].amount, lines[0].reference) == (use.energy, 0, use.bid)
    assert totals(lines).own_use == sum(line.energy for line in lines)


def test_deposits_and_withdrawals_have_a_line_with_their_transaction():
    made = statements(books=())
    for kind, fact_kind, sign in ((LineKind.DEPOSIT, Deposited, 1), (LineKind.WITHDRAWAL, Withdrawn, -1)):
        witnessed = next(seen for seen in WORLD.chain.facts if isinstance(seen.fact, fact_kind))
        line = next(line for line in made.lines(witnessed.fact.account) if line.reference == witnessed.tx_hash)
        assert (line.kind, line.amount, line.at) == (kind, sign * witnessed.fact.amount, AT)
        assert (line.session, line.rate, line.fee_rate) == (None, None, None)


def test_a_stretch_of_time_begins_with_its_first_second_and_ends_before_its_last():
    made = statements()
    account = WORLD.books[0].orders[0].account
    start = next(line.at for line in made.lines(account) if line.at != AT)
    assert SessionKey.of(next(line.session for line in made.lines(account, start))).delivery_start == start
    assert {line.at for line in made.lines(account, start, start + 1)} == {start}
    assert not made.lines(account, start, start)
    everything = made.lines(account)
    assert len(made.lines(account, 0, start)) + len(made.lines(account, start)) == len(everything)


def test_an_account_nothing_ever_moved_for_has_an_empty_statement():
    lines = statements().lines(99)
    assert lines == []
    assert all(not value for value in asdict(totals(lines)).values())


def lines_of(made):
    return [made.lines(account) for account in accounts()]


def test_the_lines_do_not_depend_on_what_was_heard_of_first():
    first = Statements()
    for fact in WORLD.chain.facts:
        first.add_fact(fact, AT)
    for book in WORLD.books:
        first.add_book(book)
    assert lines_of(first) == lines_of(statements())


def test_lines_that_were_forgotten_are_those_of_the_past():
    made, kept = statements(), lines_of(statements())
    gone = {book.key.number: book for book in WORLD.books}
    payees = fee_accounts(WORLD.books[0].parameters)

    def past(account, begin, end):
        for book in WORLD.books:
            account_of = {order.digest: order.account for order in book.orders}
            trades = [(t, account_of[t.bid], account_of[t.offer]) for t in book.cleared.clearing.trades]
            used = [(book.key, use) for use in book.cleared.clearing.own_uses if account_of[use.bid] == account]
            yield from (line for line in past_lines(account, trades, used, payees) if begin <= line.at < end)

    made.past = past
    assert lines_of(made) == kept, "what is in both counts once"
    made.forget(gone.keys())
    assert lines_of(made) == kept
    made.past = lambda *_: ()
    assert all(line.session is None for lines in lines_of(made) for line in lines)
