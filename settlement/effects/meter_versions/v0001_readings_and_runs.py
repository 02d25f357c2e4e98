"""The store's first form: readings, prices, rules, runs and their lines."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "readings",
        sa.Column("sequence", _WHOLE, primary_key=True),
        sa.Column("asset", sa.LargeBinary, nullable=False),
        sa.Column("start", _WHOLE, nullable=False),
        sa.Column("seconds", _WHOLE, nullable=False),
        sa.Column("net", _WHOLE, nullable=False),
        sa.Column("version", _WHOLE, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("estimated", _WHOLE, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("signer", sa.LargeBinary, nullable=False),
        sa.Column("at", _WHOLE, nullable=False),
        sa.UniqueConstraint("asset", "start", "version"),
        sqlite_strict=True,
    )
    op.create_index("readings_by_start", "readings", ["start"])
    op.create_table(
        "imbalance_prices",
        sa.Column("start", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("short", _WHOLE, nullable=False),
        sa.Column("long", _WHOLE, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "imbalance_rules",
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "imbalance_runs",
        sa.Column("number", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("as_of", _WHOLE, nullable=False),
        sa.Column("rules", sa.LargeBinary, sa.ForeignKey("imbalance_rules.hash"), nullable=False),
        sa.Column("previous", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("lines", _WHOLE, nullable=False),
        sa.Column("postings", _WHOLE, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "imbalance_lines",
        sa.Column("run", _WHOLE, sa.ForeignKey("imbalance_runs.number"), primary_key=True, autoincrement=False),
        sa.Column("asset", sa.LargeBinary, primary_key=True),
        sa.Column("start", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("imbalance_lines_by_asset", "imbalance_lines", ["asset", "start", "run"])
    op.create_index("imbalance_lines_by_start", "imbalance_lines", ["start"])
