"""What comes to an event loop at about the same time is decided on together, and written down together.

Under load a loop has many requests at once. Each of them could be decided on, signed for, handed to the journal and
woken by itself; that is most of the work of taking one. Here the first to come has the loop begin when it has heard
everybody else, and whoever comes while that goes on is taken with the next turn: the busier it is, the larger the
turns, and the less each order costs. No timer is needed, and who comes alone does not wait.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

_Waiting = tuple[Sequence[Asked], asyncio.Future[list[Answer]]]
_Turn = list[_Waiting[Asked, Answer]]


class Turns(Generic[Asked, Answer]):
    """Takes questions on behalf of coroutines.

    `decide` gives an answer to each of some questions, and the future that is done when the answers are durable. Where
    there are `many` or more it is called in a thread of `elsewhere`, so that the loop can hear others meanwhile: for
    fewer, handing over costs more than it saves. A turn ends when it has `enough`: then the next is decided on while
    this one is written down, and nobody's answer waits for everybody's.
    """

    def __init__(
        self,
        decide: Callable[[Sequence[Asked]], tuple[list[Answer], "Future[int]"]],
        elsewhere: Executor,
        many: int,
        enough: int,
    ) -> None:
        self._decide = decide
        self._elsewhere = elsewhere
        self._many = many
        self._enough = enough
        # Whoever waits for the next turn, for each loop that is at work.
        self._waiting: dict[asyncio.AbstractEventLoop, deque[_Waiting[Asked, Answer]]] = {}

    async def answers(self, asked: Sequence[Asked]) -> list[Answer]:
        """Return the answers once they, and everything decided before, are durable; raises what `decide` raises."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[list[Answer]] = loop.create_future()
        waiting = self._waiting.get(loop)
        if waiting is None:
            waiting = self._waiting[loop] = deque()
            loop.call_soon(self._begin, loop)
        waiting.append((asked, waiter))
        return await waiter

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting = self._waiting[loop]
        if not waiting:
            del self._waiting[loop]
            return
        turn, count = [], 0
        while waiting and count < self._enough:
            turn.append(waiting.popleft())
            count += len(turn[-1][0])
        if count < self._many:
            self._carry_out(loop, turn)
        else:
            self._elsewhere.submit(self._carry_out, loop, turn)

    def _carry_out(self, loop: asyncio.AbstractEventLoop, turn: _Turn[Asked, Answer]) -> None:
        with suppress(RuntimeError):  # a loop that was closed meanwhile has nobody left to tell
            try:
                answers, durable = self._decide([one for asked, _ in turn for one in asked])
            except Exception as error:  # noqa: BLE001  # whatever went wrong, those who wait must be told
                loop.call_soon_threadsafe(_wake, turn, (), error)
            else:
                durable.add_done_callback(
                    lambda done: _from_elsewhere(loop, turn, answers, done.exception()),
                )
            loop.call_soon_threadsafe(self._begin, loop)


def _from_elsewhere(
    loop: asyncio.AbstractEventLoop, turn: _Turn[Asked, Answer], answers: Sequence[Answer], error: BaseException | None
) -> None:
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_wake, turn, answers, error)


def _wake(turn: _Turn[Asked, Answer], answers: Sequence[Answer], error: BaseException | None) -> None:
    first = 0
    for asked, waiter in turn:
        share = answers[first : first + len(asked)]
        first += len(asked)
        if waiter.done():  # its caller has left
            continue
        if error is None:
            waiter.set_result(list(share))
        else:
            waiter.set_exception(error)
