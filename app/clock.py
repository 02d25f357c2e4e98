"""The only reader of the wall clock; everybody else takes `now`."""

import time
from typing import Protocol


class Clock(Protocol):
    """Something that tells unix seconds."""

    def __call__(self) -> int:
        """Return the present instant in unix seconds (UTC)."""


class WallClock:
    """The machine's time."""

    def __call__(self) -> int:
        """Return the machine's unix seconds."""
        return int(time.time())


class SetClock:
    """A clock that stands until it is set: simulated days pass as fast as they are computed."""

    def __init__(self, instant: int) -> None:
        self._instant = instant

    def __call__(self) -> int:
        """Return the instant it was last set to."""
        return self._instant

    def set(self, instant: int) -> None:
        """Move on to `instant`; simulated time does not run backwards."""
        if instant < self._instant:
            raise ValueError(f"the clock shows {self._instant}, which is after {instant}")
        self._instant = instant


class HeldClock:
    """A clock that is held a while before the present, and then let go.

    The blocks of a chain in this process are a second apart at least, so founding an exchange takes more of the
    chain's time than of ours; held back as far, it ends in the past.
    """

    def __init__(self, clock: Clock, seconds: int) -> None:
        self._clock = clock
        self._held: int | None = clock() - seconds

    def __call__(self) -> int:
        """Return the instant it is held at, or what the clock behind it tells."""
        return self._clock() if self._held is None else self._held

    def let_go(self) -> None:
        """Tell the time from now on."""
        self._held = None
