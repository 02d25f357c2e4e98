"""The quick way in for orders: in front of the routes, for bodies that are just as they should be.

Most of what a web framework does for a request is finding out what it is. An order in the usual form is recognised by
its path and read by hand, so that an exchange spends its time on signatures. Whatever is unusual about a request, it
goes on to the routes, which say the same and explain what is wrong; they also document what is answered here.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from exchange.documents import hexed, receipt_to_document
from exchange.effects.quick_reader import quick_json, quick_order, quick_orders
from exchange.effects.schema import read_order
from exchange.effects.taken import Result, Taken
from exchange.effects.views import Document, taken_document
from exchange.errors import ExchangeRefused
from exchange.order import SignedOrder
from identity.errors import IdentityRefused

ProblemOf = Callable[[Exception], Document]
"""A refusal as a problem document (RFC 9457), with its HTTP status under `status`."""

Submit = Callable[[Sequence[SignedOrder]], Awaitable[list[Result]]]
"""How orders are handed in: the desk's `submit_soon`, or whatever stands in front of it."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_NONE = (b"", b"")


async def take(submit: Submit, signed: SignedOrder) -> tuple[int, Document]:
    """Hand in one order; return the status and the acknowledgement, or raise its refusal."""
    (result,) = await submit([signed])
    if not isinstance(result, Taken):
        raise result
    return 201 if result.new else 200, taken_document(result.accepted, result.state.value)


async def take_all(submit: Submit, documents: Sequence[object], problem_of: ProblemOf) -> Document:
    """Read and hand in the orders of a batch; return a result for each, in their order."""
    results = await _results(submit, documents, problem_of)
    return {"results": [_taken(result) if isinstance(result, Taken) else result for result in results]}


async def _results(submit: Submit, documents: Sequence[object], problem_of: ProblemOf) -> list[Taken | Document]:
    """Read and hand in the orders of a batch; return what was taken, and for the rest the result to answer with."""
    results: dict[int, Taken | Document] = {}
    orders: dict[int, SignedOrder] = {}
    for position, document in enumerate(documents):
        signed = quick_order(document)
        try:
            orders[position] = read_order(document) if signed is None else signed
        except (ExchangeRefused, IdentityRefused) as refusal:
            results[position] = _refused(problem_of(refusal))
    for position, result in zip(orders, await submit(list(orders.values())), strict=True):
        results[position] = result if isinstance(result, Taken) else _refused(problem_of(result))
    return [results[position] for position in range(len(documents))]


class Intake:
    """ASGI middleware that answers `POST /v1/orders` and `POST /v1/orders/batch` where it can, and hands on the rest.

    It stands inside of whatever limits bodies.
    """

    def __init__(self, app: App, submit: Submit, problem_of: ProblemOf) -> None:
        self._app = app
        self._submit = submit
        self._problem_of = problem_of
        self._quick: dict[str, Callable[[Any], Awaitable[tuple[int, str] | None]]] = {
            "/v1/orders": self._order,
            "/v1/orders/batch": self._batch,
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on with its body as it came."""
        quick = self._quick.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if quick is None or scope.get("root_path"):
            await self._app(scope, receive, send)
            return
        first = await receive()
        answer = None
        if first["type"] == "http.request" and not first.get("more_body", False):
            declared = next((header for header in scope["headers"] if header[0] == b"content-type"), _NONE)[1]
            document = quick_json(declared, first.get("body", b""))
            try:
                answer = None if document is None else await quick(document)
            except (ExchangeRefused, IdentityRefused) as refusal:
                await _send_problem(send, self._problem_of(refusal))
                return
        if answer is not None:
            status, text = answer
            await _send(send, status, text.encode(), (b"content-type", b"application/json"))
            return
        again = [first]

        async def replay() -> Message:
            return again.pop() if again else await receive()

        await self._app(scope, replay, send)

    async def _order(self, document: Any) -> tuple[int, str] | None:
        signed = quick_order(document)
        if signed is None:
            return None
        (result,) = await self._submit([signed])
        if not isinstance(result, Taken):
            raise result
        return 201 if result.new else 200, _text(result, f'"status":"{result.state.value}"')

    async def _batch(self, document: Any) -> tuple[int, str] | None:
        documents = quick_orders(document)
        if documents is None:
            return None
        results = await _results(self._submit, documents, self._problem_of)
        texts = [
            _text(result, '"status":201' if result.new else '"status":200')
            if isinstance(result, Taken)
            else json.dumps(result, separators=(",", ":"))
            for result in results
        ]
        return 200, f'{{"results":[{",".join(texts)}]}}'


async def _send_problem(send: Send, problem: Document) -> None:
    headers = [(b"content-type", b"application/problem+json")]
    if "retry_after_seconds" in problem:
        headers.append((b"retry-after", str(problem["retry_after_seconds"]).encode()))
    await _send(send, problem["status"], json.dumps(problem, separators=(",", ":")).encode(), *headers)


async def _send(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


def _text(taken: Taken, status: str) -> str:
    """Return the JSON of an acknowledgement with this status: what `_taken` or `taken_document` say, without them."""
    receipt, session = taken.accepted.receipt, taken.accepted.signed.order.session
    return (
        f'{{"digest":"0x{taken.accepted.digest.hex()}","session":{session.number},"session_name":"{session}",{status},'
        f'"receipt":{{"order":"0x{receipt.order.hex()}","sequence":{receipt.sequence},'
        f'"received_at":{receipt.received_at},"blind":"0x{receipt.blind.hex()}","path":"0x{receipt.path.hex()}",'
        f'"signature":"0x{receipt.signature.hex()}"}}}}'
    )


def _taken(taken: Taken) -> Document:
    session = taken.accepted.signed.order.session
    return {
        "status": 201 if taken.new else 200,
        "digest": hexed(taken.accepted.digest),
        "session": session.number,
        "session_name": str(session),
        "receipt": receipt_to_document(taken.accepted.receipt),
    }


def _refused(problem: Document) -> Document:
    return {"status": problem["status"], "problem": problem}
