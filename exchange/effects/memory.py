"""What a desk remembers of settled sessions: the newest whole, of older ones where in the journal they stand.

A settled session is let go of once the newer ones hold as many orders as may be kept. Who asks about it then has it
read from the journal; it is held for the next who asks, again up to so many orders. Without an archive all is kept.
"""

from array import array
from dataclasses import dataclass, field

from exchange.delivery import SessionKey
from exchange.effects.archive import Archive
from exchange.effects.journal import Journal
from exchange.errors import ArchiveBroken, UnknownOrder
from exchange.events import ChargeStated, Event, ForecastSet, NodeTermsSet, OrderAccepted, ParametersSet, SessionSettled
from exchange.held_session import Session, SessionForgotten, rebuilt
from exchange.market import Market

MOST_ORDERS = 20_000
"""Orders of settled sessions that are kept in memory: some 30 MB, and twice that while old ones are asked for."""


@dataclass(slots=True)
class _Entries:
    """Where in the journal a session stands: the entries that took its orders, and the others."""

    orders: "array[int]" = field(default_factory=lambda: array("Q"))
    others: "array[int]" = field(default_factory=lambda: array("Q"))


class Memory:
    """Decides what to let go of, and finds it again. Its methods under "locked" are called under the desk's lock."""

    def __init__(self, journal: Journal, archive: Archive | None, most_orders: int = MOST_ORDERS) -> None:
        self.archive = archive
        self._journal = journal
        self._most_orders = most_orders
        self._entries: dict[SessionKey, _Entries] = {}
        self._settled: dict[SessionKey, int] = {}  # whole in memory, oldest first, with so many orders
        self._held = 0

    # Locked

    def begin(self, market: Market) -> None:
        """Have the archive hold what was let go of, and nothing else: for the process that writes, after a replay."""
        if self.archive is not None and not self.archive.shared:
            self.archive.only(market.forgotten)

    def note(self, sequence: int, event: Event) -> None:
        """Note that an event became, or is to become, the journal's entry of this number."""
        if self.archive is None or isinstance(event, ParametersSet | NodeTermsSet | ForecastSet | ChargeStated):
            return
        if isinstance(event, OrderAccepted):
            key = event.signed.order.session
            entries = self._entries.get(key)
            if entries is None:
                entries = self._entries[key] = _Entries()
            entries.orders.append(sequence)
            return
        self._entries[event.session].others.append(sequence)
        if isinstance(event, SessionSettled):
            count = self._settled[event.session] = len(self._entries[event.session].orders)
            self._held += count

    def surplus(self, market: Market) -> list[Session]:
        """Return the settled sessions that are to be let go of, oldest first."""
        held, found = self._held, []
        for key, orders in self._settled.items():
            if held <= self._most_orders:
                break
            held -= orders
            found.append(market.sessions[key])
        return found

    def forget(self, market: Market, key: SessionKey) -> None:
        """Have the market let go of a session that the archive has."""
        market.forget(key)
        self._held -= self._settled.pop(key)
        del self._entries[key]

    def hold(self, market: Market, session: Session) -> None:
        """Hold a session that was read again, and let go of those read before where they are too many."""
        if session.key not in market.recalled:
            if session.summary() != market.forgotten[session.key]:
                raise ArchiveBroken(f"session {session.key} does not stand where it should")
            market.recall(session)
        held = sum(len(each.orders) for each in market.recalled.values())
        for key in list(market.recalled):
            if held <= self._most_orders or key == session.key:
                break
            held -= len(market.recalled[key].orders)
            market.drop(key)

    # Not locked

    def keep(self, session: Session) -> None:
        """Write a settled session to the archive; it takes as long as it takes, and changes no more meanwhile."""
        assert self.archive is not None, "without an archive nothing is let go of"
        entries = self._entries[session.key]
        self.archive.keep(session, entries.orders, entries.others)

    def accepted(self, digest: bytes) -> OrderAccepted | None:
        """Return the acceptance of an order that was let go of and had not been taken back, or none."""
        found = None if self.archive is None else self.archive.order(digest)
        if found is None or found.cancelled:
            return None
        (event,) = self._journal.pick([found.entry])
        if not isinstance(event, OrderAccepted) or event.digest != digest:
            raise ArchiveBroken(f"entry {found.entry} does not take order 0x{digest.hex()}")
        return event

    def read_again(self, sought: SessionForgotten | UnknownOrder) -> Session:
        """Return the whole of a session that was let go of; raises what was `sought` where there is none."""
        if self.archive is None:
            raise sought
        if isinstance(sought, UnknownOrder):
            found = self.archive.order(sought.order)
            if found is None:
                raise sought
            key = found.session
        else:
            key = sought.key
        try:
            return rebuilt(key, self._journal.pick(self.archive.entries(key)))
        except AssertionError as error:
            raise ArchiveBroken(f"session {key} does not stand where it should: {error}") from error
