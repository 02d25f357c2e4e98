"""The tables of the store, for SQLite and PostgreSQL alike.

A session's number has up to 80 bits and neither database's integers do, so sessions are kept as decimal text.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from identity.effects.versioned import Versioned

METADATA = MetaData()

_Whole = BigInteger().with_variant(Integer, "sqlite")


def _whole(name: str, *constraints: Any, optional: bool = False, **options: Any) -> "Column[int]":
    return Column(name, _Whole, *constraints, nullable=optional, **options)


def _bytes(name: str, *, optional: bool = False) -> "Column[bytes]":
    return Column(name, LargeBinary, nullable=optional)


def _text(name: str, *, optional: bool = False) -> "Column[str]":
    return Column(name, Text, nullable=optional)


BINDING = Table("binding", METADATA, _whole("chain_id"), _bytes("contract"), sqlite_strict=True)

BATCHES = Table(
    "batches",
    METADATA,
    _whole("id", primary_key=True),  # ascending in the order of sealing
    _text("session"),
    _whole("part"),
    _whole("parts"),
    _bytes("order_root"),
    _bytes("trade_root"),
    _bytes("parameters"),
    _bytes("calldata"),
    _text("state"),
    _whole("sealed_at"),
    _bytes("tx_hash", optional=True),
    _whole("block_number", optional=True),
    _bytes("block_hash", optional=True),
    _whole("gas_used", optional=True),
    _whole("mined_at", optional=True),
    _whole("ended_at", optional=True),
    _text("refused", optional=True),
    _whole("taken_back_at", optional=True),
    UniqueConstraint("session", "part"),
    Index("batches_by_state", "state", "id"),
    Index("batches_by_block", "state", "block_number"),
    sqlite_strict=True,
)

ATTEMPTS = Table(
    "attempts",
    METADATA,
    _whole("batch", ForeignKey("batches.id"), primary_key=True, autoincrement=False),
    _whole("position", primary_key=True, autoincrement=False),
    _bytes("tx_hash"),
    _whole("nonce"),
    _bytes("raw"),
    _whole("signed_at"),
    _whole("gas", server_default="0"),
    _whole("max_fee", server_default="0"),
    _whole("priority_fee", server_default="0"),
    _whole("head", server_default="0"),
    sqlite_strict=True,
)

LEASE = Table(
    "lease",  # one row at most; it stays when the lease is over, so that terms only grow
    METADATA,
    Column("one", Integer, CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    _text("holder"),
    _whole("until"),
    _whole("term"),
    sqlite_strict=True,
)

BLOCKS = Table(
    "blocks",
    METADATA,
    _whole("number", primary_key=True, autoincrement=False),
    _bytes("hash"),
    _whole("timestamp"),
    sqlite_strict=True,
)

FACTS = Table(
    "facts",
    METADATA,
    _whole("block_number", ForeignKey("blocks.number"), primary_key=True, autoincrement=False),
    _whole("log_index", primary_key=True, autoincrement=False),
    _bytes("tx_hash"),
    _text("kind"),
    _text("body"),
    _text("session", optional=True),  # of a settled batch
    _whole("part", optional=True),
    _bytes("calldata", optional=True),
    sqlite_strict=True,
)
Index(
    "facts_by_session",
    FACTS.c.session,
    FACTS.c.part,
    sqlite_where=FACTS.c.session.is_not(None),
    postgresql_where=FACTS.c.session.is_not(None),
)

STORE = Versioned(
    metadata=METADATA,
    version_table="store_version",
    versions=Path(__file__).with_name("store_versions"),
    head="0003",
)
