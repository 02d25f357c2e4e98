"""The sessions as the market holds them, those that it has let go of, and which of them an order is in."""

from exchange.delivery import SessionKey
from exchange.errors import UnknownOrder, UnknownSession
from exchange.events import OrderAccepted
from exchange.held_session import Session, SessionForgotten, Summary
from exchange.session import SessionState


class HeldSessions:
    """Every session there ever was.

    A session that is settled decides nothing any more and may be forgotten: then `forgotten` has its summary. While
    somebody asks about it, it is among those `recalled`.
    """

    def __init__(self) -> None:
        self.sessions: dict[SessionKey, Session] = {}
        # the sessions' keys, ascending: sorting them anew is for nobody to wait for
        self.in_order: list[SessionKey] = []
        self.forgotten: dict[SessionKey, Summary] = {}
        self.recalled: dict[SessionKey, Session] = {}
        self._session_of: dict[bytes, SessionKey] = {}

    def session(self, key: SessionKey) -> Session:
        """Return a session, or refuse it as unknown. Raises `SessionForgotten` where it is to be recalled first."""
        session = self.sessions.get(key) or self.recalled.get(key)
        if session is None:
            raise SessionForgotten(key) if key in self.forgotten else UnknownSession(str(key))
        return session

    def summary(self, key: SessionKey) -> Summary:
        """Return a session in a few numbers, forgotten or not; the session is one of `in_order`."""
        session = self.sessions.get(key)
        return self.forgotten[key] if session is None else session.summary()

    def session_of(self, digest: bytes) -> Session:
        """Return the session that holds the order with this digest, or refuse the order as unknown."""
        key = self._session_of.get(digest)
        if key is None:
            raise UnknownOrder(digest)
        return self.session(key)

    def stands(self, digest: bytes) -> bool:
        """Whether this order was taken, and not taken back."""
        key = self._session_of.get(digest)
        return key is not None and digest not in self.session(key).cancelled

    def held(self, digest: bytes) -> OrderAccepted | None:
        """Return the acceptance of this order, if it was ever taken."""
        key = self._session_of.get(digest)
        return None if key is None else self.session(key).orders[digest]

    # What is settled

    def forget(self, key: SessionKey) -> None:
        """Let go of a settled session but for its summary; nothing else of the state rests on it any more."""
        session = self.sessions[key]
        assert session.state is SessionState.SETTLED, "only what is settled may be forgotten"
        self.forgotten[key] = session.summary()
        del self.sessions[key]
        self._lose(session)

    def recall(self, session: Session) -> None:
        """Hold a forgotten session for those who ask about it, until it is dropped."""
        assert session.summary() == self.forgotten[session.key], "a settled session changes no more"
        self.recalled[session.key] = session
        for digest in session.orders:
            self._session_of[digest] = session.key

    def drop(self, key: SessionKey) -> None:
        """Let go of a session that was recalled."""
        self._lose(self.recalled.pop(key))

    def _lose(self, session: Session) -> None:
        for digest in session.orders:
            del self._session_of[digest]
