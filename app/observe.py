"""Every request gets a name, is counted, and is written to the log where somebody wants to read it.

The name stands in the answer (`X-Request-ID`), in every log line that was written on the way, and in the answer to a
failure: whoever reports one can be helped. A client may bring its own.
"""

import logging
import re
import secrets
from itertools import count
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.figures import Figures
from app.logs import REQUEST_ID

_GIVEN = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_QUICK = frozenset({"/v1/orders", "/v1/orders/batch"})
"""What the quick way in answers in front of the routes."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_log = logging.getLogger("merit.http")


class Observe:
    """ASGI middleware around everything else; what stands inside leaves headers for the answer in the scope, under
    `answer_headers`.
    """

    def __init__(self, app: ASGIApp, figures: Figures) -> None:
        self._app = app
        self._figures = figures
        self._prefix = secrets.token_hex(4)
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand one request on, and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = self._name(scope)
        scope["request_id"] = name
        more = scope.setdefault("answer_headers", [])
        more.append((b"x-request-id", name.encode()))
        REQUEST_ID.set(name)  # each request is a task of its own, and so has a context of its own
        status = 500  # what a failure becomes, outside of here
        began = perf_counter()

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = route_of(scope)
            self._figures.requests[method, route, status] += 1
            if _log.isEnabledFor(logging.INFO):
                milliseconds = round((perf_counter() - began) * 1e3, 1)
                fields = {"method": method, "route": route, "status": status, "ms": milliseconds}
                _log.info("%s %s: %s in %s ms", *fields.values(), extra={"fields": fields})

    def _name(self, scope: Scope) -> str:
        given = next((value for key, value in scope["headers"] if key == b"x-request-id"), b"")
        return given.decode() if _GIVEN.fullmatch(given) else f"{self._prefix}-{next(self._numbers):x}"


def route_of(scope: Scope) -> str:
    """Return the template of the route that answered: what a path names is nobody's business in a metric."""
    path = getattr(scope.get("route"), "path", None)
    if path is not None:
        return str(path)
    return scope["path"] if scope["path"] in _QUICK else "none"
