"""The desk: the single writer in front of the market. Decide, write it down, then answer.

Whoever comes, from whatever thread, is decided on one after the other: one lock is held while the market decides and
applies and while the journal takes the events, and none while the disk is waited for. Nobody is told anything that is
not durable: not even a reader, for a receipt that is read is a receipt that was given.

If the journal breaks, memory is ahead of the disk. From then on the desk refuses everything as `JournalBroken`; a
restart replays what is durable.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from exchange.acknowledged import acknowledged
from exchange.book import Book, book_of
from exchange.delivery import SessionKey
from exchange.effects.archive import Archive
from exchange.effects.clearings import Clearings, TickFirst
from exchange.effects.journal import Journal
from exchange.effects.memory import Memory
from exchange.effects.notices import Notices
from exchange.effects.recovery import WORTH_SHARING, Recovery
from exchange.effects.taken import Result, Taken
from exchange.effects.trade_index import TradeIndex, trades_of
from exchange.effects.turns import Turns
from exchange.errors import (
    ArchiveBroken,
    ExchangeRefused,
    JournalBroken,
    NotTheSequencer,
    ParametersDiffer,
    UnknownOrder,
)
from exchange.events import (
    Event,
    OrderAccepted,
    OrderCancelled,
    ParametersSet,
    SessionCleared,
    SessionSettled,
    TickCleared,
)
from exchange.held_session import SessionForgotten
from exchange.market import Market
from exchange.order import SignedOrder
from exchange.parameters import Parameters, difference
from exchange.receipt import Receipt
from exchange.recovered import Recovered, recovered
from exchange.session import SessionState
from exchange.units import Nano
from identity.address import to_text
from identity.errors import IdentityRefused
from identity.registry import Registry
from identity.signature import Signer

_ENOUGH = 128
"""So many orders are decided on together: beyond, there is little more to save."""

T = TypeVar("T")


class Desk:
    """One exchange in one process.

    `registry` gives the registry as it stands, `credit` what an account could withdraw at once, `clock` the time in
    unix seconds. `receipts_key` is the private key that signs receipts; `memory` is what is kept of settled sessions,
    if not all. `open` comes before everything else. What is signed besides orders is for its `notices`.
    """

    def __init__(
        self,
        journal: Journal,
        market: Market,
        registry: Callable[[], Registry],
        credit: Callable[[int], Nano],
        receipts_key: bytes,
        clock: Callable[[], int],
        memory: Memory | None = None,
    ) -> None:
        self.clock = clock
        self._memory = Memory(journal, None) if memory is None else memory
        self._journal = journal
        self._market = market
        self.registry = registry
        self._credit = credit
        self._receipts = Signer(receipts_key)
        self._trades = TradeIndex()
        self._lock = threading.Lock()
        self.clearings = Clearings(market, self._trades, registry, self._lock, self._carry_out)
        self.notices = Notices(market, registry, lambda: self.clearings.none_due(self.clock), self._carry_out)
        self._recovery = Recovery()
        self._turns: Turns[SignedOrder, Result] = Turns(
            self._decide, ThreadPoolExecutor(1, thread_name_prefix="desk"), WORTH_SHARING, _ENOUGH
        )
        self._unwritten: list[Event] = []
        self._durable: Future[int] = Future()
        self._durable.set_result(0)
        self._broken: str | None = None
        self._taken_in = 0  # the last entry that was read, or handed in to be written

    def open(self, parameters: Parameters) -> None:
        """Replay the journal and make sure that `parameters` are the rules it was written under.

        An empty journal begins with them. Raises `ParametersDiffer` where the journal, or the receipts key, belongs
        to other rules, `JournalBroken` where the journal does not hang together, and `NotTheSequencer` where it is
        empty and another process is to begin it.
        """
        signer = self._receipts.address
        if signer != parameters.receipts:
            raise ParametersDiffer(
                f"the rules name {to_text(parameters.receipts)} to sign receipts, the key given is {to_text(signer)}'s"
            )
        with self._lock:
            self._catch_up()
            if self._market.has_parameters and self._market.parameters != parameters:
                differing = difference(self._market.parameters, parameters)
                raise ParametersDiffer(f"the journal was written under other rules: {differing}")
            durable = self._durable
            if self._journal.writable:
                self._memory.begin(self._market)
            if not self._market.has_parameters:
                durable = self._carry_out([ParametersSet(parameters=parameters, at=self.clock())])
        durable.result()

    # Where storage is shared

    @property
    def decides(self) -> bool:
        """Whether this process decides; where storage is shared, one does, and the others follow it."""
        return self._journal.writable

    def follow(self) -> None:
        """Take in what another process decided and wrote down since. Raises `JournalBroken`."""
        with self._lock:
            self._refuse_if_broken()
            if not self._journal.writable:
                self._catch_up()

    def take_over(self) -> bool:
        """Become the one that decides, with everything taken in that was written before; false where another is."""
        with self._lock:
            self._refuse_if_broken()
            if self._journal.writable:
                return True
            if not self._journal.take_over():
                return False
            try:
                self._catch_up()
            except JournalBroken as broken:
                self._broken = str(broken)  # who has not read everything must not decide
                raise
            return True

    # Orders

    def submit(self, orders: Sequence[SignedOrder]) -> list[Result]:
        """Decide on orders, one after the other, and answer each once all is durable.

        An order that is held already is answered with its first receipt. Raises `JournalBroken` for all of them.
        """
        results, durable = self._decide(orders)
        durable.result()
        return results

    async def submit_soon(self, orders: Sequence[SignedOrder]) -> list[Result]:
        """As `submit`, for an event loop: it waits without blocking."""
        return await self._turns.answers(orders)

    def cancel(self, digest: bytes, signature: bytes) -> OrderCancelled:
        """Take an order back that is signed for; answers with the first cancellation where it was taken back before.

        Refuses as the market does: unknown order, bad signature, no authority, gate closed.
        """
        while True:
            try:
                cancellation, durable = self._recalling(lambda: self._decide_cancellation(digest, signature))
            except TickFirst as due:
                self.tick(due.now)
                continue
            durable.result()
            return cancellation

    async def cancel_soon(self, digest: bytes, signature: bytes) -> OrderCancelled:
        """As `cancel`, for an event loop."""
        try:
            with self._lock:
                cancellation, durable = self._decide_cancellation(digest, signature)
        except (UnknownOrder, SessionForgotten, TickFirst):  # something is to be done first, which takes a while
            return await asyncio.to_thread(self.cancel, digest, signature)
        await asyncio.wrap_future(durable)
        return cancellation

    # Sessions

    def tick(self, now: int) -> list[TickCleared]:
        """Match the orders of every open session of which a tick has come by `now`; again changes nothing."""
        return self.clearings.tick(now)

    def close_and_clear(self, now: int) -> list[SessionCleared]:
        """Close and clear every session whose gate closure has come by `now`, as `Clearings` says."""
        return self.clearings.close_and_clear(now)

    def settled(self, key: SessionKey, now: int) -> None:
        """Note that the chain holds every batch of a cleared session for good. Noting it again is harmless."""
        with self._lock:
            self._refuse_unless_writing()
            settled = self._market.session(key).state is SessionState.SETTLED
            durable = self._carry_out([] if settled else [SessionSettled(session=key, at=now)])
        durable.result()

    def forget(self) -> None:
        """Let go of what is settled and not among the newest; raises `ArchiveBroken`, and then holds on to it."""
        with self.clearings.one_at_a_time:
            with self._lock:
                surplus = self._memory.surplus(self._market)
            for session in surplus:
                self._memory.keep(session)
                with self._lock:
                    self._let_go(session.key)

    # Questions

    def look(self, question: Callable[[Market, TradeIndex], T]) -> T:
        """Return the answer to a question about the state, once all that it may rest on is durable.

        No order is taken meanwhile: a question copies what it needs and leaves the rest for later.
        """
        answer, durable = self._ask(question)
        durable.result()
        return answer

    async def look_soon(self, question: Callable[[Market, TradeIndex], T]) -> T:
        """As `look`, for an event loop."""
        answer, durable = self._ask(question)
        if not durable.done():
            await asyncio.wrap_future(durable)
        return answer

    def book(self, key: SessionKey) -> Book:
        """Return the published book of a cleared session; refuses an unknown session and one not cleared yet."""
        return self.look(lambda market, _: book_of(market.session(key), market.rulebook))

    @property
    def archive(self) -> Archive | None:
        """Where settled sessions are found that were let go of."""
        return self._memory.archive

    # Behind the lock

    def _decide(self, orders: Sequence[SignedOrder]) -> tuple[list[Result], "Future[int]"]:
        """Decide on orders and hand what happened to the journal; the future is done when it is durable."""
        known = self._recovery.each(self._recover, orders)
        with self.clearings.none_due(self.clock) as now:
            self._refuse_unless_writing()
            registry = self.registry()
            taken: list[OrderAccepted] = []
            results: list[Result] = []
            try:
                for signed, each in zip(orders, known, strict=True):
                    results.append(self._decide_one(signed, each, registry, now, taken))
            finally:  # what was taken is part of the state, whatever happened then: it must be written down
                signed_for = self._acknowledge(taken)
            for place, one in enumerate(results):
                if isinstance(one, Taken) and one.accepted.digest in signed_for:
                    results[place] = Taken(signed_for[one.accepted.digest], one.new, one.state)
            durable = self._write()
        for place, one in enumerate(results):
            if not isinstance(one, Taken) and orders[place].order.session in self._market.forgotten:
                results[place] = self._answered_before(orders[place]) or one
        return results, durable

    def _answered_before(self, signed: SignedOrder) -> Taken | None:
        """Return what an order of a session that was let go of was answered with, if it was taken."""
        held = self._memory.accepted(signed.order.digest(self._market.separator))
        return None if held is None else Taken(held, new=False, state=SessionState.SETTLED)

    def _recover(self, signed: SignedOrder) -> Recovered | bytes:
        digest = signed.order.digest(self._market.separator)
        return digest if self._market.stands(digest) else recovered(signed, digest)

    def _decide_one(
        self,
        signed: SignedOrder,
        known: Recovered | bytes,
        registry: Registry,
        now: int,
        taken: list[OrderAccepted],
    ) -> Result:
        """Decide on an order; a new one that is accepted becomes part of the state, and joins those to be signed."""
        market = self._market
        digest = known if isinstance(known, bytes) else known.digest
        held = market.held(digest)
        if held is not None and digest not in (session := market.session_of(digest)).cancelled:
            return Taken(held, new=False, state=session.state)
        try:
            accepted = market.take(
                signed,
                registry=registry,
                credit=self._credit,
                receipt=Receipt,
                sequence=market.next_sequence,
                now=now,
                known=None if isinstance(known, bytes) else known,
            )
        except (ExchangeRefused, IdentityRefused) as refusal:
            return refusal
        market.apply(accepted)
        taken.append(accepted)
        return Taken(accepted, new=True)

    def _acknowledge(self, taken: Sequence[OrderAccepted]) -> dict[bytes, OrderAccepted]:
        """Sign the receipts of orders that were just taken, together, and note them to be written down."""
        events = acknowledged(taken, self._receipts, self._market.separator)
        for event in events.values():
            self._market.acknowledge(event)
        self._unwritten.extend(events.values())
        return events

    def _decide_cancellation(self, digest: bytes, signature: bytes) -> tuple[OrderCancelled, "Future[int]"]:
        self._refuse_unless_writing()
        now = max(self.clock(), self._market.latest_tick)
        if self._market.ticks_due(now):
            raise TickFirst(now)
        event = self._market.cancel(digest, signature, registry=self.registry(), now=now)
        durable = self._carry_out([] if event is None else [event])
        return self._market.session_of(digest).cancelled[digest], durable

    def _ask(self, question: Callable[[Market, TradeIndex], T]) -> tuple[T, "Future[int]"]:
        def ask() -> tuple[T, Future[int]]:
            self._refuse_if_broken()
            return question(self._market, self._trades), self._write()

        return self._recalling(ask)

    def _recalling(self, act: Callable[[], T]) -> T:
        """Act behind the lock; where it needs a session that was let go of, read that first, in front of the lock."""
        with self._lock:
            try:
                return act()
            except (SessionForgotten, UnknownOrder) as missing:
                sought = missing
        session = self._memory.read_again(sought)
        with self._lock:
            if session.key in self._market.forgotten:  # where storage is shared, the archive may be ahead of us
                self._memory.hold(self._market, session)
            return act()

    def _let_go(self, key: SessionKey) -> None:
        self._memory.forget(self._market, key)
        self._trades.forget(key)

    def _carry_out(self, events: Sequence[Event]) -> "Future[int]":
        self._refuse_unless_writing()
        for event in events:
            self._apply(event)
        return self._write()

    def _apply(self, event: Event) -> None:
        """Make an event part of the state, and note that it is to be written down."""
        self._market.apply(event)
        self._unwritten.append(event)

    def _write(self) -> "Future[int]":
        """Hand everything that was decided to the journal; the future is done when it and all before it is durable."""
        if not self._unwritten:
            return self._durable
        events, self._unwritten = self._unwritten, []
        try:
            self._durable = self._journal.append(events)
        except JournalBroken as broken:
            self._broken = str(broken)
            raise
        for sequence, event in enumerate(events, self._taken_in + 1):
            self._memory.note(sequence, event)
        self._taken_in += len(events)
        self._durable.add_done_callback(self._notice)
        return self._durable

    def _notice(self, durable: "Future[int]") -> None:
        error = durable.exception()
        if error is not None:
            self._broken = str(error)

    def _refuse_unless_writing(self) -> None:
        self._refuse_if_broken()
        if not self._journal.writable:
            raise NotTheSequencer

    def _refuse_if_broken(self) -> None:
        if self._broken is not None:
            raise JournalBroken(self._broken)

    def _catch_up(self) -> None:
        for sequence, event in self._journal.read(self._taken_in + 1):
            try:
                self._replay(sequence, event)
            except JournalBroken as broken:
                self._broken = str(broken)
                raise
            self._taken_in = sequence
            if isinstance(event, SessionSettled):
                with suppress(ArchiveBroken):  # `forget` says so; who decides must first have read all
                    for session in self._memory.surplus(self._market):
                        self._memory.keep(session)
                        self._let_go(session.key)

    def _replay(self, sequence: int, event: Event) -> None:
        try:
            if isinstance(event, OrderAccepted):
                assert event.receipt.sequence == self._market.next_sequence, "a receipt's number is out of turn"
            self._market.apply(event)
            self._memory.note(sequence, event)
            if isinstance(event, SessionCleared):
                self._trades.add(trades_of(self._market.session(event.session), event))
        except (AssertionError, KeyError) as error:
            raise JournalBroken(f"this cannot have happened: {error}", sequence) from error
