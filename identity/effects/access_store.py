"""What is kept of who may read and who read, in a database: SQLite or PostgreSQL, by URL.

A grant, a sign-in and a spent nonce have reached the disk when their method returns. Several processes may share a
database: each learns of what the others wrote when it asks for news.
"""

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock

from sqlalchemy import Connection, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from identity.access import By, Permission, Purpose, Role, Scope, parse_scope
from identity.access_errors import AccessStoreBroken
from identity.address import Address
from identity.effects.access_tables import ACCESS, GRANT_EVENTS, READS, SECRET, SIGN_INS, SPENT_NONCES
from identity.effects.grant_document import grant_from_document, grant_to_document
from identity.effects.versioned import VersionUnknown, open_engine, writing
from identity.grants import GrantEvent, GrantGiven, GrantTakenBack

_GIVEN, _REVOKED = "given", "revoked"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in: whose it is, and until when (unix seconds, not included)."""

    address: Address
    expires_at: int


@dataclass(frozen=True, slots=True)
class Read:
    """One read that was permitted: who, what, whose it was, by what, when, and in which request.

    `owner` is none for what is everybody's: a book, an aggregate, the trail.
    """

    reader: Address
    read: Scope
    owner: Address | None
    permission: Permission
    at: int
    request: str


class AccessStore:
    """Grants, sign-ins, spent nonces and the record of reads, in the database at `url`, made if there is none.

    Safe to use from several threads. Raises `AccessStoreBroken` here and from every method.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._lock = RLock()
        try:
            with _told():
                ACCESS.prepare(self._engine)
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            self._engine.dispose()

    # grants

    def add_grant_event(self, event: GrantEvent) -> None:
        """Write down that a grant was given or taken back. Writing it again changes nothing."""
        given = isinstance(event, GrantGiven)
        row = {
            "kind": _GIVEN if given else _REVOKED,
            "digest": event.digest,
            "body": json.dumps(grant_to_document(event.grant)) if isinstance(event, GrantGiven) else None,
            "signature": event.signature,
            "at": event.at,
        }
        with self._writing() as connection:
            known = select(GRANT_EVENTS.c.sequence).where(
                GRANT_EVENTS.c.digest == event.digest, GRANT_EVENTS.c.kind == row["kind"]
            )
            if connection.execute(known).first() is None:
                connection.execute(insert(GRANT_EVENTS).values(**row))

    def grant_events(self, after: int) -> tuple[list[GrantEvent], int]:
        """Return what was written after entry `after`, in order, and the number of the last entry."""
        with self._reading() as connection:
            rows = connection.execute(
                select(GRANT_EVENTS).where(GRANT_EVENTS.c.sequence > after).order_by(GRANT_EVENTS.c.sequence)
            ).all()
        events: list[GrantEvent] = []
        for row in rows:
            if row.kind == _GIVEN:
                events.append(GrantGiven(row.digest, grant_from_document(json.loads(row.body)), row.signature, row.at))
            else:
                events.append(GrantTakenBack(row.digest, row.signature, row.at))
        return events, rows[-1].sequence if rows else after

    # signing in

    def secret(self) -> bytes:
        """Return 32 random bytes that all processes of this database share; made when they are first asked for."""
        with self._writing() as connection:
            kept: bytes | None = connection.execute(select(SECRET.c.secret)).scalar()
            if kept is None:
                kept = secrets.token_bytes(32)
                connection.execute(insert(SECRET).values(one=1, secret=kept))
            return bytes(kept)

    def spend_nonce(self, nonce: str, expires_at: int, now: int) -> bool:
        """Note that a nonce was used, and say whether it was unused before; those that are over are forgotten."""
        try:
            with self._writing() as connection:
                connection.execute(delete(SPENT_NONCES).where(SPENT_NONCES.c.expires_at < now))
                if connection.execute(select(SPENT_NONCES.c.nonce).where(SPENT_NONCES.c.nonce == nonce)).first():
                    return False
                connection.execute(insert(SPENT_NONCES).values(nonce=nonce, expires_at=expires_at))
        except IntegrityError:
            return False
        return True

    def open_sign_in(self, token_hash: bytes, session: SignedIn, now: int) -> None:
        """Keep a new sign-in, and forget those that are over."""
        with self._writing() as connection:
            connection.execute(delete(SIGN_INS).where(SIGN_INS.c.expires_at <= now))
            row = {"token_hash": token_hash, "address": session.address, "expires_at": session.expires_at}
            connection.execute(insert(SIGN_INS).values(**row))

    def end_sign_in(self, token_hash: bytes, now: int) -> None:
        """Note that a sign-in was ended by who holds it."""
        with self._writing() as connection:
            connection.execute(
                update(SIGN_INS)
                .where(SIGN_INS.c.token_hash == token_hash, SIGN_INS.c.ended_at.is_(None))
                .values(ended_at=now)
            )

    def sign_in(self, token_hash: bytes) -> SignedIn | None:
        """Return the sign-in of a token, if there is one and nobody ended it."""
        with self._reading() as connection:
            row = connection.execute(
                select(SIGN_INS.c.address, SIGN_INS.c.expires_at).where(
                    SIGN_INS.c.token_hash == token_hash, SIGN_INS.c.ended_at.is_(None)
                )
            ).first()
        return None if row is None else SignedIn(Address(row.address), row.expires_at)

    def ended_sign_ins(self) -> set[bytes]:
        """Return the tokens' hashes of all sign-ins that were ended before their time and are not forgotten yet."""
        with self._reading() as connection:
            return set(
                connection.execute(select(SIGN_INS.c.token_hash).where(SIGN_INS.c.ended_at.isnot(None))).scalars()
            )

    # the record of reads

    def add_reads(self, reads: Sequence[Read]) -> None:
        """Write reads down, all or none."""
        with self._writing() as connection:
            connection.execute(insert(READS), [_read_row(read) for read in reads])

    def reads(self, concerning: Address | None, before: int | None, limit: int) -> list[tuple[int, Read]]:
        """Return reads with their numbers, newest first: those of one owner's data, and of what is everybody's.

        Without an owner all are returned. `before` is the number to go on from.
        """
        query = select(READS).order_by(READS.c.sequence.desc()).limit(limit)
        if concerning is not None:
            query = query.where(or_(READS.c.owner == concerning, READS.c.owner.is_(None)))
        if before is not None:
            query = query.where(READS.c.sequence < before)
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return [
            (
                row.sequence,
                Read(
                    reader=Address(row.reader),
                    read=parse_scope(row.read),
                    owner=None if row.owner is None else Address(row.owner),
                    permission=Permission(
                        By(row.permitted_by),
                        parse_scope(row.under),
                        role=None if row.role is None else Role(row.role),
                        grant=row.granted_by,
                        purpose=None if row.purpose is None else Purpose(row.purpose),
                    ),
                    at=row.at,
                    request=row.request,
                ),
            )
            for row in rows
        ]

    def count_reads(self) -> int:
        """Return how many reads are written down."""
        with self._reading() as connection:
            return connection.execute(select(func.count()).select_from(READS)).scalar_one()

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
    """Tell of a failing database as `AccessStoreBroken`; a broken rule of the tables is the caller's business."""
    try:
        yield
    except IntegrityError:
        raise
    except VersionUnknown as unknown:
        raise AccessStoreBroken(str(unknown)) from unknown
    except SQLAlchemyError as error:
        raise AccessStoreBroken(str(getattr(error, "orig", None) or error).strip()) from error


def _read_row(read: Read) -> dict[str, object]:
    permission = read.permission
    return {
        "at": read.at,
        "reader": read.reader,
        "read": read.read.text,
        "owner": read.owner,
        "permitted_by": permission.by.value,
        "under": permission.scope.text,
        "role": None if permission.role is None else permission.role.value,
        "granted_by": permission.grant,
        "purpose": None if permission.purpose is None else permission.purpose.value,
        "request": read.request,
    }
