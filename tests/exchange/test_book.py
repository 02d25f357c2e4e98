"""The published book: read back as it was written, or refused."""

import copy
import json

import pytest

from exchange.book import Book, book_from_document
from exchange.errors import OrderMalformed
from tests.exchange import street


@pytest.fixture
def book(market, registry, purse):
    """The book of a session in which two orders met and one was taken back."""
    cancelled = street.bid(salt=2)
    for signed in (street.bid(), street.offer(), cancelled):
        market.apply(
            market.take(
                signed,
                registry=registry,
                credit=purse,
                receipt=street.receipt,
                sequence=market.next_sequence,
                now=street.OPENING,
            )
        )
    market.apply(
        market.cancel(
            street.digest_of(cancelled), street.cancellation(cancelled), registry=registry, now=street.OPENING
        )
    )
    market.apply(market.close(street.SESSION, street.CLOSURE))
    market.apply(market.clear(street.SESSION, registry=registry, now=street.CLOSURE))
    session = market.session(street.SESSION)
    return Book(
        key=street.SESSION,
        parameters=market.parameters,
        orders=tuple(session.orders.values()),
        cancellations=tuple(session.cancelled.values()),
        cleared=session.cleared,
    )


def test_a_book_is_read_back_as_it_was_written(book):
    assert book.cleared.clearing.trades
    assert book_from_document(json.loads(json.dumps(book.to_document()))) == book


@pytest.mark.parametrize("name", ["session", "parameters", "orders", "cancellations", "cleared"])
def test_a_book_that_lacks_a_part_is_refused(book, name):
    document = book.to_document()
    del document[name]
    with pytest.raises(OrderMalformed):
        book_from_document(document)


def test_a_book_with_a_surplus_part_is_refused(book):
    with pytest.raises(OrderMalformed, match="nothing else"):
        book_from_document({**book.to_document(), "weather": "fine"})


def test_a_book_that_names_another_session_is_refused(book):
    with pytest.raises(OrderMalformed, match="another session"):
        book_from_document({**book.to_document(), "session": street.SESSION.number + 900})


def test_a_book_that_does_not_end_with_a_clearing_is_refused(book):
    document = copy.deepcopy(book.to_document())
    document["cleared"] = document["orders"][0]
    with pytest.raises(OrderMalformed, match="ends with a clearing"):
        book_from_document(document)


@pytest.mark.parametrize("document", [None, [], "book", 7])
def test_what_is_no_book_at_all_is_refused(document):
    with pytest.raises(OrderMalformed):
        book_from_document(document)


@pytest.mark.parametrize("name", ["orders", "cancellations"])
@pytest.mark.parametrize("listed", [None, 7, {}, "orders"])
def test_a_book_whose_orders_are_no_list_is_refused(book, name, listed):
    with pytest.raises(OrderMalformed, match="lists"):
        book_from_document({**book.to_document(), name: listed})


def test_a_book_with_an_event_of_another_kind_among_its_orders_is_refused(book):
    document = book.to_document()
    document["orders"].append(document["cancellations"][0])
    with pytest.raises(OrderMalformed, match="another kind"):
        book_from_document(document)


def test_a_book_whose_parameters_name_no_address_is_refused(book):
    document = copy.deepcopy(book.to_document())
    document["parameters"]["receipts"] = "0x12"
    with pytest.raises(OrderMalformed):
        book_from_document(document)
