"""The heartbeat: reads the chain, closes gates, clears, seals, submits, and tells the market what is settled for good.

Each beat starts from what is durable, so a beat that was cut short is made up for by the next: sessions that were
cleared but not sealed are sealed, batches that were stored but not sent are sent.
"""

import logging
from collections.abc import Callable

from app.beat import Beat, Unsealed
from app.statement_keeper import StatementKeeper
from exchange.delivery import SessionKey
from exchange.effects.desk import Desk
from exchange.session import SessionState
from settlement.batch import seal
from settlement.effects.errors import BatchConflict
from settlement.effects.indexer import Advance, DeepReorg, Indexer
from settlement.effects.store import Lease, Store
from settlement.effects.submitter import Held, Submitter
from settlement.errors import BookUnsound
from settlement.lifecycle import State
from settlement.statement import Statements

_log = logging.getLogger("merit.heartbeat")


class Heartbeat:
    """Drives one exchange, and says how it stands.

    `last_error` is why the last beat failed, if it did; `held` are the batches it left waiting; `led_by` is another
    submitter that has the lease; `unsealed` are the cleared sessions of which no batch can be stored; `deep_reorgs`
    counts the blocks that were read as lasting and taken back since the start, and `last_deep_reorg` is the newest.
    """

    def __init__(
        self,
        desk: Desk,
        store: Store,
        indexer: Indexer,
        submitter: Submitter,
        catch_up: Callable[[int], object] | None = None,
    ) -> None:
        """`catch_up` has a block mined, given the time, on a chain where nobody else does."""
        self.last_error: str | None = None
        self.held: tuple[Held, ...] = ()
        self.led_by: Lease | None = None
        self.unsealed: dict[SessionKey, Unsealed] = {}
        self.deep_reorgs = 0
        self.last_deep_reorg: DeepReorg | None = None
        self._desk = desk
        self._store = store
        self._indexer = indexer
        self._submitter = submitter
        self._catch_up = catch_up
        self._sealed: set[SessionKey] = set()
        self._keeper = StatementKeeper(desk, store, indexer)
        self._leading = desk.decides
        self._rebuild()

    @property
    def statements(self) -> Statements:
        """The lines of every session that was sealed, and of every movement of tokens."""
        return self._keeper.statements

    def lead(self) -> bool:
        """Say whether this process decides, having taken over where nobody does; else take in what another did.

        Raises `JournalBroken` and `StoreBroken`.
        """
        if self._leading:
            return True
        leading = self._desk.take_over()
        if leading:
            self._indexer.reload()
            self._rebuild()
        else:
            self._desk.follow()
            if self._indexer.follow():
                self._keeper.add_facts()
                self._keeper.add_stored_sessions()
            else:
                self._keeper.rebuild()
            self._forget()
        self._leading = leading
        return leading

    def beat(self, now: int) -> Beat:
        """Do everything that is due at `now`. Raises `EvmError` where the chain does not answer.

        A session is cleared once the chain was read beyond its gate closure: authority is judged as of that instant,
        by us and by the contract, and what was revoked in time must have been seen.
        """
        self._desk.clearings.close_for_matching(
            now
        )  # this and the ticks before it come whether or not the chain answers
        advance = self.read_chain()
        if self._catch_up is not None and self._waits_for_a_block(now):
            self._catch_up(now)
            self.read_chain()
        cleared = self._desk.close_and_clear(min(now, self._horizon()))
        unsealed = self._seal(now)
        progress = self._submitter.step(now)
        self._note_leader(progress.led_by)
        self.held = progress.held
        if progress.moved:
            self.read_chain()
        settled = self._settle(now)
        self._forget()
        return Beat(
            cleared=tuple(cleared),
            moved=progress.moved,
            held=progress.held,
            settled=tuple(settled),
            unsealed=tuple(unsealed),
            led_by=progress.led_by,
            deep_reorg=advance.deep_reorg,
        )

    def _horizon(self) -> int:
        """Return the last instant (unix seconds) of which every block was read."""
        cursor = self._store.cursor()
        return 0 if cursor is None else cursor.timestamp - 1

    def _waits_for_a_block(self, now: int) -> bool:
        """Whether a session is due that the chain was not read far enough for, or a batch has too few blocks on top."""
        if self._horizon() < now and self._desk.look(lambda market, _: bool(market.due(now))):
            return True
        return bool(self._store.tally().get(State.MINED))

    def read_chain(self) -> Advance:
        """Read what the chain has on top of what was read. Raises `EvmError`."""
        advance = self._indexer.advance()
        if advance.deep_reorg is not None:
            self.deep_reorgs += 1
            self.last_deep_reorg = advance.deep_reorg
            fields = {"code": advance.deep_reorg.code, "kept": advance.deep_reorg.kept, "read": advance.deep_reorg.read}
            _log.error("a deep reorganisation: %s", advance.deep_reorg, extra={"fields": fields})
            self._rebuild()
        else:
            self._keeper.add_facts()
        return advance

    def _note_leader(self, leader: Lease | None) -> None:
        """Log when another submitter takes the lease, and when it is ours again."""
        before, self.led_by = self.led_by, leader
        if leader is not None and (before is None or before.term != leader.term):
            fields = {"holder": leader.holder, "term": leader.term, "until": leader.until}
            _log.warning("another process submits: %s", leader.holder, extra={"fields": fields})
        elif leader is None and before is not None:
            _log.info("this process submits again", extra={"fields": {"holder": self._submitter.holder}})

    def _seal(self, now: int) -> list[Unsealed]:
        """Seal every cleared session that is not sealed yet, however long ago it was cleared.

        One that cannot be is set aside, and holds up nobody: what its orders can cost stays reserved.
        """
        waiting = self._desk.look(
            lambda market, _: [
                key
                for key, session in market.sessions.items()
                if session.state is SessionState.CLEARED and key not in self._sealed and key not in self.unsealed
            ]
        )
        failed = []
        for key in sorted(waiting):
            try:
                self._submitter.enqueue(seal(self._desk.book(key)), now)
            except (BookUnsound, BatchConflict) as refusal:
                failed.append(self._set_aside(Unsealed(key, refusal.code, str(refusal), now)))
                continue
            self._sealed.add(key)
            self._keeper.add_session(key)
        return failed

    def _set_aside(self, unsealed: Unsealed) -> Unsealed:
        self.unsealed[unsealed.session] = unsealed
        fields = {"session": str(unsealed.session), "code": unsealed.code}
        _log.error("session %s cannot be sealed: %s", unsealed.session, unsealed.why, extra={"fields": fields})
        return unsealed

    def _settle(self, now: int) -> list[SessionKey]:
        """Note every session whose batches are all final."""
        cleared = self._desk.look(
            lambda market, _: [key for key in self._sealed if market.sessions[key].state is SessionState.CLEARED]
        )
        settled = []
        for key in sorted(cleared):
            batches = self._store.batches(key.number)
            on_chain = all(self._store.settled(batch.session, batch.part) is not None for batch in batches)
            if batches and on_chain and all(batch.state is State.FINAL for batch in batches):
                self._desk.settled(key, now)
                settled.append(key)
        self._sealed.difference_update(settled)
        return settled

    def _forget(self) -> None:
        """Let go of what is settled and not among the newest. Raises `ArchiveBroken`."""
        self._desk.forget()
        self._keeper.forget()

    def _rebuild(self) -> None:
        """Begin anew from what is durable: after a start, after taking over, or when the chain took facts back.

        What is not settled is sealed again, which changes nothing where the batches are those that are stored.
        """
        self._sealed.clear()
        self.unsealed.clear()
        self._keeper.rebuild()
