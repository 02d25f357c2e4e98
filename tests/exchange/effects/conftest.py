"""A desk with a journal on the disk, and a client that reaches it over HTTP."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.limits import BodyLimit
from app.problems import install, problem_of
from exchange.effects.desk import Desk
from exchange.effects.intake import Intake
from exchange.effects.journal import SqliteJournal
from exchange.effects.routes import exchange_router
from exchange.market import Market
from tests.actors import OPERATOR
from tests.exchange import street
from tests.simulators.everybody import Everybody


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path):
    opened = SqliteJournal(path)
    yield opened
    opened.close()


@pytest.fixture
def desk(journal, registry, purse, clock):
    opened = Desk(journal, Market(), lambda: registry, purse, OPERATOR.key, clock)
    opened.open(street.PARAMETERS)
    return opened


@pytest.fixture
def settlements():
    """What the chain holds of each session; a test puts it in."""
    return {}


class Changing:
    """Whatever the test that is under way has put here: an application is built once, which takes longer than a test,
    and stands before a desk of each test's own.
    """

    def __init__(self) -> None:
        self.now: Any = None

    def __getattr__(self, name: str) -> Any:
        if name == "archive":
            return self.now.archive

        def now(*arguments: Any, **named: Any) -> Any:
            return getattr(self.now, name)(*arguments, **named)

        return now


@pytest.fixture(scope="session", params=[True, False], ids=["with the quick way in", "through the routes alone"])
def application(request):
    """The application, and where to put the desk and the settlements it stands before."""
    app, desk, settlements = FastAPI(), Changing(), Changing()
    if request.param:
        app.add_middleware(Intake, submit=desk.submit_soon, problem_of=problem_of)
    app.add_middleware(BodyLimit)
    install(app)
    app.include_router(
        exchange_router(
            desk, name="Merit", version="0.1.0", settlement_of=settlements.get, problem_of=problem_of, reads=Everybody()
        )
    )
    return app, desk, settlements


@pytest.fixture
def client(application, desk, settlements):
    app, current_desk, current_settlements = application
    current_desk.now, current_settlements.now = desk, settlements
    return TestClient(app, raise_server_exceptions=False)
