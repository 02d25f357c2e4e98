"""What happens in the registries on the demo's day: homes name an aggregator, and one of them is sold.

From the sale on the aggregator's word for that home counts no more: the exchange refuses its order, and so would the
contract, were the order smuggled past the exchange.
"""

from collections.abc import Callable
from dataclasses import dataclass

from app.community import Story
from app.founding import UNITS_PER_CENT, AssetPlace, Founded, Member, member_key, told
from app.keeper import Keeper
from app.registering import Registering
from contracts.errors import Reverted
from exchange.order import Order
from identity.address import Address
from identity.facts import AccountOpened
from identity.hashing import keccak
from identity.registry import Registry
from identity.signature import address_of, sign
from settlement.batch import Batch, SealedOrder
from settlement.calldata import settle_calldata
from settlement.effects import escrow_token, settlement_contract

AGGREGATOR = "aggregator"
NEWCOMER = "newcomer"

DELEGATED_SECONDS = 7 * 24 * 3600
"""How long the homes name the aggregator for; the sale ends one of these mandates before."""

DEPOSIT_CENTS = 1_000
_GAS_MONEY_WEI = 10**18


@dataclass(frozen=True, slots=True, kw_only=True)
class LateOrder:
    """What became of the order that the aggregator signed for the home after its sale."""

    home: str
    by_exchange: str
    by_contract: str


class RegistryStory:
    """Acts as the homes, the aggregator and the newcomer would, with their made-up keys.

    `registry` is what the exchange has read of the chain, `catch_up` has it read on. `rich_key` has ether to give.
    """

    def __init__(
        self,
        story: Story,
        registering: Registering,
        founded: Founded,
        keeper: Keeper,
        registry: Callable[[], Registry],
        catch_up: Callable[[], object],
        rich_key: bytes,
    ) -> None:
        self._registering = registering
        self._founded = founded
        self._keeper = keeper
        self._registry = registry
        self._catch_up = catch_up
        self._rich_key = rich_key
        self.aggregated = tuple(founded.member(name) for name in story.aggregated)
        self.sold = None if story.sold is None else founded.member(story.sold)

    @property
    def aggregator_key(self) -> bytes:
        """The aggregator's key."""
        return member_key(AGGREGATOR)

    def name_the_aggregator(self) -> None:
        """Every home that wants it lets the aggregator trade for its assets."""
        agent = address_of(self.aggregator_key)
        for member in self.aggregated:
            key = self._with_ether(member.name)
            for place in member.assets.values():
                self._registering.delegate(key, place.identity, agent, DELEGATED_SECONDS)

    def sell(self, home: Member, now: int) -> Member:
        """Sell a home with all it has to a newcomer, who opens an account; return the newcomer as a member."""
        seller, buyer = self._with_ether(home.name), self._with_ether(NEWCOMER)
        contract = Address(self._founded.deployment.settlement)
        receipt = self._registering.tell(buyer, contract, settlement_contract.open_account(address_of(buyer)))
        account = told(receipt, AccountOpened).account
        for to, data in self._deposit(account):
            self._registering.tell(self._rich_key, to, data)
        for place in home.assets.values():
            self._registering.sell(seller, place.identity, buyer)
        self._catch_up()
        self._keeper.keep_now(now)
        self._catch_up()
        return Member(
            name=NEWCOMER,
            holder=address_of(buyer),
            account=account,
            assets={
                kind: AssetPlace(
                    identity=place.identity, number=self._registry().asset(place.identity).number, column=place.column
                )
                for kind, place in home.assets.items()
            },
        )

    def contract_says(self, home: Member, order: Order, operator: Address) -> str:
        """Return why the contract would not settle an order of the sold home that the aggregator signed.

        It is tried under the enrolment of the seller, which ended with the sale, and under the buyer's.
        """
        separator = self._founded.parameters.domain.separator()
        digest = order.digest(separator)
        numbers = (
            next(place.number for place in home.assets.values() if place.identity == order.asset),
            self._registry().asset(order.asset).number,
        )
        reasons = []
        for number in numbers:
            sealed = SealedOrder(asset=number, order=order, signature=sign(digest, self.aggregator_key), digest=digest)
            batch = Batch(
                session=order.session,
                part=0,
                parts=1,
                order_root=keccak(digest),
                parameters=self._founded.parameters.hash(),
                orders=(sealed,),
                trades=(),
            )
            try:
                self._registering.evm.call(self._founded.deployment.settlement, settle_calldata(batch), sender=operator)
            except Reverted as refusal:
                reasons.append(refusal.reason)
        return "; ".join(dict.fromkeys(reasons))

    def _with_ether(self, name: str) -> bytes:
        key = member_key(name)
        if not self._registering.evm.balance(address_of(key)):
            self._registering.tell(self._rich_key, address_of(key), b"", value=_GAS_MONEY_WEI)
        return key

    def _deposit(self, account: int) -> list[tuple[bytes, bytes]]:
        units, deployment = DEPOSIT_CENTS * UNITS_PER_CENT, self._founded.deployment
        return [
            (deployment.token, escrow_token.mint(address_of(self._rich_key), units)),
            (deployment.token, escrow_token.approve(Address(deployment.settlement), units)),
            (deployment.settlement, settlement_contract.deposit(account, units)),
        ]
