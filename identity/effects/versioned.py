"""Tables with a version: made where there are none, brought up to date where they are older, left alone where newer.

The tables as they are now stand in one place, as SQLAlchemy metadata; a new database gets exactly those. How an older
database becomes one stands in Alembic's scripts, one a version. A test walks both ways and compares.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import IPPROTO_TCP, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, socket
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, Engine, Executable, MetaData, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

_WAIT_SECONDS = 10


class VersionUnknown(Exception):
    """The database has a version this program does not know, or none although it is not empty.

    `found` is the version, or None.
    """

    def __init__(self, found: str | None, known: str) -> None:
        what = "none" if found is None else f"version {found}"
        super().__init__(f"the database says of its tables: {what}; this program knows versions up to {known}")
        self.found = found
        self.known = known


class StorageUrlRefused(Exception):
    """The URL names no database that can be used."""

    code = "storage-url-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Versioned:
    """A set of tables that is versioned as a whole.

    `version_table` holds the version of a database; `versions` is the folder of Alembic's scripts, and `head` the
    newest of them. `first_rows` stand in a new database from the beginning.
    """

    metadata: MetaData
    version_table: str
    versions: Path
    head: str
    first_rows: Sequence[Executable] = ()

    def prepare(self, engine: Engine) -> None:
        """Make or upgrade the tables, in one transaction. Raises `VersionUnknown`; then nothing was changed.

        Where the version is right nothing is written.
        """
        with engine.connect() as connection, connection.begin():
            if self.version(connection) == self.head and self.version_table in inspect(connection).get_table_names():
                return
        with writing(engine) as connection:
            found = self.version(connection)
            if found is None:
                self.metadata.create_all(connection)
                for statement in self.first_rows:
                    connection.execute(statement)
                self._stamp(connection, self.head)
            else:
                self._upgrade(connection, found)

    def version(self, connection: Connection) -> str | None:
        """Return the version of a database, or None where it holds none of these tables yet.

        Before there were version tables, a SQLite file said it in its `user_version`.
        """
        tables = set(inspect(connection).get_table_names())
        if self.version_table in tables:
            return str(connection.execute(text(f"SELECT version_num FROM {self.version_table}")).scalar())  # noqa: S608
        if connection.dialect.name == "sqlite":
            earlier = connection.exec_driver_sql("PRAGMA user_version").scalar()
            if earlier:
                return f"{earlier:04}"
            if tables:  # a file of somebody else
                raise VersionUnknown(None, self.head)
        if tables & set(self.metadata.tables):
            raise VersionUnknown(None, self.head)
        return None

    def _stamp(self, connection: Connection, version: str) -> None:
        connection.execute(text(f"CREATE TABLE {self.version_table} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text(f"INSERT INTO {self.version_table} VALUES (:version)"), {"version": version})  # noqa: S608

    def _upgrade(self, connection: Connection, found: str) -> None:
        # slow to import, and only ever needed once a version
        from alembic.config import Config
        from alembic.runtime.environment import EnvironmentContext
        from alembic.script import ScriptDirectory

        script = ScriptDirectory(str(self.versions), version_locations=[str(self.versions)])
        if found not in {revision.revision for revision in script.walk_revisions()}:
            raise VersionUnknown(found, self.head)
        if self.version_table not in inspect(connection).get_table_names():
            self._stamp(connection, found)

        def steps(revision: Any, _: object) -> Any:
            return script._upgrade_revs(self.head, revision)  # noqa: SLF001 - as Alembic's manual has it

        with EnvironmentContext(Config(), script, fn=steps) as environment:
            environment.configure(connection=connection, version_table=self.version_table)
            environment.run_migrations()


def open_engine(url: str) -> Engine:
    """Return an engine for a database. Raises `StorageUrlRefused` where the URL, or the driver, is not to be had.

    SQLite: write-ahead log, every commit on the disk, foreign keys held to. PostgreSQL: a commit is on the server's
    disk before it is answered, whatever the server's default; a peer that is gone is noticed within half a minute.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            engine = create_engine(parsed, connect_args={"timeout": _WAIT_SECONDS})
            event.listen(engine, "connect", _on_sqlite_connect)
            event.listen(engine, "begin", _on_sqlite_begin)
            return engine
        if parsed.drivername != "postgresql+pg8000":
            raise StorageUrlRefused(f"{parsed.drivername}: storage is sqlite:///… or postgresql+pg8000://…")
        schema = parsed.query.get("schema")
        arguments: dict[str, Any] = {"timeout": _WAIT_SECONDS}
        if schema is not None:
            arguments["startup_params"] = {"search_path": schema}
        engine = create_engine(parsed.difference_update_query(["schema"]), pool_pre_ping=True, connect_args=arguments)
        event.listen(engine, "connect", _on_postgres_connect)
        for ending in ("invalidate", "close", "close_detached"):
            event.listen(engine, ending, _on_postgres_end)
        return engine
    except ArgumentError as error:
        raise StorageUrlRefused(f"this is no URL of a database: {error}") from error
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise StorageUrlRefused(f"{error}; PostgreSQL needs the extra `postgres`") from error


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes; others that write wait until it is over, so what it reads stays true."""
    with engine.connect().execution_options(merit_writes=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            # what BEGIN IMMEDIATE is to SQLite; scoped to the schema, as everything here
            connection.execute(
                text("SELECT pg_advisory_xact_lock(hashtext('merit writes'), hashtext(current_schema()))")
            )
        yield connection


def _on_sqlite_connect(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver would not put DDL in a transaction; we begin ourselves
    _write_ahead(connection)
    for pragma in ("synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: Any) -> None:
    """Turn a SQLite file to its write-ahead log. The driver's own waiting does not cover others who turn it too."""
    patience_ends = monotonic() + _WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if monotonic() > patience_ends:
                raise
            sleep(0.01)
        else:
            return


def _on_sqlite_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("merit_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _on_postgres_connect(connection: Any, _: object) -> None:
    # The limit on time was for connecting: from here on an answer may take as long as another writer does, and a server
    # that is gone is noticed by the keep-alives of both sides.
    line: socket = connection._usock  # noqa: SLF001 - the driver has no other name for it
    line.settimeout(None)
    for option, seconds in ((TCP_KEEPIDLE, 5), (TCP_KEEPINTVL, 5), (TCP_KEEPCNT, 3)):
        line.setsockopt(IPPROTO_TCP, option, seconds)
    cursor = connection.cursor()
    cursor.execute("SHOW synchronous_commit")
    if cursor.fetchone()[0] == "off":
        cursor.execute("SET synchronous_commit = on")
    # the server lets go of a lock when it notices that its holder is gone; on a local socket these do nothing
    for setting, seconds in (("idle", 5), ("interval", 5), ("count", 3)):
        cursor.execute(f"SET tcp_keepalives_{setting} = {seconds}")
    cursor.close()
    connection.commit()


def _on_postgres_end(connection: Any, *_: object) -> None:
    """Say goodbye and hang up: the driver leaves its socket open where the server was gone before."""
    line: socket | None = getattr(connection, "_usock", None)
    if line is not None:
        with suppress(Exception):
            connection.close()
        line.close()
