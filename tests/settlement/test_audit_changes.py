"""What an exchange could say of its tree that fits together, and what the audit makes of it."""

from dataclasses import replace
from itertools import islice

import pytest

from exchange.book import book_from_document
from exchange.clear import clear
from exchange.errors import OrderMalformed
from exchange.fee_row import FeeRow
from exchange.session_clearing import resting_order
from exchange.tree import FeeShare, Tree
from settlement.audit import audit
from tests.registries import CERTIFIER
from tests.settlement.generated import with_clearing
from tests.settlement.mutations import mutations
from tests.settlement.neighbourhood import CHANGES, FEEDER, NORTH, OPENING, RULES, SOUTH, change, neighbourhood
from tests.settlement.world import DOMAIN, FIRST

FIRST_CHANGE, SECOND_CHANGE = CHANGES


def recleared(book, tree=None):
    """The book as it would be had its session been cleared under its rules, or over another tree."""
    clearing = clear(
        [resting_order(accepted, book.rules) for accepted in book.orders],
        session=book.key,
        tree=book.rules.tree if tree is None else tree,
        mechanism=book.market.mechanism,
    )
    return replace(book, cleared=replace(book.cleared, clearing=clearing, parameters=book.rules.hash()))


def under(book, *changes):
    return recleared(replace(book, changes=changes))


def with_fees(book, alter):
    """The book whose trade between the communities carries other fees."""
    trades = [
        replace(trade, fees=alter(trade.fees)) if trade.fees.top == FEEDER else trade
        for trade in book.cleared.clearing.trades
    ]
    assert trades != list(book.cleared.clearing.trades)
    return with_clearing(book, trades=tuple(sorted(trades, key=lambda trade: trade.leaf())))


def honest(books):
    return books


def one_node_takes_more(books):
    def alter(fees):
        shares = (FeeShare(one.node, one.rate + (one.node == NORTH)) for one in fees.shares)
        return FeeRow(tuple(shares), fees.top)

    return [with_fees(books[0], alter), *books[1:]]


def one_node_takes_what_is_anothers(books):
    def alter(fees):
        (south, feeder, north) = fees.shares
        return FeeRow((FeeShare(SOUTH, south.rate - 1), FeeShare(FEEDER, feeder.rate + 1), north), fees.top)

    return [with_fees(books[0], alter), *books[1:]]


def one_node_takes_nothing(books):
    return [with_fees(books[0], lambda fees: FeeRow(fees.shares[1:], fees.top)), *books[1:]]


def nodes_stand_in_another_order(books):
    return [with_fees(books[0], lambda fees: FeeRow(fees.shares[::-1], fees.top)), *books[1:]]


def made_at_another_node(books):
    return [with_fees(books[0], lambda fees: FeeRow(fees.shares, SOUTH)), *books[1:]]


def more_let_out_than_the_limit(books):
    nodes = (replace(node, export_limit=None) for node in books[0].rules.tree.nodes)
    return [recleared(books[0], Tree(tuple(nodes))), *books[1:]]


def less_let_out_than_the_limit(books):
    nodes = (replace(node, export_limit=node.export_limit and 1_999) for node in books[0].rules.tree.nodes)
    return [recleared(books[0], Tree(tuple(nodes))), *books[1:]]


def a_change_by_somebody_else(books):
    forged = change(FIRST_CHANGE.terms, FIRST_CHANGE.at, by=CERTIFIER)
    return [books[0], under(books[1], forged), under(books[2], forged, SECOND_CHANGE)]


def a_change_signed_for_other_terms(books):
    terms = replace(FIRST_CHANGE.terms, export_limit=2_501)
    forged = replace(FIRST_CHANGE, terms=terms, digest=terms.digest(DOMAIN.separator()))
    return [books[0], under(books[1], forged), under(books[2], forged, SECOND_CHANGE)]


def a_change_under_anothers_name(books):
    named = replace(FIRST_CHANGE, digest=bytes(32))
    return [books[0], under(books[1], named), under(books[2], named, SECOND_CHANGE)]


def a_change_before_the_operator_was_one(books):
    early = replace(FIRST_CHANGE, at=FIRST - 7_201)
    return [under(books[0], early), under(books[1], early), under(books[2], early, SECOND_CHANGE)]


def a_change_left_out_of_one_session(books):
    return [books[0], under(books[1]), books[2]]


def a_change_left_out_of_all(books):
    return [books[0], under(books[1]), under(books[2], SECOND_CHANGE)]


def a_change_in_a_session_that_was_open(books):
    return [under(books[0], FIRST_CHANGE), *books[1:]]


def a_change_dated_back(books):
    """Before the second of the first gate opening it would have held for the first session, too."""
    dated = replace(FIRST_CHANGE, at=FIRST - OPENING - 1)
    return [books[0], under(books[1], dated), under(books[2], dated, SECOND_CHANGE)]


def a_change_told_in_two_ways(books):
    other = replace(FIRST_CHANGE, at=FIRST_CHANGE.at + 1)
    return [books[0], under(books[1], other), books[2]]


def changes_in_another_order(books):
    return [*books[:2], under(books[2], SECOND_CHANGE, FIRST_CHANGE)]


def another_founding(books):
    return [recleared(replace(books[0], parameters=replace(RULES, community="Elsewhere"))), *books[1:]]


LIES = [
    (honest, set()),
    (one_node_takes_more, {"clearing-trades", "trade-fee", "trade-beyond-limit"}),
    (one_node_takes_what_is_anothers, {"clearing-trades", "trade-fee"}),
    (one_node_takes_nothing, {"clearing-trades", "trade-fee"}),
    (nodes_stand_in_another_order, {"clearing-trades"}),
    (made_at_another_node, {"clearing-trades", "trade-fee"}),
    (more_let_out_than_the_limit, {"clearing-rate", "clearing-trades", "clearing-nodes", "node-limit"}),
    (less_let_out_than_the_limit, {"clearing-trades", "clearing-nodes"}),
    (a_change_by_somebody_else, {"terms-change"}),
    (a_change_signed_for_other_terms, {"terms-change"}),
    (a_change_under_anothers_name, {"terms-change"}),
    (a_change_before_the_operator_was_one, {"terms-change"}),
    (a_change_left_out_of_one_session, {"rules-changed"}),
    (a_change_left_out_of_all, {"terms-change"}),
    (a_change_in_a_session_that_was_open, {"rules-changed"}),
    (a_change_dated_back, {"rules-changed"}),
    (a_change_told_in_two_ways, {"terms-change", "rules-changed"}),
    (changes_in_another_order, {"terms-change"}),
    (another_founding, {"parameters-changed"}),
]


@pytest.mark.parametrize(("lie", "found"), LIES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_lie_about_the_tree_that_fits_together_is_named(lie, found):
    world = neighbourhood(lie)
    assert {finding.code for finding in audit(world.books, world.chain)} == found


def test_the_books_of_the_neighbourhood_are_what_their_story_says():
    books = neighbourhood().books
    assert [len(book.changes) for book in books] == [0, 1, 2]
    sent = {FEEDER: [], SOUTH: []}
    for book in books:
        for result in book.cleared.clearing.nodes:
            if result.node in sent:
                sent[result.node].append(result.energy if result.node == FEEDER else result.exported)
    assert sent == {FEEDER: [2_000, 2_500, 2_600], SOUTH: [2_000, 2_500, 2_600]}
    assert [[held.energy for held in book.cleared.clearing.held] for book in books] == [[2_100], [1_600], [1_500]]


def test_a_published_book_of_the_tree_with_anything_changed_is_malformed_or_has_findings():
    """The rules of the founding were changed in every place elsewhere; here it is the changes and the clearing."""
    world = neighbourhood()
    book = world.books[1]
    document = book.to_document()
    tried = 0
    for path, changed in islice(mutations(document), 0, None, 2):
        if path[0] not in ("changes", "cleared") or path in (("cleared", "at"), ("cleared", "turn")):
            continue
        tried += 1
        try:
            other = book_from_document(changed)
        except OrderMalformed:
            continue
        assert other == book or audit([world.books[0], other, world.books[2]], world.chain), path
    assert tried > 100


def test_one_book_with_its_changes_is_audited_by_itself():
    world = neighbourhood()
    for book in world.books:
        assert audit([book], world.chain, whole=False) == []
