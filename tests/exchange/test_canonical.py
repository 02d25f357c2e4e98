"""The canonical JSON of events: one form, to the byte, whichever way it is written or read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.canonical import canonical, event_of
from exchange.documents import event_to_document
from exchange.errors import OrderMalformed
from exchange.events import OrderAccepted
from exchange.order import Side
from exchange.units import MAX_ENERGY, MAX_RATE, MIN_RATE, MicroPerKwh, Nano, Wh
from tests.exchange import street


@st.composite
def accepted(draw):
    """Draw an accepted order with anything that its fields can hold."""
    order = street.signed(
        street.order(
            side=draw(st.sampled_from(Side)),
            energy=Wh(draw(st.integers(1, MAX_ENERGY))),
            limit=MicroPerKwh(draw(st.integers(MIN_RATE, MAX_RATE))),
            salt=draw(st.integers(0, (1 << 64) - 1)),
            preferences=draw(st.binary(min_size=32, max_size=32)),
        )
    )
    digest = street.digest_of(order)
    return OrderAccepted(
        digest=digest,
        signed=order,
        receipt=street.receipt(digest, draw(st.integers(1, 1 << 63)), 5),
        signer=draw(st.binary(min_size=20, max_size=20)),
        account=draw(st.integers(1, 1 << 31)),
        asset=draw(st.integers(1, 1 << 31)),
        free=Nano(draw(st.integers(-(1 << 90), 1 << 90))),
    )


@given(accepted())
def test_an_accepted_order_has_the_text_that_its_document_has(event):
    text = canonical(event)
    assert text == json.dumps(event_to_document(event), sort_keys=True, separators=(",", ":"))
    assert event_of(text.encode()) == event


def a_text() -> str:
    """Return an accepted order as it is written."""
    order = street.bid()
    digest = street.digest_of(order)
    return canonical(
        OrderAccepted(
            digest=digest,
            signed=order,
            receipt=street.receipt(digest, 1, 5),
            signer=bytes(20),
            account=2,
            asset=3,
            free=Nano(7),
        )
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"account":2', '"account":2.0'),
        ('"account":2', '"account":"2"'),
        ('"account":2', '"account":true'),
        ('"account":2', '"account":2e0'),
        ('"free_nano":7', '"free_nano":NaN'),
        ('"signer":"0x0000', '"signer":"0x 000'),
        ('"signer":"0x', '"signer":"0X'),
        ('"side":"bid"', '"side":"bit"'),
        ('"event"', '"colour":1,"event"'),
        ('"account":2,', ""),
    ],
)
def test_what_is_not_an_accepted_order_is_refused(old, new):
    text = a_text()
    assert old in text
    with pytest.raises((OrderMalformed, ValueError)):
        event_of(text.replace(old, new).encode())


def test_another_spelling_of_the_same_document_is_read_all_the_same():
    text = a_text()
    assert event_of(json.dumps(json.loads(text), indent=1).encode()) == event_of(text.encode())
