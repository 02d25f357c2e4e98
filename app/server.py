"""The exchange on HTTP: the rooms' routes under one roof, problems, limits, health, events, and the Swagger page."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from functools import partial
from threading import Thread
from time import sleep
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from uvicorn import Config, Server

from app.bounds import Bounds
from app.feed import Feed
from app.figures import Figures
from app.health import Health, health_router
from app.limits import BodyLimit
from app.metrics import HouseCollector, metrics_router
from app.observe import Observe
from app.openapi import describe
from app.pressure import Pressure
from app.problems import Document, install, problem_of
from app.public_events import Sources
from app.rate_limit import AddressLimit, Allowances
from app.streams import stream_router
from app.turnstile import Turnstile
from app.version import NAME, installed_version
from app.wiring import House
from contracts.errors import EvmError
from exchange.book import Book
from exchange.delivery import SessionKey
from exchange.effects.intake import Intake
from exchange.effects.past_trades import find_trade
from exchange.effects.readable import judge_order, judge_trade
from exchange.effects.routes import exchange_router
from exchange.events import OrderAccepted
from exchange.held_session import Session
from exchange.units import Nano
from identity.address import Address
from identity.document import Change
from identity.effects.access_routes import grant_router, record_router, sign_in_router
from identity.effects.credential_routes import credential_router
from identity.effects.did_routes import did_router
from identity.effects.routes import identity_router
from identity.resolution import Registry as DidRegistry
from identity.siwe import Here
from identity.typed_data import Domain
from identity.verification import Registries, StatusSource
from settlement.effects.meter_routes import metering_router
from settlement.effects.routes import settlement_document, settlement_router

_DESCRIPTION = """
Local energy, traded in signed orders, cleared at one price, settled by a contract that checks everything again.

Energy is in Wh, rates in millionths of the currency per kWh, amounts in billionths (nano), instants in unix seconds:
whole numbers everywhere. `GET /v1/meta` says what to sign; `POST /v1/orders/typed-data` gives a wallet its payload.
`GET /v1/events` streams what happens. Whatever is refused is answered with a problem (RFC 9457) of a stable code.
"""

_MOST_CONNECTIONS = 4_000
"""Beyond these a connection is turned away before anything is read from it, with a bare 503."""

_ENDING_SECONDS = 10


def create_app(
    house: House, bounds: Bounds | None = None, public_url: str | None = None, status: StatusSource = lambda _: None
) -> FastAPI:
    """Return the application that answers for `house`, within `bounds`.

    `public_url` is what people reach it by, and sign in to; without it, wherever it comes to listen. `status` fetches
    credentials' status lists.
    """
    bounds = Bounds() if bounds is None else bounds
    app: FastAPI = FastAPIOffline(
        title=NAME,
        version=installed_version(),
        description=_DESCRIPTION,
        redoc_url=None,
        root_path_in_servers=False,
        # Metrics are ours (`metrics.py`), and asking for somebody else's at every request costs as much as reading it.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    figures, health = Figures(), Health(house)

    def told(refusal: Exception) -> Document:
        document = problem_of(refusal)
        figures.problems[document["code"]] += 1
        return document

    install(app, told)
    desk, store, reads = house.desk, house.store, house.reads
    app.state.public_url = None if public_url is None else public_url.rstrip("/")
    turnstile = Turnstile(
        desk,
        figures,
        most_waiting=bounds.most_waiting_orders,
        accounts=None if bounds.account is None else Allowances(bounds.account),
        registry=lambda: house.indexer.state.registry,
    )
    # From the inside out: what is added later stands around what was added before.
    app.add_middleware(Intake, submit=turnstile.submit, problem_of=told)
    app.add_middleware(BodyLimit)
    if bounds.address is not None:
        app.add_middleware(AddressLimit, rate=bounds.address, sign_in=bounds.sign_in)
    app.add_middleware(Pressure, bounds=bounds, figures=figures)
    app.add_middleware(Observe, figures=figures)

    def settlement_of(key: SessionKey) -> Document | None:
        found, unsealed = settlement_document(store, key, house.preset.link), house.heartbeat.unsealed.get(key)
        if unsealed is None:
            return found
        refused = {"code": unsealed.code, "why": unsealed.why, "since": unsealed.since}
        return {"batches": [], **(found or {}), "unsealed": refused}

    def session_of(key: SessionKey) -> Session:
        return desk.look(lambda market, _: market.session(key))

    def accepted_of(digest: bytes) -> OrderAccepted:
        return desk.look(lambda market, _: market.session_of(digest).orders[digest])

    def accounts_of(holder: Address) -> list[int]:
        return [account.number for account in house.indexer.state.registry.accounts_of(holder)]

    def here() -> Here:
        url = app.state.public_url or "http://127.0.0.1"
        return Here(domain=urlsplit(url).netloc, uri=url, chain_id=house.founded.deployment.chain_id)

    def domain() -> Domain:
        return house.founded.parameters.domain

    def book_of_trade(leaf: bytes) -> Book:
        return desk.book(find_trade(desk, leaf).trade.session)

    def book_of_order(digest: bytes) -> Book:
        return desk.book(desk.look(lambda market, _: market.session_of(digest).key))

    def reserved(account: int) -> Nano:
        return desk.look(lambda market, _: market.reserved(account))

    app.include_router(
        exchange_router(
            desk,
            name=NAME,
            version=installed_version(),
            settlement_of=settlement_of,
            problem_of=told,
            reads=reads,
            submit=turnstile.submit,
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
            reads=reads,
            judge_trade=partial(judge_trade, desk, reads),
            judge_order=partial(judge_order, desk, reads),
            link=house.preset.link,
        )
    )
    app.include_router(
        metering_router(house.meters, reads=reads, problem_of=told, chain_id=house.founded.deployment.chain_id)
    )
    _show_identity(app, house, status)
    feed = Feed(house.journal, Sources(session_of, accepted_of, settlement_of))
    app.state.close_streams = feed.close
    app.include_router(stream_router(feed, figures, bounds, reads, accounts_of))
    app.include_router(sign_in_router(reads, here))
    app.include_router(grant_router(reads, domain))
    app.include_router(record_router(reads))
    app.include_router(health_router(health))
    app.include_router(metrics_router(HouseCollector(house, health, figures)))

    @app.get("/v1/health", tags=["meta"])
    def standing() -> dict[str, Any]:
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
            "journal": {"answers": True, "decides": desk.decides},
            "chain": chain,
            "sessions_unsettled": unsettled,
            "sessions_unsealed": sorted(map(str, list(house.heartbeat.unsealed))),
            "unfinished_batches": len(store.unfinished()),
            "last_error": house.heartbeat.last_error,
        }

    describe(app)
    return app


def _show_identity(app: FastAPI, house: House, status: StatusSource) -> None:
    """Add the routes of the registries. The state is another object after a reorganisation, so it is asked for anew."""
    chain_id, clock, indexer = house.founded.deployment.chain_id, house.desk.clock, house.indexer

    def block_time(number: int) -> int | None:
        cursor = house.store.cursor()
        if cursor is None or number > cursor.number:
            return None
        known = indexer.state.chronicle.block_time(number)
        if known is not None:
            return known
        block = house.evm.block(number)  # a version between two changes: only the node knows its time
        return None if block is None else block.timestamp

    def registries() -> Registries:
        authority = indexer.state.registry.authority
        return Registries(
            chain_id=chain_id,
            roles=authority.roles,
            tenures=authority.tenures,
            changes=indexer.state.chronicle.changes,
        )

    app.include_router(
        identity_router(
            chain_id=chain_id,
            registry=lambda: indexer.state.registry,
            chronicle=lambda: indexer.state.chronicle,
            clock=clock,
        )
    )

    def changes(identity: Address) -> Iterable[Change]:
        return indexer.state.chronicle.changes(identity)

    dids = DidRegistry(chain_id=chain_id, changes=changes, block_time=block_time)
    app.include_router(did_router(dids, clock))
    app.include_router(credential_router(registries, clock, status))


class Serving(AbstractContextManager["Serving"]):
    """A server in a thread of this process, on the loopback or wherever `host` says."""

    def __init__(self, app: FastAPI, host: str = "127.0.0.1", port: int = 0) -> None:
        config = Config(
            app,
            host=host,
            port=port,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_ENDING_SECONDS,
        )
        self._app = app
        self._server = Server(config)
        self._thread = Thread(target=self._run, name="http", daemon=True)

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
        if getattr(self._app.state, "public_url", self.url) is None:
            self._app.state.public_url = self.url
        return self

    def _run(self) -> None:
        with suppress(SystemExit):  # how uvicorn ends where it cannot listen; `__enter__` says so
            self._server.run()

    def wait(self) -> None:
        """Wait until the server has ended."""
        while self._thread.is_alive():
            self._thread.join(0.2)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Answer what is under way, end every stream, and end."""
        close_streams = getattr(self._app.state, "close_streams", None)
        if close_streams is not None:
            close_streams()
        self._server.should_exit = True
        self._thread.join()
