"""One hand-over for everything that an event loop decides in one turn.

Under load a loop has many requests at once. Each of them could hand its events to the journal and be woken by itself;
that is most of the work of waiting. Here the first to wait has the loop hand over when the turn is done, and one
wake-up tells all who waited.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from exchange.errors import ExchangeRefused


class Turns:
    """Waits for durability on behalf of coroutines; `hand_over` writes down what was decided so far."""

    def __init__(self, hand_over: Callable[[], "Future[int]"]) -> None:
        self._hand_over = hand_over
        self._waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}

    async def durable(self) -> None:
        """Return once everything decided before this call is durable; raises what the hand-over raises."""
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        waiting = self._waiting.setdefault(loop, [])
        if not waiting:
            loop.call_soon(self._end_turn, loop)
        waiting.append(waiter)
        await waiter

    def _end_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting = self._waiting.pop(loop)

        def tell(durable: "Future[int]") -> None:
            with suppress(RuntimeError):  # a loop that was closed meanwhile has nobody left to tell
                loop.call_soon_threadsafe(_wake, waiting, durable.exception())

        try:
            durable = self._hand_over()
        except ExchangeRefused as refusal:
            _wake(waiting, refusal)
        else:
            durable.add_done_callback(tell)


def _wake(waiting: list["asyncio.Future[None]"], error: BaseException | None) -> None:
    for waiter in waiting:
        if waiter.done():  # its caller has left
            continue
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)
