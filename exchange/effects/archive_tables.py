"""The tables of the archive, for SQLite and PostgreSQL alike: where in the journal settled sessions stand, and trades.

Nothing here is new: all of it follows from the journal, and is made again where it is missing. A session's number is
ten bytes, which sort as the number does; neither database's integers hold it.
"""

from pathlib import Path

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text

from identity.effects.versioned import Versioned

METADATA = MetaData()

_WHOLE = BigInteger().with_variant(Integer, "sqlite")


def _whole(name: str, *, key: bool = False) -> "Column[int]":
    return Column(name, _WHOLE, nullable=False, primary_key=key, autoincrement=False)


def _bytes(name: str, *, key: bool = False) -> "Column[bytes]":
    return Column(name, LargeBinary, nullable=False, primary_key=key)


SESSIONS = Table(
    "settled_sessions",
    METADATA,
    _bytes("session", key=True),
    _bytes("entries"),  # the numbers of its journal entries, eight bytes each
    _bytes("fingerprint"),
)

ORDERS = Table(
    "settled_orders",
    METADATA,
    _bytes("digest", key=True),
    _bytes("session"),
    _whole("entry"),
    Column("cancelled", Boolean, nullable=False),
)

TRADES = Table(
    "settled_trades",
    METADATA,
    _bytes("leaf", key=True),
    _bytes("session"),
    _whole("turn"),  # its place in the clearing
    _whole("delivery_start"),
    _bytes("bid"),
    _bytes("offer"),
    _whole("energy"),
    _whole("rate"),
    _whole("top"),  # the number of the node where it was made
    Column("fees", Text, nullable=False),  # JSON, from the seller to the buyer: [[node, rate], ...]
    Column("alternative", _WHOLE, nullable=True),  # of the bid's preferences
    _whole("buyer"),
    _whole("seller"),
)
Index("settled_trades_by_session", TRADES.c.session, TRADES.c.leaf)
Index("settled_trades_by_buyer", TRADES.c.buyer, TRADES.c.session, TRADES.c.leaf)
Index("settled_trades_by_seller", TRADES.c.seller, TRADES.c.session, TRADES.c.leaf)

OWN_USES = Table(
    "settled_own_uses",
    METADATA,
    _bytes("session", key=True),
    _whole("turn", key=True),
    _whole("account"),
    _whole("delivery_start"),
    _bytes("bid"),
    _bytes("offer"),
    _whole("energy"),
)
Index("settled_own_uses_by_account", OWN_USES.c.account, OWN_USES.c.session)

ARCHIVE = Versioned(
    metadata=METADATA,
    version_table="archive_version",
    versions=Path(__file__).with_name("archive_versions"),
    head="0002",
)
