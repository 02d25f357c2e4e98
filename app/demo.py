"""A community trades a whole day on simulated time, over the same HTTP that everybody uses, and is audited.

Homes sign their own orders or let an aggregator do so; what a home will draw and feed in comes from its profile. During
the day the grid operator may change fees (`demo_tariffs.py`), and at noon a home may be sold (`demo_registry.py`). The
chain is in this process, recorded block by block, so that the audit can be repeated later.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from app.auditing import Evidence, Verdict, gather, judge
from app.client.answers import Expect
from app.client.client import MeritClient
from app.client.errors import Refused
from app.client.node_talks import TermsChange
from app.clock import SetClock
from app.community import Community, Profiles, read_community, read_profiles
from app.demo_bills import Bill, Outside, without_market
from app.demo_figures import LimitCost, NodeDay, cost_of_limits, nodes_of_the_day
from app.demo_forgery import forged
from app.demo_registry import NEWCOMER, LateOrder, RegistryStory
from app.demo_tariffs import Change, changes_of_the_day
from app.founding import NEED, Founded, Keys, Member, found, member_key
from app.registering import Registering
from app.server import Serving, create_app
from app.wiring import House, Places, build, keeper_of
from contracts.local_evm import LocalEvm
from exchange.agents import Alternative, need, output, supply, take_up
from exchange.delivery import SessionKey
from exchange.order import Order
from exchange.tree import Tree
from exchange.units import MicroPerKwh, Nano, Wh
from identity.signature import address_of
from settlement.findings import Finding

SETTING_UP_SECONDS = 7200
"""How long before the first gate opens the chain begins."""

HANDED_IN_SECONDS = 600
"""How long before gate closure the homes hand in their orders."""


class DemoFailed(Exception):
    """Something in the demo went another way than it must."""

    code = "demo-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTotals:
    """What the day was to the chain."""

    sessions: int
    trades: int
    energy: Wh
    value: Nano
    fees: Nano
    gas: int
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What the registries had to do with the day."""

    certified: int
    aggregated: tuple[str, ...]
    late: LateOrder | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """A book that was altered in a copy, how, and what the audit found of it."""

    session: SessionKey
    told: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The demo's outcome. `changes` are the tariffs that were set. `limits` is what the nodes' limits cost, and `sides`
    how much more money homes, utility and nodes would have had without them. `caught` is what the audit finds once
    books are altered in a copy.
    """

    registered: Registered
    changes: tuple[Change, ...]
    bills: tuple[Bill, ...]
    nodes: tuple[NodeDay, ...]
    limits: LimitCost
    sides: Mapping[str, Nano]
    chain: ChainTotals
    verdict: Verdict
    caught: tuple[Caught, ...]


def prepare(community_file: Path, data: Path) -> tuple["Demo", int]:
    """Found a fresh exchange in the empty folder `data`; return the demo and its number of delivery periods."""
    community = read_community(community_file)
    profiles = read_profiles(community, community_file.parent)
    terms = community.community
    clock = SetClock(profiles.starts[0] - terms.opening_seconds - SETTING_UP_SECONDS)
    places = Places(data)
    data.mkdir(parents=True, exist_ok=True)
    evm = LocalEvm(clock, genesis_time=clock(), record=places.chain)
    keys = Keys.devnet()
    founded = found(evm, community, keys)
    founded.write(places.exchange)
    house = build(places, founded, keys, clock, evm)
    return Demo(community, profiles, founded, house, evm, clock, data, keys), len(profiles.starts)


class Demo:
    """The scripted day. Use as a context manager: it closes the exchange."""

    def __init__(
        self,
        community: Community,
        profiles: Profiles,
        founded: Founded,
        house: House,
        evm: LocalEvm,
        clock: SetClock,
        data: Path,
        keys: Keys,
    ) -> None:
        self.house = house
        self.evm = evm
        self.clock = clock
        self.app = create_app(house)
        self._community = community
        self._profiles = profiles
        self.founded = founded
        self._data = data
        self._keys = keys
        self._keeper = keeper_of(house, keys.certifier)
        self._story = RegistryStory(
            community.demo,
            Registering(evm, founded.deployment, house.preset),
            founded,
            self._keeper,
            lambda: house.indexer.state.registry,
            house.heartbeat.read_chain,
            keys.admin,
        )
        self._late: LateOrder | None = None
        self._sent = 0
        self._residents = {member.name: [(0, member)] for member in founded.members if member.assets.keys() - {NEED}}
        """Who lives where from which delivery period on."""
        self._changes = list(changes_of_the_day(community, founded.parameters, profiles.starts))
        self._outside = Outside(
            account=founded.member(community.utility.name).account,
            node=community.node_of(community.utility),
            alternative=Alternative(
                sell=MicroPerKwh(community.utility.sell_micro_per_kwh),
                buy=MicroPerKwh(community.utility.buy_micro_per_kwh),
            ),
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of every file."""
        self.house.close()
        self.evm.close()

    def trade(self, tick: Callable[[int], None]) -> None:
        """Trade the whole day; `tick` hears the number of every delivery period that was settled."""
        market, starts = self.founded.parameters.spot, self._profiles.starts
        expect = Expect(self.founded.deployment.chain_id, self.founded.parameters.domain.contract)
        with Serving(self.app) as server, MeritClient(server.url, expect=expect, timeout=30) as reader:
            reader.meta()
            clients = {member.name: reader.with_key(member_key(member.name)) for member in self.founded.members}
            clients[NEWCOMER] = reader.with_key(member_key(NEWCOMER))
            by_aggregator = reader.with_key(self._story.aggregator_key)
            operator = reader.with_key(self._keys.grid_operator)
            clients |= dict.fromkeys((member.name for member in self._story.aggregated), by_aggregator)
            self._story.name_the_aggregator()
            self.house.heartbeat.beat(self.clock())
            noon = len(starts) >> 1
            for index, start in enumerate(starts):
                closure = market.gate_closure(start)
                self._set_tariffs(operator, closure - HANDED_IN_SECONDS)
                self.clock.set(closure - HANDED_IN_SECONDS)
                self._keeper.keep(self.clock())
                sold = self._story.sold if index == noon else None
                if sold is not None:
                    self._residents[sold.name].append((index, self._story.sell(sold, self.clock())))
                tree = self._tree(market.session(start))
                for member in self._at_home(index):
                    self._hand_in(clients[member.name], member, self._orders(member, index, start, tree))
                late = None
                if sold is not None:
                    late = self._try_late(by_aggregator, sold, self._orders(sold, index, start, tree))
                self.clock.set(closure + 1)
                if sold is not None and late is not None:
                    self._ask_contract(sold, *late)
                self.house.heartbeat.beat(self.clock())
                tick(index)
        unfinished = self.house.store.unfinished()
        if unfinished:
            raise DemoFailed(f"{len(unfinished)} batches are not settled")

    def _set_tariffs(self, operator: MeritClient, until: int) -> None:
        """Send what the grid operator has to change up to an instant, each change in its time."""
        while self._changes[self._sent :] and (change := self._changes[self._sent]).at <= until:
            self.clock.set(max(self.clock(), change.at))
            operator.set_terms(change.node, TermsChange(fee_micro_per_kwh=change.fee))
            self._sent += 1

    def _tree(self, session: SessionKey) -> Tree:
        """Return the tree with the fees and limits that hold for a session."""
        return self.house.desk.look(lambda market, _: market.rulebook.rules(session).tree)

    def _at_home(self, index: int) -> list[Member]:
        """Return who lives in each home in one delivery period."""
        return [[member for since, member in stays if since <= index][-1] for stays in self._residents.values()]

    def _try_late(self, client: MeritClient, home: Member, orders: list[Order]) -> tuple[Order, str] | None:
        """Hand in an order of the aggregator's for the home that was sold; fails unless the exchange refuses it."""
        if not orders:
            return None
        order = replace(orders[0], salt=orders[0].salt + len(self._profiles.starts))
        (answer,) = client.submit_many([order])
        if not isinstance(answer, Refused):
            raise DemoFailed(f"the exchange took an order of the aggregator's for {home.name}, which was sold")
        return order, str(answer)

    def _ask_contract(self, home: Member, order: Order, by_exchange: str) -> None:
        """Ask the contract about the order that the exchange refused; fails unless it would not settle it, either."""
        self.evm.mine()
        by_contract = self._story.contract_says(home, order, address_of(self._keys.operator))
        if not by_contract:
            raise DemoFailed(f"the contract would settle an order of the aggregator's for {home.name}, which was sold")
        self._late = LateOrder(home=home.name, by_exchange=by_exchange, by_contract=by_contract)

    def conclude(self) -> Day:
        """Return the bills, what the day came to, the audit's verdict, and what it says of altered books."""
        evidence = gather(self._data)
        verdict = judge(evidence, self.evm)
        without = without_market(evidence.books, self._outside)
        limits = cost_of_limits(evidence.books)
        return Day(
            registered=Registered(
                certified=sum(len(member.assets) for member in self.founded.members),
                aggregated=tuple(member.name for member in self._story.aggregated),
                late=self._late,
            ),
            changes=tuple(self._changes[: self._sent]),
            bills=tuple(self._bill(member, without) for stays in self._residents.values() for _, member in stays),
            nodes=nodes_of_the_day(evidence.books, self._outside.account),
            limits=limits,
            sides=self._by_side(limits.money),
            chain=self._chain_totals(),
            verdict=verdict,
            caught=self._caught(evidence),
        )

    def _orders(self, member: Member, index: int, start: int, tree: Tree) -> list[Order]:
        """Return what the member's agents would order for one delivery period, under the fees that `tree` has."""
        parameters, outside = self.founded.parameters, self._outside
        market = parameters.spot
        capacity = Wh(self._community.utility.capacity_wh)
        orders = []
        for kind, asset in sorted(member.assets.items()):
            energy = capacity if asset.column is None else Wh(self._profiles.columns[asset.column][index])
            make = {"load": need, "pv": output, "sell": supply, "buy": take_up}[kind]
            alternative = (
                outside.alternative.seen_from_outside(outside.node, tree)
                if asset.column is None
                else outside.alternative.seen_from(parameters.node_of(asset.identity), outside.node, tree)
            )
            if energy:
                orders.append(make(asset.identity, energy, market, start, alternative, salt=index))
        return orders

    def _hand_in(self, client: MeritClient, member: Member, orders: list[Order]) -> None:
        """Hand orders in as the member; anything but a sound acknowledgement fails the demo."""
        for answer in client.submit_many(orders):
            if isinstance(answer, Refused):
                raise DemoFailed(f"an order of {member.name} was refused: {answer}") from answer

    def _bill(self, member: Member, without: Mapping[int, Nano]) -> Bill:
        from settlement.statement import totals

        sums = totals(self.house.heartbeat.statements.lines(member.account, self._profiles.starts[0]))
        parameters = self.founded.parameters
        node = parameters.node_of(next(iter(member.assets.values())).identity)
        return Bill(
            name=member.name,
            node=parameters.tree[node].name,
            own_use=sums.own_use,
            bought=sums.bought,
            sold=sums.sold,
            paid=sums.paid,
            earned=sums.earned,
            without=None if member.account == self._outside.account else without.get(member.account, Nano(0)),
        )

    def _chain_totals(self) -> ChainTotals:
        batches = self.house.store.batches()
        settled = self.house.indexer.state.settled.values()
        return ChainTotals(
            sessions=len({batch.session for batch in batches}),
            trades=sum(fact.trades for fact in settled),
            energy=Wh(sum(fact.energy for fact in settled)),
            value=Nano(sum(fact.value for fact in settled)),
            fees=Nano(sum(fact.fee for fact in settled)),
            gas=sum(batch.gas_used or 0 for batch in batches),
            blocks=self.evm.head().number + 1,
        )

    def _by_side(self, money: Mapping[int, Nano]) -> Mapping[str, Nano]:
        """Return the money of accounts, summed up over homes, the utility, and the nodes of the tree."""
        nodes = {node.fee_account for node in self.founded.parameters.tree.nodes}
        sides = dict.fromkeys(("homes", "utility", "nodes"), Nano(0))
        for account, nano in money.items():
            side = "nodes" if account in nodes else "utility" if account == self._outside.account else "homes"
            sides[side] = Nano(sides[side] + nano)
        return sides

    def _caught(self, evidence: Evidence) -> tuple[Caught, ...]:
        """Alter books in a copy of the evidence and audit it once; fails where nobody traded."""
        forgeries = {forgery.session: forgery for forgery in forged(evidence.books)}
        if not forgeries:
            raise DemoFailed("nobody traded, so there is no trade to alter")
        books = [forgeries[book.key].book if book.key in forgeries else book for book in evidence.books]
        verdict = judge(replace(evidence, books=books), self.evm)
        return tuple(
            Caught(
                session=session,
                told=forgery.told,
                findings=tuple(finding for finding in verdict.findings if finding.session == session),
            )
            for session, forgery in forgeries.items()
        )
