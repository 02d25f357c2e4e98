"""Readings, prices, rules and imbalance runs in a database, SQLite or PostgreSQL, by URL.

Deciding and writing down happen in one transaction that nobody else writes beside: what a reading or a run was decided
by is still true when it is written, whichever process decides. The time is read inside of it, so that no reading that
was taken before the instant of a run is missing from the run.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, tuple_
from sqlalchemy.exc import SQLAlchemyError

from exchange.units import MicroPerKwh, Wh
from identity.address import Address
from identity.effects.versioned import VersionUnknown, open_engine, writing
from settlement.contracted import Place
from settlement.effects.errors import StoreBroken, StoreTooNew
from settlement.effects.meter_tables import LINES, METERS, PRICES, READINGS, RULES, RUNS
from settlement.imbalance import Prices
from settlement.imbalance_rules import ImbalanceRules
from settlement.metering_errors import PricesConflict, UnknownRun
from settlement.reading import AcceptedReading, Reading, SignedReading
from settlement.readings import Readings
from settlement.run_document import line_from_document, line_to_document, run_from_document, run_hash, run_to_document
from settlement.runs import NO_RUN, Line, Run

_PLACES_AT_ONCE = 200
"""Asked for in one query; a database takes so many parameters and not many more."""

_EVER = (1 << 40) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """What is told of a run without its content."""

    number: int
    as_of: int
    rules: bytes
    previous: bytes
    hash: bytes
    lines: int
    postings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a run is made from, as it stands within the transaction that writes it down: all that is not final yet.

    `last` is the run before, if there was one.
    """

    last: StoredRun | None
    readings: Readings
    settled: Mapping[Place, Line]
    prices: Mapping[int, Prices]


class MeterStore:
    """The store in the database at `url`, made if there is none. Safe to use from several threads.

    Raises `StoreTooNew`, and `StoreBroken` here and from every method where the database fails.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._lock = RLock()
        try:
            with _told():
                METERS.prepare(self._engine)
        except VersionUnknown as unknown:
            self._engine.dispose()
            raise StoreTooNew(unknown.found, unknown.known) from unknown
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            self._engine.dispose()

    # readings

    def take(self, places: Iterable[Place], decide: Callable[[Readings], Sequence[AcceptedReading]]) -> None:
        """Have `decide` say what is taken, given what is held of these assets and slots, and write that down."""
        wanted = sorted(set(places))
        with self._writing() as connection:
            held = Readings()
            for first in range(0, len(wanted), _PLACES_AT_ONCE):
                some = wanted[first : first + _PLACES_AT_ONCE]
                for _, accepted in _readings(connection, tuple_(READINGS.c.asset, READINGS.c.start).in_(some)):
                    held.add(accepted)
            if taken := decide(held):
                connection.execute(insert(READINGS), [_reading_row(one) for one in taken])

    def readings(
        self, asset: Address, begin: int, end: int, after: int, limit: int
    ) -> list[tuple[int, AcceptedReading]]:
        """Return what was taken of an asset after entry `after`, with its number, in the order it was taken.

        Of slots from `begin` up to but without `end`.
        """
        which = (READINGS.c.asset == asset, READINGS.c.start >= begin, READINGS.c.start < end)
        with self._reading() as connection:
            return list(_readings(connection, *which, READINGS.c.sequence > after, limit=limit))

    def readings_between(self, begin: int, end: int = _EVER) -> Readings:
        """Return all that was taken of slots from `begin` up to but without `end`."""
        with self._reading() as connection:
            return _all(connection, begin, end)

    # prices

    def publish(self, prices: Mapping[int, Prices]) -> None:
        """Publish prices by slot, all or none; the same again changes nothing. Raises `PricesConflict`."""
        with self._writing() as connection:
            known = _prices(connection, 0, _EVER)
            for start, price in sorted(prices.items()):
                if known.get(start, price) != price:
                    raise PricesConflict(start)
            new = [{"start": at, "short": one.short, "long": one.long} for at, one in prices.items() if at not in known]
            if new:
                connection.execute(insert(PRICES), new)

    def prices(self, begin: int, end: int, limit: int | None = None) -> dict[int, Prices]:
        """Return the prices that were published for slots from `begin` up to but without `end`, by slot."""
        with self._reading() as connection:
            return _prices(connection, begin, end, limit)

    # runs

    def settle(self, rules: ImbalanceRules, since: int, decide: Callable[[Standing], Run]) -> Run:
        """Have `decide` make the next run and write it down. `since` is the first slot that it may look at.

        Whoever takes readings or makes a run meanwhile waits.
        """
        with self._writing() as connection:
            last = _last(connection)
            standing = Standing(
                last=last,
                readings=_all(connection, since, _EVER),
                settled={line.place: line for line in _newest(connection, LINES.c.start >= since)},
                prices=_prices(connection, since, _EVER),
            )
            run = decide(standing)
            expected = (1, NO_RUN) if last is None else (last.number + 1, last.hash)
            assert (run.number, run.previous) == expected, "a run follows the one before"
            _write_run(connection, run, rules)
            return run

    def last_run(self) -> StoredRun | None:
        """Return the newest run, if there is one."""
        with self._reading() as connection:
            return _last(connection)

    def runs(self, after: int, limit: int) -> list[StoredRun]:
        """Return runs by number, beginning after `after`."""
        with self._reading() as connection:
            return _runs(connection, RUNS.c.number, RUNS.c.number > after, limit=limit)

    def run(self, number: int) -> Run:
        """Return one run. Raises `UnknownRun`."""
        with self._reading() as connection:
            body = connection.execute(select(RUNS.c.body).where(RUNS.c.number == number)).scalar()
        if body is None:
            raise UnknownRun(number)
        return run_from_document(json.loads(body))

    def rules_of(self, name: bytes) -> dict[str, Any] | None:
        """Return the document of the rules with this hash, if a run was made under them."""
        with self._reading() as connection:
            body = connection.execute(select(RULES.c.body).where(RULES.c.hash == name)).scalar()
        return None if body is None else json.loads(body)

    def lines(self, asset: Address, begin: int, end: int, limit: int) -> list[Line]:
        """Return what an asset comes to by now in slots from `begin` up to but without `end`, by slot."""
        which = (LINES.c.asset == asset, LINES.c.start >= begin, LINES.c.start < end)
        with self._reading() as connection:
            return list(_newest(connection, *which, limit=limit))

    # inside

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _told(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with _told(), self._lock, writing(self._engine) as connection:
            yield connection


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreBroken(str(getattr(error, "orig", None) or error).strip()) from error


def _readings(
    connection: Connection, *where: ColumnElement[bool], limit: int | None = None
) -> Iterator[tuple[int, AcceptedReading]]:
    for row in connection.execute(select(READINGS).where(*where).order_by(READINGS.c.sequence).limit(limit)):
        yield row.sequence, _accepted(row)


def _all(connection: Connection, begin: int, end: int) -> Readings:
    rows = _readings(connection, READINGS.c.start >= begin, READINGS.c.start < end)
    return Readings(accepted for _, accepted in rows)


def _accepted(row: Row[Any]) -> AcceptedReading:
    reading = Reading(
        asset=Address(row.asset), start=row.start, seconds=row.seconds, net=Wh(row.net), version=row.version
    )
    return AcceptedReading(
        signed=SignedReading(reading, row.signature, bool(row.estimated)),
        digest=row.digest,
        signer=Address(row.signer),
        at=row.at,
    )


def _reading_row(accepted: AcceptedReading) -> dict[str, object]:
    reading = accepted.reading
    return {
        "asset": reading.asset,
        "start": reading.start,
        "seconds": reading.seconds,
        "net": reading.net,
        "version": reading.version,
        "signature": accepted.signed.signature,
        "estimated": int(accepted.signed.estimated),
        "digest": accepted.digest,
        "signer": accepted.signer,
        "at": accepted.at,
    }


def _prices(connection: Connection, begin: int, end: int, limit: int | None = None) -> dict[int, Prices]:
    query = select(PRICES).where(PRICES.c.start >= begin, PRICES.c.start < end).order_by(PRICES.c.start).limit(limit)
    return {row.start: Prices(MicroPerKwh(row.short), MicroPerKwh(row.long)) for row in connection.execute(query)}


def _runs(connection: Connection, order: Any, *where: ColumnElement[bool], limit: int) -> list[StoredRun]:
    names = ("number", "as_of", "rules", "previous", "hash", "lines", "postings")
    query = select(*(RUNS.c[name] for name in names)).where(*where).order_by(order).limit(limit)
    return [StoredRun(**row._asdict()) for row in connection.execute(query)]


def _last(connection: Connection) -> StoredRun | None:
    return next(iter(_runs(connection, RUNS.c.number.desc(), limit=1)), None)


def _newest(connection: Connection, *where: ColumnElement[bool], limit: int | None = None) -> Iterator[Line]:
    """Yield of each asset and slot the line of the latest run, by slot and asset."""
    latest = (
        select(LINES.c.asset, LINES.c.start, func.max(LINES.c.run).label("run"))
        .where(*where)
        .group_by(LINES.c.asset, LINES.c.start)
        .order_by(LINES.c.start, LINES.c.asset)
        .limit(limit)
        .subquery()
    )
    same = (LINES.c.asset == latest.c.asset) & (LINES.c.start == latest.c.start) & (LINES.c.run == latest.c.run)
    query = select(LINES.c.body).join(latest, same).order_by(LINES.c.start, LINES.c.asset)
    for body in connection.execute(query).scalars():
        yield line_from_document(json.loads(body))


def _write_run(connection: Connection, run: Run, rules: ImbalanceRules) -> None:
    if connection.execute(select(RULES.c.hash).where(RULES.c.hash == run.rules)).first() is None:
        connection.execute(insert(RULES).values(hash=run.rules, body=json.dumps(rules.to_document())))
    connection.execute(
        insert(RUNS).values(
            number=run.number,
            as_of=run.as_of,
            rules=run.rules,
            previous=run.previous,
            hash=run_hash(run),
            lines=len(run.lines),
            postings=len(run.postings),
            body=json.dumps(run_to_document(run)),
        )
    )
    rows = [
        {"run": run.number, "asset": line.asset, "start": line.start, "body": json.dumps(line_to_document(line))}
        for line in run.lines
    ]
    if rows:
        connection.execute(insert(LINES), rows)
