"""Keeps the statements in step with what is durable: new facts and new sessions are added, each once.

Only where the chain took facts back does it begin anew.
"""

from collections.abc import Iterable

from exchange.delivery import SessionKey
from exchange.effects.desk import Desk
from exchange.effects.past_trades import settled_with
from settlement.effects.indexer import Indexer
from settlement.effects.store import Store
from settlement.statement import Line, Statements, fee_accounts, past_lines


class StatementKeeper:
    """The statements of every account: the movements of its tokens, and the sessions that were sealed.

    `statements` is another object after `rebuild`, and until then the same that grows.
    """

    def __init__(self, desk: Desk, store: Store, indexer: Indexer) -> None:
        self.statements = Statements(self._past)
        self._desk = desk
        self._store = store
        self._indexer = indexer
        self._read_to = -1
        self._booked: set[SessionKey] = set()

    def rebuild(self) -> None:
        """Begin anew from what is in the store; who reads meanwhile reads what there was."""
        anew = StatementKeeper(self._desk, self._store, self._indexer)
        anew.add_facts()
        anew.add_stored_sessions()
        self.statements, self._read_to, self._booked = anew.statements, anew._read_to, anew._booked  # its own kind

    def add_facts(self) -> None:
        """Add the movements of tokens that the index knows and that were not added yet."""
        read_to = self._indexer.read_to
        if read_to == self._read_to:
            return
        for fact in self._indexer.facts(above=self._read_to):
            self.statements.add_fact(fact.witnessed, fact.block_time)
        self._read_to = read_to

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

    def forget(self) -> None:
        """Let go of the lines of sessions that the desk has let go of."""
        gone = self._desk.look(lambda market, _: [key for key in self._booked if key in market.forgotten])
        if gone:
            self.statements.forget({key.number for key in gone})
            self._booked.difference_update(gone)

    def _past(self, account: int, begin: int, end: int) -> Iterable[Line]:
        """Return the lines of an account in sessions that the desk has let go of."""
        payees = fee_accounts(self._desk.look(lambda market, _: market.parameters))
        nodes = [node for node, payee in payees.items() if payee == account]
        found = settled_with(self._desk, account, begin, end, nodes=nodes)
        trades = ((record.trade, record.buyer, record.seller) for record in found.trades)
        return past_lines(account, trades, found.own_uses, payees)
