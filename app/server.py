"""The exchange on HTTP: the rooms' routes under one roof, problems, limits, health, and the Swagger page."""

from contextlib import AbstractContextManager
from threading import Thread
from time import sleep
from types import TracebackType
from typing import Any, Self

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from uvicorn import Config, Server

from app.limits import BodyLimit
from app.problems import install, problem_of
from app.version import NAME, installed_version
from app.wiring import House
from contracts.errors import EvmError
from exchange.book import Book
from exchange.delivery import SessionKey
from exchange.effects.routes import exchange_router
from exchange.units import Nano
from settlement.effects.routes import settlement_document, settlement_router

_DESCRIPTION = """
Local energy, traded in signed orders, cleared at one price, settled by a contract that checks everything again.

Energy is in Wh, rates in millionths of the currency per kWh, amounts in billionths (nano), instants in unix seconds:
whole numbers everywhere. `GET /v1/meta` says what to sign; `POST /v1/orders/typed-data` gives a wallet its payload.
"""


def create_app(house: House) -> FastAPI:
    """Return the application that answers for `house`."""
    app: FastAPI = FastAPIOffline(
        title=NAME, version=installed_version(), description=_DESCRIPTION, redoc_url=None, root_path_in_servers=False
    )
    install(app)
    app.add_middleware(BodyLimit)
    desk, store = house.desk, house.store

    def settlement_of(key: SessionKey) -> dict[str, Any] | None:
        return settlement_document(store, key)

    def book_of_trade(leaf: bytes) -> Book:
        return desk.book(desk.look(lambda _, trades: trades.find(leaf).trade.session))

    def book_of_order(digest: bytes) -> Book:
        return desk.book(desk.look(lambda market, _: market.session_of(digest).key))

    def reserved(account: int) -> Nano:
        return desk.look(lambda market, _: market.reserved(account))

    app.include_router(
        exchange_router(
            desk, name=NAME, version=installed_version(), settlement_of=settlement_of, problem_of=problem_of
        )
    )
    app.include_router(
        settlement_router(
            store=store,
            state=lambda: house.indexer.state,
            statements=lambda: house.heartbeat.statements,
            reserved=reserved,
            book_of_trade=book_of_trade,
            book_of_order=book_of_order,
        )
    )

    @app.get("/v1/health", tags=["meta"])
    def health() -> dict[str, Any]:
        """Say whether the journal can be written and the chain answers, and how far both have come."""
        unsettled = desk.look(lambda market, _: sum(session.settled_at is None for session in market.sessions.values()))
        cursor = store.cursor()
        chain: dict[str, Any] = {
            "chain_id": house.founded.deployment.chain_id,
            "read_to_block": None if cursor is None else cursor.number,
        }
        try:
            chain |= {"answers": True, "head": house.evm.head().number}
        except EvmError as error:
            chain |= {"answers": False, "why": str(error)}
        return {
            "status": "ok" if chain["answers"] and house.heartbeat.last_error is None else "degraded",
            "now": desk.clock(),
            "journal": {"answers": True},
            "chain": chain,
            "sessions_unsettled": unsettled,
            "unfinished_batches": len(store.unfinished()),
            "last_error": house.heartbeat.last_error,
        }

    return app


class Serving(AbstractContextManager["Serving"]):
    """A server in a thread of this process, on the loopback or wherever `host` says."""

    def __init__(self, app: FastAPI, host: str = "127.0.0.1", port: int = 0) -> None:
        config = Config(app, host=host, port=port, log_level="warning", access_log=False, lifespan="off")
        self._server = Server(config)
        self._thread = Thread(target=self._server.run, name="http", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    def __enter__(self) -> Self:
        """Begin to listen; raises `OSError` where the port is taken."""
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise OSError("the server could not be started: is the port taken?")
            sleep(0.01)
        return self

    def wait(self) -> None:
        """Wait until the server has ended."""
        while self._thread.is_alive():
            self._thread.join(0.2)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Answer what is under way, and end."""
        self._server.should_exit = True
        self._thread.join()
