"""How often who may ask: an allowance for each address and for each account.

An allowance is the generic cell rate algorithm, a moving window kept as one number: the instant at which everything
spent so far is earned back. It needs no list of past requests, no thread and no wall clock, and forgets whoever has
all of it again. https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
"""

from collections.abc import Callable, Hashable
from ipaddress import IPv6Address, ip_address
from time import monotonic_ns

from starlette.types import ASGIApp, Receive, Scope, Send

from app.bounds import Rate
from app.limits import MOST_BODY_BYTES
from app.problems import problem_of, problem_response
from exchange.errors import TooManyRequests

_NANOSECONDS = 1_000_000_000
_BYTES_FOR_ONE = 512
_MANY = 10_000
SIGN_IN = frozenset({"/v1/sign-in", "/v1/sign-in/challenge"})


class Allowances:
    """What everybody may still spend at one rate; `clock` tells nanoseconds that never run backwards."""

    def __init__(self, rate: Rate, clock: Callable[[], int] = monotonic_ns) -> None:
        self.rate = rate
        self._clock = clock
        self._one = _NANOSECONDS // rate.per_second
        self._all = rate.burst * self._one
        self._earned_at: dict[Hashable, int] = {}
        self._forget_at = _MANY

    def left(self, who: Hashable) -> int:
        """Return how many `who` may spend at once, now."""
        now = self._clock()
        return (self._all - max(self._earned_at.get(who, now) - now, 0)) // self._one

    def spend(self, who: Hashable, cost: int = 1) -> int:
        """Spend, and return 0; or spend nothing, and return in how many seconds (rounded up) it can be spent.

        More than there ever is at once costs all there is.
        """
        now = self._clock()
        until = max(self._earned_at.get(who, now), now) + min(cost * self._one, self._all)
        over = until - now - self._all
        if over > 0:
            return -(-over // _NANOSECONDS)
        self._keep(who, until, now)
        return 0

    def charge(self, who: Hashable, cost: int) -> None:
        """Spend in any case: what was done already, and must be earned back before there is more."""
        now = self._clock()
        self._keep(who, max(self._earned_at.get(who, now), now) + cost * self._one, now)

    def seconds_to(self, who: Hashable, cost: int = 1) -> int:
        """Return in how many seconds (rounded up) `who` may spend so much; 0 is now."""
        now = self._clock()
        over = max(self._earned_at.get(who, now) - now, 0) + min(cost * self._one, self._all) - self._all
        return -(-max(over, 0) // _NANOSECONDS)

    def seconds_to_all(self, who: Hashable) -> int:
        """Return in how many seconds (rounded up) `who` has the whole burst again."""
        now = self._clock()
        return -(-max(self._earned_at.get(who, now) - now, 0) // _NANOSECONDS)

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._earned_at)

    def _keep(self, who: Hashable, until: int, now: int) -> None:
        self._earned_at[who] = until
        if len(self._earned_at) >= self._forget_at:
            self._earned_at = {each: at for each, at in self._earned_at.items() if at > now}
            self._forget_at = max(_MANY, 2 * len(self._earned_at))


class AddressLimit:
    """ASGI middleware: refuses who asks too often, and tells everybody else what is left.

    What goes onto an answer is left in the scope under `answer_headers` (`app/observe.py`).
    """

    def __init__(
        self, app: ASGIApp, rate: Rate, sign_in: Rate | None = None, clock: Callable[[], int] = monotonic_ns
    ) -> None:
        """`sign_in` is what is allowed besides for signing in, which costs this server a signature and a write."""
        self._app = app
        self._allowances = Allowances(rate, clock)
        self._sign_ins = None if sign_in is None else Allowances(sign_in, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        who, allowances = network_of(scope), self._allowances
        wait = allowances.spend(who, _cost(scope))
        if not wait and self._sign_ins is not None and scope["path"] in SIGN_IN and scope["method"] == "POST":
            wait = self._sign_ins.spend(who)
        scope.setdefault("answer_headers", []).extend(
            (
                (b"ratelimit-limit", b"%d" % allowances.rate.burst),
                (b"ratelimit-remaining", b"%d" % allowances.left(who)),
                (b"ratelimit-reset", b"%d" % allowances.seconds_to_all(who)),
            )
        )
        if wait:
            document = problem_of(TooManyRequests("address", wait))
            await problem_response(document, {"Connection": "close"})(scope, receive, send)
            return
        await self._app(scope, receive, send)


def network_of(scope: Scope) -> str:
    """Return whom a request counts for: its IPv4 address, or the /64 that one customer has in IPv6."""
    client = scope.get("client")
    if client is None:
        return ""
    text = str(client[0])
    if ":" not in text:
        return text
    try:
        address = ip_address(text)
    except ValueError:
        return text
    return f"{int(address) >> 64:x}/64" if isinstance(address, IPv6Address) else text


def _cost(scope: Scope) -> int:
    """Return what a request costs; a body that does not say how long it is costs as much as the longest."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return 1 + int(value) // _BYTES_FOR_ONE
        if name == b"transfer-encoding":
            return 1 + MOST_BODY_BYTES // _BYTES_FOR_ONE
    return 1
