"""Server-sent events: what happens at the exchange, as it happens, for whoever listens and whenever they come back.

Every event has an `id`, its place in the journal. A client that was cut off names the last one it saw and gets what it
missed; browsers do that by themselves. A client that does not read is let go, and can come back in the same way.
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated

import anyio
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse
from starlette.types import Message, Receive, Scope, Send

from app.audience import AccountsOf, audience_of
from app.bounds import Bounds
from app.feed import Feed, FeedEnded
from app.figures import Figures
from app.public_events import Place, PublicEvent, Topic
from exchange.errors import Overloaded
from identity.access_errors import AccessRefused
from identity.effects.reads import JudgedReads

HEARTBEAT_SECONDS = 15.0
SLOW_SECONDS = 30.0
"""How long a client may leave what it was sent unread before it is let go."""

_PIECE = 256
_AGAIN_MILLISECONDS = 2_000
_TOPIC = "|".join(Topic)

_EVENTS = {
    "schema": {"type": "string", "description": "events, each with `event`, `id` and one line of JSON in `data`"}
}

Chunks = AsyncIterator[tuple[Sequence[PublicEvent], Place]]
Wanted = Callable[[PublicEvent], bool]


class EventStream(EventSourceResponse):
    """The answer to one listener."""

    def __init__(
        self,
        chunks: Chunks,
        wanted: Wanted,
        begin: Place,
        figures: Figures,
        *,
        recheck: Callable[[], None] = lambda: None,
        slow_seconds: float = SLOW_SECONDS,
    ) -> None:
        """`recheck` raises a branch of `AccessRefused` once the listener may not hear more."""
        super().__init__((), headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._chunks = chunks
        self._wanted = wanted
        self._recheck = recheck
        self._reached = begin
        self._figures = figures
        self._slow_seconds = slow_seconds

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send events until the listener leaves, does not read, or there is nothing more to follow."""
        self._figures.streams += 1
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async with anyio.create_task_group() as tasks:

                async def listen() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    tasks.cancel_scope.cancel()

                tasks.start_soon(listen)
                await self._stream(send)
                tasks.cancel_scope.cancel()
        finally:
            self._figures.streams -= 1

    async def _stream(self, send: Send) -> None:
        try:
            await self._send(send, f"retry: {_AGAIN_MILLISECONDS}\nid: {_id(self._reached)}\n\n")
            async for events, reached in self._chunks:
                self._recheck()
                wanted = [event for event in events if self._wanted(event)]
                for first in range(0, len(wanted), _PIECE):
                    piece = wanted[first : first + _PIECE]
                    await self._send(send, "".join(map(_text, piece)))
                    self._reached = piece[-1].place
                if not wanted:  # a sign of life; a place where something was passed over, so that it is not again
                    moved = reached != self._reached
                    await self._send(send, f"id: {_id(reached)}\n\n" if moved else ": still here\n\n")
                self._reached = reached
        except FeedEnded as ended:
            await self._end(send, "ended", str(ended))
        except AccessRefused as refused:
            await self._end(send, "ended", str(refused), refused.code)
        except TimeoutError:
            self._figures.streams_dropped += 1
            await self._end(send, "dropped", f"nothing was read for {self._slow_seconds:g} s")
        finally:
            await self._chunks.aclose()  # type: ignore[attr-defined]  # a generator: others may need to know that it ended

    async def _send(self, send: Send, text: str) -> None:
        async with asyncio.timeout(self._slow_seconds):
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})

    async def _end(self, send: Send, kind: str, why: str, code: str | None = None) -> None:
        """Say why it ends, to whoever may still read it, and wait for nobody."""
        told = {"why": why, "after": _id(self._reached)} | ({} if code is None else {"code": code})
        data = json.dumps(told, separators=(",", ":"))
        last: Message = {"type": "http.response.body", "body": f"event: {kind}\ndata: {data}\n\n".encode()}
        try:
            async with asyncio.timeout(1):
                await send(last)
        except TimeoutError:
            return


def stream_router(
    feed: Feed, figures: Figures, bounds: Bounds, reads: JudgedReads, accounts_of: AccountsOf
) -> APIRouter:
    """Return the route of the event stream; `accounts_of` are those that an address holds."""
    router = APIRouter(tags=["events"])

    @router.get("/v1/events", response_class=Response, responses={200: {"content": {"text/event-stream": _EVENTS}}})
    async def events(
        request: Request,
        topics: Annotated[
            str | None,
            Query(
                pattern=f"^({_TOPIC})(,({_TOPIC}))*$",
                max_length=100,
                description="what to hear of, separated by commas; without it, all that the asker may hear",
                examples=["trades,settlements"],
            ),
        ] = None,
        account: Annotated[
            int | None, Query(ge=0, lt=1 << 32, description="of the orders and trades, only those of this account")
        ] = None,
        after: Annotated[
            str | None, Query(max_length=40, description="go on after the event with this id; 0 is the beginning")
        ] = None,
        last_event_id: Annotated[
            str | None, Header(max_length=40, description="as `after`, which it overrides: browsers send it")
        ] = None,
    ) -> Response:
        """Stream what happens, as server-sent events: `order-accepted`, `order-cancelled` (orders); `trade` (trades);
        `gate-closed`, `session-cleared`, `session-settled` (sessions); `settlement` (settlements).

        Sessions and settlements are for everybody; orders and trades for who may read one of their accounts, or the
        audit trail. Each event is JSON in one line, durable before it is sent, and has an `id` to resume from. An order
        is not shown: the event names the session and `receipt`, the keccak of the receipt's signature. The stream ends
        with an event `dropped` for who does not read, and `ended` when the server stops, the session of the token is
        over, or a grant was revoked; then it has a `code`.
        """
        chosen = None if topics is None else frozenset(map(Topic, topics.split(",")))
        audience = await asyncio.to_thread(audience_of, reads, accounts_of, request, chosen, account)
        begin = await feed.place(last_event_id or after)
        if figures.streams >= bounds.most_streams:  # asked last: while a place was looked for, others have come
            raise Overloaded("streams", bounds.most_streams)
        chunks = feed.follow(begin, HEARTBEAT_SECONDS)
        return EventStream(chunks, audience.wants, begin, figures, recheck=audience.recheck)

    return router


def _text(event: PublicEvent) -> str:
    return f"event: {event.kind}\nid: {event.place}\ndata: {event.data}\n\n"


def _id(place: Place) -> str:
    """Return a place as an id: a whole entry is named by its number alone."""
    return str(place) if place.part < 1 << 32 else str(place.sequence)
