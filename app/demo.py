"""A street of homes trades a whole day on simulated time, over the same HTTP that everybody uses, and is audited.

Homes sign their own orders or let an aggregator do so; what a home will draw and feed in comes from its profile. In the
middle of the day a home may be sold (`demo_registry.py`). The chain is in this process, recorded block by block, so
that the audit can be repeated later.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from app.auditing import Evidence, Verdict, gather, judge
from app.client.answers import Expect
from app.client.client import MeritClient
from app.client.errors import Refused
from app.clock import SetClock
from app.community import Community, Profiles, read_community, read_profiles
from app.demo_registry import NEWCOMER, LateOrder, RegistryStory
from app.founding import Founded, Keys, Member, found, member_key
from app.registering import Registering
from app.server import Serving, create_app
from app.wiring import House, Places, build, keeper_of
from contracts.local_evm import LocalEvm
from exchange.agents import Alternative, need, output, supply, take_up
from exchange.order import Order
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
class Bill:
    """A member's day: energies in Wh, amounts in nano; `without` is the bill there would be without the market."""

    name: str
    drawn: Wh
    fed_in: Wh
    own_use: Wh
    bought: Wh
    sold: Wh
    paid: Nano
    earned: Nano
    without: Nano

    @property
    def net(self) -> Nano:
        """What the member pays on balance."""
        return Nano(self.paid - self.earned)

    @property
    def saved(self) -> Nano:
        """What the market was worth to the member."""
        return Nano(self.without - self.net)


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
class Day:
    """The demo's outcome. `caught` is what the audit finds once one trade in a copy of a book is altered."""

    registered: Registered
    bills: tuple[Bill, ...]
    chain: ChainTotals
    verdict: Verdict
    altered: str
    caught: tuple[Finding, ...]


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
        self._residents = {member.name: [(0, member)] for member in founded.members if member.assets}
        """Who lives where from which delivery period on."""
        self._outside = community.node_of(community.utility)
        self._alternative = Alternative(
            sell=MicroPerKwh(community.utility.sell_micro_per_kwh), buy=MicroPerKwh(community.utility.buy_micro_per_kwh)
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
            clients |= dict.fromkeys((member.name for member in self._story.aggregated), by_aggregator)
            self._story.name_the_aggregator()
            self.house.heartbeat.beat(self.clock())
            noon = len(starts) >> 1
            for index, start in enumerate(starts):
                closure = market.gate_closure(start)
                self.clock.set(closure - HANDED_IN_SECONDS)
                self._keeper.keep(self.clock())
                sold = self._story.sold if index == noon else None
                if sold is not None:
                    self._residents[sold.name].append((index, self._story.sell(sold, self.clock())))
                for member in self._at_home(index):
                    self._hand_in(clients[member.name], member, self._orders(member, index, start))
                late = None if sold is None else self._try_late(by_aggregator, sold, self._orders(sold, index, start))
                self.clock.set(closure + 1)
                if sold is not None and late is not None:
                    self._ask_contract(sold, *late)
                self.house.heartbeat.beat(self.clock())
                tick(index)
        unfinished = self.house.store.unfinished()
        if unfinished:
            raise DemoFailed(f"{len(unfinished)} batches are not settled")

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
        """Return the bills, the chain's totals, the audit's verdict, and what it says of an altered trade."""
        evidence = gather(self._data)
        verdict = judge(evidence, self.evm)
        altered, caught = self._alter_one_trade(evidence)
        periods = len(self._profiles.starts)
        bills = []
        for stays in self._residents.values():
            ends = [since for since, _ in stays[1:]] + [periods]
            bills += [self._bill(member, since, end) for (since, member), end in zip(stays, ends, strict=True)]
        return Day(
            registered=Registered(
                certified=sum(len(member.assets) for member in self.founded.members),
                aggregated=tuple(member.name for member in self._story.aggregated),
                late=self._late,
            ),
            bills=tuple(bills),
            chain=self._chain_totals(),
            verdict=verdict,
            altered=altered,
            caught=caught,
        )

    def _orders(self, member: Member, index: int, start: int) -> list[Order]:
        """Return what the member's agents would order for one delivery period."""
        parameters = self.founded.parameters
        market, tree, outside = parameters.spot, parameters.tree, self._outside
        capacity = Wh(self._community.utility.capacity_wh)
        orders = []
        for kind, asset in sorted(member.assets.items()):
            energy = capacity if asset.column is None else Wh(self._profiles.columns[asset.column][index])
            make = {"load": need, "pv": output, "sell": supply, "buy": take_up}[kind]
            alternative = (
                self._alternative.seen_from_outside(outside, tree)
                if asset.column is None
                else self._alternative.seen_from(parameters.node_of(asset.identity), outside, tree)
            )
            if energy:
                orders.append(make(asset.identity, energy, market, start, alternative, salt=index))
        return orders

    def _hand_in(self, client: MeritClient, member: Member, orders: list[Order]) -> None:
        """Hand orders in as the member; anything but a sound acknowledgement fails the demo."""
        for answer in client.submit_many(orders):
            if isinstance(answer, Refused):
                raise DemoFailed(f"an order of {member.name} was refused: {answer}") from answer

    def _bill(self, member: Member, begin: int, end: int) -> Bill:
        """Return the bill of a member who lived there from one delivery period to before another."""
        from settlement.statement import totals

        lines = self.house.heartbeat.statements.lines(member.account, self._profiles.starts[0])
        sums = totals(lines)
        columns = {
            kind: self._profiles.columns[asset.column][begin:end]
            for kind, asset in member.assets.items()
            if asset.column
        }
        drawn, fed_in = Wh(sum(columns.get("load", ()))), Wh(sum(columns.get("pv", ())))
        parameters = self.founded.parameters
        node = parameters.node_of(next(iter(member.assets.values())).identity)
        alternative = self._alternative.seen_from(node, self._outside, parameters.tree)
        # Behind one connection own energy is used first, with or without a market.
        periods = zip(columns.get("load", ()), columns.get("pv", (0,) * len(columns.get("load", ()))), strict=True)
        own = Wh(sum(min(load, pv) for load, pv in periods))
        return Bill(
            name=member.name,
            drawn=drawn,
            fed_in=fed_in,
            own_use=sums.own_use,
            bought=sums.bought,
            sold=sums.sold,
            paid=sums.paid,
            earned=sums.earned,
            without=alternative.bill(Wh(drawn - own), Wh(fed_in - own)),
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

    def _alter_one_trade(self, evidence: Evidence) -> tuple[str, tuple[Finding, ...]]:
        """Alter one trade by 1 Wh in a copy of the fullest book, and audit the copy; fails where nobody traded."""
        book = max(evidence.books, key=lambda book: len(book.cleared.clearing.trades), default=None)
        if book is None or not book.cleared.clearing.trades:
            raise DemoFailed("nobody traded, so there is no trade to alter")
        index = evidence.books.index(book)
        clearing = book.cleared.clearing
        trade = clearing.trades[0]
        forged = replace(trade, energy=Wh(trade.energy + 1))
        copy = replace(
            book, cleared=replace(book.cleared, clearing=replace(clearing, trades=(forged, *clearing.trades[1:])))
        )
        books = [*evidence.books[:index], copy, *evidence.books[index + 1 :]]
        verdict = judge(replace(evidence, books=books), self.evm)
        altered = f"session {book.key}: one trade of {trade.energy} Wh now says {forged.energy} Wh"
        return altered, verdict.findings
