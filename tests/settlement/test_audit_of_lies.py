"""What an exchange could say that fits together, since it has its own key, and what the audit makes of it."""

from dataclasses import replace

import pytest

from exchange.clear import clear
from exchange.delivery import Mechanism
from exchange.events import OrderCancelled
from exchange.order import Side, SignedOrder, cancellation_digest
from exchange.resting import Resting
from exchange.units import MicroPerKwh, Nano
from identity.facts import AssetEnrolled, AssetTransferred, ClaimRevoked
from identity.hashing import keccak
from settlement.audit import audit
from settlement.batch import seal
from tests.registries import ASSET_ROLE, CERTIFIER, EVER, delegation
from tests.settlement.generated import with_clearing
from tests.settlement.world import (
    AGENT,
    CAR,
    CONSUMER,
    CONSUMING,
    DOMAIN,
    EURO,
    FIRST,
    FLAT,
    GRID,
    GRID_IN,
    GRID_OUT,
    NEIGHBOUR,
    PRODUCER,
    PROSUMER,
    SHED,
    STRANGER,
    UTILITY,
    WIND,
    Exchange,
    World,
    founded,
    order_of,
    receipt_for,
)

FIFTY = Nano(50 * EURO)
SEPARATOR = DOMAIN.separator()
IN_TIME = FIRST - 2_000


def lying(lie):
    """A world whose exchange did what `lie` does to the first book before it was sealed and settled."""
    chain = founded(FIRST - 3_600)
    chain.log(delegation(FLAT, AGENT.address, FIRST - 500), FIRST - 3_600)
    chain.log(delegation(SHED, AGENT.address, EVER), FIRST - 3_600)
    chain.log(AssetTransferred(SHED, CONSUMER.address, FIRST - 2_500), FIRST - 2_500)
    chain.log(AssetEnrolled(8, SHED, CONSUMING, 2, EVER, 0), FIRST - 2_500)
    chain.log(ClaimRevoked(CAR, ASSET_ROLE, CERTIFIER.address, FIRST - 2_500), FIRST - 2_500)
    exchange = Exchange(chain)
    now = FIRST - 3_000
    exchange.take(order_of(WIND, Side.OFFER, 5_000, 80_000), PRODUCER, now)
    exchange.take(order_of(FLAT, Side.BID, 3_000, 240_000), CONSUMER, now + 1)
    book = lie(exchange.clear(FIRST))
    for batch in seal(book):
        chain.settle(batch, FIRST + 30)
    return World((book,), chain.view())


def entered(book, order, signer, *, at, account, asset, free=FIFTY):
    """The book with one more order, acknowledged and cleared as if it were in its place there."""
    digest = order.digest(SEPARATOR)
    sequence = len(book.orders) + 1
    one = replace(
        book.orders[0],
        digest=digest,
        signed=SignedOrder(order, signer.sign(digest)),
        receipt=receipt_for(digest, sequence, at),
        signer=signer.address,
        account=account,
        asset=asset,
        free=free,
    )
    return recleared(replace(book, orders=(*book.orders, one)))


def recleared(book, mechanism=Mechanism.PAY_AS_CLEAR):
    resting = [
        Resting(
            one.signed.order,
            one.digest,
            one.receipt.sequence,
            one.account,
            book.rules.home_of(one.signed.order.asset),
            book.rules.node_of(one.signed.order.asset),
        )
        for one in book.orders
    ]
    clearing = clear(resting, session=book.key, tree=book.rules.tree, mechanism=mechanism)
    return replace(book, cleared=replace(book.cleared, clearing=clearing))


def too_late(book):
    order = order_of(FLAT, Side.BID, 100, 50_000, salt=9)
    return entered(book, order, CONSUMER, at=FIRST, account=3, asset=2)


def too_early(book):
    order = order_of(FLAT, Side.BID, 100, 50_000, salt=9)
    return entered(book, order, CONSUMER, at=FIRST - 90_000, account=3, asset=2)


def by_a_stranger(book):
    order = order_of(FLAT, Side.BID, 100, 50_000, salt=9)
    return entered(book, order, STRANGER, at=IN_TIME, account=3, asset=2)


def by_an_agent_whose_time_was_over(book):
    order = order_of(FLAT, Side.BID, 100, 50_000, salt=9)
    return entered(book, order, AGENT, at=IN_TIME, account=3, asset=2)


def by_a_seller(book):
    order = order_of(SHED, Side.BID, 100, 50_000, salt=9)
    return entered(book, order, NEIGHBOUR, at=IN_TIME, account=5, asset=5)


def by_a_seller_for_the_buyer(book):
    order = order_of(SHED, Side.BID, 100, 50_000, salt=9)
    return entered(book, order, NEIGHBOUR, at=IN_TIME, account=3, asset=8)


def by_a_seller_s_agent(book):
    order = order_of(SHED, Side.BID, 100, 50_000, salt=9)
    return entered(book, order, AGENT, at=IN_TIME, account=3, asset=8)


def by_the_buyer(book):
    order = order_of(SHED, Side.BID, 100, 50_000, salt=9)
    return entered(book, order, CONSUMER, at=IN_TIME, account=3, asset=8)


def of_an_asset_no_longer_certified(book):
    order = order_of(CAR, Side.BID, 100, 50_000, salt=9)
    return entered(book, order, PROSUMER, at=IN_TIME, account=4, asset=4)


def of_an_older_epoch(book):
    order = order_of(FLAT, Side.BID, 100, 50_000, salt=7 << 32)
    return entered(book, order, CONSUMER, at=IN_TIME, account=3, asset=2)


def expired(book):
    order = replace(order_of(FLAT, Side.BID, 100, 50_000), valid_until=IN_TIME)
    return entered(book, order, CONSUMER, at=IN_TIME, account=3, asset=2)


def with_preferences(book):
    order = replace(order_of(FLAT, Side.BID, 100, 50_000), preferences=keccak(b"only the neighbour"))
    return entered(book, order, CONSUMER, at=IN_TIME, account=3, asset=2)


def on_credit(book):
    order = order_of(FLAT, Side.BID, 1_000_000, 50_001, salt=9)
    return entered(book, order, CONSUMER, at=IN_TIME, account=3, asset=2)


def on_invented_credit(book):
    order = order_of(FLAT, Side.BID, 1_000_000, 50_001, salt=9)
    return entered(book, order, CONSUMER, at=IN_TIME, account=3, asset=2, free=Nano(1 << 50))


def for_another_account(book):
    order = order_of(FLAT, Side.BID, 100, 50_000, salt=9)
    return entered(book, order, CONSUMER, at=IN_TIME, account=5, asset=2)


def against_itself(book):
    order = order_of(GRID_IN, Side.OFFER, 100, 60_000)
    other = order_of(GRID_OUT, Side.BID, 100, 90_000)
    book = entered(book, order, UTILITY, at=IN_TIME, account=GRID, asset=6)
    return entered(book, other, UTILITY, at=IN_TIME, account=GRID, asset=7)


def silenced(book):
    """An order left out that nothing speaks against."""
    name = book.orders[1].digest
    left = recleared(replace(book, orders=book.orders[:1]))
    return replace(left, orders=book.orders, cleared=replace(left.cleared, excluded=((name, "not-authorised"),)))


def taken_back_by_a_stranger(book):
    name = book.orders[1].digest
    left = recleared(replace(book, orders=book.orders[:1]))
    signature = STRANGER.sign(cancellation_digest(name, SEPARATOR))
    taken_back = OrderCancelled(digest=name, session=book.key, signature=signature, at=IN_TIME)
    return replace(left, orders=book.orders, cancellations=(taken_back,))


def taken_back_too_late(book):
    name = book.orders[1].digest
    left = recleared(replace(book, orders=book.orders[:1]))
    signature = CONSUMER.sign(cancellation_digest(name, SEPARATOR))
    taken_back = OrderCancelled(digest=name, session=book.key, signature=signature, at=FIRST)
    return replace(left, orders=book.orders, cancellations=(taken_back,))


def suppressed(book):
    """An order that was acknowledged and kept out of the book."""
    one, two = book.orders
    return recleared(replace(book, orders=(replace(one, receipt=receipt_for(one.digest, 2, IN_TIME)),)))


def at_another_rate(book):
    (trade,) = book.cleared.clearing.trades
    dear = replace(trade, rate=MicroPerKwh(trade.rate + 1))
    return with_clearing(book, trades=(dear,), rate=dear.rate)


def cleared_as_bid(book):
    """The buyer's whole limit for the seller, where the parameters say pay-as-clear."""
    return recleared(book, Mechanism.PAY_AS_BID)


def cleared_as_offer(book):
    """As little as the seller asks, where the middle was due."""
    half = entered(book, order_of(FLAT, Side.BID, 2_000, 230_000, salt=9), CONSUMER, at=IN_TIME, account=3, asset=2)
    return recleared(half, Mechanism.PAY_AS_OFFER)


def honest(book):
    return book


LIES = [
    (honest, set()),
    (too_late, {"admission"}),
    (too_early, {"admission"}),
    (by_a_stranger, {"admission"}),
    (by_an_agent_whose_time_was_over, {"admission"}),
    (by_a_seller, {"admission"}),
    (by_a_seller_for_the_buyer, {"admission"}),
    (by_a_seller_s_agent, {"admission"}),
    (by_the_buyer, set()),
    (of_an_asset_no_longer_certified, {"admission"}),
    (of_an_older_epoch, {"admission"}),
    (expired, {"admission"}),
    (with_preferences, {"admission"}),
    (on_credit, {"collateral"}),
    (on_invented_credit, {"collateral"}),
    (for_another_account, {"order-account"}),
    (against_itself, {"own-crossing"}),
    (silenced, {"excluded-wrongly"}),
    (taken_back_by_a_stranger, {"cancellation-signature"}),
    (taken_back_too_late, {"cancellation"}),
    (suppressed, {"sequence-gap"}),
    (at_another_rate, {"clearing-rate", "clearing-trades"}),
    (cleared_as_bid, {"clearing-rate", "clearing-trades", "clearing-nodes"}),
    (cleared_as_offer, {"clearing-rate", "clearing-trades", "clearing-nodes"}),
]


@pytest.mark.parametrize(("lie", "found"), LIES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_lie_that_fits_together_is_named(lie, found):
    world = lying(lie)
    assert {finding.code for finding in audit(world.books, world.chain)} == found
