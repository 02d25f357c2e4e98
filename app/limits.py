"""What of a request this server reads: a body that is too long or nested too deeply is refused before it is parsed.

The depth matters: libraries of the chain raise the interpreter's recursion limit to where Python's JSON parser, which
recurses in C, overflows the stack and ends the process. A hundred thousand brackets must not end an exchange.
"""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import Document, problem, problem_response

MOST_BODY_BYTES = 1 << 20
MOST_DEPTH = 32

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class BodyLimit:
    """ASGI middleware: reads the body up to `most` bytes and hands it on whole, or answers with a problem."""

    def __init__(self, app: ASGIApp, most: int = MOST_BODY_BYTES) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body, last, refusal = bytearray(), None, None
        if _declared(scope) > self._most:
            refusal = self._too_large()
        while refusal is None:
            last = await receive()
            body += last.get("body", b"")
            if len(body) > self._most:
                refusal = self._too_large()
            elif not last.get("more_body", False):
                break
        if refusal is None and is_too_deep(bytes(body)):
            refusal = problem("body-too-deep", f"this server reads JSON of depth {MOST_DEPTH} at most, in UTF-8")
        if refusal is not None:
            await problem_response(refusal, {"Connection": "close"})(scope, receive, send)
            return
        assert last is not None
        whole: list[Message] = [
            last if last["type"] != "http.request" else {"type": "http.request", "body": bytes(body)}
        ]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replay, send)

    def _too_large(self) -> Document:
        return problem("body-too-large", f"this server reads {self._most} bytes of a body at most")


def is_too_deep(body: bytes) -> bool:
    """Whether a body, read as JSON, is nested deeper than `MOST_DEPTH`, or is in an encoding in which that is unclear.

    Strings are taken out first, since brackets in them nest nothing. JSON in UTF-8 holds no zero byte, JSON in any
    other encoding does.
    """
    if b"\0" in body:
        return True
    if body.count(b"[") + body.count(b"{") <= MOST_DEPTH:
        return False
    depth = 0
    # Where nothing is escaped, every other piece between quotes is a string: the quick way, and the usual.
    bare = _STRING.sub(b"", body) if b"\\" in body else b"".join(body.split(b'"')[::2])
    for bracket in bare.translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > MOST_DEPTH:
            return True
    return False


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            # The server in front has checked it; what is no number is counted as it comes.
            return int(value) if value.isdigit() else 0
    return 0
