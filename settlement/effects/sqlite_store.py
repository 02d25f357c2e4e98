"""The store in a SQLite file of its own: what one process needs that keeps all in one folder."""

from pathlib import Path

from settlement.effects.sql_store import SqlStore


class SqliteStore(SqlStore):
    """A store in the file at `path`, made if there is none. See `SqlStore`."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"sqlite:///{path}")
