"""Which rules hold for which session: those agreed on at the founding, with every change of a node's terms since.

A change that was taken in a second holds for the sessions whose gate opens in a later one: in the second in which a
gate opens orders are taken already, and the rules of a session never change once its gate is open.
"""

from bisect import bisect_left
from collections.abc import Iterable

from exchange.delivery import SessionKey
from exchange.events import NodeTermsSet
from exchange.notice_errors import TermsOutOfBounds, TermsOutOfTurn, UnknownNode
from exchange.parameters import Parameters
from exchange.terms import NodeTerms, under
from exchange.tree import Node
from identity.address import to_text
from identity.errors import NotTheGridOperator
from identity.registry import Registry
from identity.signature import recover


class Rulebook:
    """The rules of every moment, oldest first."""

    def __init__(self, parameters: Parameters) -> None:
        self.founding = parameters
        self.changes: list[NodeTermsSet] = []
        self._since: list[int] = []
        self._versions = [(parameters, parameters.hash())]
        self._by_digest: dict[bytes, NodeTermsSet] = {}
        self._serials: dict[int, int] = {}

    def rules(self, key: SessionKey) -> Parameters:
        """Return the rules of a session."""
        return self._versions[self._version(key)][0]

    def hash(self, key: SessionKey) -> bytes:
        """Return the hash of the rules of a session."""
        return self._versions[self._version(key)][1]

    def changes_before(self, key: SessionKey) -> tuple[NodeTermsSet, ...]:
        """Return the changes that hold for a session, in the order they were taken."""
        return tuple(self.changes[: self._version(key)])

    def changes_of(self, node: int) -> tuple[NodeTermsSet, ...]:
        """Return the changes of one node, oldest first."""
        return tuple(change for change in self.changes if change.terms.node == node)

    def next_serial(self, node: int) -> int:
        """Return the serial that the next change of a node has to have."""
        return self._serials.get(node, 0) + 1

    def gate_opening(self, key: SessionKey) -> int:
        """Return when the gate of a session opens, which no change changes."""
        return self.founding.market_of(key.market).gate_opening(key.delivery_start)

    @property
    def newest(self) -> Parameters:
        """The rules of sessions whose gate is still to open."""
        return self._versions[-1][0]

    def held(self, digest: bytes) -> NodeTermsSet | None:
        """Return the change with this name, if it was taken."""
        return self._by_digest.get(digest)

    def must_have(self, number: int) -> Node:
        """Return the node with this number as it was founded, or refuse it as unknown."""
        if number not in self.founding.tree:
            raise UnknownNode(number)
        return self.founding.tree[number]

    def change(
        self,
        terms: NodeTerms,
        signature: bytes,
        *,
        separator: bytes,
        registry: Registry,
        now: int,
        begun: Iterable[SessionKey] = (),
    ) -> NodeTermsSet | None:
        """Decide on a signed change of a node's terms; nothing is to be done for one that was taken before.

        It is dated after the opening of every session that has `begun`, and after the change before: that is in the
        past, unless the clock was set back. Refuses what nobody signed, what does not follow (`must_follow`), and who
        is not the node's grid operator now.
        """
        digest = terms.digest(separator)
        signer = recover(digest, signature)
        if digest in self._by_digest:
            return None
        self.must_follow(terms)
        now = max([now, *self._since[-1:], *map(self.gate_opening, begun)])
        registry.must_operate(signer, terms.node, now)
        if signer != self.founding.tree[terms.node].operator:
            raise NotTheGridOperator(to_text(signer), terms.node, "another operates it")
        return NodeTermsSet(digest=digest, terms=terms, signature=signature, signer=signer, at=now)

    def must_follow(self, terms: NodeTerms) -> None:
        """Refuse terms of a node that is not there, out of turn, or that these rules cannot have."""
        self.must_have(terms.node)
        due = self.next_serial(terms.node)
        if terms.serial != due:
            raise TermsOutOfTurn(terms.serial, due)
        try:
            under(self.newest, terms)
        except ValueError as error:
            raise TermsOutOfBounds(str(error)) from error

    def set(self, change: NodeTermsSet) -> None:
        """Make a change part of the rules; changes come in the order they were taken."""
        assert not self._since or change.at >= self._since[-1], "time does not run backwards"
        parameters = under(self.newest, change.terms)
        self.changes.append(change)
        self._since.append(change.at)
        self._versions.append((parameters, parameters.hash()))
        self._by_digest[change.digest] = change
        self._serials[change.terms.node] = change.terms.serial

    def _version(self, key: SessionKey) -> int:
        return bisect_left(self._since, self.gate_opening(key))
