"""The audit of ticks: silent about a session as it was, and with the right finding where one thing is altered."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from exchange.book import book_from_document
from exchange.units import Wh
from identity.facts import AccountOpened, EpochBegun
from settlement.audit_clearing import check_clearing, entries_of
from settlement.audit_orders import check_orders, signers_of
from settlement.audit_proposals import check_proposals
from settlement.audit_ticks import check_ticks
from settlement.authority import Authority
from settlement.boundaries import boundaries_of
from settlement.chain_view import ChainView
from settlement.facts import Witnessed
from tests.actors import AGENT
from tests.exchange import street
from tests.exchange.street import CLOSURE, OPENING, PLANT, ROOF, bid, offer
from tests.exchange.test_ticks import FIRST, acts, limits, lived, mechanisms
from tests.exchange.ticking import TICK, Trading, parameters
from tests.registries import ROLES, asset_facts, delegation, role_facts


def authority_over(books, *later):
    """What the chain says of the street, and after it `later`."""
    facts = [*role_facts(), *(AccountOpened(account, holder.address) for holder, account in street.ACCOUNTS.items())]
    for number, (asset, owner) in enumerate(street.ASSETS.items(), 1):
        facts += asset_facts(number, asset, owner.address, street.ACCOUNTS[owner], expiry=street.FAR + 1)
    facts += [delegation(street.KITCHEN, AGENT.address, CLOSURE + 1), *later]
    chain = ChainView(
        chain_id=street.DOMAIN.chain_id,
        contract=street.DOMAIN.contract,
        roles=ROLES,
        facts=tuple(Witnessed(fact, 1, bytes(32), bytes(32), place) for place, fact in enumerate(facts)),
        calldata={},
        credits={},
    )
    return Authority(books, [signers_of(book) for book in books], chain)


def found(book, *later):
    """The findings about the orders, the ticks and the clearing of a book."""
    authority = authority_over([book], *later)
    boundaries = boundaries_of([book])[book.key]
    findings = [
        *check_orders(book, signers_of(book), authority, 0),
        *check_ticks(book, entries_of(book), boundaries, authority, 0),
        *check_proposals(book),
        *check_clearing(book, boundaries),
    ]
    return {finding.code for finding in findings}


@pytest.fixture(scope="module")
def book():
    trading = Trading(parameters(limit=700))
    trading.take(bid(energy=Wh(900)), OPENING + 1)
    trading.take(offer(ROOF, energy=Wh(500)), OPENING + 2)
    trading.take(offer(PLANT, energy=Wh(300)), FIRST + 1)
    trading.take(bid(street.HOUSE, energy=Wh(400)), FIRST + 3)
    trading.cancel(bid(energy=Wh(900)), FIRST + TICK + 5)
    trading.take(offer(ROOF, energy=Wh(600), salt=9), FIRST + TICK + 9)
    return trading.close()


def with_tick(book, place, **changes):
    ticks = list(book.ticks)
    ticks[place] = replace(ticks[place], **changes)
    return replace(book, ticks=tuple(ticks))


def test_a_session_as_it_was_gives_no_finding(book):
    assert len(book.ticks) == 3
    assert found(book) == set()
    assert book_from_document(book.to_document()) == book


@settings(max_examples=25)
@given(acts, mechanisms, limits)
def test_no_session_as_it_was_gives_a_finding(acts, mechanism, limit):
    assert found(lived(parameters(mechanism, limit=limit), acts).close()) == set()


def test_an_altered_fill_is_found(book):
    clearing = book.ticks[0].clearing
    fill = replace(clearing.trades[0], energy=Wh(clearing.trades[0].energy - 1))
    assert "tick-clearing" in found(with_tick(book, 0, clearing=replace(clearing, trades=(fill,))))


def test_a_fill_that_is_kept_from_a_tick_is_found(book):
    nothing = replace(book.ticks[0].clearing, trades=(), nodes=())
    assert {"tick-clearing", "clearing-trades"} <= found(with_tick(book, 0, clearing=nothing))


def test_a_tick_at_another_instant_is_found(book):
    assert "tick-time" in found(with_tick(book, 0, at=FIRST + 1))
    assert "tick-time" in found(with_tick(book, 2, at=FIRST))
    assert "tick-time" in found(with_tick(book, 2, at=CLOSURE))


def test_an_order_let_in_late_or_kept_out_is_found(book):
    assert "tick-orders" in found(with_tick(book, 0, upto=3))
    assert "tick-orders" in found(with_tick(book, 0, upto=1))


def test_a_tick_that_was_not_made_is_found(book):
    assert "tick-missed" in found(replace(book, ticks=book.ticks[:-1]))
    assert "tick-missed" in found(replace(book, ticks=book.ticks[1:]))


def test_ticks_that_were_not_made_while_nothing_was_decided_are_no_finding():
    trading = Trading(parameters())
    trading.take(bid(), OPENING + 1)
    trading.take(offer(PLANT), OPENING + 2)
    trading.tick(FIRST + 10 * TICK)
    assert found(trading.close()) == set()


def test_an_order_left_out_of_a_tick_without_cause_is_found_and_with_cause_is_not():
    trading = Trading(parameters())
    trading.take(bid(), OPENING + 1)
    trading.take(offer(PLANT), OPENING + 2)
    voided = EpochBegun(2, 1, OPENING + 3)
    trading.registry.apply(voided)
    book = trading.close()
    assert len(book.ticks[0].excluded) == 1
    assert found(book, voided) == set()
    assert "excluded-wrongly" in found(book)


def test_a_union_that_leaves_a_fill_out_is_found(book):
    clearing = book.cleared.clearing
    lie = replace(book.cleared, clearing=replace(clearing, trades=clearing.trades[1:]))
    assert "clearing-trades" in found(replace(book, cleared=lie))


def test_more_than_a_boundary_lets_through_over_all_ticks_is_found(book):
    clearing = book.cleared.clearing
    more = tuple(replace(trade, energy=Wh(trade.energy + 300)) for trade in clearing.trades)
    assert "node-limit" in found(replace(book, cleared=replace(book.cleared, clearing=replace(clearing, trades=more))))


def test_a_tick_that_names_unknown_orders_or_absurd_energy_is_found_and_breaks_nothing(book):
    clearing = book.ticks[0].clearing
    for lie in (
        replace(clearing.trades[0], bid=bytes(32)),
        replace(clearing.trades[0], energy=Wh(-5)),
        replace(clearing.trades[0], energy=Wh(1 << 80)),
    ):
        assert "tick-clearing" in found(with_tick(book, 0, clearing=replace(clearing, trades=(lie,))))
