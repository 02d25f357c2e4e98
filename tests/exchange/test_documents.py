"""Events as JSON and back: what is read is what was written, and nothing else can be read."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.clearing import Clearing, OwnUse
from exchange.documents import (
    event_from_document,
    event_to_document,
    order_from_document,
    order_to_document,
    trade_from_document,
    trade_to_document,
)
from exchange.errors import OrderMalformed
from exchange.events import (
    GateClosed,
    OrderAccepted,
    OrderCancelled,
    ParametersSet,
    SessionCleared,
    SessionSettled,
)
from exchange.order import SignedOrder
from exchange.receipt import Receipt
from exchange.trade import Trade
from identity.errors import IdentityRefused
from tests.exchange import street
from tests.strategies import addresses, digests, energies, fee_row, fee_rows, one_fee, orders, rates

signatures = st.binary(min_size=64, max_size=64)
instants = st.integers(0, (1 << 40) - 1)
signed_orders = st.builds(SignedOrder, orders(), signatures)
paths = st.lists(digests, max_size=6).map(b"".join)
receipts = st.builds(Receipt, digests, st.integers(1, 1 << 60), instants, digests, paths, signatures)
clearings = st.builds(
    Clearing,
    rate=st.none() | rates,
    low=st.none() | rates,
    high=st.none() | rates,
    trades=st.lists(
        st.builds(
            Trade,
            session=st.just(street.SESSION),
            bid=digests,
            offer=digests,
            energy=energies,
            rate=rates,
            fees=fee_rows(),
        ),
        max_size=3,
    ).map(tuple),
    own_uses=st.lists(st.builds(OwnUse, bid=digests, offer=digests, energy=energies), max_size=2).map(tuple),
    lapsed=st.lists(digests, max_size=2).map(tuple),
)
events = st.one_of(
    st.builds(ParametersSet, parameters=st.just(street.PARAMETERS), at=instants),
    st.builds(
        OrderAccepted,
        digest=digests,
        signed=signed_orders,
        receipt=receipts,
        signer=addresses,
        account=st.integers(0, 1 << 40),
        asset=st.integers(0, 1 << 40),
        free=st.integers(-(1 << 90), 1 << 90),
    ),
    st.builds(OrderCancelled, digest=digests, session=st.just(street.SESSION), signature=signatures, at=instants),
    st.builds(GateClosed, session=st.just(street.SESSION), at=instants),
    st.builds(
        SessionCleared,
        session=st.just(street.SESSION),
        clearing=clearings,
        excluded=st.lists(st.tuples(digests, st.sampled_from(["asset-not-current", "orders-voided"])), max_size=2).map(
            tuple
        ),
        parameters=digests,
        at=instants,
    ),
    st.builds(SessionSettled, session=st.just(street.SESSION), at=instants),
)


@given(events)
def test_an_event_is_read_back_as_it_was_written(event):
    assert event_from_document(json.loads(json.dumps(event_to_document(event)))) == event


@given(signed_orders)
def test_an_order_is_read_back_as_it_was_written(signed):
    assert order_from_document(json.loads(json.dumps(order_to_document(signed)))) == signed


def places(value, path=()):
    """Yield the path of every value inside a document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        yield (*path, name)
        yield from places(inner, (*path, name))


def spoilt(document, path, how):
    """Return a copy of the document in which what stands at the path was spoilt."""
    copied = copy.deepcopy(document)
    inner = copied
    for name in path[:-1]:
        inner = inner[name]
    if how == "missing" and isinstance(inner, dict):
        del inner[path[-1]]
    elif how == "surplus" and isinstance(inner, dict):
        inner["colour"] = "green"
    elif how == "true":
        inner[path[-1]] = 1 if isinstance(inner[path[-1]], bool) else True
    else:
        inner[path[-1]] = 1.5
    return copied


@given(events, st.sampled_from(["missing", "surplus", "true", "a fraction"]), st.data())
def test_an_event_with_anything_missing_surplus_or_of_another_type_is_refused(event, how, data):
    document = event_to_document(event)
    path = data.draw(st.sampled_from(list(places(document))))
    with pytest.raises((OrderMalformed, IdentityRefused)):
        event_from_document(spoilt(document, path, how))


@pytest.mark.parametrize("document", [{}, [], None, 7, "event", {"event": "order-eaten"}, {"event": None}])
def test_what_is_no_event_at_all_is_refused(document):
    with pytest.raises(OrderMalformed):
        event_from_document(document)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("energy_wh", 0),
        ("energy_wh", 1 << 48),
        ("salt", -1),
        ("side", "both"),
        ("product", "balancing"),
        ("asset", "0x12"),
        ("signature", "0x" + "0g" * 64),
    ],
)
def test_an_order_that_no_field_can_hold_is_refused(field, value):
    document = order_to_document(street.bid())
    assert order_from_document(document) == street.bid()
    with pytest.raises(OrderMalformed):
        order_from_document({**document, field: value})


@pytest.mark.parametrize("text", ["0x" + "ab" * 31 + "  ", "0x" + "AB" * 32, "0X" + "ab" * 32, "0x" + "ab" * 31 + "0g"])
def test_bytes_have_one_text_only(text):
    event = event_to_document(OrderCancelled(digest=b"\xab" * 32, session=street.SESSION, signature=bytes(64), at=1))
    assert event_from_document(event | {"digest": "0x" + "ab" * 32})
    with pytest.raises(OrderMalformed, match="hex"):
        event_from_document(event | {"digest": text})


@pytest.mark.parametrize("pair", [None, [], ["0x" + "ab" * 32], ["0x" + "ab" * 32, 7], ["0x" + "ab" * 32, "x", "y"]])
def test_an_exclusion_is_a_pair_of_order_and_code(pair):
    cleared = SessionCleared(
        session=street.SESSION,
        clearing=Clearing(rate=None, low=None, high=None, trades=(), own_uses=()),
        excluded=((b"\xab" * 32, "not-authorised"),),
        parameters=bytes(32),
        at=1,
    )
    document = event_to_document(cleared)
    assert event_from_document(document) == cleared
    with pytest.raises(OrderMalformed):
        event_from_document(document | {"excluded": [pair]})


def traded(fees):
    """A trade of the street with these fees."""
    return Trade(session=street.SESSION, bid=bytes(32), offer=bytes(32), energy=500, rate=100_000, fees=fees)


def test_a_trade_says_what_each_node_takes_from_the_seller_to_the_buyer():
    document = trade_to_document(traded(fee_row(1, (3, 2_000), (1, 0), (2, 5_000))))
    assert document["fees"] == [
        {"node": 3, "rate_micro_per_kwh": 2_000},
        {"node": 1, "rate_micro_per_kwh": 0},
        {"node": 2, "rate_micro_per_kwh": 5_000},
    ]
    assert document["top"] == 1


def test_trades_that_went_the_same_way_are_read_with_one_row():
    document = trade_to_document(traded(one_fee(1, 7_000)))
    one, other = (trade_from_document(copy.deepcopy(document), street.SESSION) for _ in range(2))
    assert one.fees is other.fees


@pytest.mark.parametrize(
    ("fees", "top"),
    [
        ([(1, 5)], 2),
        ([], 1),
        ([(1, 5), (1, 6)], 1),
        ([(1, 5), (2, 0)], 1),
        ([(1, -1)], 1),
        ([(1, 1 << 48)], 1),
        ([(0, 5)], 0),
        ([(1 << 32, 5)], 1 << 32),
    ],
    ids=["no top", "nobody", "a node twice", "nothing taken", "below zero", "49 bits", "no number", "33 bits"],
)
def test_fees_that_no_row_can_hold_are_refused(fees, top):
    document = trade_to_document(traded(fee_row(1, (1, 5), (2, 6))))
    assert trade_from_document(document, street.SESSION)
    shares = [{"node": node, "rate_micro_per_kwh": rate} for node, rate in fees]
    with pytest.raises(OrderMalformed):
        trade_from_document(document | {"fees": shares, "top": top}, street.SESSION)
