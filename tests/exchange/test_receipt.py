"""A receipt is the exchange's signed word, under the same domain as the orders; many may share one signature."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.receipt import MOST_TOGETHER, RECEIPT_TYPE, RECEIPTS_TYPE, Receipt, sign_receipts
from identity.hashing import keccak
from identity.signature import Signer, recover
from tests.actors import OPERATOR, STRANGER
from tests.exchange.test_order import foreign_digest
from tests.strategies import digests, domains

SEPARATOR = bytes(32)
SIGNER = Signer(OPERATOR.key)


def acknowledged(count):
    """Return the receipts of so many orders that were taken together."""
    wanted = [(keccak(b"order %d" % number), number, 1_800_000_000) for number in range(1, count + 1)]
    return sign_receipts(wanted, SIGNER, SEPARATOR)


@given(digests, st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 40) - 1), domains)
def test_a_receipt_is_signed_as_any_wallet_would_sign_it(order, sequence, received_at, domain):
    separator = domain.separator()
    (receipt,) = sign_receipts([(order, sequence, received_at)], SIGNER, separator)
    assert (receipt.order, receipt.sequence, receipt.received_at, receipt.path) == (order, sequence, received_at, b"")
    said = {"order": order, "sequence": sequence, "receivedAt": received_at, "blind": receipt.blind}
    assert keccak(b"\x19\x01" + separator + receipt.leaf()) == foreign_digest(domain, RECEIPT_TYPE, said)
    assert receipt.digest(separator) == foreign_digest(domain, RECEIPTS_TYPE, {"root": receipt.leaf()})
    assert recover(receipt.digest(separator), receipt.signature) == OPERATOR.address


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 63, MOST_TOGETHER])
def test_orders_that_are_taken_together_share_one_signature(count):
    receipts = acknowledged(count)
    assert [receipt.sequence for receipt in receipts] == list(range(1, count + 1))
    assert len({receipt.signature for receipt in receipts}) == 1
    assert {recover(receipt.digest(SEPARATOR), receipt.signature) for receipt in receipts} == {OPERATOR.address}
    assert max(len(receipt.path) for receipt in receipts) <= 32 * 6


def test_no_more_share_a_signature_than_keeps_a_receipt_short():
    receipts = acknowledged(MOST_TOGETHER + 1)
    assert len({receipt.signature for receipt in receipts}) == 2
    assert receipts[-1].path == b""


def test_nothing_taken_is_nothing_signed():
    assert sign_receipts([], SIGNER, SEPARATOR) == []


@given(st.integers(0, 6), st.sampled_from(["order", "sequence", "received_at", "blind", "path", "separator"]))
def test_a_receipt_that_says_something_else_is_not_what_was_signed(place, what):
    receipt, separator = acknowledged(7)[place], SEPARATOR
    if what == "separator":
        separator = b"\1" * 32
    elif what == "path":
        receipt = replace(receipt, path=receipt.path + bytes(32))
    else:
        value = getattr(receipt, what)
        other = value + 1 if isinstance(value, int) else bytes([value[0] ^ 1]) + value[1:]
        receipt = replace(receipt, **{what: other})
    assert recover(receipt.digest(separator), receipt.signature) != OPERATOR.address


def test_a_node_of_the_tree_is_no_receipt_of_any_order():
    one, other = acknowledged(2)
    node = keccak(min(one.leaf(), other.leaf()) + max(one.leaf(), other.leaf()))
    lie = Receipt(order=node, sequence=1, received_at=1, path=b"", signature=one.signature)
    assert recover(lie.digest(SEPARATOR), lie.signature) != OPERATOR.address


def test_who_knows_an_order_cannot_tell_its_receipt_from_a_sibling():
    mine, neighbours = acknowledged(2)
    assert mine.path == neighbours.leaf()
    guesses = {
        replace(neighbours, blind=blind).leaf()
        for blind in (bytes(32), mine.blind, neighbours.order, Signer(STRANGER.key).blind(neighbours.order))
    }
    assert mine.path not in guesses
    assert neighbours.blind == SIGNER.blind(neighbours.order), "only the exchange can make it"


@pytest.mark.parametrize(("sequence", "received_at"), [(-1, 1), (1 << 64, 1), (1, -1)])
def test_a_receipt_with_a_number_that_none_has_was_not_signed(sequence, received_at):
    (receipt,) = acknowledged(1)
    lie = replace(receipt, sequence=sequence, received_at=received_at)
    assert recover(lie.digest(SEPARATOR), lie.signature) != OPERATOR.address
