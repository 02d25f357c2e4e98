"""A small honest world: a registry, signed orders, sessions cleared by the market, sealed, settled, and seen on chain.

One delivery period has trades with a delegate's order, own energy, a cancelled and an excluded order among them; the
second has orders that do not meet; the third trades at a negative rate.
"""

from dataclasses import dataclass, field, replace

from exchange.book import Book, book_of
from exchange.delivery import Market as Terms
from exchange.delivery import Product
from exchange.events import OrderCancelled, ParametersSet
from exchange.market import Market
from exchange.order import Order, Side, SignedOrder, cancellation_digest
from exchange.parameters import Parameters
from exchange.receipt import Receipt, sign_receipts
from exchange.tree import Fee, Node, Tree
from exchange.units import MicroPerKwh, Nano, Wh
from identity.address import Address
from identity.facts import AccountOpened, ClaimRevoked
from identity.hashing import keccak
from identity.signature import Signer
from identity.typed_data import Domain
from settlement.batch import Batch, seal
from settlement.calldata import settle_calldata
from settlement.chain_state import ChainState
from settlement.chain_view import ChainView
from settlement.facts import BatchSettled, Deposited, Fact, MarketOpened, WithdrawalRequested, Withdrawn, Witnessed
from tests.actors import AGENT, CONSUMER, CONTRACT, NEIGHBOUR, OPERATOR, PRODUCER, PROSUMER, STRANGER, UTILITY, Actor
from tests.registries import ASSET_ROLE, CERTIFIER, EVER, GRID_OPERATOR, ROLES, asset_facts, delegation, role_facts

PERIOD, OPENING, LEAD, WINDOW = 900, 86_400, 60, 7_200
FIRST = 1_782_000_000
FEE = MicroPerKwh(10_000)
DOMAIN = Domain(1337, CONTRACT.address)
EURO = 1_000_000_000

FEES, PRODUCING, CONSUMING, HOME, NEXT_DOOR, GRID = 1, 2, 3, 4, 5, 6
HOLDERS = {
    FEES: OPERATOR,
    PRODUCING: PRODUCER,
    CONSUMING: CONSUMER,
    HOME: PROSUMER,
    NEXT_DOOR: NEIGHBOUR,
    GRID: UTILITY,
}
"""Account numbers, and who holds them."""


def asset_named(name: str) -> Address:
    return Address(keccak(name.encode())[12:])


WIND, FLAT, ROOF, CAR, SHED, GRID_IN, GRID_OUT = map(
    asset_named, ("wind", "flat", "roof", "car", "shed", "grid in", "grid out")
)
ASSETS = [
    (WIND, PRODUCING),
    (FLAT, CONSUMING),
    (ROOF, HOME),
    (CAR, HOME),
    (SHED, NEXT_DOOR),
    (GRID_IN, GRID),
    (GRID_OUT, GRID),
]

MARKET = Terms(number=7, period=PERIOD, opening=OPENING, lead=LEAD, window=WINDOW)
TREE = Tree(
    (
        Node(
            number=MARKET.number,
            name="street",
            parent=None,
            fee=Fee(constant=FEE),
            fee_account=FEES,
            fee_cap=MicroPerKwh(2 * FEE),
            operator=GRID_OPERATOR.address,
        ),
    )
)
PARAMETERS = Parameters(
    community="Sunny Street",
    currency="EUR",
    domain=DOMAIN,
    markets=(MARKET,),
    tree=TREE,
    receipts=OPERATOR.address,
    # the utility's two connections are two places: what it sells is not its own energy
    homes=tuple(sorted([(GRID_IN, "in"), (GRID_OUT, "out")])),
)


@dataclass
class Chain:
    """What the contract would have logged, each entry in a block of its own."""

    facts: list[Witnessed] = field(default_factory=list)
    times: dict[int, int] = field(default_factory=dict)
    calldata: dict[tuple[int, int], bytes] = field(default_factory=dict)
    state: ChainState = field(default_factory=lambda: ChainState(DOMAIN.separator(), ROLES))

    def log(self, fact: Fact, at: int, calldata: bytes | None = None) -> None:
        number = len(self.facts) + 1
        self.state.apply(fact, calldata)
        self.facts.append(Witnessed(fact, number, keccak(b"block %d" % number), keccak(b"tx %d" % number), 0))
        self.times[number] = at
        if isinstance(fact, BatchSettled):
            assert calldata is not None
            self.calldata[fact.session, fact.part] = calldata

    def settle(self, batch: Batch, at: int) -> None:
        self.log(settled(batch), at, settle_calldata(batch))

    def view(self) -> ChainView:
        return ChainView(
            chain_id=DOMAIN.chain_id,
            contract=DOMAIN.contract,
            roles=ROLES,
            facts=tuple(self.facts),
            calldata=dict(self.calldata),
            credits=self.state.ledger.credits(),
            tokens_held=self.state.ledger.total,
            block_times=dict(self.times),
        )


def settled(batch: Batch) -> BatchSettled:
    """The event the contract logs for a batch."""
    return BatchSettled(
        session=batch.session.number,
        part=batch.part,
        parts=batch.parts,
        order_root=batch.order_root,
        trade_root=batch.trade_root,
        parameters=batch.parameters,
        orders=len(batch.orders),
        trades=len(batch.trades),
        energy=batch.energy,
        value=batch.value,
        fee=batch.fee,
    )


def receipt_for(digest: bytes, sequence: int, now: int) -> Receipt:
    return sign_receipts([(digest, sequence, now)], Signer(OPERATOR.key), DOMAIN.separator())[0]


def order_of(asset: Address, side: Side, energy: int, limit: int, *, start: int = FIRST, salt: int = 0) -> Order:
    return Order(
        asset=asset,
        market=MARKET.number,
        product=Product.SPOT,
        side=side,
        delivery_start=start,
        energy=Wh(energy),
        limit=MicroPerKwh(limit),
        valid_until=start,
        salt=salt,
    )


class Exchange:
    """The market, driven as the desk drives it: decide, then apply."""

    def __init__(self, chain: Chain, parameters: Parameters = PARAMETERS) -> None:
        self.chain = chain
        self.market = Market()
        self.market.apply(ParametersSet(parameters=parameters, at=0))

    def take(self, order: Order, signer: Actor, now: int) -> bytes:
        digest = order.digest(DOMAIN.separator())
        accepted = self.market.take(
            SignedOrder(order, signer.sign(digest)),
            registry=self.chain.state.registry,
            credit=self.chain.state.free,
            receipt=receipt_for,
            sequence=self.market.next_sequence,
            now=now,
        )
        self.market.apply(accepted)
        return digest

    def cancel(self, digest: bytes, signer: Actor, now: int) -> None:
        signature = signer.sign(cancellation_digest(digest, DOMAIN.separator()))
        event = self.market.cancel(digest, signature, registry=self.chain.state.registry, now=now)
        assert isinstance(event, OrderCancelled)
        self.market.apply(event)

    def clear(self, start: int) -> Book:
        market = self.market.parameters.spot
        key, now = market.session(start), market.gate_closure(start)
        self.market.apply(self.market.close(key, now))
        self.market.apply(self.market.clear(key, registry=self.chain.state.registry, now=now))
        return book_of(self.market.session(key), self.market.rulebook)


@dataclass(frozen=True)
class World:
    """The books of the exchange and what the chain shows."""

    books: tuple[Book, ...]
    chain: ChainView

    @property
    def batches(self) -> tuple[Batch, ...]:
        return tuple(batch for book in self.books for batch in seal(book))

    def with_book(self, index: int, **changes: object) -> "World":
        books = list(self.books)
        books[index] = replace(books[index], **changes)
        return replace(self, books=tuple(books))

    def with_chain(self, **changes: object) -> "World":
        return replace(self, chain=replace(self.chain, **changes))


def founded(at: int, parameters: Parameters = PARAMETERS) -> Chain:
    """A chain on which everybody has an account, an asset and 50 euro, and every node is a market."""
    chain = Chain()
    for fact in role_facts(at):
        chain.log(fact, at)
    for account, holder in HOLDERS.items():
        chain.log(AccountOpened(account, holder.address), at)
    for number, (asset, account) in enumerate(ASSETS, start=1):
        for fact in asset_facts(number, asset, HOLDERS[account].address, account, at):
            chain.log(fact, at)
    for node in parameters.tree.nodes:
        chain.log(
            MarketOpened(
                market=node.number,
                tree=MARKET.number,
                fee_account=node.fee_account,
                fee_cap=node.fee_cap,
                period=PERIOD,
                lead=LEAD,
                window=WINDOW,
                uniform=parameters.is_uniform(node.number),
            ),
            at,
        )
    for account in HOLDERS:
        if account != FEES:
            chain.log(Deposited(account, Nano(50 * EURO)), at)
    return chain


def honest_world() -> World:
    """Three delivery periods, all settled."""
    morning = FIRST - 3_600
    chain = founded(morning)
    chain.log(delegation(FLAT, AGENT.address, EVER, at=morning), morning)
    chain.log(delegation(SHED, STRANGER.address, EVER, at=morning), morning)
    exchange = Exchange(chain)

    # the first delivery period
    now = morning + 100
    exchange.take(order_of(WIND, Side.OFFER, 5_000, 80_000), PRODUCER, now)
    exchange.take(order_of(FLAT, Side.BID, 3_000, 240_000), AGENT, now + 1)
    exchange.take(order_of(ROOF, Side.OFFER, 2_000, 60_000), PROSUMER, now + 2)
    exchange.take(order_of(CAR, Side.BID, 800, 300_000), PROSUMER, now + 3)
    exchange.take(order_of(GRID_IN, Side.OFFER, 90_000, 300_000), UTILITY, now + 4)
    exchange.take(order_of(GRID_OUT, Side.BID, 90_000, 90_000), UTILITY, now + 4)
    changed_mind = exchange.take(order_of(SHED, Side.BID, 700, 200_000), NEIGHBOUR, now + 5)
    exchange.take(order_of(SHED, Side.BID, 900, 210_000, salt=1), STRANGER, now + 6)
    exchange.cancel(changed_mind, NEIGHBOUR, now + 7)
    # the second: nobody meets
    exchange.take(order_of(FLAT, Side.BID, 1_000, 50_000, start=FIRST + PERIOD), CONSUMER, now + 8)
    exchange.take(order_of(WIND, Side.OFFER, 1_000, 80_000, start=FIRST + PERIOD), PRODUCER, now + 9)
    # the third: the wind pays to be taken
    exchange.take(order_of(WIND, Side.OFFER, 4_000, -50_000, start=FIRST + 2 * PERIOD), PRODUCER, now + 10)
    exchange.take(order_of(SHED, Side.BID, 4_500, -20_000, start=FIRST + 2 * PERIOD), NEIGHBOUR, now + 11)
    # the neighbour's agent is dismissed before the first gate closes: its order is left out
    chain.log(delegation(SHED, STRANGER.address, now + 21, at=now + 21), now + 21)
    chain.log(WithdrawalRequested(GRID, Nano(2 * EURO), now + 30), now + 22)

    books = []
    for start in (FIRST, FIRST + PERIOD, FIRST + 2 * PERIOD):
        book = exchange.clear(start)
        for batch in seal(book):
            chain.settle(batch, start + 30)
        books.append(book)
    chain.log(Withdrawn(GRID, Nano(2 * EURO)), FIRST + 3 * PERIOD)
    over = FIRST + 3 * PERIOD + 1
    chain.log(ClaimRevoked(WIND, ASSET_ROLE, CERTIFIER.address, over), over)
    return World(tuple(books), chain.view())
