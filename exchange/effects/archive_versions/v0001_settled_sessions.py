"""The archive's first form: settled sessions, their orders, trades and own uses."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _whole(name: str, *, key: bool = False) -> "sa.Column[int]":
    return sa.Column(name, _WHOLE, nullable=False, primary_key=key, autoincrement=False)


def _bytes(name: str, *, key: bool = False) -> "sa.Column[bytes]":
    return sa.Column(name, sa.LargeBinary, nullable=False, primary_key=key)


def upgrade() -> None:
    """Make the tables and their indices."""
    op.create_table("settled_sessions", _bytes("session", key=True), _bytes("entries"), _bytes("fingerprint"))
    op.create_table(
        "settled_orders",
        _bytes("digest", key=True),
        _bytes("session"),
        _whole("entry"),
        sa.Column("cancelled", sa.Boolean, nullable=False),
    )
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
        _whole("fee_rate"),
        _whole("buyer"),
        _whole("seller"),
    )
    op.create_index("settled_trades_by_session", "settled_trades", ["session", "leaf"])
    op.create_index("settled_trades_by_buyer", "settled_trades", ["buyer", "session", "leaf"])
    op.create_index("settled_trades_by_seller", "settled_trades", ["seller", "session", "leaf"])
    op.create_table(
        "settled_own_uses",
        _bytes("session", key=True),
        _whole("turn", key=True),
        _whole("account"),
        _whole("delivery_start"),
        _bytes("bid"),
        _bytes("offer"),
        _whole("energy"),
    )
    op.create_index("settled_own_uses_by_account", "settled_own_uses", ["account", "session"])
