"""The store's first form: the outbox of batches, and the chain's facts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "binding",
        sa.Column("chain_id", _WHOLE, nullable=False),
        sa.Column("contract", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "batches",
        sa.Column("id", _WHOLE, primary_key=True, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("part", _WHOLE, nullable=False),
        sa.Column("parts", _WHOLE, nullable=False),
        sa.Column("order_root", sa.LargeBinary, nullable=False),
        sa.Column("trade_root", sa.LargeBinary, nullable=False),
        sa.Column("parameters", sa.LargeBinary, nullable=False),
        sa.Column("calldata", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("sealed_at", _WHOLE, nullable=False),
        sa.Column("tx_hash", sa.LargeBinary),
        sa.Column("block_number", _WHOLE),
        sa.Column("block_hash", sa.LargeBinary),
        sa.Column("gas_used", _WHOLE),
        sa.Column("mined_at", _WHOLE),
        sa.Column("ended_at", _WHOLE),
        sa.Column("refused", sa.Text),
        sa.UniqueConstraint("session", "part"),
        sqlite_strict=True,
    )
    op.create_index("batches_by_state", "batches", ["state", "id"])
    op.create_table(
        "attempts",
        sa.Column("batch", _WHOLE, sa.ForeignKey("batches.id"), primary_key=True, autoincrement=False),
        sa.Column("position", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("tx_hash", sa.LargeBinary, nullable=False),
        sa.Column("nonce", _WHOLE, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("signed_at", _WHOLE, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "blocks",
        sa.Column("number", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("timestamp", _WHOLE, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "facts",
        sa.Column("block_number", _WHOLE, sa.ForeignKey("blocks.number"), primary_key=True, autoincrement=False),
        sa.Column("log_index", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("tx_hash", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("session", sa.Text),
        sa.Column("part", _WHOLE),
        sa.Column("calldata", sa.LargeBinary),
        sqlite_strict=True,
    )
    of_batches = sa.text("session IS NOT NULL")
    op.create_index(
        "facts_by_session", "facts", ["session", "part"], sqlite_where=of_batches, postgresql_where=of_batches
    )
