"""How much this server takes on at once, and from whom how often. What is over is refused at once, never queued."""

from dataclasses import dataclass

MOST_A_SECOND = 1_000_000
"""More is not told apart from no limit."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second on the long run, and up to `burst` at once after a rest."""

    per_second: int
    burst: int

    def __post_init__(self) -> None:
        if not 0 < self.per_second <= MOST_A_SECOND or self.burst <= 0:
            raise ValueError(f"a rate allows something, and {MOST_A_SECOND} a second at most")

    @classmethod
    def of(cls, per_second: int) -> "Rate | None":
        """Return a rate with a burst of ten seconds; none for 0."""
        return cls(per_second, 10 * per_second) if per_second else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The bounds of one server.

    `most_waiting_orders` wait to be durable at once, `most_requests` requests are under way at once, each for
    `request_seconds` at most; `most_streams` listen to events. `address` is what a client's address may ask for: a
    request costs one, and one more for each 512 bytes of its body. `account` is how many orders of an account are
    taken; `sign_in` is how often an address may sign in. They are none where nobody is limited: in a demo, and in a
    measurement.
    """

    most_waiting_orders: int = 20_000
    most_requests: int = 1_000
    most_streams: int = 200
    request_seconds: float = 30.0
    address: Rate | None = None
    account: Rate | None = None
    sign_in: Rate | None = None
