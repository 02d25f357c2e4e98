"""What a community has agreed on: its products, its tree, its homes, its bounds, and who signs receipts.

The parameters' hash is committed with every session, so nobody can say afterwards that other rules held.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from exchange.balancing_settings import NO_BALANCING, BalancingSettings, settings_from_document
from exchange.delivery import BALANCING, Market, Mechanism, Product
from exchange.tree import Fee, Node, Tree
from exchange.units import LEAST_ENERGY, MAX_ENERGY, MAX_RATE, MIN_RATE, MicroPerKwh, Wh
from identity.address import Address, parse_address, to_text
from identity.hashing import keccak
from identity.typed_data import Domain

MOST_BATCH_GAS = 1 << 24
"""The most gas a transaction may use (EIP-7825)."""

LEAST_BATCH_GAS = 1_000_000
"""Enough for some twenty orders, in however many parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The rules of one exchange.

    `markets` are its products by number: the calendar. `tree` is where assets hang: `places` say on which node, where
    that is not the root. `homes` says which home an asset belongs to, where it is not simply the home of its account at
    its node: assets of one account at one home are allocated to each other before anything is traded. With
    `preferences`, orders may say of whom and what they buy; with `forecast_caps`, an asset may order no more than was
    forecast of it. `matchers` may propose clearings. `batch_gas` is the most gas that settling one part of a session
    may take, where the chain's blocks hold less than others: sessions are cut by it. `balancing` are the settings of
    the balancing market.
    """

    community: str
    currency: str
    domain: Domain
    markets: tuple[Market, ...]
    tree: Tree
    receipts: Address
    places: tuple[tuple[Address, int], ...] = ()
    homes: tuple[tuple[Address, str], ...] = ()
    least_energy: Wh = LEAST_ENERGY
    most_energy: Wh = MAX_ENERGY
    lowest_limit: MicroPerKwh = MIN_RATE
    highest_limit: MicroPerKwh = MAX_RATE
    preferences: bool = False
    forecast_caps: bool = False
    matchers: tuple[Address, ...] = ()
    batch_gas: int = MOST_BATCH_GAS
    balancing: BalancingSettings = NO_BALANCING
    _homes: dict[Address, str] = field(init=False, repr=False, compare=False)
    _places: dict[Address, int] = field(init=False, repr=False, compare=False)
    _markets: dict[int, Market] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, pairs in (("homes", self.homes), ("places", self.places)):
            if [asset for asset, _ in pairs] != sorted({asset for asset, _ in pairs}):
                raise ValueError(f"{name} are listed by asset, in ascending order, and each asset once")
        object.__setattr__(self, "_homes", dict(self.homes))
        object.__setattr__(self, "_places", dict(self.places))
        object.__setattr__(self, "_markets", {market.number: market for market in self.markets})
        if not self.markets or [market.number for market in self.markets] != sorted(self._markets):
            raise ValueError("markets are listed by number, in ascending order, and there is one at least")
        if len({market.title for market in self.markets}) != len(self.markets):
            raise ValueError("two markets have one title")
        if any(market.period % self.slot for market in self.markets):
            raise ValueError("every delivery period is a whole number of the shortest one")
        if any(node not in self.tree for node in self._places.values()):
            raise ValueError("an asset hangs on a node that is not there")
        if list(self.matchers) != sorted(set(self.matchers)):
            raise ValueError("matchers are listed in ascending order, each once")
        if not LEAST_BATCH_GAS <= self.batch_gas <= MOST_BATCH_GAS:
            raise ValueError(f"batch_gas is not between {LEAST_BATCH_GAS} and {MOST_BATCH_GAS}")
        if self.spot.number != self.tree.root.number:
            raise ValueError("the spot market has the number of the root, since it is where the tree is on the chain")
        if any(market.number in self.tree for market in self.markets if market is not self.spot):
            raise ValueError("a market other than the spot market has a number that no node has")
        self._check_mechanisms()
        self._check_balancing()

    def _check_mechanisms(self) -> None:
        own = {node.mechanism for node in self.tree.nodes}
        if Mechanism.NETWORK in own:
            raise ValueError("network clearing is of the whole tree, and so is chosen for a market, not for a node")
        network = any(market.mechanism is Mechanism.NETWORK for market in self.markets)
        if network and (own != {None} or not self.tree.is_constant or self.preferences):
            raise ValueError("network clearing is for constant fees, without preferences and other mechanisms at nodes")
        if self.preferences and any(market.tick for market in self.markets):
            raise ValueError("a market with a tick takes no preferences: an alternative's own cap is of one clearing")
        if any(mechanism and mechanism.is_uniform for mechanism in own) and any(market.tick for market in self.markets):
            raise ValueError("a node of one rate is cleared once, at gate closure, and a market with a tick is not")

    def _check_balancing(self) -> None:
        markets = [market for market in self.markets if market.product in BALANCING]
        if len(markets) == len(self.markets):
            raise ValueError("there is no balancing without a market whose trades it follows")
        if {market.product for market in markets} != (BALANCING if self.balancing.enabled else set()):
            raise ValueError("where there is balancing there is a market for each direction, and elsewhere none")
        if len(markets) > len(BALANCING):
            raise ValueError("there is one balancing market for each direction")
        cleared = min(market.lead - market.matching for market in self.markets if market.product not in BALANCING)
        for market in markets:
            if market.period != self.slot or market.opening > cleared:
                raise ValueError("balancing is for the shortest period, and its gate opens once all else is cleared")
        if any(node not in self.tree for node, _ in self.balancing.agents):
            raise ValueError("a balancing agent stands for a node that is not there")

    @property
    def spot(self) -> Market:
        """The market for what is delivered next: of all spot markets the one with the lowest number."""
        return next((market for market in self.markets if market.product is Product.SPOT), self.markets[0])

    @property
    def slot(self) -> int:
        """The shortest delivery period, in seconds: limits of nodes are for so long."""
        return min(market.period for market in self.markets)

    @property
    def calendar(self) -> Mapping[int, Market]:
        """The markets by number."""
        return self._markets

    def market_of(self, number: int) -> Market:
        """Return the market with this number; one that is not there is a bug of the caller."""
        return self._markets[number]

    def market_or_none(self, number: int) -> Market | None:
        """Return the market with this number, if there is one."""
        return self._markets.get(number)

    def is_uniform(self, node: int) -> bool:
        """Whether whatever is traded with a node as its top has one rate there in each session: kept on the chain."""
        own = self.tree[node].mechanism
        mechanisms = {
            market.mechanism if own is None or market.product in BALANCING else own for market in self.markets
        }
        return not self.preferences and all(mechanism.is_uniform for mechanism in mechanisms)

    def caps(self, product: Product) -> bool:
        """Whether orders of a product are held to forecasts: who balances does other than was forecast."""
        return self.forecast_caps and product not in BALANCING

    def home_of(self, asset: Address) -> str:
        """Return the home of an asset; the empty name is the one home of its account at its node."""
        return self._homes.get(asset, "")

    def node_of(self, asset: Address) -> int:
        """Return the number of the node on which an asset hangs: the root, where nothing else is said."""
        return self._places.get(asset, self.tree.root.number)

    def to_document(self) -> dict[str, object]:
        """Return the parameters as plain values for JSON, everything named with its unit.

        `batch_gas` and `balancing` stand there only where they are not what they are everywhere else, so that each
        rule has one form.
        """
        special: dict[str, object] = {}
        if self.batch_gas != MOST_BATCH_GAS:
            special["batch_gas"] = self.batch_gas
        if self.balancing != NO_BALANCING:
            special["balancing"] = self.balancing.to_document()
        return special | {
            "community": self.community,
            "currency": self.currency,
            "chain_id": self.domain.chain_id,
            "contract": to_text(self.domain.contract),
            "domain_name": self.domain.name,
            "domain_version": self.domain.version,
            "receipts": to_text(self.receipts),
            "homes": [[to_text(asset), home] for asset, home in self.homes],
            "places": [[to_text(asset), node] for asset, node in self.places],
            "least_energy_wh": self.least_energy,
            "most_energy_wh": self.most_energy,
            "lowest_limit_micro_per_kwh": self.lowest_limit,
            "highest_limit_micro_per_kwh": self.highest_limit,
            "preferences": self.preferences,
            "forecast_caps": self.forecast_caps,
            "matchers": [to_text(matcher) for matcher in self.matchers],
            "markets": [market_to_document(market) for market in self.markets],
            "nodes": [node_to_document(node) for node in self.tree.nodes],
        }

    def hash(self) -> bytes:
        """Return the hash of the parameters: keccak of their canonical JSON (sorted keys, no spaces, ASCII)."""
        return keccak(json.dumps(self.to_document(), sort_keys=True, separators=(",", ":")).encode())


def market_to_document(market: Market) -> dict[str, object]:
    """Return one product of the calendar as plain values."""
    return {
        "number": market.number,
        "title": market.title,
        "product": market.product.name.lower(),
        "mechanism": market.mechanism.name.lower(),
        "period_seconds": market.period,
        "opening_seconds": market.opening,
        "lead_seconds": market.lead,
        "window_seconds": market.window,
        "tick_seconds": market.tick,
        "matching_seconds": market.matching,
    }


def node_to_document(node: Node) -> dict[str, object]:
    """Return a node of the tree as plain values."""
    return {
        "number": node.number,
        "name": node.name,
        "parent": node.parent,
        "fee_micro_per_kwh": node.fee.constant,
        "fee_ppm": node.fee.ppm,
        "fee_account": node.fee_account,
        "fee_cap_micro_per_kwh": node.fee_cap,
        "operator": to_text(node.operator),
        "import_limit_wh": node.import_limit,
        "export_limit_wh": node.export_limit,
        "mechanism": None if node.mechanism is None else node.mechanism.name.lower(),
    }


def _market(document: object) -> Market:
    terms = _object(document)
    market = Market(
        number=_whole(terms.pop("number")),
        title=_text(terms.pop("title")),
        product=Product[_text(terms.pop("product")).upper()],
        mechanism=Mechanism[_text(terms.pop("mechanism")).upper()],
        period=_whole(terms.pop("period_seconds")),
        opening=_whole(terms.pop("opening_seconds")),
        lead=_whole(terms.pop("lead_seconds")),
        window=_whole(terms.pop("window_seconds")),
        tick=_whole(terms.pop("tick_seconds")),
        matching=_whole(terms.pop("matching_seconds")),
    )
    _nothing_left(terms)
    return market


def _node(document: object) -> Node:
    terms = _object(document)
    mechanism = terms.pop("mechanism")
    node = Node(
        number=_whole(terms.pop("number")),
        name=_text(terms.pop("name")),
        parent=_whole_or_none(terms.pop("parent")),
        fee=Fee(constant=MicroPerKwh(_whole(terms.pop("fee_micro_per_kwh"))), ppm=_whole(terms.pop("fee_ppm"))),
        fee_account=_whole(terms.pop("fee_account")),
        fee_cap=MicroPerKwh(_whole(terms.pop("fee_cap_micro_per_kwh"))),
        operator=parse_address(_text(terms.pop("operator"))),
        import_limit=_limit(terms.pop("import_limit_wh")),
        export_limit=_limit(terms.pop("export_limit_wh")),
        mechanism=None if mechanism is None else Mechanism[_text(mechanism).upper()],
    )
    _nothing_left(terms)
    return node


def from_document(document: dict[str, object]) -> Parameters:
    """Read parameters from plain values; raises `ValueError` where something is missing, surplus or out of range."""
    try:
        rest = dict(document)
        domain = Domain(
            _whole(rest.pop("chain_id")),
            parse_address(_text(rest.pop("contract"))),
            _text(rest.pop("domain_name")),
            _text(rest.pop("domain_version")),
        )
        batch_gas = _whole(rest.pop("batch_gas", MOST_BATCH_GAS))
        if "batch_gas" in document and batch_gas == MOST_BATCH_GAS:
            raise ValueError("batch_gas is what it is everywhere else, and so is left out")
        balancing = settings_from_document(_object(rest.pop("balancing"))) if "balancing" in rest else NO_BALANCING
        if "balancing" in document and balancing == NO_BALANCING:
            raise ValueError("balancing is what it is everywhere else, and so is left out")
        parameters = Parameters(
            community=_text(rest.pop("community")),
            currency=_text(rest.pop("currency")),
            domain=domain,
            markets=tuple(_market(market) for market in _list(rest.pop("markets"))),
            tree=Tree(tuple(_node(node) for node in _list(rest.pop("nodes")))),
            receipts=parse_address(_text(rest.pop("receipts"))),
            homes=tuple((asset, _text(home)) for asset, home in _by_asset(rest.pop("homes"))),
            places=tuple((asset, _whole(node)) for asset, node in _by_asset(rest.pop("places"))),
            least_energy=Wh(_whole(rest.pop("least_energy_wh"))),
            most_energy=Wh(_whole(rest.pop("most_energy_wh"))),
            lowest_limit=MicroPerKwh(_whole(rest.pop("lowest_limit_micro_per_kwh"))),
            highest_limit=MicroPerKwh(_whole(rest.pop("highest_limit_micro_per_kwh"))),
            preferences=_truth(rest.pop("preferences")),
            forecast_caps=_truth(rest.pop("forecast_caps")),
            matchers=tuple(parse_address(_text(matcher)) for matcher in _list(rest.pop("matchers"))),
            batch_gas=batch_gas,
            balancing=balancing,
        )
    except KeyError as error:
        raise ValueError(f"parameters lack or do not know {error}") from error
    except TypeError as error:
        raise ValueError("parameters are not of the form they are published in") from error
    _nothing_left(rest)
    return parameters


def _nothing_left(rest: dict[str, object]) -> None:
    if rest:
        raise ValueError(f"parameters know no {', '.join(sorted(rest))}")


def _by_asset(value: object) -> Iterator[tuple[Address, object]]:
    for pair in _list(value):
        asset, said = _list(pair)
        yield parse_address(_text(asset)), said


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is not an object")
    return dict(value)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not a list")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _whole_or_none(value: object) -> int | None:
    return None if value is None else _whole(value)


def _limit(value: object) -> Wh | None:
    return None if value is None else Wh(_whole(value))


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    return value


def difference(written: Parameters, given: Parameters) -> str:
    """Name what two sets of rules do not agree on."""
    before, now = _flat(written), _flat(given)
    names = [*before, *(name for name in now if name not in before)]
    return ", ".join(
        f"{name} is {now.get(name)!r}, was {before.get(name)!r}" for name in names if before.get(name) != now.get(name)
    )


def _flat(parameters: Parameters) -> dict[str, object]:
    """Return the rules with each term of each market and node by itself: `market 1: lead_seconds`."""
    document = parameters.to_document()
    document.pop("markets")
    document.pop("nodes")
    for market in parameters.markets:
        document |= {f"market {market.number}: {name}": value for name, value in market_to_document(market).items()}
    for node in parameters.tree.nodes:
        document |= {f"node {node.number}: {name}": value for name, value in node_to_document(node).items()}
    return document
