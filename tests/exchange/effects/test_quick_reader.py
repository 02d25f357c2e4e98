"""The quick reader takes nothing that the models would not take, and takes it as they do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.documents import hexed, order_to_document
from exchange.effects.quick_reader import quick_json, quick_order, quick_orders
from exchange.effects.schema import read_order
from exchange.errors import ExchangeRefused
from identity.address import to_text
from identity.errors import IdentityRefused
from tests.exchange import street

DOCUMENT = order_to_document(street.bid())


def thorough(document):
    """Return the order as the models read it, or none where they refuse it."""
    try:
        return read_order(document)
    except (ExchangeRefused, IdentityRefused):
        return None


def test_an_order_in_the_usual_form_is_read():
    assert quick_order(DOCUMENT) == street.bid()
    assert quick_order(DOCUMENT | {"asset": to_text(street.KITCHEN)}) == street.bid()


def test_product_and_preferences_may_be_left_out():
    short = {name: value for name, value in DOCUMENT.items() if name not in ("product", "preferences")}
    assert quick_order(short) == street.bid()


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 65), 1 << 65),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(list(DOCUMENT.values())),
    st.sampled_from([hexed(bytes(size)) for size in (0, 19, 20, 21, 32, 64, 65)]),
    st.sampled_from(["0x" + "00 " * 13 + "0", "0X" + "00" * 20, "0x" + "AB" * 20, "0x" + "aB" * 20, "0x" + "ff" * 64]),
    st.sampled_from(["0x" + "11" * 64 + last for last in ("00", "1b", "1c", "1d")]),
    st.lists(st.integers(), max_size=2),
)


@given(st.sampled_from([*DOCUMENT, "colour"]), VALUES)
def test_whatever_it_takes_the_models_take_as_well(name, value):
    document = DOCUMENT | {name: value}
    quick = quick_order(document)
    if quick is not None:
        assert quick == thorough(document)


@pytest.mark.parametrize("document", [None, 7, "order", [], {}, {"asset": None}, [DOCUMENT], {**DOCUMENT, "colour": 1}])
def test_what_is_unusual_is_left_to_the_models(document):
    assert quick_order(document) is None


def test_a_batch_is_a_list_of_one_to_a_thousand():
    assert quick_orders({"orders": [1, 2]}) == [1, 2]
    assert quick_orders({"orders": [0] * 1_000}) == [0] * 1_000
    for other in ({"orders": []}, {"orders": [0] * 1_001}, {"orders": (1,)}, {"orders": [1], "more": 1}, [1], None):
        assert quick_orders(other) is None


def test_a_body_is_read_only_where_it_is_declared_as_json():
    body = json.dumps(DOCUMENT).encode()
    assert quick_json(b"application/json", body) == DOCUMENT
    assert quick_json(b"text/plain", body) is None
    assert quick_json(b"application/json", b"{") is None
    assert quick_json(b"application/json", b"1" * 5_000) is None
