"""The archive: what an exchange says of settled sessions after it has let go of them.

It holds where in the journal each session's entries stand, and the trades themselves, since those are asked for by
name and by account. All of it follows from the journal: a session that is missing is written anew when the journal is
replayed, and one that is there otherwise than the journal has it is written over. Where storage is shared, every
process writes what it lets go of, and finds most of it there.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, delete, event, insert, or_, select, true
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from exchange.clearing import OwnUse
from exchange.delivery import SessionKey
from exchange.documents import fee_row
from exchange.effects.archive_tables import ARCHIVE, ORDERS, OWN_USES, SESSIONS, TRADES
from exchange.effects.trade_index import Place, TradeRecord
from exchange.errors import ArchiveBroken
from exchange.fee_row import FeeRow
from exchange.held_session import Session
from exchange.trade import Trade
from exchange.units import Wh
from identity.effects.versioned import VersionUnknown, open_engine, writing
from identity.hashing import keccak

_SIZE = 10
"""Bytes of a session's number."""

_ENTRY_SIZE = 8

_MOST_NODES = 64
"""Of so many nodes the database looks for the fees; of more it gives every trade, and who asked leaves out the rest."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a settled order stands: its session, its journal entry, and whether it was taken back."""

    session: SessionKey
    entry: int
    cancelled: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """What an account traded and used itself in settled sessions: both by session, as the clearing has them."""

    trades: Sequence[TradeRecord]
    own_uses: Sequence[tuple[SessionKey, OwnUse]]


class Archive:
    """The archive in the database at `url`, made if there is none. Safe to use from several threads.

    Raises `ArchiveBroken`, here and from every method where the database fails.
    """

    def __init__(self, url: str) -> None:
        self._engine: Engine = open_engine(url)
        if not self.shared:
            event.listen(self._engine, "connect", _wait_for_no_disk)
        try:
            with _told():
                ARCHIVE.prepare(self._engine)
        except VersionUnknown as unknown:
            self._engine.dispose()
            raise ArchiveBroken(f"this is no archive that this program can write: {unknown}") from unknown
        except BaseException:
            self._engine.dispose()
            raise

    @property
    def shared(self) -> bool:
        """Whether other processes use it too; then journal and archive lie in one database, and go together."""
        return self._engine.dialect.name == "postgresql"

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    # Writing

    def keep(self, session: Session, orders: Sequence[int], others: Sequence[int]) -> None:
        """Write down a settled session; again changes nothing.

        `orders` are the numbers of the journal entries by which its orders were taken, in their order, `others` those
        of everything else.
        """
        number, cleared = _packed(session.key), session.cleared
        packed = b"".join(entry.to_bytes(_ENTRY_SIZE, "big") for entry in sorted([*orders, *others]))
        assert cleared is not None, "what is settled was cleared"
        trades = cleared.clearing.trades
        fingerprint = keccak(packed + b"".join(session.orders) + b"".join(trade.leaf() for trade in trades))
        with self._reading() as connection:
            if _fingerprint(connection, number) == fingerprint:
                return
        with _told(), writing(self._engine) as connection:
            written = _fingerprint(connection, number)
            if written == fingerprint:
                return
            if written is not None:
                _remove(connection, number)
            accounts = {digest: accepted.account for digest, accepted in session.orders.items()}
            entry_of = dict(zip(session.orders, orders, strict=True))
            _insert(
                connection,
                ORDERS,
                [
                    {"digest": digest, "session": number, "entry": entry, "cancelled": digest in session.cancelled}
                    for digest, entry in sorted(entry_of.items())
                ],
            )
            common = {"session": number, "delivery_start": session.key.delivery_start}
            _insert(
                connection,
                TRADES,
                [
                    {
                        **common,
                        "leaf": trade.leaf(),
                        "turn": turn,
                        "bid": trade.bid,
                        "offer": trade.offer,
                        "energy": trade.energy,
                        "rate": trade.rate,
                        "top": trade.fees.top,
                        "fees": _text(trade.fees),
                        "alternative": trade.alternative,
                        "buyer": accounts[trade.bid],
                        "seller": accounts[trade.offer],
                    }
                    for turn, trade in enumerate(trades)
                ],
            )
            _insert(
                connection,
                OWN_USES,
                [
                    {
                        **common,
                        "turn": turn,
                        "account": accounts[use.bid],
                        "bid": use.bid,
                        "offer": use.offer,
                        "energy": use.energy,
                    }
                    for turn, use in enumerate(cleared.clearing.own_uses)
                ],
            )
            _insert(connection, SESSIONS, [{"session": number, "entries": packed, "fingerprint": fingerprint}])

    def only(self, keys: Collection[SessionKey]) -> None:
        """Remove every session but these: an archive may have been left beside a journal that it does not go with."""
        with self._reading() as connection:
            written = set(connection.execute(select(SESSIONS.c.session)).scalars())
        strays = written - {_packed(key) for key in keys}
        if strays:
            with _told(), writing(self._engine) as connection:
                for number in sorted(strays):
                    _remove(connection, number)

    # Reading

    def entries(self, key: SessionKey) -> Sequence[int]:
        """Return the numbers of a session's journal entries, ascending. Raises `ArchiveBroken` where it is not here."""
        with self._reading() as connection:
            packed = connection.execute(select(SESSIONS.c.entries).where(SESSIONS.c.session == _packed(key))).scalar()
        if packed is None:
            raise ArchiveBroken(f"session {key} is missing: start again, and the archive is made anew")
        return [int.from_bytes(packed[at : at + _ENTRY_SIZE], "big") for at in range(0, len(packed), _ENTRY_SIZE)]

    def order(self, digest: bytes) -> Whereabouts | None:
        """Return where a settled order stands, or none."""
        with self._reading() as connection:
            row = connection.execute(select(ORDERS).where(ORDERS.c.digest == digest)).first()
        return None if row is None else Whereabouts(_key(row.session), row.entry, row.cancelled)

    def trade(self, leaf: bytes) -> TradeRecord | None:
        """Return the settled trade with this leaf, or none."""
        with self._reading() as connection:
            row = connection.execute(select(TRADES).where(TRADES.c.leaf == leaf)).first()
        return None if row is None else _record(row)

    def listed(
        self, *, account: int | None, session: SessionKey | None, after: Place | None, limit: int
    ) -> list[TradeRecord]:
        """Return up to `limit` settled trades by session, then leaf; see `TradeIndex.listed`."""
        found: list[ColumnElement[bool]] = []
        if session is not None:
            found.append(TRADES.c.session == _packed(session))
        if after is not None:
            first, leaf = after[0].to_bytes(_SIZE, "big"), after[1]
            found.append(TRADES.c.session >= first)
            found.append(or_(TRADES.c.session > first, TRADES.c.leaf > leaf))
        sides: list[list[ColumnElement[bool]]] = (
            [[]] if account is None else [[TRADES.c.buyer == account], [TRADES.c.seller == account]]
        )
        with self._reading() as connection:
            pages = [
                connection.execute(
                    select(TRADES)
                    .where(and_(true(), *side, *found))
                    .order_by(TRADES.c.session, TRADES.c.leaf)
                    .limit(limit)
                ).all()
                for side in sides
            ]
        places = {(row[1], row[0]): row for page in pages for row in page}  # by session, then leaf
        ordered = (places[place] for place in sorted(places))
        return [_record(row) for row in islice(ordered, limit)]

    def of_account(self, account: int, begin: int, end: int, *, nodes: Collection[int]) -> Settled:
        """Return what an account traded and used in deliveries from `begin` up to but without `end` (unix seconds).

        And every trade that one of `nodes` took a fee of; there may be others among them.
        """
        sides = [TRADES.c.buyer == account, TRADES.c.seller == account]
        if nodes:
            named = [TRADES.c.fees.contains(f"[{node},") for node in sorted(nodes)]
            sides.append(or_(*named) if len(named) <= _MOST_NODES else true())
        during = and_(TRADES.c.delivery_start >= begin, TRADES.c.delivery_start < end)
        used = and_(OWN_USES.c.delivery_start >= begin, OWN_USES.c.delivery_start < end)
        with self._reading() as connection:
            rows = {row[0]: row for side in sides for row in connection.execute(select(TRADES).where(side, during))}
            uses = connection.execute(
                select(OWN_USES)
                .where(OWN_USES.c.account == account, used)
                .order_by(OWN_USES.c.session, OWN_USES.c.turn)
            ).all()
        ordered = sorted(rows.values(), key=itemgetter(1, 2))  # by session, then turn
        return Settled(
            [_record(row) for row in ordered],
            [(_key(row.session), OwnUse(bid=row.bid, offer=row.offer, energy=Wh(row.energy))) for row in uses],
        )

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _told(), self._engine.connect() as connection, connection.begin():
            yield connection


@contextmanager
def _told() -> Iterator[None]:
    """Tell of a database that fails in our own words."""
    try:
        yield
    except SQLAlchemyError as error:
        why = error.orig if isinstance(error, DBAPIError) else error
        raise ArchiveBroken(f"the archive of settled sessions does not answer as it should: {why}") from error


def _wait_for_no_disk(connection: Any, _: object) -> None:
    """Have a commit wait for no disk: what a power cut takes away is written again, and the journal needs the disk."""
    connection.execute("PRAGMA synchronous = NORMAL")


def _fingerprint(connection: Connection, number: bytes) -> bytes | None:
    return connection.execute(select(SESSIONS.c.fingerprint).where(SESSIONS.c.session == number)).scalar()


def _remove(connection: Connection, number: bytes) -> None:
    for table in (ORDERS, TRADES, OWN_USES, SESSIONS):
        connection.execute(delete(table).where(table.c.session == number))


def _insert(connection: Connection, table: Table, rows: Sequence[dict[str, object]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _packed(key: SessionKey) -> bytes:
    return key.number.to_bytes(_SIZE, "big")


def _key(number: bytes) -> SessionKey:
    return SessionKey.of(int.from_bytes(number, "big"))


def _record(row: Sequence[Any]) -> TradeRecord:
    # by place: names cost more than the rest
    leaf, session, _, _, bid, offer, energy, rate, top, fees, alternative, buyer, seller = row
    trade = Trade(
        session=_key(session),
        bid=bid,
        offer=offer,
        energy=energy,
        rate=rate,
        fees=_row(fees, top),
        alternative=alternative,
    )
    object.__setattr__(trade, "_leaf", leaf)  # as it was worked out when it was written
    return TradeRecord(leaf=leaf, trade=trade, buyer=buyer, seller=seller)


def _text(fees: FeeRow) -> str:
    return json.dumps([[share.node, share.rate] for share in fees.shares], separators=(",", ":"))


@lru_cache(maxsize=1 << 12)
def _row(text: str, top: int) -> FeeRow:
    return fee_row(tuple((node, rate) for node, rate in json.loads(text)), top)
