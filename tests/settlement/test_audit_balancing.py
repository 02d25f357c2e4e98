"""The audit of balancing sessions: silent about them as they were, and loud where one thing is altered."""

from dataclasses import replace

import pytest

from exchange.book import book_from_document, book_of
from exchange.order import Side
from exchange.units import MicroPerKwh, Wh
from identity.claim_data import BalancingRates
from identity.energy_roles import EnergyRole
from identity.facts import AccountOpened
from settlement.audit_clearing import check_clearing
from settlement.audit_orders import check_orders, signers_of
from settlement.authority import Authority
from settlement.boundaries import boundaries_of
from settlement.chain_view import ChainView
from settlement.facts import Witnessed
from tests.exchange import balancing, street
from tests.exchange.balancing import BATTERY, DOWN, EASTERN_NEED, NEED, PLANT, START, UP, signed
from tests.exchange.test_balancing import DEMAND, SUPPLY, Balanced, spot
from tests.registries import ROLES, asset_facts, role_facts

BID, OFFER = Side.BID, Side.OFFER


def facts(rates=balancing.RATES):
    yield from role_facts()
    yield from (AccountOpened(account, holder.address) for holder, account in balancing.ACCOUNTS.items())
    for number, (asset, owner) in enumerate(balancing.OWNERS.items(), 1):
        yield from asset_facts(number, asset, owner.address, balancing.ACCOUNTS[owner], expiry=street.FAR)
        yield balancing.certified(asset, EnergyRole.ASSET, balancing.PROPERTIES[asset].pack())
    for asset in balancing.PROVIDERS:
        yield balancing.certified(asset, EnergyRole.BALANCING_PROVIDER, rates.pack())


def found(book, books, **known):
    """The codes of the findings about a book, which stands among others."""
    chain = ChainView(
        chain_id=street.DOMAIN.chain_id,
        contract=street.DOMAIN.contract,
        roles=ROLES,
        facts=tuple(Witnessed(fact, 1, bytes(32), bytes(32), place) for place, fact in enumerate(facts(**known))),
        calldata={},
        credits={},
    )
    authority = Authority([book], [signers_of(book)], chain)
    boundaries = boundaries_of(books)[book.key]
    return {
        finding.code
        for finding in (*check_orders(book, signers_of(book), authority, 0), *check_clearing(book, boundaries))
    }


@pytest.fixture(scope="module")
def books():
    world = Balanced()
    spot(world)
    world.state(balancing.charge())
    assert world.take(signed(BATTERY, OFFER, UP, 900, SUPPLY)) == "taken"
    assert world.take(signed(PLANT, OFFER, UP, 300, SUPPLY)) == "taken"
    assert world.take(signed(NEED, BID, UP, 800, 900_000)) == "taken"
    assert world.take(signed(BATTERY, OFFER, DOWN, 950, DEMAND)) == "taken"
    assert world.take(signed(NEED, BID, DOWN, 950, 900_000)) == "taken"
    for terms in (UP, DOWN):
        world.clear(terms)
    return [book_of(world.market.session(key), world.market.rulebook) for key in world.market.in_order]


@pytest.mark.parametrize("place", [0, 1, 2], ids=["spot", "up", "down"])
def test_a_session_as_it_was_gives_no_finding(books, place):
    book = books[place]
    assert book.cleared.clearing.trades
    assert found(book, books) == set()
    assert book_from_document(book.to_document()) == book


def test_more_let_in_than_spot_had_left_is_found(books):
    """East lets 900 Wh in, and spot brought 500 of them: for charging, 400 are left."""
    down = books[2]
    (trade,) = down.cleared.clearing.trades
    assert trade.energy == 400
    clearing = replace(down.cleared.clearing, trades=(replace(trade, energy=Wh(401)),))
    altered = replace(down, cleared=replace(down.cleared, clearing=clearing))
    assert {"node-limit", "clearing-trades"} <= found(altered, [*books[:2], altered])


def test_a_dearer_offer_taken_first_is_found(books):
    up = books[1]
    trade = up.cleared.clearing.trades[0]
    dearer = replace(trade, rate=MicroPerKwh(trade.rate + 1))
    rest = [each for each in up.cleared.clearing.trades if each != trade]
    clearing = replace(up.cleared.clearing, trades=tuple(sorted([dearer, *rest], key=type(trade).leaf)))
    assert "clearing-trades" in found(replace(up, cleared=replace(up.cleared, clearing=clearing)), books)


def test_an_offer_above_what_was_certified_is_found(books):
    assert "admission" in found(books[1], books, rates=BalancingRates(DEMAND, SUPPLY - 1))
    assert "admission" not in found(books[2], books, rates=BalancingRates(DEMAND, SUPPLY - 1))


def test_a_need_of_who_does_not_procure_is_found():
    named = replace(
        balancing.PARAMETERS, balancing=replace(balancing.SETTINGS, agents=((4, balancing.STRANGER.address),))
    )
    world = Balanced(named)
    assert world.take(signed(EASTERN_NEED, BID, UP, 100, 400_000)) == "taken"
    world.clear(UP)
    book = book_of(world.market.session(UP.session(START)), world.market.rulebook)
    assert found(book, [book]) == set()
    unnamed = replace(book, parameters=balancing.PARAMETERS)
    assert "admission" in found(unnamed, [unnamed])
