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
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from exchange.book import Book
from exchange.delivery import SessionKey
from exchange.effects.journal import Journal
from exchange.effects.trade_index import TradeIndex
from exchange.errors import ExchangeRefused, JournalBroken, ParametersDiffer, SessionNotCleared
from exchange.events import Event, OrderAccepted, OrderCancelled, ParametersSet, SessionCleared, SessionSettled
from exchange.market import Market
from exchange.order import SignedOrder
from exchange.parameters import Parameters
from exchange.receipt import Receipt, receipt_digest
from exchange.session import SessionState
from exchange.units import Nano
from identity.address import to_text
from identity.errors import IdentityRefused
from identity.registry import Registry
from identity.signature import address_of, sign

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Taken:
    """The exchange holds the order; `new` says that it did not before, `state` how far its session has come."""

    accepted: OrderAccepted
    new: bool
    state: SessionState = SessionState.OPEN


Result = Taken | ExchangeRefused | IdentityRefused
"""What became of an order that was handed in."""


class Desk:
    """One exchange in one process.

    `registry` gives the registry as it stands, `credit` what an account could withdraw at once, `clock` the time in
    unix seconds. `receipts_key` is the private key that signs receipts. `open` comes before everything else.
    """

    def __init__(
        self,
        journal: Journal,
        market: Market,
        registry: Callable[[], Registry],
        credit: Callable[[int], Nano],
        receipts_key: bytes,
        clock: Callable[[], int],
    ) -> None:
        self.clock = clock
        self._journal = journal
        self._market = market
        self._registry = registry
        self._credit = credit
        self._receipts_key = receipts_key
        self._trades = TradeIndex()
        self._lock = threading.Lock()
        self._durable: Future[int] = Future()
        self._durable.set_result(0)
        self._broken: str | None = None

    def open(self, parameters: Parameters) -> None:
        """Replay the journal and make sure that `parameters` are the rules it was written under.

        An empty journal begins with them. Raises `ParametersDiffer` where the journal, or the receipts key, belongs
        to other rules, and `JournalBroken` where the journal does not hang together.
        """
        signer = address_of(self._receipts_key)
        if signer != parameters.receipts:
            raise ParametersDiffer(
                f"the rules name {to_text(parameters.receipts)} to sign receipts, the key given is {to_text(signer)}'s"
            )
        with self._lock:
            for sequence, event in self._journal.read():
                self._replay(sequence, event)
            if self._market.has_parameters and self._market.parameters != parameters:
                differing = _difference(self._market.parameters, parameters)
                raise ParametersDiffer(f"the journal was written under other rules: {differing}")
            durable = self._durable
            if not self._market.has_parameters:
                durable = self._carry_out([ParametersSet(parameters=parameters, at=self.clock())])
        durable.result()

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
        results, durable = self._decide(orders)
        await asyncio.wrap_future(durable)
        return results

    def cancel(self, digest: bytes, signature: bytes) -> OrderCancelled:
        """Take an order back that is signed for; answers with the first cancellation where it was taken back before.

        Refuses as the market does: unknown order, bad signature, no authority, gate closed.
        """
        cancellation, durable = self._decide_cancellation(digest, signature)
        durable.result()
        return cancellation

    async def cancel_soon(self, digest: bytes, signature: bytes) -> OrderCancelled:
        """As `cancel`, for an event loop."""
        cancellation, durable = self._decide_cancellation(digest, signature)
        await asyncio.wrap_future(durable)
        return cancellation

    # Sessions

    def close_and_clear(self, now: int) -> list[SessionCleared]:
        """Close and clear every session whose gate closure has come by `now`; closure and clearing are one entry."""
        cleared: list[SessionCleared] = []
        events: list[Event] = []
        with self._lock:
            self._refuse_if_broken()
            try:
                for session in self._market.due(now):
                    if session.state is SessionState.OPEN:
                        self._apply(self._market.close(session.key, now), events)
                    event = self._market.clear(session.key, registry=self._registry(), now=now)
                    self._apply(event, events)
                    cleared.append(event)
            finally:
                durable = self._write(events)
        durable.result()
        return cleared

    def settled(self, key: SessionKey, now: int) -> None:
        """Note that the chain holds every batch of a cleared session for good. Noting it again is harmless."""
        with self._lock:
            self._refuse_if_broken()
            settled = self._market.session(key).state is SessionState.SETTLED
            durable = self._carry_out([] if settled else [SessionSettled(session=key, at=now)])
        durable.result()

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

        def copy(market: Market, _: TradeIndex) -> Book:
            session = market.session(key)
            if session.cleared is None:
                raise SessionNotCleared(str(key), market.parameters.market.gate_closure(key.delivery_start))
            return Book(
                key=key,
                parameters=market.parameters,
                orders=tuple(session.orders.values()),
                cancellations=tuple(session.cancelled.values()),
                cleared=session.cleared,
            )

        return self.look(copy)

    # Behind the lock

    def _decide(self, orders: Sequence[SignedOrder]) -> tuple[list[Result], "Future[int]"]:
        results: list[Result] = []
        events: list[Event] = []
        with self._lock:
            self._refuse_if_broken()
            registry, now = self._registry(), self.clock()
            try:
                results.extend(self._decide_one(signed, registry, now, events) for signed in orders)
            finally:
                durable = self._write(events)
        return results, durable

    def _decide_one(self, signed: SignedOrder, registry: Registry, now: int, events: list[Event]) -> Result:
        market = self._market
        digest = signed.order.digest(market.separator)
        held = market.held(digest)
        if held is not None and digest not in (session := market.session_of(digest)).cancelled:
            return Taken(held, new=False, state=session.state)
        try:
            accepted = market.take(
                signed,
                registry=registry,
                credit=self._credit,
                receipt=self._receipt,
                sequence=market.next_sequence,
                now=now,
            )
        except (ExchangeRefused, IdentityRefused) as refusal:
            return refusal
        self._apply(accepted, events)
        return Taken(accepted, new=True)

    def _decide_cancellation(self, digest: bytes, signature: bytes) -> tuple[OrderCancelled, "Future[int]"]:
        with self._lock:
            self._refuse_if_broken()
            event = self._market.cancel(digest, signature, registry=self._registry(), now=self.clock())
            durable = self._carry_out([] if event is None else [event])
            return self._market.session_of(digest).cancelled[digest], durable

    def _ask(self, question: Callable[[Market, TradeIndex], T]) -> tuple[T, "Future[int]"]:
        with self._lock:
            self._refuse_if_broken()
            return question(self._market, self._trades), self._durable

    def _carry_out(self, events: Sequence[Event]) -> "Future[int]":
        applied: list[Event] = []
        for event in events:
            self._apply(event, applied)
        return self._write(applied)

    def _apply(self, event: Event, events: list[Event]) -> None:
        """Make an event part of the state, and note that it is to be written down."""
        self._market.apply(event)
        if isinstance(event, SessionCleared):
            self._trades.add(self._market.session(event.session))
        events.append(event)

    def _write(self, events: Sequence[Event]) -> "Future[int]":
        """Hand events to the journal; without any, wait for those that were handed in before."""
        if not events:
            return self._durable
        try:
            self._durable = self._journal.append(events)
        except JournalBroken as broken:
            self._broken = str(broken)
            raise
        self._durable.add_done_callback(self._notice)
        return self._durable

    def _notice(self, durable: "Future[int]") -> None:
        error = durable.exception()
        if error is not None:
            self._broken = str(error)

    def _refuse_if_broken(self) -> None:
        if self._broken is not None:
            raise JournalBroken(self._broken)

    def _replay(self, sequence: int, event: Event) -> None:
        try:
            if isinstance(event, OrderAccepted):
                assert event.receipt.sequence == self._market.next_sequence, "a receipt's number is out of turn"
            self._apply(event, [])
        except (AssertionError, KeyError) as error:
            raise JournalBroken(f"this cannot have happened: {error}", sequence) from error

    def _receipt(self, order: bytes, sequence: int, received_at: int) -> Receipt:
        digest = receipt_digest(order, sequence, received_at, self._market.separator)
        return Receipt(order, sequence, received_at, sign(digest, self._receipts_key))


def _difference(written: Parameters, given: Parameters) -> str:
    """Name what two sets of rules do not agree on."""
    before, now = written.to_document(), given.to_document()
    terms_before, terms_now = before.pop("market"), now.pop("market")
    assert isinstance(terms_before, dict)
    assert isinstance(terms_now, dict)
    before |= {f"market.{name}": value for name, value in terms_before.items()}
    now |= {f"market.{name}": value for name, value in terms_now.items()}
    return ", ".join(f"{name} is {now[name]!r}, was {before[name]!r}" for name in before if before[name] != now[name])
