"""Signed orders over HTTP, each durable before it is answered: one a request, and a hundred.

    python -m bench.orders [--orders N] [--connections N]

The server is a process of its own on the same cores as this load generator, which is one event loop with keep-alive
connections. Beside it stands the base: recovering one signer with libsecp256k1, in the same run. Wall figures are of
this machine and this moment; the CPU of the server in recoveries is what compares.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from coincurve import PublicKey

from app.founding import Founded, Member, member_key
from bench.measure import cpu_seconds, cpu_seconds_of, load_line, percentile
from exchange.delivery import Product
from exchange.documents import order_to_document
from exchange.order import Order, Side, SignedOrder
from exchange.units import MicroPerKwh, Wh
from identity.signature import Signer

try:
    from uvloop import run
except ImportError:
    from asyncio import run

MEMBERS = 50
AT_ONCE = 100


class Client(asyncio.Protocol):
    """One connection: sends the next request when the last was answered."""

    def __init__(self, requests: Iterator[bytes], ended: asyncio.Future[None]) -> None:
        self.latencies: list[float] = []
        self.refused: list[bytes] = []
        self._requests, self._ended = requests, ended
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        """Take an answer, or a part of one."""
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) < length:
            return
        self.latencies.append(time.perf_counter() - self._sent)
        if head[9:12] not in (b"201", b"200") or b'"problem"' in body:
            self.refused.append(self._buffer[:600])
        self._buffer = b""
        self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            self._ended.set_result(None)
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


def post(path: str, document: object) -> bytes:
    """Return a request as it goes over the wire."""
    body = json.dumps(document, separators=(",", ":")).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def signed_orders(founded: Founded, count: int, first: int) -> Iterator[SignedOrder]:
    """Yield orders of the homes, half of them bids, for delivery periods of the coming week."""
    separator = founded.parameters.domain.separator()
    homes: list[Member] = [member for member in founded.members if "load" in member.assets]
    signers = [Signer(member_key(home.name)) for home in homes]
    start = (int(time.time()) // 900 + 8) * 900
    for number in range(first, first + count):
        home, side = number % len(homes), Side(number // len(homes) & 1)
        order = Order(
            asset=homes[home].assets["pv" if side is Side.OFFER else "load"].identity,
            market=1,
            product=Product.SPOT,
            side=side,
            delivery_start=start + number % 500 * 900,
            energy=Wh(10 + number % 4_991),
            limit=MicroPerKwh(100_000 + number % 2_000 * 100),
            valid_until=start + 366 * 86_400,
            salt=number,
        )
        yield SignedOrder(order, signers[home].sign(order.digest(separator)))


async def load(url: str, requests: list[bytes], connections: int) -> tuple[float, list[float], list[bytes]]:
    """Send every request; return the wall seconds, the latencies, and what was refused."""
    host, port = url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    waiting = iter(requests)
    clients, ends = [], []
    started = time.perf_counter()
    for _ in range(connections):
        ended = loop.create_future()
        _, client = await loop.create_connection(lambda end=ended: Client(waiting, end), host, int(port))
        clients.append(client)
        ends.append(ended)
    await asyncio.gather(*ends)
    wall = time.perf_counter() - started
    latencies = [latency for client in clients for latency in client.latencies]
    return wall, latencies, [answer for client in clients for answer in client.refused]


def recovery_seconds(orders: list[SignedOrder], separator: bytes) -> float:
    """Return the CPU seconds of one recovery by libsecp256k1, signatures parsed before."""
    plain = []
    for signed in orders:
        vs = int.from_bytes(signed.signature[32:], "big")
        s = (vs & (1 << 255) - 1).to_bytes(32, "big")
        plain.append((signed.signature[:32] + s + bytes((vs >> 255,)), signed.order.digest(separator)))
    return cpu_seconds(
        lambda: [PublicKey.from_signature_and_message(one, digest, hasher=None) for one, digest in plain]
    ) / len(plain)


def main() -> None:
    """Print both figures beside the base."""
    options = argparse.ArgumentParser(description="Signed orders over HTTP.")
    options.add_argument("--orders", type=int, default=20_000, help="how many, for each of the two figures")
    options.add_argument("--connections", type=int, default=64)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.serving", folder, str(MEMBERS)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            url = server.stdout.readline().strip()
            founded = Founded.read(Path(folder) / "exchange.json")
            orders = list(signed_orders(founded, 2 * asked.orders, 0))
            documents = [order_to_document(signed) for signed in orders]
            single = [post("/v1/orders", document) for document in documents[: asked.orders]]
            hundreds = [
                post("/v1/orders/batch", {"orders": documents[first : first + AT_ONCE]})
                for first in range(asked.orders, 2 * asked.orders, AT_ONCE)
            ]
            base = recovery_seconds(orders[:2_000], founded.parameters.domain.separator())
            print(f"base: one recovery {base * 1e6:.1f} us CPU, {1 / base:,.0f} a core-second; {load_line()}")
            for label, requests, each, connections in (
                ("one a request", single, 1, asked.connections),
                (f"{AT_ONCE} a request", hundreds, AT_ONCE, 8),
            ):
                before = cpu_seconds_of(server.pid)
                wall, latencies, refused = run(load(url, requests, connections))
                used = (cpu_seconds_of(server.pid) - before) / (len(requests) * each)
                assert not refused, refused[0]
                print(
                    f"{label}: {len(requests) * each / wall:,.0f} orders/s wall, "
                    f"p50 {percentile(latencies, 0.5) * 1e3:.0f} ms, p99 {percentile(latencies, 0.99) * 1e3:.0f} ms "
                    f"({connections} connections); server {used * 1e6:.0f} us CPU an order, "
                    f"{used / base:.2f} recoveries; of the raw rate of one core {base / used:.2f} by the server's CPU, "
                    f"{base * len(requests) * each / wall:.2f} by the wall; {load_line()}"
                )
            server.stdin.close()


if __name__ == "__main__":
    main()
