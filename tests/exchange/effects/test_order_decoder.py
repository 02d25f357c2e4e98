"""Whatever is posted as an order, it is read or refused by name, and both ways of reading say the same."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.limits import is_too_deep
from exchange.documents import order_from_document, order_to_document
from exchange.effects.quick_reader import quick_json, quick_order, quick_orders
from exchange.effects.schema import read_order, read_unsigned_order
from exchange.errors import OrderMalformed
from exchange.order import SignedOrder
from identity.errors import IdentityRefused
from tests.exchange import street

SOUND = order_to_document(street.bid())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(1 << 70), 1 << 70) | st.floats() | st.text(max_size=150),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
NEAR = st.sampled_from(
    [0, -1, 1 << 40, 1 << 48, 1 << 64, True, 1.0, "1", "", "0x", None, [], {}, "spot", "SPOT", "bid"]
)
HEX = st.text("0123456789abcdefABCDEFx ", max_size=140).map(lambda text: "0x" + text)


@st.composite
def mutated(draw):
    """A sound order with some fields replaced, taken out, added, or changed by a character."""
    document = dict(SOUND)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from([*SOUND, "surplus"]))
        match draw(st.sampled_from(["replace", "near", "hex", "drop", "character"])):
            case "replace":
                document[name] = draw(JSON)
            case "near":
                document[name] = draw(NEAR)
            case "hex":
                document[name] = draw(HEX)
            case "drop":
                document.pop(name, None)
            case _:
                text = document.get(name)
                if isinstance(text, str) and text:
                    at = draw(st.integers(0, len(text) - 1))
                    document[name] = text[:at] + draw(st.characters()) + text[at + 1 :]
    return document


def read_or_refused(reader, document):
    """Return what a reader makes of a document; anything but a named refusal is a failure."""
    try:
        return reader(document)
    except (OrderMalformed, IdentityRefused) as refusal:
        return type(refusal)


@given(JSON | mutated())
def test_a_document_is_read_or_refused_by_name(document):
    for reader in (read_order, read_unsigned_order, order_from_document):
        read_or_refused(reader, document)


@given(mutated())
def test_the_quick_way_of_reading_takes_nothing_that_the_careful_one_refuses(document):
    quick = quick_order(document)
    if quick is not None:
        assert quick == read_or_refused(read_order, document)


@given(
    st.builds(
        street.bid,
        energy=st.integers(1, 1 << 47),
        limit=st.integers(-(1 << 47), (1 << 47) - 1),
        salt=st.integers(0, (1 << 64) - 1),
    )
)
def test_every_order_is_read_as_it_was_written_either_way(order):
    document = json.loads(json.dumps(order_to_document(order)))
    assert quick_order(document) == read_order(document) == order_from_document(document) == order
    assert isinstance(order, SignedOrder)


@st.composite
def mangled(draw):
    """The bytes of a sound order or batch, with some of them changed, cut out or doubled."""
    raw = bytearray(json.dumps(draw(st.sampled_from([SOUND, {"orders": [SOUND, SOUND]}]))).encode())
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(raw) - 1, 0)))
        match draw(st.sampled_from(["change", "cut", "double"])):
            case "change":
                raw[at : at + 1] = draw(st.binary(min_size=1, max_size=3))
            case "cut":
                del raw[at : at + draw(st.integers(1, 40))]
            case _:
                raw[at:at] = raw[at : at + draw(st.integers(1, 40))]
    return bytes(raw)


def decode(body):
    """Read a body as the server does, from its first byte on."""
    if is_too_deep(body):
        return
    document = quick_json(b"application/json", body)
    if document is None:
        return
    quick_order(document)
    for each in quick_orders(document) or [document]:
        if quick_order(each) is None:
            read_or_refused(read_order, each)


@given(st.binary(max_size=400) | mangled())
def test_no_body_is_too_much_for_the_decoder(body):
    decode(body)


@pytest.mark.slow
@settings(max_examples=20_000)
@given(st.binary(max_size=400) | mangled())
def test_no_body_is_too_much_for_the_decoder_however_long_one_tries(body):
    decode(body)
