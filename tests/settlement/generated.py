"""Generated batches and books of any size: signatures in them are any bytes, since sealing and packing do not look."""

from dataclasses import replace

from hypothesis import strategies as st

from exchange.book import Book
from exchange.clear import clear
from exchange.delivery import Product, SessionKey
from exchange.events import OrderAccepted, SessionCleared
from exchange.order import Order, Side, SignedOrder
from exchange.receipt import Receipt
from exchange.resting import Resting
from exchange.trade import Trade
from exchange.units import MAX_RATE, MicroPerKwh, Nano, Wh
from identity.address import Address
from identity.facts import AccountOpened, AssetEnrolled
from identity.hashing import keccak
from identity.registry import Registry
from settlement.batch import Batch, SealedOrder
from tests.registries import ROLES
from tests.settlement.world import DOMAIN, MARKET, PARAMETERS, TREE
from tests.strategies import digests, energies, fee_rows, rates

SEPARATOR = DOMAIN.separator()
ASSETS = 12
"""Assets number n belongs to account n // 2 + 1, so that some accounts have two."""


def identity_of(number: int) -> Address:
    return Address(keccak(b"asset %d" % number)[12:])


def registry(assets: int = ASSETS) -> Registry:
    """Assets 0 to `assets`, none of which ever ends."""
    known = Registry(ROLES)
    for number in range(assets + 1):
        account = number // 2 + 1
        known.apply(AccountOpened(account, identity_of(10_000 + account)))
        known.apply(AssetEnrolled(number, identity_of(number), account, 1, (1 << 40) - 1, 0))
    return known


sessions = st.builds(
    SessionKey,
    market=st.integers(1, (1 << 32) - 1),
    product=st.sampled_from(Product),
    delivery_start=st.integers(0, (1 << 40) - 1),
)


@st.composite
def sealed_orders(draw, session):
    number = draw(st.integers(0, ASSETS))
    order = Order(
        asset=identity_of(number),
        market=session.market,
        product=session.product,
        side=draw(st.sampled_from(Side)),
        delivery_start=session.delivery_start,
        energy=draw(energies),
        limit=draw(rates),
        valid_until=draw(st.integers(0, (1 << 40) - 1)),
        salt=draw(st.integers(0, (1 << 64) - 1)),
        preferences=draw(digests),
    )
    signature = draw(st.binary(min_size=64, max_size=64))
    return SealedOrder(asset=number, order=order, signature=signature, digest=order.digest(SEPARATOR))


@st.composite
def batches(draw, most_rate=MAX_RATE):
    """A batch as it can be packed: nothing says that the contract would take it."""
    session = draw(sessions)
    orders = draw(st.lists(sealed_orders(session), max_size=6, unique_by=lambda sealed: sealed.digest))
    orders.sort(key=lambda sealed: sealed.digest)
    bids = [sealed.digest for sealed in orders if sealed.order.side is Side.BID]
    offers = [sealed.digest for sealed in orders if sealed.order.side is Side.OFFER]
    trades = []
    if bids and offers:
        trades = draw(
            st.lists(
                st.builds(
                    Trade,
                    session=st.just(session),
                    bid=st.sampled_from(bids),
                    offer=st.sampled_from(offers),
                    energy=energies,
                    rate=rates.filter(lambda rate: abs(rate) <= most_rate),
                    fees=fee_rows(),
                ),
                max_size=8,
            )
        )
    parts = draw(st.integers(1, (1 << 16) - 1))
    return Batch(
        session=session,
        part=draw(st.integers(0, parts - 1)),
        parts=parts,
        order_root=draw(digests),
        parameters=draw(digests),
        orders=tuple(orders),
        trades=tuple(sorted(trades, key=Trade.leaf)),
    )


def large_book(pairs: int) -> Book:
    """A cleared book of `pairs` bids and offers that trade in a chain, and one order that does not trade."""
    session = MARKET.session(1_782_000_000)
    accepted = []
    for number in range(2 * pairs + 1):
        side = Side.BID if number % 2 else Side.OFFER
        idle = number == 2 * pairs
        order = Order(
            asset=identity_of(number),
            market=session.market,
            product=session.product,
            side=side,
            delivery_start=session.delivery_start,
            # bids and offers end at different points of the merit order
            energy=Wh(1_000 if side is Side.BID else 1_000 + number % 3),
            limit=MicroPerKwh(MAX_RATE if idle else (300_000 if side is Side.BID else 50_000) + number),
            valid_until=session.delivery_start,
            salt=number,
        )
        digest = order.digest(SEPARATOR)
        accepted.append(
            OrderAccepted(
                digest=digest,
                signed=SignedOrder(order, keccak(digest) * 2),
                receipt=Receipt(digest, number + 1, 1_781_990_000, signature=bytes(64)),
                signer=bytes(20),
                account=number + 1,
                asset=number,
                free=Nano(1 << 60),
            )
        )
    resting = [
        Resting(one.signed.order, one.digest, one.receipt.sequence, one.account, "", TREE.root.number)
        for one in accepted
    ]
    cleared = SessionCleared(
        session=session,
        clearing=clear(resting, session=session, tree=TREE),
        excluded=(),
        parameters=PARAMETERS.hash(),
        at=session.delivery_start,
    )
    return Book(key=session, parameters=PARAMETERS, orders=tuple(accepted), cancellations=(), cleared=cleared)


def with_clearing(book: Book, **changes: object) -> Book:
    """The book with some fields of its clearing changed."""
    return replace(book, cleared=replace(book.cleared, clearing=replace(book.cleared.clearing, **changes)))
