"""Orders, cancellations and receipts: their ranges, and their digests against eth-account's EIP-712."""

from dataclasses import replace

import pytest
from eth_account.messages import SignableMessage, encode_typed_data
from hypothesis import given

from exchange.order import CANCELLATION_TYPE, ORDER_TYPE, Order, Side, cancellation_digest
from exchange.units import MAX_ENERGY, MAX_RATE
from identity.hashing import keccak
from identity.signature import recover
from identity.typed_data import Domain
from tests.actors import PRODUCER
from tests.strategies import SEPARATOR, SESSION, digests, domains, orders, resting

ORDER = resting(Side.BID, 300_000, 500, sequence=1).order


def foreign_digest(domain: Domain, typed: str, message: dict[str, object]) -> bytes:
    """Return the digest as eth-account makes it; `typed` is the EIP-712 type as text."""
    name, _, fields = typed.rstrip(")").partition("(")
    members = [dict(zip(("type", "name"), field.split(" "), strict=True)) for field in fields.split(",")]
    signable: SignableMessage = encode_typed_data(
        domain_data={
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": "0x" + domain.contract.hex(),
        },
        message_types={name: members},
        message_data=message,
    )
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


@given(orders(), domains)
def test_the_digest_of_an_order_is_that_of_eth_account(order, domain):
    message = {
        "asset": "0x" + order.asset.hex(),
        "market": order.market,
        "product": int(order.product),
        "side": int(order.side),
        "deliveryStart": order.delivery_start,
        "energyWh": order.energy,
        "limitMicroPerKwh": order.limit,
        "preferences": order.preferences,
        "validUntil": order.valid_until,
        "salt": order.salt,
    }
    assert order.digest(domain.separator()) == foreign_digest(domain, ORDER_TYPE, message)


@given(digests, domains)
def test_the_digest_of_a_cancellation_is_that_of_eth_account(digest, domain):
    expected = foreign_digest(domain, CANCELLATION_TYPE, {"order": digest})
    assert cancellation_digest(digest, domain.separator()) == expected


def test_an_order_signed_by_the_producer_names_the_producer():
    digest = ORDER.digest(SEPARATOR)
    assert recover(digest, PRODUCER.sign(digest)) == PRODUCER.address


@pytest.mark.parametrize(
    "change",
    [
        {"asset": bytes(20)},
        {"market": 8},
        {"side": Side.OFFER},
        {"delivery_start": SESSION.delivery_start + 900},
        {"energy": 501},
        {"limit": 300_001},
        {"preferences": b"\1" * 32},
        {"valid_until": SESSION.delivery_start + 1},
        {"salt": 2},
    ],
)
def test_an_order_changed_in_one_field_has_another_name(change):
    assert replace(ORDER, **change).digest(SEPARATOR) != ORDER.digest(SEPARATOR)


def test_an_order_has_another_name_on_another_chain():
    other = Domain(1, bytes(20)).separator()
    assert ORDER.digest(other) != ORDER.digest(SEPARATOR)


EDGES = [
    {"market": 0},
    {"market": (1 << 32) - 1},
    {"energy": 1},
    {"energy": MAX_ENERGY},
    {"limit": MAX_RATE},
    {"limit": -MAX_RATE - 1},
    {"delivery_start": 0},
    {"delivery_start": (1 << 40) - 1},
    {"valid_until": (1 << 40) - 1},
    {"salt": 0},
    {"salt": (1 << 64) - 1},
]
BEYOND = [
    {"asset": bytes(19)},
    {"market": -1},
    {"market": 1 << 32},
    {"energy": 0},
    {"energy": -1},
    {"energy": MAX_ENERGY + 1},
    {"limit": MAX_RATE + 1},
    {"limit": -MAX_RATE - 2},
    {"delivery_start": -1},
    {"delivery_start": 1 << 40},
    {"valid_until": -1},
    {"valid_until": 1 << 40},
    {"salt": -1},
    {"salt": 1 << 64},
    {"preferences": bytes(31)},
]


@pytest.mark.parametrize("change", EDGES, ids=str)
def test_a_value_at_the_edge_of_its_field_is_taken(change):
    ((name, value),) = change.items()
    assert getattr(replace(ORDER, **change), name) == value


@pytest.mark.parametrize("change", BEYOND, ids=str)
def test_a_value_that_its_field_cannot_hold_is_refused(change):
    with pytest.raises(ValueError):
        replace(ORDER, **change)


@given(orders())
def test_the_epoch_is_the_upper_half_of_the_salt(order):
    assert order.epoch == order.salt // 2**32


@given(orders())
def test_an_order_names_its_session(order):
    assert (order.session.market, order.session.product, order.session.delivery_start) == (
        order.market,
        order.product,
        order.delivery_start,
    )


@pytest.mark.parametrize(
    ("side", "limit", "cost"),
    [(Side.BID, 3, 1500), (Side.BID, -3, 0), (Side.OFFER, 3, 0), (Side.OFFER, -3, 1500), (Side.BID, 0, 0)],
)
def test_a_bid_costs_at_most_its_limit_and_an_offer_only_below_zero(side, limit, cost):
    assert replace(ORDER, side=side, limit=limit).most_it_can_cost == cost


def test_an_order_cannot_be_changed():
    with pytest.raises(AttributeError):
        ORDER.energy = 1
    assert isinstance(ORDER, Order)
