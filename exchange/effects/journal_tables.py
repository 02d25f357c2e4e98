"""The tables of the journal, for SQLite and PostgreSQL alike: entries, and one row that says which is the last.

The names are those of the first version of the file, so that journals written before are journals still.
"""

from pathlib import Path

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, LargeBinary, MetaData, Table, Text, insert

from exchange.effects.entries import GENESIS
from identity.effects.versioned import Versioned

METADATA = MetaData()

_NUMBER = BigInteger().with_variant(Integer, "sqlite")

ENTRIES = Table(
    "entries",
    METADATA,
    Column("sequence", _NUMBER, primary_key=True, autoincrement=False),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("body", Text, nullable=False),
)

HEAD = Table(
    "head",
    METADATA,
    Column("one", Integer, CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    Column("sequence", _NUMBER, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

JOURNAL = Versioned(
    metadata=METADATA,
    version_table="journal_version",
    versions=Path(__file__).with_name("journal_versions"),
    head="0001",
    first_rows=(insert(HEAD).values(one=1, sequence=0, hash=GENESIS),),
)
