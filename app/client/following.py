"""Following an exchange's events without any network: bytes in, events out, and where to go on after a break.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.client.errors import AnswerMalformed
from app.client.talk import Answer, Request, refusal_of, seconds_to_wait

_LONGEST_SECONDS = 30.0
_MOST_BYTES = 16 << 20
_ENDINGS = frozenset({"dropped", "ended"})


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `id` is where to go on after it; `kind` says what, as `data` does in detail."""

    id: str
    kind: str
    data: dict[str, Any]


class Following:
    """What one follower has seen. `after` is the id of the last event seen before; none begins with what is new."""

    def __init__(self, topics: Sequence[str], account: int | None, after: str | None) -> None:
        self.last_id = after
        self._query: dict[str, str | int] = {"topics": ",".join(topics)} if topics else {}
        if account is not None:
            self._query["account"] = account
        self._lines = _Lines()
        self._failures = 0
        self._server_seconds = 2.0

    def request(self, token: str | None = None) -> Request:
        """Return what to ask for now, and forget what was read in part."""
        self._lines = _Lines()
        after: dict[str, str | int] = {} if self.last_id is None else {"after": self.last_id}
        return Request("GET", "/v1/events", self._query | after, token=token)

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events that a piece of the stream completes. Raises `AnswerMalformed`."""
        self._failures = 0
        for fields in self._lines.feed(chunk):
            if fields.retry is not None:
                self._server_seconds = fields.retry / 1000
            if fields.id is not None:
                self.last_id = fields.id
            if not fields.data or fields.event in _ENDINGS:
                continue
            try:
                data = json.loads("\n".join(fields.data))
            except (ValueError, RecursionError) as error:
                raise AnswerMalformed(f"an event is not JSON: {error}") from error
            if not isinstance(data, dict) or self.last_id is None:
                raise AnswerMalformed("an event has no named fields, or no id")
            yield Event(self.last_id, fields.event or "message", data)

    def pause(self) -> float:
        """Return how long to wait before coming back: what the exchange asked for, and longer with every failure."""
        self._failures += 1
        return min(self._server_seconds * (1 << min(self._failures - 1, 10)), _LONGEST_SECONDS)

    def refused(self, answer: Answer) -> float:
        """Return how long to wait where the exchange wants to be asked again; else raise `Refused`."""
        seconds = seconds_to_wait(answer)
        if seconds is None:
            raise refusal_of(answer)
        return max(seconds, self.pause())


@dataclass(slots=True)
class _Fields:
    event: str = ""
    id: str | None = None
    retry: int | None = None
    data: list[str] = field(default_factory=list)


class _Lines:
    """Cuts a stream into blocks of fields."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields = _Fields()
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[_Fields]:
        # A line feed or a carriage return with a line feed ends a line; this exchange sends line feeds.
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _MOST_BYTES:
            raise AnswerMalformed("an event has no end")
        for raw in lines:
            line = raw.removesuffix(b"\r").decode("utf-8", "replace")
            self._size += len(raw)
            if self._size > _MOST_BYTES:
                raise AnswerMalformed("an event has no end")
            if not line:
                fields, self._fields, self._size = self._fields, _Fields(), 0
                yield fields
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match name:
                case "event":
                    self._fields.event = value
                case "id":
                    self._fields.id = value
                case "data":
                    self._fields.data.append(value)
                case "retry" if value.isascii() and value.isdigit():
                    self._fields.retry = int(value[:9])
                case _:
                    pass  # a comment, or a field of a later standard
