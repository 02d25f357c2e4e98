"""A node that answers what it is told to: other vendors' words, nonsense, or nothing."""

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class SickNode:
    """Answers each method with a fixed result, error, raw body, or delay; counts what it is asked."""

    def __init__(self) -> None:
        self.answers: dict[str, dict] = {"eth_chainId": {"result": "0x539"}}
        self.body: bytes | None = None
        self.status = 200
        self.delay_seconds = 0.0
        self.asked: list[str] = []
        node = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                node.asked.append(request["method"])
                time.sleep(node.delay_seconds if request["method"] != "eth_chainId" else 0)
                answer = node.answers.get(request["method"], {"error": {"code": -32601, "message": "no such method"}})
                body = json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}).encode()
                if node.body is not None and request["method"] != "eth_chainId":
                    body = node.body
                self.send_response(node.status if request["method"] != "eth_chainId" else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = Thread(target=lambda: self.server.serve_forever(poll_interval=0.05), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
