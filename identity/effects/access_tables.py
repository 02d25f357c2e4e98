"""The tables of who may read and who read: grants, sign-ins, spent nonces, and the record of reads.

Grants and reads are only ever added to. Of a sign-in's token only a hash is kept, so whoever reads these tables cannot
sign in with what stands there. A sign-in's number has up to 80 bits, so scopes are text.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

from identity.effects.versioned import Versioned

METADATA = MetaData()

_Whole = BigInteger().with_variant(Integer, "sqlite")


def _whole(name: str, *, optional: bool = False, **options: Any) -> "Column[int]":
    return Column(name, _Whole, nullable=optional, **options)


def _bytes(name: str, *, optional: bool = False, **options: Any) -> "Column[bytes]":
    return Column(name, LargeBinary, nullable=optional, **options)


def _text(name: str, *, optional: bool = False) -> "Column[str]":
    return Column(name, Text, nullable=optional)


GRANT_EVENTS = Table(
    "grant_events",
    METADATA,
    _whole("sequence", primary_key=True),
    _text("kind"),  # given, or revoked
    _bytes("digest"),
    _text("body", optional=True),  # the grant as JSON, where it is given
    _bytes("signature"),
    _whole("at"),
    Index("grant_events_once", "digest", "kind", unique=True),
    sqlite_strict=True,
)

SIGN_INS = Table(
    "sign_ins",
    METADATA,
    _bytes("token_hash", primary_key=True),
    _bytes("address"),
    _whole("expires_at"),
    _whole("ended_at", optional=True),
    Index("sign_ins_by_end", "ended_at"),
    sqlite_strict=True,
)

SECRET = Table("secret", METADATA, _whole("one", primary_key=True, autoincrement=False), _bytes("secret"))

SPENT_NONCES = Table(
    "spent_nonces", METADATA, Column("nonce", Text, primary_key=True), _whole("expires_at"), sqlite_strict=True
)

READS = Table(
    "reads",
    METADATA,
    _whole("sequence", primary_key=True),
    _whole("at"),
    _bytes("reader"),
    _text("read"),  # the scope that was read
    _bytes("owner", optional=True),  # whose it was at that moment; none where it is everybody's
    _text("permitted_by"),  # own, role, or grant
    _text("under"),  # the scope that was permitted
    _text("role", optional=True),
    _bytes("granted_by", optional=True),  # the digest of the grant
    _text("purpose", optional=True),
    _text("request"),
    Index("reads_by_owner", "owner", "sequence"),
    sqlite_strict=True,
)

ACCESS = Versioned(
    metadata=METADATA,
    version_table="access_version",
    versions=Path(__file__).with_name("access_versions"),
    head="0001",
)
