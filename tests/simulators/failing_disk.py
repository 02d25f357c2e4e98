"""A disk that fails or stalls when it is told to: a SQLite connection that then fails or waits."""

import sqlite3
import threading
from typing import Any


def failing_disk() -> type[sqlite3.Connection]:
    """Return a connection type of its own.

    Set its `fail_at` to the beginning of the statement that is to fail; clear its `runs` to have every commit stall.
    """

    class FailingDisk(sqlite3.Connection):
        fail_at: str | None = None
        runs = threading.Event()

        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            if statement == "COMMIT":
                assert self.runs.wait(30)
            self._fail_if_told(statement)
            return super().execute(statement, *values)

        def executemany(self, statement: str, *values: Any) -> sqlite3.Cursor:
            self._fail_if_told(statement)
            return super().executemany(statement, *values)

        def _fail_if_told(self, statement: str) -> None:
            if self.fail_at is not None and statement.startswith(self.fail_at):
                raise sqlite3.OperationalError("database or disk is full")

    FailingDisk.runs.set()
    return FailingDisk
