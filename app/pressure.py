"""So many requests at once, each for so long: what is beyond is told so at once, instead of everybody waiting."""

from asyncio import timeout

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.bounds import Bounds
from app.figures import Figures
from app.problems import problem, problem_of, problem_response
from exchange.errors import Overloaded

ALWAYS_ANSWERED = frozenset({"/healthz", "/readyz", "/metrics", "/v1/events"})
"""Paths that are not counted: who looks after the server must see it under load, and streams have a bound of theirs."""


class Pressure:
    """ASGI middleware: lets in `most_requests` at once, and gives each `request_seconds`."""

    def __init__(self, app: ASGIApp, bounds: Bounds, figures: Figures) -> None:
        self._app = app
        self._bounds = bounds
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http" or scope["path"] in ALWAYS_ANSWERED:
            await self._app(scope, receive, send)
            return
        bounds, figures = self._bounds, self._figures
        if figures.under_way >= bounds.most_requests:
            document = problem_of(Overloaded("requests", bounds.most_requests))
            await problem_response(document, {"Connection": "close"})(scope, receive, send)
            return
        begun = False

        async def note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        figures.under_way += 1
        limit = timeout(bounds.request_seconds)
        try:
            async with limit:
                await self._app(scope, receive, note)
        except TimeoutError:
            if begun or not limit.expired():
                raise
            detail = f"there was no answer within {bounds.request_seconds:g} s"
            document = problem("timed-out", detail) | {"retry_after_seconds": 1}
            await problem_response(document, {"Connection": "close"})(scope, receive, send)
        finally:
            figures.under_way -= 1
