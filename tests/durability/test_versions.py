"""The tables stand in one place: what the scripts lead to, step by step, is what a new database gets."""

from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from exchange.effects.archive_tables import ARCHIVE
from exchange.effects.journal import VERSION
from exchange.effects.journal_tables import JOURNAL
from identity.effects.access_tables import ACCESS
from identity.effects.versioned import StorageUrlRefused, open_engine, writing
from settlement.effects.meter_tables import METERS
from settlement.effects.sql_store import SqlStore
from settlement.effects.store import Attempt
from settlement.effects.store_tables import STORE
from settlement.lifecycle import State
from tests.settlement.effects.test_store import FACTS, checkpoint, sealed, seen
from tests.storage_kinds import KINDS

EACH = pytest.mark.parametrize(
    "versioned", [JOURNAL, STORE, ACCESS, ARCHIVE, METERS], ids=["journal", "store", "access", "archive", "meters"]
)


@pytest.fixture(params=KINDS)
def engine(request, tmp_path):
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").new_schema()
    else:
        url = f"sqlite:///{tmp_path / 'any.db'}"
    opened = open_engine(url)
    yield opened
    opened.dispose()


def first_version(versioned, engine):
    """Bring an empty database to the first version, by the first script."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

    script = ScriptDirectory(str(versioned.versions), version_locations=[str(versioned.versions)])
    with writing(engine) as connection:
        steps = lambda revision, _: script._upgrade_revs("0001", revision)  # noqa: E731
        with EnvironmentContext(Config(), script, fn=steps) as environment:
            environment.configure(connection=connection, version_table=versioned.version_table)
            environment.run_migrations()


def differences(versioned, engine):
    with engine.connect() as connection, connection.begin():
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "include_name": lambda name, *_: name != versioned.version_table},
        )
        return compare_metadata(context, versioned.metadata)


@EACH
def test_a_new_database_has_the_tables_as_they_stand(versioned, engine):
    versioned.prepare(engine)
    assert differences(versioned, engine) == []


@EACH
def test_the_scripts_lead_to_the_tables_as_they_stand(versioned, engine):
    first_version(versioned, engine)
    versioned.prepare(engine)
    assert differences(versioned, engine) == []
    with engine.connect() as connection, connection.begin():
        assert versioned.version(connection) == versioned.head


@EACH
def test_preparing_again_changes_nothing(versioned, engine):
    versioned.prepare(engine)
    versioned.prepare(engine)
    assert differences(versioned, engine) == []


@EACH
def test_the_newest_script_is_the_version_that_is_expected(versioned):
    script = ScriptDirectory(str(versioned.versions), version_locations=[str(versioned.versions)])
    assert script.get_heads() == [versioned.head]


def test_the_journal_is_opened_by_the_version_of_its_tables():
    assert JOURNAL.head == VERSION


def test_a_store_of_the_first_version_keeps_what_it_holds(tmp_path):
    """As it was written before there were version tables: its `user_version` says what it is."""
    url = f"sqlite:///{tmp_path / 'settlement.db'}"
    engine = open_engine(url)
    first_version(STORE, engine)
    with writing(engine) as connection:
        batch = sealed(state=State.SUBMITTED)
        connection.execute(
            text(
                "INSERT INTO batches (session, part, parts, order_root, trade_root, parameters, calldata, state,"
                " sealed_at) VALUES (:session, 0, 3, :one, :two, :three, :calldata, 'submitted', 10)"
            ),
            {
                "session": str(batch.session),
                "one": batch.order_root,
                "two": batch.trade_root,
                "three": batch.parameters,
                "calldata": batch.calldata,
            },
        )
        connection.execute(text("INSERT INTO attempts VALUES (1, 0, x'05', 7, x'06', 11)"))
        connection.execute(text("INSERT INTO blocks VALUES (1, :hash, 1001)"), {"hash": checkpoint(1).hash})
        connection.execute(text("DROP TABLE store_version"))
        connection.execute(text("PRAGMA user_version = 1"))
    engine.dispose()
    with closing(SqlStore(url)) as store:
        assert store.batches() == [sealed(state=State.SUBMITTED, attempts=(Attempt(b"\5", 7, b"\6", 11),))]
        assert store.cursor() is None  # what was read of the chain is read again
        assert store.take_lease("one", 1, 2).term == 1
        store.extend([checkpoint(1), checkpoint(2)], [seen(FACTS[0], 2)])


@pytest.mark.parametrize("url", ["", "letters", "mysql://a/b", "postgresql://a/b", "postgresql+asyncpg://a/b"])
def test_what_is_no_url_of_a_database_we_know_is_refused(url):
    with pytest.raises(StorageUrlRefused):
        open_engine(url)
