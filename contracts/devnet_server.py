"""The local chain on a socket: JSON-RPC over HTTP, on this machine only."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

from contracts.devnet import answer
from contracts.local_evm import LocalEvm

LOOPBACK = "127.0.0.1"
MAX_BODY_BYTES = 8 * 2**20
_IDLE_SECONDS = 30
_NOT_JSON = {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "the body is not JSON"}}


class DevnetServer:
    """Serves a local chain on 127.0.0.1. Use as a context manager, or `serve_forever` in the foreground."""

    def __init__(self, evm: LocalEvm, port: int = 8545) -> None:
        """Take the port, or any free one if it is 0; OSError when it is taken."""
        handler = type("DevnetHandler", (_Handler,), {"evm": evm})
        self._server = _Server((LOOPBACK, port), handler)
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """Where other tools find the chain."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def serve_forever(self) -> None:
        """Answer until `close` is called from another thread, or the process is interrupted."""
        self._server.serve_forever(poll_interval=0.1)

    def __enter__(self) -> Self:
        """Serve from a thread of its own."""
        self._thread = Thread(target=self.serve_forever, name="devnet", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving and let go of the port."""
        self._server.shutdown()
        if self._thread is not None:
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


class _Handler(BaseHTTPRequestHandler):
    """One connection. Asks for JSON and for our own host name, so that no web page can talk to the chain unasked."""

    evm: LocalEvm
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        host = self.headers.get("Host", "").rsplit(":", 1)[0]
        length = self.headers.get("Content-Length", "")
        if host not in {LOOPBACK, "localhost"}:
            self._refuse(403, "this chain answers to 127.0.0.1 only")
        elif self.headers.get_content_type() != "application/json":
            self._refuse(415, "send application/json")
        elif not (length.isascii() and length.isdigit()):
            self._refuse(411, "say how long the body is")
        elif len(length) > 12 or int(length) > MAX_BODY_BYTES:
            self._refuse(413, f"a body holds at most {MAX_BODY_BYTES} bytes")
        else:
            self._reply(200, _answer_body(self.evm, self.rfile.read(int(length))))

    def do_GET(self) -> None:
        self._refuse(405, "this is a JSON-RPC endpoint: POST a request to it")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name http.server passes
        """Say nothing: the chain itself is the record."""

    def _refuse(self, status: int, why: str) -> None:
        self.close_connection = True  # whatever the body held has not been read
        self._reply(status, {"error": why})

    def _reply(self, status: int, content: Any) -> None:
        body = json.dumps(content, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _answer_body(evm: LocalEvm, body: bytes) -> Any:
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        return _NOT_JSON
    return answer(evm, request)
