"""Generated orders and books: few rates, accounts and homes, so that ties and own orders are common."""

from hypothesis import strategies as st

from exchange.delivery import Product, SessionKey
from exchange.fee_row import FeeRow
from exchange.order import Order, Side
from exchange.resting import Resting
from exchange.tree import FeeShare
from exchange.units import MAX_ENERGY, MAX_RATE, MicroPerKwh, Wh
from identity.address import Address
from identity.hashing import keccak
from identity.typed_data import Domain
from tests.actors import CONTRACT
from tests.exchange.reference_auction import Row

SESSION = SessionKey(7, Product.SPOT, 1_800_000_000)
DOMAIN = Domain(31_337, CONTRACT.address)
SEPARATOR = DOMAIN.separator()

digests = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=20, max_size=20).map(Address)
energies = st.one_of(st.integers(1, 6), st.integers(1, MAX_ENERGY)).map(Wh)
rates = st.one_of(st.integers(-4, 4), st.integers(-MAX_RATE - 1, MAX_RATE)).map(MicroPerKwh)
fees = st.one_of(st.integers(0, 3), st.integers(0, 100_000)).map(MicroPerKwh)
node_numbers = st.one_of(st.integers(1, 4), st.integers(1, (1 << 32) - 1))
domains = st.builds(
    Domain,
    chain_id=st.integers(1, (1 << 256) - 1),
    contract=addresses,
    name=st.text(max_size=20),
    version=st.text(max_size=5),
)


def one_fee(node: int, rate: int) -> FeeRow:
    """Return what one node alone takes of the trades that are made at it."""
    return FeeRow((FeeShare(node, MicroPerKwh(rate)),), top=node)


def fee_row(top: int, *shares: tuple[int, int]) -> FeeRow:
    """Return a row of nodes, each with its rate; `top` is the number of one of them."""
    return FeeRow(tuple(FeeShare(node, MicroPerKwh(rate)) for node, rate in shares), top)


@st.composite
def fee_rows(draw: st.DrawFn, *, nodes: st.SearchStrategy[int] = node_numbers, most: int = 5) -> FeeRow:
    """Rows of up to `most` nodes, any of them the top; few numbers and rates, so that rows come twice."""
    numbers = draw(st.lists(nodes, min_size=1, max_size=most, unique=True))
    top = draw(st.sampled_from(numbers))
    return FeeRow(
        tuple(FeeShare(number, draw(fees if number == top else fees.filter(bool))) for number in numbers), top
    )


def orders(limit: st.SearchStrategy[MicroPerKwh] = rates) -> st.SearchStrategy[Order]:
    """Orders with every field anywhere in its range."""
    return st.builds(
        Order,
        asset=addresses,
        market=st.integers(0, (1 << 32) - 1),
        product=st.sampled_from(Product),
        side=st.sampled_from(Side),
        delivery_start=st.integers(0, (1 << 40) - 1),
        energy=energies,
        limit=limit,
        valid_until=st.integers(0, (1 << 40) - 1),
        salt=st.integers(0, (1 << 64) - 1),
        preferences=digests,
    )


def resting(
    side: Side,
    limit: int,
    energy: int,
    *,
    sequence: int,
    account: int | None = None,
    home: str = "",
    session: SessionKey = SESSION,
    node: int | None = None,
) -> Resting:
    """Return an order as it stands in the book; without `account`, of an account that has no other order.

    Without `node` it hangs on the root, which has the number of the market.
    """
    order = Order(
        asset=Address(keccak(f"asset {account} {home} {side}".encode())[:20]),
        market=session.market,
        product=session.product,
        side=side,
        delivery_start=session.delivery_start,
        energy=Wh(energy),
        limit=MicroPerKwh(limit),
        valid_until=session.delivery_start,
        salt=sequence,
    )
    return Resting(
        order=order,
        digest=order.digest(SEPARATOR),
        sequence=sequence,
        account=1_000 + sequence if account is None else account,
        home=home,
        node=session.market if node is None else node,
    )


@st.composite
def books(draw: st.DrawFn, *, most: int = 24, accounts: int = 5) -> list[Resting]:
    """Books of one session: accounts have several orders at several homes, and may cross themselves."""
    drawn = draw(
        st.lists(
            st.tuples(
                st.sampled_from(Side),
                rates,
                energies,
                st.integers(1, accounts),
                st.sampled_from(("", "barn", "house")),
            ),
            max_size=most,
        )
    )
    return [
        resting(side, limit, energy, sequence=number, account=account, home=home)
        for number, (side, limit, energy, account, home) in enumerate(drawn, 1)
    ]


def rows(markets: int, *, most: int = 40) -> st.SearchStrategy[list[Row]]:
    """One side of the books of several markets."""
    return st.lists(st.builds(Row, market=st.integers(0, markets - 1), rate=rates, energy=energies), max_size=most)


@st.composite
def many_markets(draw: st.DrawFn) -> tuple[list[Row], list[Row], int]:
    """Bids, offers and how many markets there are; some markets stay empty."""
    markets = draw(st.integers(1, 6))
    return draw(rows(markets)), draw(rows(markets)), markets
