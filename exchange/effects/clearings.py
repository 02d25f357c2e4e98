"""What the desk does by the clock: orders are matched at ticks, gates close, sessions are cleared.

One of these at a time: what a clearing may let cross the boundaries of nodes rests on all clearings before it. A
closed session changes no more, so it is cleared without the desk's lock, while orders for other sessions are taken.
At a tick the session is open: the lock is held, and nothing else is decided until its orders are matched. So what is
ordered and taken back at the instant of a tick or later has no part in it.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from secrets import token_bytes

from exchange.anonymous import NO_BLIND, AnonymousBook
from exchange.delivery import SessionKey
from exchange.effects.trade_index import TradeIndex, trades_of
from exchange.events import Event, SessionCleared, TickCleared
from exchange.market import Market
from exchange.matching import Proposed, book_without_names, must_match, propose
from exchange.proposals import Proposal
from identity.registry import Registry


class TickFirst(Exception):
    """A tick has come by `now`, and is to be made before anything else is decided. Not a refusal."""

    def __init__(self, now: int) -> None:
        super().__init__(now)
        self.now = now


class Clearings:
    """The clearings of one desk: `lock` is the desk's, `carry_out` makes events happen and writes them down.

    `carry_out` refuses where this process does not decide, and is called with the lock held.
    """

    def __init__(
        self,
        market: Market,
        trades: TradeIndex,
        registry: Callable[[], Registry],
        lock: threading.Lock,
        carry_out: Callable[[Sequence[Event]], "Future[int]"],
    ) -> None:
        self.one_at_a_time = threading.Lock()
        self._market = market
        self._trades = trades
        self._registry = registry
        self._lock = lock
        self._carry_out = carry_out
        self._shown: dict[SessionKey, tuple[int, AnonymousBook]] = {}

    def tick(self, now: int) -> list[TickCleared]:
        """Match the orders of every session of which a tick has come by `now` that was not made yet."""
        with self.one_at_a_time:
            made, durable = self._tick(now)
        durable.result()
        return made

    def close_and_clear(self, now: int) -> list[SessionCleared]:
        """Close and clear every session whose gate closure has come by `now`; ticks that have come are made first.

        All gates close at once. Should the process end in between, the closed session is cleared after the restart.
        """
        with self.one_at_a_time:
            self._tick(now)
            durable = self._close(self._market.closing(now), now)
            with self._lock:
                due = self._market.due(now)
                registry = self._registry()
            cleared: list[SessionCleared] = []
            for session in due:
                event = self._market.clear(session.key, registry=registry, now=now)
                trades = trades_of(session, event)
                with self._lock:
                    durable = self._carry_out([event])
                    self._trades.add(trades)
                cleared.append(event)
        durable.result()
        return cleared

    def close_for_matching(self, now: int) -> None:
        """Close the gates that have come, by `now`, to their closure and whose books matchers may read then.

        Others are closed when they are cleared, which waits for the chain; a matcher's time does not.
        """
        with self.one_at_a_time:
            self._tick(now)
            calendar = self._market.parameters.calendar
            self._close([key for key in self._market.closing(now) if calendar[key.market].matching], now).result()

    def book_without_names(self, key: SessionKey, now: int) -> AnonymousBook:
        """Return the book of a closed session for those who propose a clearing.

        It is made once after each clearing of the exchange, however often it is asked for.
        """
        with self._lock:
            turn = self._market.turn
            must_match(self._market, key, now)
            known = self._shown.get(key)
            if known is None or known[0] != turn:
                book = book_without_names(self._market, key, registry=self._registry(), now=now)
                others = {other: kept for other, kept in self._shown.items() if kept[0] == turn}
                known = turn, book
                self._shown = others | {key: known}
            durable = self._carry_out([])
        durable.result()
        return known[1]

    def propose(self, proposal: Proposal, signature: bytes, clock: Callable[[], int]) -> Proposed:
        """Decide on a matcher's proposal, and take what of it is valid; refuses as `exchange/matching.py` does."""
        with self.one_at_a_time, self._lock:
            self._carry_out([])
            answer = propose(self._market, proposal, signature, registry=self._registry(), now=clock())
            durable = self._carry_out([] if answer.event is None else [answer.event])
        durable.result()
        return answer

    @contextmanager
    def none_due(self, clock: Callable[[], int]) -> Iterator[int]:
        """Hold the lock at an instant, which is yielded, at which every tick is made that has come."""
        while True:
            with self._lock:
                now = max(clock(), self._market.latest_tick)
                if not self._market.ticks_due(now):
                    yield now
                    return
            self.tick(now)

    def _close(self, keys: Sequence[SessionKey], now: int) -> "Future[int]":
        calendar = self._market.parameters.calendar
        with self._lock:
            return self._carry_out(
                [
                    self._market.close(key, now, token_bytes(32) if calendar[key.market].matching else NO_BLIND)
                    for key in keys
                ]
            )

    def _tick(self, now: int) -> tuple[list[TickCleared], "Future[int]"]:
        with self._lock:
            due = self._market.ticks_due(now)
            durable = self._carry_out([])
        made = []
        for key in due:
            with self._lock:  # one at a time: orders for other sessions need not wait for all
                event = self._market.tick(key, registry=self._registry(), now=now)
                durable = self._carry_out([event])
            made.append(event)
        return made, durable
