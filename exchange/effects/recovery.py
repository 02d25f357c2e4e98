"""Who signed many orders, worked out on all cores: most of the work of taking an order, and no lock is needed for it.

Threads are enough, for libsecp256k1 runs without the interpreter's lock.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Order = TypeVar("Order")
Known = TypeVar("Known")

WORTH_SHARING = 16
"""From so many orders on, other threads help: below, handing over costs more than it saves."""


class Recovery:
    """Threads that do their share; whoever asks does one, too, so that asking from many threads cannot stand still."""

    def __init__(self) -> None:
        self._cores = len(os.sched_getaffinity(0))
        self._workers = ThreadPoolExecutor(self._cores, thread_name_prefix="recovery")

    def each(self, recover: Callable[[Order], Known], orders: Sequence[Order]) -> Sequence[Known]:
        """Return what `recover` says of each order, in their order."""
        if len(orders) < WORTH_SHARING:
            return [recover(order) for order in orders]

        def share(first: int) -> list[Known]:
            return [recover(order) for order in orders[first :: self._cores]]

        others = [self._workers.submit(share, first) for first in range(1, self._cores)]
        shares = [share(0), *(other.result() for other in others)]
        return [shares[place % self._cores][place // self._cores] for place in range(len(orders))]
