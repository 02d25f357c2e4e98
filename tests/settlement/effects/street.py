"""A street on a chain of its own: contracts deployed, a market open, three members with credit, and books to settle."""

from dataclasses import dataclass, replace

from contracts.abi import abi_of
from contracts.deployment import Deployment, deploy
from contracts.devnet_keys import devnet_key
from contracts.evm import Evm, Receipt
from contracts.transacting import transact
from exchange.book import Book
from exchange.clear import Resting, clear
from exchange.delivery import Market
from exchange.events import OrderAccepted, SessionCleared
from exchange.order import Order, Side, SignedOrder
from exchange.parameters import Parameters
from exchange.receipt import sign_receipts
from exchange.tree import Tree
from exchange.units import MicroPerKwh, Nano, Wh
from identity.address import Address
from identity.signature import Signer, address_of, sign
from identity.typed_data import Domain
from settlement.batch import Batch, seal
from settlement.effects import escrow_token, settlement_contract
from settlement.effects.settlement_contract import Role, SettlementContract
from settlement.facts import MarketOpened
from tests.settlement.effects.registrar import ASSET, GRID_OPERATOR, NODES, Registrar

GENESIS_TIME = 1_800_000_000
FIRST_DELIVERY = GENESIS_TIME + 3_600
LEAD = 300
FOREVER = (1 << 40) - 1
CACHE = 1_000_000_000
WITHDRAWAL_DELAY = 3_600
TERMS = MarketOpened(
    market=7, tree=7, fee_account=1, fee_cap=MicroPerKwh(10_000), period=900, lead=LEAD, window=7_200, uniform=True
)
EURO = 1_000_000
NANO_PER_UNIT = 1_000


class Clock:
    """Tells the time it was set to."""

    def __init__(self, now: int = GENESIS_TIME) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with an account, one asset under it, and ether to pay for transactions."""

    role: str
    key: bytes
    account: int
    asset: int

    @property
    def address(self) -> Address:
        return address_of(self.key)


ADMIN_KEY, OPERATOR_KEY, NODE_KEY = devnet_key(0), devnet_key(1), devnet_key(2)
ISSUER_KEY = devnet_key(6)
CONSUMER = Member("consumer", devnet_key(3), 2, 1)
PRODUCER = Member("producer", devnet_key(4), 3, 2)
PROSUMER = Member("prosumer", devnet_key(5), 4, 3)
MEMBERS = (CONSUMER, PRODUCER, PROSUMER)


class Street:
    """What there is, and how to act on it."""

    def __init__(self, evm: Evm, clock: Clock, deployment: Deployment) -> None:
        self.evm = evm
        self.clock = clock
        self.deployment = deployment
        self.address = Address(deployment.settlement)
        self.contract = SettlementContract(evm, self.address)
        self.registrar = Registrar(evm, deployment, root=ADMIN_KEY, issuer=ISSUER_KEY, payer=ADMIN_KEY)
        self.identities: dict[int, Address] = {}
        self.parameters = Parameters(
            community="street",
            currency="EUR",
            domain=Domain(deployment.chain_id, self.address),
            markets=(
                Market(number=TERMS.market, period=TERMS.period, opening=86_400, lead=TERMS.lead, window=TERMS.window),
            ),
            tree=Tree.of_one(TERMS.market, fee=TERMS.fee_cap, fee_account=TERMS.fee_account),
            receipts=address_of(OPERATOR_KEY),
        )

    def tell(self, key: bytes, data: bytes) -> Receipt:
        """Send one transaction to the contract."""
        return transact(self.evm, key, self.address, data)

    def enrol(self, member: Member, expiry: int | None = None) -> int:
        """Make an asset of the member, certify it until before `expiry` (None: for good), enrol it; its number."""
        identity = self.registrar.create(member.key)
        self.registrar.certify(identity, ASSET, member.key, epoch=1, expiry=expiry)
        self.tell(ADMIN_KEY, settlement_contract.enrol(identity, member.account))
        number = self.contract.asset_of(identity)
        self.identities[number] = identity
        return number

    def fund(self, account: int, token_units: int) -> None:
        """Deposit test euro for somebody."""
        token, admin = Address(self.deployment.token), address_of(ADMIN_KEY)
        transact(self.evm, ADMIN_KEY, token, escrow_token.mint(admin, token_units))
        transact(self.evm, ADMIN_KEY, token, escrow_token.approve(self.address, token_units))
        self.tell(ADMIN_KEY, settlement_contract.deposit(account, token_units))

    def book(self, start: int = FIRST_DELIVERY, *, consumed: int = 1_000, salt: int = 1) -> Book:
        """The consumer and the prosumer buy from the producer, who has enough."""
        wishes = [
            (CONSUMER, Side.BID, consumed, 250_000),
            (PROSUMER, Side.BID, 400, 210_000),
            (PRODUCER, Side.OFFER, 5_000, 100_000),
        ]
        separator, key = self.parameters.domain.separator(), self.parameters.spot.session(start)
        accepted = []
        for sequence, (member, side, energy, limit) in enumerate(wishes, start=1):
            order = Order(
                asset=self.identities[member.asset],
                market=TERMS.market,
                product=key.product,
                side=side,
                delivery_start=start,
                energy=Wh(energy),
                limit=MicroPerKwh(limit),
                valid_until=start,
                salt=salt,
            )
            digest, at = order.digest(separator), start - 1_000
            accepted.append(
                OrderAccepted(
                    digest=digest,
                    signed=SignedOrder(order, sign(digest, member.key)),
                    receipt=sign_receipts([(digest, sequence, at)], Signer(OPERATOR_KEY), separator)[0],
                    signer=member.address,
                    account=member.account,
                    asset=member.asset,
                    free=Nano(10**10),
                )
            )
        clearing = clear(
            [Resting(a.signed.order, a.digest, a.receipt.sequence, a.account, "", TERMS.market) for a in accepted],
            session=key,
            tree=self.parameters.tree,
        )
        return Book(
            key=key,
            parameters=self.parameters,
            orders=tuple(accepted),
            cancellations=(),
            cleared=SessionCleared(
                session=key,
                clearing=clearing,
                excluded=(),
                parameters=self.parameters.hash(),
                at=start - LEAD,
            ),
        )

    def batch(self, start: int = FIRST_DELIVERY, *, consumed: int = 1_000, salt: int = 1) -> Batch:
        """The one batch of that book."""
        (batch,) = seal(self.book(start, consumed=consumed, salt=salt))
        return batch

    def close_gate(self, start: int = FIRST_DELIVERY) -> None:
        """Let time pass until the session can be settled."""
        self.clock.now = max(self.clock.now, start - LEAD)


def found_street(evm: Evm, clock: Clock) -> Street:
    """Deploy, give out roles, open the market, bring the members in."""
    delays = {"withdrawal_delay_seconds": WITHDRAWAL_DELAY, "cache_seconds": CACHE}
    street = Street(evm, clock, deploy(evm, ADMIN_KEY, roles=NODES, **delays))
    admin = address_of(ADMIN_KEY)
    street.registrar.define_roles()
    street.registrar.certify(admin, GRID_OPERATOR, ADMIN_KEY)
    street.tell(ADMIN_KEY, settlement_contract.grant(Role.GUARDIAN, admin))
    street.tell(ADMIN_KEY, settlement_contract.grant(Role.OPERATOR, address_of(OPERATOR_KEY)))
    street.tell(ADMIN_KEY, settlement_contract.open_account(address_of(NODE_KEY)))
    street.tell(ADMIN_KEY, settlement_contract.open_market(TERMS))
    for member in MEMBERS:
        street.tell(ADMIN_KEY, settlement_contract.open_account(member.address))
        assert street.enrol(member) == member.asset
        street.fund(member.account, 10 * EURO)
    return street


def impoverish_the_consumer(street: Street) -> None:
    """The consumer takes everything out, and the gate closes."""
    street.tell(CONSUMER.key, settlement_contract.request_withdrawal(CONSUMER.account, 10 * EURO))
    street.clock.now = street.contract.withdrawal(CONSUMER.account)[1]
    street.tell(ADMIN_KEY, settlement_contract.withdraw(CONSUMER.account))
    street.close_gate()


def in_two_parts(batch: Batch) -> list[Batch]:
    """A batch of two trades as two parts of one trade each."""
    return [
        replace(
            batch,
            part=part,
            parts=2,
            orders=tuple(order for order in batch.orders if order.digest in (trade.bid, trade.offer)),
            trades=(trade,),
        )
        for part, trade in enumerate(batch.trades)
    ]


def on_chain(street: Street, batch: Batch) -> int:
    """How often the contract logged that it settled the batch."""
    entries = street.evm.logs(street.address, street.deployment.block, street.evm.head().number)
    events = [abi_of("Settlement").event(entry.topics, entry.data) for entry in entries]
    return sum(
        name == "Settled" and (fields["session"], fields["part"]) == (batch.session.number, batch.part)
        for name, fields in events
    )


def states(store):
    """The states of all batches, in the order they were sealed."""
    return [batch.state for batch in store.batches()]
