"""A community as a file: who lives there, on which terms they trade, and what they draw and feed in.

TOML, one model, unknown keys refused by name. Amounts and energies are whole numbers with their unit in the key.
"""

import csv
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.balancing_terms import Balancing
from exchange.delivery import Market, Mechanism, Product
from exchange.tree import MOST_PPM, Fee, Node, Tree
from exchange.units import MAX_ENERGY, MAX_RATE, MIN_RATE, MicroPerKwh, Wh
from identity.address import Address
from identity.claim_data import AssetKind, AssetProperties, EnergyType

_ADDRESS = "^0x[0-9a-fA-F]{40}$"
_NAME = r"^[^/\\\x00-\x1f]+$"
"""A name also names a file: no slashes, nothing that cannot be seen."""

_MOST_SECONDS = 366 * 24 * 3600
_MOST_CENTS = 1_000_000_000


class CommunityRefused(Exception):
    """The community's file or its profiles cannot be used; the message names the place."""

    code = "community-refused"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_MECHANISM = Literal["pay-as-offer", "pay-as-bid", "pay-as-clear", "network"]
_NODE_MECHANISM = Literal["pay-as-offer", "pay-as-bid", "pay-as-clear"]


class Charge(_Model):
    """What a node takes and lets through: a fee in millionths per kWh or of the seller's rate; limits in Wh."""

    fee_micro_per_kwh: int = Field(0, ge=0, le=MAX_RATE)
    fee_ppm: int = Field(0, ge=0, le=MOST_PPM)
    import_limit_wh: int | None = Field(None, ge=0, le=MAX_ENERGY)
    export_limit_wh: int | None = Field(None, ge=0, le=MAX_ENERGY)

    @property
    def fee(self) -> Fee:
        """The fee as the exchange has it; raises `ValueError` where it is of both kinds."""
        return Fee(constant=MicroPerKwh(self.fee_micro_per_kwh), ppm=self.fee_ppm)


class Terms(Charge):
    """On which terms the community trades, and what the root of its tree takes. Times in seconds.

    `market_id` is the number of the root, and of the spot market; the products of the file are numbered from there on,
    and after them its nodes. `mechanism` says how a session is cleared: docs/mechanisms.md. With a tick, orders are
    matched every so many seconds. For `matching_seconds` after gate closure the `matchers` may propose a clearing.
    """

    name: str = Field(min_length=1, max_length=80)
    market_id: int = Field(gt=0, lt=1 << 32)
    node: str = Field(min_length=1, max_length=80, pattern=_NAME)
    currency: str = Field(pattern="^[A-Z]{3}$")
    mechanism: _MECHANISM = "pay-as-clear"
    profiles: str | None = None
    period_seconds: int = Field(gt=0, le=86_400)
    opening_seconds: int = Field(gt=0, le=_MOST_SECONDS)
    lead_seconds: int = Field(ge=0, le=_MOST_SECONDS)
    window_seconds: int = Field(gt=0, le=_MOST_SECONDS)
    tick_seconds: int = Field(0, ge=0, le=_MOST_SECONDS)
    matching_seconds: int = Field(0, ge=0, le=_MOST_SECONDS)
    matchers: tuple[str, ...] = Field(default=(), strict=False)
    preferences: bool = False
    forecast_caps: bool = False
    fee_cap_micro_per_kwh: int | None = Field(None, ge=0, le=MAX_RATE)


class Place(Charge):
    """A node below the root: on which it hangs, and how orders meet there if not as in the market."""

    name: str = Field(min_length=1, max_length=80, pattern=_NAME)
    parent: str | None = None
    mechanism: _NODE_MECHANISM | None = None
    fee_cap_micro_per_kwh: int | None = Field(None, ge=0, le=MAX_RATE)


class ProductTerms(_Model):
    """A product that is traded before spot: an entry of the calendar. Times in seconds."""

    title: str = Field(min_length=1, max_length=40, pattern=_NAME)
    mechanism: _MECHANISM = "pay-as-clear"
    period_seconds: int = Field(gt=0, le=_MOST_SECONDS)
    opening_seconds: int = Field(gt=0, le=6 * _MOST_SECONDS)
    lead_seconds: int = Field(ge=0, le=_MOST_SECONDS)
    window_seconds: int = Field(gt=0, le=_MOST_SECONDS)
    tick_seconds: int = Field(0, ge=0, le=_MOST_SECONDS)


class Utility(_Model):
    """Who sells what is missing and buys what is left over, with this rated power.

    `holder` is the address that holds its account; without one it is made up, which is for play.
    """

    name: str = Field("utility", min_length=1, max_length=80, pattern=_NAME)
    sell_micro_per_kwh: int = Field(ge=MIN_RATE, le=MAX_RATE)
    buy_micro_per_kwh: int = Field(ge=MIN_RATE, le=MAX_RATE)
    capacity_wh: int = Field(gt=0, le=MAX_ENERGY)
    power_w: int = Field(1_000_000, gt=0, lt=1 << 64)
    deposit_cents: int = Field(ge=0, le=_MOST_CENTS)
    holder: str | None = Field(None, pattern=_ADDRESS)
    node: str | None = None

    def assets(self) -> dict[str, tuple[str | None, AssetProperties]]:
        """Return its two sides, as assets of their own: which column of the profiles (none), what is certified."""
        properties = AssetProperties(AssetKind.MARKET_MAKER, EnergyType.GRID, self.power_w)
        return {"sell": (None, properties), "buy": (None, properties)}


class Home(_Model):
    """A home: the columns of its load and, if it has a roof, of its generation, with their rated power.

    `holder` is the address that holds its account; without one it is made up, which is for play.
    """

    name: str = Field(min_length=1, max_length=80, pattern=_NAME)
    load: str
    pv: str | None = None
    load_power_w: int = Field(15_000, gt=0, lt=1 << 64)
    pv_power_w: int = Field(10_000, gt=0, lt=1 << 64)
    deposit_cents: int = Field(ge=0, le=_MOST_CENTS)
    holder: str | None = Field(None, pattern=_ADDRESS)
    node: str | None = None

    def assets(self) -> dict[str, tuple[str | None, AssetProperties]]:
        """Return what the home has, by what it does: its column of the profiles, and what is certified of it."""
        load = AssetProperties(AssetKind.LOAD, EnergyType.NONE, self.load_power_w)
        if self.pv is None:
            return {"load": (self.load, load)}
        return {
            "load": (self.load, load),
            "pv": (self.pv, AssetProperties(AssetKind.PV, EnergyType.PV, self.pv_power_w)),
        }


class Tariff(_Model):
    """A node's fee for deliveries from `since` on: hours and minutes after the first delivery of the profiles."""

    node: str
    since: str = Field(pattern="^[0-9]{2}:[0-5][0-9]$")
    fee_micro_per_kwh: int = Field(ge=0, le=MAX_RATE)

    @property
    def after_seconds(self) -> int:
        """How long after the first delivery it holds."""
        hours, minutes = self.since.split(":")
        return int(hours) * 3600 + int(minutes) * 60


class Story(_Model):
    """What `merit demo` lets happen: which homes let an aggregator trade for them, which of them is sold at noon, and
    what the grid operator changes during the day.
    """

    aggregated: tuple[str, ...] = Field(default=(), strict=False)
    sold: str | None = None
    tariffs: tuple[Tariff, ...] = Field(default=(), strict=False)


class Community(_Model):
    """A community as its file describes it."""

    community: Terms
    nodes: tuple[Place, ...] = Field(default=(), strict=False)
    products: tuple[ProductTerms, ...] = Field(default=(), strict=False)
    balancing: Balancing = Balancing()
    utility: Utility
    homes: tuple[Home, ...] = Field(min_length=1, strict=False)
    demo: Story = Story()

    def numbers(self) -> dict[str, int]:
        """Return the number of every node, the root's first."""
        first = self.community.market_id + 1 + len(self.products) + 2 * self.balancing.enable_balancing_market
        return {self.community.node: self.community.market_id} | {
            node.name: first + place for place, node in enumerate(self.nodes)
        }

    def node_of(self, member: "Utility | Home") -> int:
        """Return the number of the node on which a member's assets hang: the root, where nothing else is said."""
        return self.numbers()[self.community.node if member.node is None else member.node]

    def markets(self) -> tuple[Market, ...]:
        """Return the calendar: spot, and after it what the file lists, and balancing up and down."""
        terms = self.community
        spot = Market(
            number=terms.market_id,
            period=terms.period_seconds,
            opening=terms.opening_seconds,
            lead=terms.lead_seconds,
            window=terms.window_seconds,
            mechanism=Mechanism.titled(terms.mechanism),
            tick=terms.tick_seconds,
            matching=terms.matching_seconds,
        )
        traded = (
            spot,
            *(
                Market(
                    number=terms.market_id + 1 + place,
                    title=product.title,
                    product=Product.FORWARD,
                    period=product.period_seconds,
                    opening=product.opening_seconds,
                    lead=product.lead_seconds,
                    window=product.window_seconds,
                    mechanism=Mechanism.titled(product.mechanism),
                    tick=product.tick_seconds,
                )
                for place, product in enumerate(self.products)
            ),
        )
        first = terms.market_id + len(traded)
        return (*traded, *self.balancing.markets(first, traded, terms.window_seconds))

    def tree(self, operator: Address, fee_accounts: Mapping[str, int]) -> Tree:
        """Return the tree whose nodes `operator` runs, with the account of each by name."""
        terms, numbers = self.community, self.numbers()
        network = "network" in {terms.mechanism, *(product.mechanism for product in self.products)}

        def node(name: str, parent: str | None, charge: Terms | Place, mechanism: str | None) -> Node:
            cap = charge.fee_cap_micro_per_kwh
            if cap is None:  # rents of a full boundary may be anything; else what the fee is now
                cap = MAX_RATE if network else max(charge.fee.at(MAX_RATE), 0)
            return Node(
                number=numbers[name],
                name=name,
                parent=None if parent is None else numbers[parent],
                fee=charge.fee,
                fee_account=fee_accounts[name],
                fee_cap=MicroPerKwh(cap),
                operator=operator,
                import_limit=None if charge.import_limit_wh is None else Wh(charge.import_limit_wh),
                export_limit=None if charge.export_limit_wh is None else Wh(charge.export_limit_wh),
                mechanism=None if mechanism is None else Mechanism.titled(mechanism),
            )

        return Tree(
            (
                node(terms.node, None, terms, None),
                *(node(place.name, place.parent or terms.node, place, place.mechanism) for place in self.nodes),
            )
        )


@dataclass(frozen=True, slots=True)
class Profiles:
    """What every asset draws or feeds in, in Wh by delivery period."""

    starts: tuple[int, ...]
    columns: Mapping[str, tuple[int, ...]]


def read_community(path: Path) -> Community:
    """Read a community's file; raises `CommunityRefused` with every mistake in it."""
    try:
        community = Community.model_validate(tomllib.loads(path.read_text()))
    except OSError as error:
        raise CommunityRefused(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CommunityRefused(f"{path}: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise CommunityRefused(f"{path}: {mistakes}") from error
    terms, utility = community.community, community.utility
    nodes = [terms.node, *(node.name for node in community.nodes)]
    names = [home.name for home in community.homes] + [utility.name, *nodes]
    if len(set(names)) != len(names):
        raise CommunityRefused(f"{path}: two members have one name (a node is a member, too)")
    hung = {utility.node, *(home.node for home in community.homes), *(node.parent for node in community.nodes)}
    hung |= {agent.node for agent in community.balancing.agents}
    hung |= {tariff.node for tariff in community.demo.tariffs}
    if unknown := sorted(hung - {None, *nodes}, key=str):
        raise CommunityRefused(f"{path}: there is no node called {', '.join(map(str, unknown))}")
    try:
        community.markets()
        community.balancing.settings(community.numbers())
        trees = list(_trees_of_the_day(community.tree(Address(bytes(20)), dict.fromkeys(nodes, 1)), community))
    except ValueError as error:
        raise CommunityRefused(f"{path}: {error}") from error
    story = {*community.demo.aggregated, *([] if community.demo.sold is None else [community.demo.sold])}
    if story - {home.name for home in community.homes}:
        raise CommunityRefused(f"{path}: the demo speaks of homes that are not there")
    if not terms.opening_seconds > terms.lead_seconds:
        raise CommunityRefused(f"{path}: the gate must open before it closes")
    if utility.buy_micro_per_kwh >= utility.sell_micro_per_kwh:
        raise CommunityRefused(f"{path}: the utility buys at no less than it sells for, and so would trade with itself")
    selling = MicroPerKwh(utility.sell_micro_per_kwh)
    ways = (tree.fee(community.node_of(utility), node.number, selling) for tree in trees for node in tree.nodes)
    if selling + max(ways) > MAX_RATE:
        raise CommunityRefused(f"{path}: the utility's rate and the fees are together more than any limit")
    return community


def _trees_of_the_day(tree: Tree, community: Community) -> Iterator[Tree]:
    """Yield the tree as it is founded, and after each change of the demo; raises `ValueError` for a fee above a cap."""
    yield tree
    for tariff in sorted(community.demo.tariffs, key=lambda tariff: tariff.after_seconds):
        number, fee = community.numbers()[tariff.node], Fee(constant=MicroPerKwh(tariff.fee_micro_per_kwh))
        tree = Tree(tuple(replace(node, fee=fee) if node.number == number else node for node in tree.nodes))
        yield tree


def read_profiles(community: Community, beside: Path) -> Profiles:
    """Read the profiles a community names, from the folder of its file; raises `CommunityRefused` by row."""
    terms = community.community
    if terms.profiles is None:
        raise CommunityRefused("the community names no profiles")
    path = beside / terms.profiles
    if not path.exists():
        path = beside / Path(terms.profiles).name
    wanted = {column for home in community.homes for column in (home.load, home.pv) if column is not None}
    starts: list[int] = []
    columns: dict[str, list[int]] = {column: [] for column in sorted(wanted)}
    try:
        with path.open(newline="") as file:
            rows = csv.DictReader(file)
            missing = wanted - set(rows.fieldnames or ())
            if missing or "delivery_start_seconds" not in (rows.fieldnames or ()):
                raise CommunityRefused(
                    f"{path}: columns missing: {', '.join(sorted(missing)) or 'delivery_start_seconds'}"
                )
            for number, row in enumerate(rows, start=2):
                try:
                    starts.append(int(row["delivery_start_seconds"]))
                    for column, values in columns.items():
                        values.append(int(row[column]))
                except (TypeError, ValueError) as error:
                    raise CommunityRefused(f"{path}, line {number}: {error}") from error
                if starts[-1] % terms.period_seconds or not 0 <= starts[-1] < 1 << 40:
                    raise CommunityRefused(f"{path}, line {number}: no delivery starts at {starts[-1]}")
                if not all(0 <= values[-1] <= MAX_ENERGY for values in columns.values()):
                    raise CommunityRefused(f"{path}, line {number}: energy below zero, or more than an order can name")
    except OSError as error:
        raise CommunityRefused(f"{path}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise CommunityRefused(f"{path}: {error}") from error
    if not starts:
        raise CommunityRefused(f"{path}: there is no delivery period in it")
    if sorted(set(starts)) != starts:
        raise CommunityRefused(f"{path}: delivery periods are not in ascending order")
    return Profiles(tuple(starts), {column: tuple(values) for column, values in columns.items()})
