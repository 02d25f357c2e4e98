"""A trade has a row of fees: what each node takes, where it had what all take together.

What was written before is removed, since the parts of a sum are not known: each session is written anew as the journal
is replayed, as one that is missing is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _whole(name: str) -> "sa.Column[int]":
    return sa.Column(name, _WHOLE, nullable=False, autoincrement=False)


def _bytes(name: str, *, key: bool = False) -> "sa.Column[bytes]":
    return sa.Column(name, sa.LargeBinary, nullable=False, primary_key=key)


def upgrade() -> None:
    """Make the table of trades anew, and empty the others."""
    for name in ("settled_sessions", "settled_orders", "settled_own_uses"):
        op.execute(sa.delete(sa.table(name)))
    op.drop_table("settled_trades")  # with its indices
    op.create_table(
        "settled_trades",
        _bytes("leaf", key=True),
        _bytes("session"),
        _whole("turn"),
        _whole("delivery_start"),
        _bytes("bid"),
        _bytes("offer"),
        _whole("energy"),
        _whole("rate"),
        _whole("top"),
        sa.Column("fees", sa.Text, nullable=False),
        sa.Column("alternative", _WHOLE, nullable=True),
        _whole("buyer"),
        _whole("seller"),
    )
    op.create_index("settled_trades_by_session", "settled_trades", ["session", "leaf"])
    op.create_index("settled_trades_by_buyer", "settled_trades", ["buyer", "session", "leaf"])
    op.create_index("settled_trades_by_seller", "settled_trades", ["seller", "session", "leaf"])
