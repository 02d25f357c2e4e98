"""Keeps the statements in step with what is durable: new facts and new sessions are added, each once.

Only where the chain took facts back does it begin anew.
"""

from collections.abc import Iterable

from exchange.delivery import SessionKey
from exchange.effects.desk import Desk
from settlement.effects.store import Store, StoredFact
from settlement.statement import Statements


class StatementKeeper:
    """The statements of every account: the movements of its tokens, and the sessions that were sealed."""

    def __init__(self, desk: Desk, store: Store) -> None:
        self.statements = Statements()
        self._desk = desk
        self._store = store
        self._booked: set[SessionKey] = set()

    def rebuild(self, facts: Iterable[StoredFact]) -> None:
        """Begin anew from all facts there are and what is in the store."""
        self.statements = Statements()
        self._booked = set()
        self.add_facts(facts)
        self.add_stored_sessions()

    def add_facts(self, facts: Iterable[StoredFact]) -> None:
        """Add movements of tokens that were not added before."""
        for fact in facts:
            self.statements.add_fact(fact.witnessed, fact.block_time)

    def add_session(self, key: SessionKey) -> None:
        """Add a session that was sealed; again changes nothing."""
        if key not in self._booked:
            self.statements.add_book(self._desk.book(key))
            self._booked.add(key)

    def add_stored_sessions(self) -> None:
        """Add every session that has its batches in the store."""
        new = self._desk.look(
            lambda market, _: [
                key
                for key, session in market.sessions.items()
                if session.cleared is not None and key not in self._booked
            ]
        )
        for key in sorted(new):
            if self._store.batches(key.number):
                self.add_session(key)
