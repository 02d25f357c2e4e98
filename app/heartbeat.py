"""The heartbeat: reads the chain, closes gates, clears, seals, submits, and tells the market what is settled for good.

Each beat starts from what is durable, so a beat that was cut short is made up for by the next: sessions that were
cleared but not sealed are sealed, batches that were stored but not sent are sent.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread

from contracts.errors import EvmError
from exchange.delivery import SessionKey
from exchange.effects.desk import Desk
from exchange.events import SessionCleared
from exchange.session import SessionState
from settlement.batch import seal
from settlement.effects.indexer import Indexer
from settlement.effects.store import Store, StoredBatch
from settlement.effects.submitter import Held, Submitter
from settlement.facts import Deposited, Withdrawn
from settlement.lifecycle import State
from settlement.statement import Statements

_FOLLOWING_SECONDS = 0.2
"""How long one who follows is behind at most, and how soon somebody takes over."""

_log = logging.getLogger("merit.heartbeat")


@dataclass(frozen=True, slots=True)
class Beat:
    """What one beat did."""

    cleared: tuple[SessionCleared, ...]
    moved: tuple[StoredBatch, ...]
    held: tuple[Held, ...]
    settled: tuple[SessionKey, ...]


class Heartbeat:
    """Drives one exchange. `statements` holds the lines of every session that was cleared."""

    def __init__(
        self,
        desk: Desk,
        store: Store,
        indexer: Indexer,
        submitter: Submitter,
        block_time: Callable[[int], int],
        catch_up: Callable[[], None] | None = None,
    ) -> None:
        """`block_time` tells when a block that was read was mined (unix seconds). `catch_up` mines a block now, on a
        chain where nobody else does.
        """
        self.statements = Statements()
        self.last_error: str | None = None
        self._desk = desk
        self._store = store
        self._indexer = indexer
        self._submitter = submitter
        self._block_time = block_time
        self._catch_up = catch_up
        self._sealed: set[SessionKey] = set()
        self._leading = desk.decides
        self._taken_in: object = None
        self._rebuild_statements()

    def lead(self) -> bool:
        """Say whether this process decides, having taken over where nobody does; else take in what another did.

        Raises `JournalBroken` and `StoreBroken`.
        """
        if self._leading:
            return True
        leading = self._desk.take_over()
        if not leading:
            self._desk.follow()
        standing = (self._store.cursor(), self._desk.look(lambda market, _: market.next_sequence))
        if leading or standing != self._taken_in:
            self._indexer.reload()
            self._rebuild_statements()
            self._taken_in = standing
        self._leading = leading
        return leading

    def beat(self, now: int) -> Beat:
        """Do everything that is due at `now`. Raises `EvmError` where the chain does not answer.

        A session is cleared once the chain was read beyond its gate closure: authority is judged as of that instant,
        by us and by the contract, and what was revoked in time must have been seen.
        """
        self.read_chain()
        if self._catch_up is not None and self._horizon() < now and self._desk.look(lambda m, _: bool(m.due(now))):
            self._catch_up()
            self.read_chain()
        cleared = self._desk.close_and_clear(min(now, self._horizon()))
        self._seal(now)
        progress = self._submitter.step(now)
        if progress.moved:
            self.read_chain()
        settled = self._settle(now)
        return Beat(tuple(cleared), progress.moved, progress.held, tuple(settled))

    def _horizon(self) -> int:
        """Return the last instant (unix seconds) of which every block was read."""
        cursor = self._store.cursor()
        return 0 if cursor is None else cursor.timestamp - 1

    def read_chain(self) -> None:
        """Read what the chain has on top of what was read. Raises `EvmError`."""
        advance = self._indexer.advance()
        if advance.rolled_back:
            self._rebuild_statements()
        else:
            for fact in advance.facts:
                if isinstance(fact.fact, Deposited | Withdrawn):
                    self.statements.add_fact(fact, self._block_time(fact.block_number))

    def _seal(self, now: int) -> None:
        """Seal every cleared session that has no batch yet, however long ago it was cleared."""
        waiting = self._desk.look(
            lambda market, _: [
                key
                for key, session in sorted(market.sessions.items())
                if session.state is SessionState.CLEARED and key not in self._sealed
            ]
        )
        for key in waiting:
            book = self._desk.book(key)
            self._submitter.enqueue(seal(book), now)
            self._sealed.add(key)
            self.statements.add_book(book)

    def _settle(self, now: int) -> list[SessionKey]:
        """Note every session whose batches are all final."""
        cleared = self._desk.look(
            lambda market, _: [
                key for key, session in sorted(market.sessions.items()) if session.state is SessionState.CLEARED
            ]
        )
        settled = []
        for key in cleared:
            batches = self._store.batches(key.number)
            on_chain = all(self._store.settled(batch.session, batch.part) is not None for batch in batches)
            if batches and on_chain and all(batch.state is State.FINAL for batch in batches):
                self._desk.settled(key, now)
                settled.append(key)
        return settled

    def _rebuild_statements(self) -> None:
        """Begin the statements anew from what is durable: after a start, or when the chain took facts back."""
        statements = Statements()
        for fact in self._store.facts():
            statements.add_fact(fact.witnessed, fact.block_time)
        cleared = self._desk.look(
            lambda market, _: [key for key, session in sorted(market.sessions.items()) if session.cleared is not None]
        )
        self._sealed.clear()
        for key in cleared:
            if self._store.batches(key.number):
                self._sealed.add(key)
                statements.add_book(self._desk.book(key))
        self.statements = statements


class HeartbeatThread:
    """Beats in a thread of its own, every `every` seconds, until it is stopped; a beat that fails is logged, and the
    next one goes on from there. `before` is called with the time before every beat.
    """

    def __init__(
        self,
        heartbeat: Heartbeat,
        desk: Desk,
        *,
        every: float = 1.0,
        before: Callable[[int], None] | None = None,
    ) -> None:
        self._before = before
        self._heartbeat = heartbeat
        self._desk = desk
        self._every = every
        self._stop = Event()
        self._thread = Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the beat that is under way, and end."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            pause = self._every
            try:
                now = self._desk.clock()
                if not self._heartbeat.lead():
                    pause = min(_FOLLOWING_SECONDS, self._every)
                    self._heartbeat.last_error = None
                    continue
                if self._before is not None:
                    self._before(now)
                beat = self._heartbeat.beat(now)
            except EvmError as error:
                self._heartbeat.last_error = str(error)
                _log.warning("the chain does not answer: %s", error)
                continue
            except Exception as error:  # noqa: BLE001  # logged with its trace; a thread that dies settles nothing
                self._heartbeat.last_error = f"{type(error).__name__}: {error}"
                _log.exception("a beat failed")
                continue
            self._heartbeat.last_error = None
            for held in beat.held:
                _log.warning("session %s part %s waits: %s", held.session, held.part, held.why)
            for cleared in beat.cleared:
                _log.info("cleared %s: %s Wh", cleared.session, cleared.clearing.energy)
