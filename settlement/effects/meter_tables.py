"""The tables of meters and imbalance: readings, published prices, the rules that held, runs, and the lines of runs.

Nothing in them is ever changed. Readings are personal: they lie by themselves, and none of it goes to the chain.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy import UniqueConstraint as Unique

from identity.effects.versioned import Versioned

METADATA = MetaData()

_Whole = BigInteger().with_variant(Integer, "sqlite")


def _whole(name: str, *constraints: Any, **options: Any) -> "Column[int]":
    return Column(name, _Whole, *constraints, nullable=False, **options)


def _bytes(name: str, *constraints: Any, **options: Any) -> "Column[bytes]":
    return Column(name, LargeBinary, *constraints, nullable=False, **options)


def _text(name: str) -> "Column[str]":
    return Column(name, Text, nullable=False)


READINGS = Table(
    "readings",
    METADATA,
    _whole("sequence", primary_key=True),  # ascending in the order they were taken
    _bytes("asset"),
    _whole("start"),
    _whole("seconds"),
    _whole("net"),
    _whole("version"),
    _bytes("signature"),
    _whole("estimated"),  # 1 where the sender said that it was spread over a gap, else 0
    _bytes("digest"),
    _bytes("signer"),
    _whole("at"),
    Unique("asset", "start", "version"),
    Index("readings_by_start", "start"),
    sqlite_strict=True,
)

PRICES = Table(
    "imbalance_prices",
    METADATA,
    _whole("start", primary_key=True, autoincrement=False),
    _whole("short"),
    _whole("long"),
    sqlite_strict=True,
)

RULES = Table("imbalance_rules", METADATA, _bytes("hash", primary_key=True), _text("body"), sqlite_strict=True)

RUNS = Table(
    "imbalance_runs",
    METADATA,
    _whole("number", primary_key=True, autoincrement=False),
    _whole("as_of"),
    _bytes("rules", ForeignKey("imbalance_rules.hash")),
    _bytes("previous"),
    _bytes("hash"),
    _whole("lines"),
    _whole("postings"),
    _text("body"),  # the run's document
    sqlite_strict=True,
)

LINES = Table(
    "imbalance_lines",
    METADATA,
    _whole("run", ForeignKey("imbalance_runs.number"), primary_key=True, autoincrement=False),
    _bytes("asset", primary_key=True),
    _whole("start", primary_key=True, autoincrement=False),
    _text("body"),  # the line's document
    Index("imbalance_lines_by_asset", "asset", "start", "run"),
    Index("imbalance_lines_by_start", "start"),
    sqlite_strict=True,
)

METERS = Versioned(
    metadata=METADATA,
    version_table="meter_version",
    versions=Path(__file__).with_name("meter_versions"),
    head="0001",
)
