"""Who may submit, what attempts offer, and when a final batch was taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the lease, and columns; 0 stands for what was not kept before."""
    for name in ("gas", "max_fee", "priority_fee", "head"):
        op.add_column("attempts", sa.Column(name, _WHOLE, nullable=False, server_default="0"))
    op.add_column("batches", sa.Column("taken_back_at", _WHOLE))
    op.create_index("batches_by_block", "batches", ["state", "block_number"])
    op.create_table(
        "lease",
        sa.Column("one", sa.Integer, sa.CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", _WHOLE, nullable=False),
        sa.Column("term", _WHOLE, nullable=False),
        sqlite_strict=True,
    )
