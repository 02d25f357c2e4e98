"""The community's rules of imbalance as a file, and what runs are made from: books, the registries, and readings."""

import csv
import tomllib
from collections.abc import Iterable
from pathlib import Path

from exchange.book import Book
from exchange.parameters import Parameters
from exchange.units import MicroPerKwh
from identity.energy_roles import EnergyRole, role_nodes
from identity.facts import IdentityFact
from identity.names import community_label
from identity.registry import Registry, RequiredRoles
from settlement.contracted import accounts_in, contracted, obligations
from settlement.effects.meter_desk import MeterDesk
from settlement.facts import Witnessed
from settlement.imbalance import Prices
from settlement.imbalance_rules import ImbalanceRules, rules_from_document
from settlement.metering_errors import RulesMalformed
from settlement.payers import Payers
from settlement.runs import Run

_COLUMNS = ["start", "short_micro_per_kwh", "long_micro_per_kwh"]


def read_imbalance_rules(path: Path, parameters: Parameters) -> ImbalanceRules:
    """Read `imbalance.toml`; without the file nothing is charged, and all else is as by default.

    Where it names no counterpart, that is the account of the tree's root. Raises `RulesMalformed`.
    """
    try:
        document = tomllib.loads(path.read_text()) if path.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RulesMalformed(f"{path}: {error}") from error
    return rules_from_document(document, slot=parameters.slot, counterpart=parameters.tree.root.fee_account)


def read_prices(path: Path) -> dict[int, Prices]:
    """Read prices by slot from CSV: start (unix seconds), and two prices in µ/kWh. Raises `RulesMalformed`."""
    prices: dict[int, Prices] = {}
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        if rows.fieldnames != _COLUMNS:
            raise RulesMalformed(f"{path}: the columns are {', '.join(_COLUMNS)}")
        for row in rows:
            try:
                start, short, long = (int(row[name]) for name in _COLUMNS)
                price = Prices(MicroPerKwh(short), MicroPerKwh(long))
            except (TypeError, ValueError) as error:
                raise RulesMalformed(f"{path}, line {rows.line_num}: {error}") from error
            if prices.setdefault(start, price) != price:
                raise RulesMalformed(f"{path}, line {rows.line_num}: another price for the same slot")
    return prices


def registry_of(parameters: Parameters, facts: Iterable[Witnessed]) -> Registry:
    """Return what the registries say after facts of the chain that were read before; no chain is asked."""
    nodes = role_nodes(community_label(parameters.community))
    registry = Registry(
        RequiredRoles(
            asset=nodes[EnergyRole.ASSET],
            balancing=nodes[EnergyRole.BALANCING_PROVIDER],
            grid_operator=nodes[EnergyRole.GRID_OPERATOR],
        )
    )
    for witnessed in facts:
        if isinstance(witnessed.fact, IdentityFact):
            registry.apply(witnessed.fact)
    return registry


def settle_imbalance(desk: MeterDesk, books: Iterable[Book], registry: Registry, as_of: int | None) -> Run:
    """Make the next run from books and the registries. Raises `RunOutOfTurn` and `StoreBroken`."""
    since = desk.open_since()
    recent = [book for book in books if book.key.delivery_start + book.market.period > since]
    payers = Payers(accounts_in(recent), registry)
    return desk.settle(obligations(contracted(recent)), payers.account_of, as_of)
