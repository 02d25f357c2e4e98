"""The store's first form: grants, sign-ins, spent nonces, and the record of reads."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "grant_events",
        sa.Column("sequence", _WHOLE, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.Text, nullable=True),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("at", _WHOLE, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("grant_events_once", "grant_events", ["digest", "kind"], unique=True)
    op.create_table(
        "sign_ins",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column("address", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", _WHOLE, nullable=False),
        sa.Column("ended_at", _WHOLE, nullable=True),
        sqlite_strict=True,
    )
    op.create_index("sign_ins_by_end", "sign_ins", ["ended_at"])
    op.create_table(
        "secret",
        sa.Column("one", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "spent_nonces",
        sa.Column("nonce", sa.Text, primary_key=True),
        sa.Column("expires_at", _WHOLE, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "reads",
        sa.Column("sequence", _WHOLE, primary_key=True),
        sa.Column("at", _WHOLE, nullable=False),
        sa.Column("reader", sa.LargeBinary, nullable=False),
        sa.Column("read", sa.Text, nullable=False),
        sa.Column("owner", sa.LargeBinary, nullable=True),
        sa.Column("permitted_by", sa.Text, nullable=False),
        sa.Column("under", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=True),
        sa.Column("granted_by", sa.LargeBinary, nullable=True),
        sa.Column("purpose", sa.Text, nullable=True),
        sa.Column("request", sa.Text, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("reads_by_owner", "reads", ["owner", "sequence"])
