"""A talk with an exchange without any network: what to send next, given what came back.

A talk is a generator. It yields a request and is sent its answer, or yields a pause and is sent nothing, and returns
its result. Who runs it may block or await; what is said is the same. Everything an exchange is asked may be asked
again: reading changes nothing, and an order or a cancellation counts once however often it comes.
"""

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from app.client.errors import AnswerMalformed, ExchangeUnreachable, Refused

T = TypeVar("T")

_AGAIN = frozenset({429, 502, 503, 504})
_UNANSWERED = frozenset({502, 503, 504})
"""Where no exchange says so, something between it and us does: a proxy that did not reach it, a server that is full."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to send; `body` becomes JSON. `token` is that of a session."""

    method: str
    path: str
    query: Mapping[str, str | int] = field(default_factory=dict)
    body: Any = None
    token: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What goes along."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True, slots=True)
class Pause:
    """How long to wait before going on."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing came back, and why."""

    why: str


Talk = Generator[Request | Pause, Answer | Lost | None, T]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often something is tried, the first pause between two tries (it doubles), and the longest there may be."""

    tries: int = 4
    first_seconds: float = 0.25
    longest_seconds: float = 30.0


def ask(request: Request, patience: Patience) -> Talk[Answer]:
    """Send a request until it is answered with something else than a refusal, and return that.

    Tried again is what got lost and what the exchange asks to come again for (`Retry-After`). Raises `Refused` and
    `ExchangeUnreachable`.
    """
    seconds = patience.first_seconds
    for left in reversed(range(patience.tries)):
        answer = yield request
        wait = min(seconds, patience.longest_seconds)
        if isinstance(answer, Answer):
            if answer.status < 400:
                return answer
            refused = refusal_of(answer)
            again = seconds_to_wait(answer)
            if again is None or again > patience.longest_seconds or not left:
                raise refused
            wait = max(again, wait)
        elif not left:
            why = answer.why if isinstance(answer, Lost) else "nothing was sent"
            raise ExchangeUnreachable(f"{request.method} {request.path}: {why}")
        yield Pause(wait)
        seconds *= 2
    raise AssertionError("the last try returns or raises")


def seconds_to_wait(answer: Answer) -> float | None:
    """Return after how many seconds the exchange wants to be asked again, or none where that is of no use.

    What did not reach an exchange may be tried at once, like what got lost.
    """
    text = answer.headers.get("retry-after", "")
    if answer.status in _AGAIN and text.isascii() and text.isdigit():
        return float(text[:9])
    return 0.0 if answer.status in _UNANSWERED and _problem(answer) is None else None


def document_of(answer: Answer) -> Any:
    """Return the JSON of an answer; raises `AnswerMalformed`."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise AnswerMalformed(f"the answer is not JSON: {error}") from error


def refusal_of(answer: Answer) -> Refused:
    """Return what an answer refuses, also where it is none of an exchange's (a proxy's, say)."""
    document = _problem(answer)
    return Refused(answer.status, {"code": "http-error", "detail": f"status {answer.status}"} | (document or {}))


def _problem(answer: Answer) -> dict[str, Any] | None:
    """Return the problem that an answer is, or none where it is not an exchange's."""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and "code" in document else None
