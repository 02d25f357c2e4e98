"""The store in a database, SQLite or PostgreSQL: one transaction a write, and it has reached the disk when it returns.

SQLite makes a transaction that writes wait for the one before; on PostgreSQL a lock of ours does the same. What is read
in a write is therefore still true when it is written.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from identity.effects.versioned import VersionUnknown, open_engine, writing
from settlement.effects.errors import BatchConflict, LeaseLost, StoreBroken, StoreOfAnotherChain, StoreTooNew
from settlement.effects.fact_document import from_json, kind_of, to_json
from settlement.effects.store import Attempt, Checkpoint, Lease, StoredBatch, StoredFact
from settlement.effects.store_tables import ATTEMPTS, BATCHES, BINDING, BLOCKS, FACTS, LEASE, STORE
from settlement.facts import BatchSettled, Witnessed
from settlement.lifecycle import State

_UNFINISHED = (State.SEALED.value, State.SUBMITTED.value, State.MINED.value)
_WRITTEN_ONCE = ("order_root", "trade_root", "parameters", "calldata", "parts")
_WRITTEN_OFTEN = (
    "sealed_at",
    "tx_hash",
    "block_number",
    "block_hash",
    "gas_used",
    "mined_at",
    "ended_at",
    "refused",
    "taken_back_at",
)
_ATTEMPT = ("tx_hash", "nonce", "raw", "signed_at", "gas", "max_fee", "priority_fee", "head")


class SqlStore:
    """A store in the database at `url`, made if there is none. Safe to use from several threads.

    Raises `StoreTooNew`, and `StoreBroken` here and from every method where the database fails.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._lock = RLock()  # threads of one process queue here, not at the database, where waiting is polling
        try:
            with _told():
                STORE.prepare(self._engine)
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

    def bind(self, chain_id: int, contract: bytes) -> None:
        """Say which contract this store is about. Raises `StoreOfAnotherChain` where it was another before."""
        with self._reading() as connection:
            bound = _binding(connection)
        if bound is None:
            with self._writing() as connection:
                bound = _binding(connection)
                if bound is None:
                    connection.execute(insert(BINDING).values(chain_id=chain_id, contract=contract))
                    return
        if bound != (chain_id, contract):
            raise StoreOfAnotherChain(*bound)

    # the outbox

    def enqueue(self, batches: Sequence[StoredBatch]) -> None:
        """Take sealed batches in, all or none. The same batch again changes nothing; `BatchConflict` if it differs."""
        with self._writing() as connection:
            for batch in batches:
                assert batch.state is State.SEALED, "what is enqueued is sealed and unsent"
                known = _batches(connection, *_is(batch.session, batch.part))
                if not known:
                    values = {name: getattr(batch, name) for name in (*_WRITTEN_ONCE, *_WRITTEN_OFTEN)}
                    connection.execute(
                        insert(BATCHES).values(
                            session=str(batch.session), part=batch.part, state=batch.state.value, **values
                        )
                    )
                elif any(getattr(known[0], name) != getattr(batch, name) for name in _WRITTEN_ONCE):
                    raise BatchConflict(batch.session, batch.part)

    def save(self, batch: StoredBatch, term: int | None = None) -> None:
        """Write how far a batch has come, with its attempts. With `term`, raises `LeaseLost` unless it is still that
        of the lease, and then nothing is written.
        """
        with self._writing() as connection:
            lease = None if term is None else _lease(connection)
            if term is not None and (lease is None or lease.term != term):
                raise LeaseLost(None if lease is None else lease.holder)
            number = connection.execute(
                update(BATCHES)
                .where(*_is(batch.session, batch.part))
                .values(state=batch.state.value, **{name: getattr(batch, name) for name in _WRITTEN_OFTEN})
                .returning(BATCHES.c.id)
            ).scalar()
            assert number is not None, "only a batch that was enqueued can be saved"
            kept = connection.execute(select(func.count()).where(ATTEMPTS.c.batch == number)).scalar_one()
            new = [
                {"batch": number, "position": position, **{name: getattr(attempt, name) for name in _ATTEMPT}}
                for position, attempt in enumerate(batch.attempts)
                if position >= kept  # attempts are added, never replaced
            ]
            if new:
                connection.execute(insert(ATTEMPTS), new)

    def batch(self, session: int, part: int) -> StoredBatch | None:
        """Return one batch."""
        with self._reading() as connection:
            found = _batches(connection, *_is(session, part))
        return found[0] if found else None

    def batches(self, session: int | None = None) -> list[StoredBatch]:
        """Return all batches, or those of one session, in the order they were sealed."""
        with self._reading() as connection:
            return _batches(connection, *([] if session is None else [BATCHES.c.session == str(session)]))

    def unfinished(self) -> list[StoredBatch]:
        """Return the batches that are neither final nor refused, in the order they were sealed."""
        with self._reading() as connection:
            return _batches(connection, BATCHES.c.state.in_(_UNFINISHED))

    def page(self, after: int, limit: int) -> list[StoredBatch]:
        """Return the batches of the next sessions after number `after`; see `Store`."""
        columns = select(BATCHES.c.session).where(_beyond(after))
        ordered = columns.order_by(func.length(BATCHES.c.session), BATCHES.c.session, BATCHES.c.part)
        with self._reading() as connection:
            sessions = connection.execute(ordered.limit(limit)).scalars().all()
            if not sessions:
                return []
            found = _batches(connection, _beyond(after), ~_beyond(int(sessions[-1])))
        return sorted(found, key=lambda batch: (batch.session, batch.part))

    def tally(self) -> dict[State, int]:
        """Return how many batches there are in each state."""
        with self._reading() as connection:
            rows = connection.execute(select(BATCHES.c.state, func.count()).group_by(BATCHES.c.state)).all()
        return {State(state): count for state, count in rows}

    def newest_final(self) -> StoredBatch | None:
        """Return the final batch in the highest block, or None where nothing is final."""
        newest = (
            select(BATCHES.c.id)
            .where(BATCHES.c.state == State.FINAL.value)
            .order_by(BATCHES.c.block_number.desc(), BATCHES.c.id.desc())
            .limit(1)
        )
        with self._reading() as connection:
            found = _batches(connection, BATCHES.c.id == newest.scalar_subquery())
        return found[0] if found else None

    # who submits

    def take_lease(self, holder: str, now: int, until: int) -> Lease:
        """Take or renew the lease for `holder`, unless another has it beyond `now`; return it as it then stands."""
        with self._writing() as connection:
            found = _lease(connection)
            if found is not None and found.holder != holder and found.until > now:
                return found
            lease = Lease(holder, until, 1 if found is None else found.term + (found.holder != holder))
            values = {"holder": lease.holder, "until": lease.until, "term": lease.term}
            connection.execute(
                insert(LEASE).values(one=1, **values) if found is None else update(LEASE).values(**values)
            )
            return lease

    def lease(self) -> Lease | None:
        """Return the lease, also when it is over; None where there never was one."""
        with self._reading() as connection:
            return _lease(connection)

    def release_lease(self, holder: str) -> None:
        """End the lease now, if it is that of `holder`."""
        with self._writing() as connection:
            connection.execute(update(LEASE).where(LEASE.c.holder == holder).values(until=0))

    # the chain, as far as it was read

    def cursor(self) -> Checkpoint | None:
        """Return the newest checkpoint, or None if nothing was read yet."""
        return self._checkpoint()

    def checkpoint_below(self, number: int) -> Checkpoint | None:
        """Return the newest checkpoint below block `number`."""
        return self._checkpoint(BLOCKS.c.number < number)

    def extend(self, blocks: Sequence[Checkpoint], facts: Sequence[StoredFact]) -> None:
        """Add checkpoints with the facts read up to them. Each fact's block is among the checkpoints."""
        with self._writing() as connection:
            if blocks:
                rows = [{"number": block.number, "hash": block.hash, "timestamp": block.timestamp} for block in blocks]
                connection.execute(insert(BLOCKS), rows)
            if facts:
                connection.execute(insert(FACTS), [_fact_row(fact) for fact in facts])

    def roll_back(self, number: int) -> None:
        """Forget every checkpoint and fact above block `number`."""
        with self._writing() as connection:
            connection.execute(delete(FACTS).where(FACTS.c.block_number > number))
            connection.execute(delete(BLOCKS).where(BLOCKS.c.number > number))

    def facts(self, above: int = -1, up_to: int | None = None) -> list[StoredFact]:
        """Return the facts in blocks above `above`, and up to `up_to`, in the order of the chain."""
        with self._reading() as connection:
            last = [] if up_to is None else [FACTS.c.block_number <= up_to]
            return _facts(connection, FACTS.c.block_number > above, *last)

    def settled(self, session: int, part: int) -> Witnessed | None:
        """Return the fact that this part of a session is settled, if it was read."""
        with self._reading() as connection:
            found = _facts(connection, FACTS.c.session == str(session), FACTS.c.part == part)
        return found[0].witnessed if found else None

    # inside

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _told(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with _told(), self._lock, writing(self._engine) as connection:
            yield connection

    def _checkpoint(self, *where: ColumnElement[bool]) -> Checkpoint | None:
        columns = select(BLOCKS.c.number, BLOCKS.c.hash, BLOCKS.c.timestamp)
        with self._reading() as connection:
            row = connection.execute(columns.where(*where).order_by(BLOCKS.c.number.desc()).limit(1)).first()
        return None if row is None else Checkpoint(*row)


@contextmanager
def _told() -> Iterator[None]:
    """Tell of a failing database as `StoreBroken`; an `IntegrityError` is a bug and stays one."""
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        if _breaks_a_rule(error):
            raise IntegrityError(error.statement, error.params, error.orig or error) from error
        raise StoreBroken(str(error.orig).strip()) from error
    except SQLAlchemyError as error:
        raise StoreBroken(str(error)) from error


def _breaks_a_rule(error: DBAPIError) -> bool:
    """Whether PostgreSQL refused a row by a rule of the tables (SQLSTATE class 23); the driver does not tell it apart.

    https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    details = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return isinstance(details, dict) and str(details.get("C", "")).startswith("23")


def _is(session: int, part: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return BATCHES.c.session == str(session), BATCHES.c.part == part


def _beyond(session: int) -> ColumnElement[bool]:
    """Whether a session's number, kept as decimal text, is greater."""
    text = str(session)
    length = func.length(BATCHES.c.session)
    return or_(length > len(text), and_(length == len(text), BATCHES.c.session > text))


def _binding(connection: Connection) -> tuple[int, bytes] | None:
    row = connection.execute(select(BINDING.c.chain_id, BINDING.c.contract)).first()
    return None if row is None else (row.chain_id, row.contract)


def _lease(connection: Connection) -> Lease | None:
    row = connection.execute(select(LEASE.c.holder, LEASE.c.until, LEASE.c.term)).first()
    return None if row is None else Lease(*row)


def _batches(connection: Connection, *where: ColumnElement[bool]) -> list[StoredBatch]:
    rows = connection.execute(select(BATCHES).where(*where).order_by(BATCHES.c.id)).all()
    attempts: dict[int, list[Attempt]] = {}
    columns = select(ATTEMPTS.c.batch, *(ATTEMPTS.c[name] for name in _ATTEMPT))
    chosen = select(BATCHES.c.id).where(*where)
    for batch, *attempt in connection.execute(
        columns.where(ATTEMPTS.c.batch.in_(chosen)).order_by(ATTEMPTS.c.batch, ATTEMPTS.c.position)
    ):
        attempts.setdefault(batch, []).append(Attempt(*attempt))
    return [_batch(row, tuple(attempts.get(row.id, ()))) for row in rows]


def _batch(row: Row[Any], attempts: tuple[Attempt, ...]) -> StoredBatch:
    columns = {name: getattr(row, name) for name in ("part", *_WRITTEN_ONCE, *_WRITTEN_OFTEN)}
    return StoredBatch(session=int(row.session), state=State(row.state), attempts=attempts, **columns)


def _facts(connection: Connection, *where: ColumnElement[bool]) -> list[StoredFact]:
    rows = connection.execute(
        select(FACTS, BLOCKS.c.hash, BLOCKS.c.timestamp)
        .join_from(FACTS, BLOCKS)
        .where(*where)
        .order_by(FACTS.c.block_number, FACTS.c.log_index)
    )
    return [
        StoredFact(
            Witnessed(from_json(row.kind, row.body), row.block_number, row.hash, row.tx_hash, row.log_index),
            row.timestamp,
            row.calldata,
        )
        for row in rows
    ]


def _fact_row(fact: StoredFact) -> dict[str, object]:
    seen = fact.witnessed
    settled = seen.fact if isinstance(seen.fact, BatchSettled) else None
    return {
        "block_number": seen.block_number,
        "log_index": seen.log_index,
        "tx_hash": seen.tx_hash,
        "kind": kind_of(seen.fact),
        "body": to_json(seen.fact),
        "session": None if settled is None else str(settled.session),
        "part": None if settled is None else settled.part,
        "calldata": fact.calldata,
    }
