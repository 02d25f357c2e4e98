"""Ten minutes under load: is memory flat, is nobody refused, does it answer as fast at the end as at the beginning?

    python -m bench.soak [--minutes N] [--share 0.8] [--svg FILE]

The server is a process of its own whose heart beats, as in `merit serve`: a gate closes every ten seconds, its
session is cleared, sealed, and settled on a chain in the same process. First its peak is measured, one order a request
over keep-alive connections, each sent when the last was answered. Then orders come at a share of that peak, at instants
fixed beforehand, whether or not earlier ones were answered: an answer's latency counts from the instant its order was
due, so that a server that stands still is seen to. Few orders cross, for a contract in Python pays a hundred or two a
second.

Every five seconds a sample: memory, open files, CPU, latency, what was refused. At the end a verdict, and a plot.
"""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.founding import Founded, member_key
from bench.measure import cpu_seconds_of, load_line, percentile
from bench.orders import post, run
from bench.plot import Curve, Panel, draw
from exchange.delivery import Product
from exchange.documents import order_to_document
from exchange.order import Order, Side, SignedOrder
from exchange.units import MicroPerKwh, Wh
from identity.signature import Signer

MEMBERS = 50
PERIOD = 10
LEAD = 300
"""What `bench.serving` has: gates close so many seconds before delivery."""

MARGIN = 20
"""Orders are for the first session whose gate is open for so many seconds more."""

SAMPLE_SECONDS = 5
AS_MANY = 1e9
"""A rate that nobody keeps up with: every order is sent as soon as a connection is free."""

CROSSING = 1_000
"""Of so many orders two cross."""

_FLAT = 0.05
"""Memory that grows by less than this share in the second half counts as flat."""

_STEADY = 2.0
"""Latency is steady if the 99th percentile of the last third is at most so many times that of the first."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen in the seconds up to `at`, counted from the start."""

    at: float
    memory_mb: float
    open_files: int
    cpu_share: float
    answered: int
    refused: int
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class Seen:
    """What was answered since the last sample."""

    latencies: list[float] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)


class Orders:
    """Makes one order after another, signed when it is asked for."""

    def __init__(self, founded: Founded) -> None:
        self._separator = founded.parameters.domain.separator()
        self._homes = [member for member in founded.members if "load" in member.assets]
        self._signers = [Signer(member_key(home.name)) for home in self._homes]
        self._number = 0

    def next(self, now: float) -> bytes:
        """Return the next request."""
        number, self._number = self._number, self._number + 1
        home = number % len(self._homes)
        side = Side(home & 1)
        crosses = number // 2 % (CROSSING >> 1) == 0
        dear = (side is Side.BID) is crosses
        start = -(-(int(now) + MARGIN + LEAD) // PERIOD) * PERIOD
        order = Order(
            asset=self._homes[home].assets["pv" if side is Side.OFFER else "load"].identity,
            market=1,
            product=Product.SPOT,
            side=side,
            delivery_start=start,
            energy=Wh(10 + number % 90),
            limit=MicroPerKwh((250_000 if dear else 50_000) + number % 1_000 * 10),
            valid_until=start,
            salt=number & 0xFFFFFFFF,
        )
        signed = SignedOrder(order, self._signers[home].sign(order.digest(self._separator)))
        return post("/v1/orders", order_to_document(signed))


class Connection(asyncio.Protocol):
    """One keep-alive connection, free or waiting for one answer."""

    def __init__(self, free: "deque[Connection]", seen: Seen) -> None:
        self._free, self._seen = free, seen
        self._buffer, self._due = b"", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be free."""
        self._transport = transport
        self._free.append(self)

    def send(self, request: bytes, due: float) -> None:
        """Send a request that was due at an instant."""
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take an answer, or a part of one."""
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            return
        self._seen.latencies.append(time.perf_counter() - self._due)
        if head[9:12] != b"201":
            self._seen.refused.append(self._buffer[:400])
        self._buffer = b""
        self._free.append(self)

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


async def steady(url: str, orders: Orders, rate: float, seconds: float, pid: int, connections: int) -> list[Sample]:
    """Send orders at `rate` a second and return a sample every few seconds."""
    host, port = url.removeprefix("http://").split(":")
    loop, free, seen = asyncio.get_running_loop(), deque[Connection](), Seen()
    all_connections = [
        (await loop.create_connection(lambda: Connection(free, seen), host, int(port)))[1] for _ in range(connections)
    ]
    samples: list[Sample] = []
    started = time.perf_counter()
    sent, sampled_at, used = 0, started, cpu_seconds_of(pid)
    while (now := time.perf_counter()) < started + seconds:
        while free and (due := started + sent / rate) <= now:
            free.popleft().send(orders.next(time.time()), due)
            sent += 1
        if now >= sampled_at + SAMPLE_SECONDS:
            before, used = used, cpu_seconds_of(pid)
            samples.append(_sample(now - started, pid, seen, (used - before) / (now - sampled_at)))
            print(_line(samples[-1]), flush=True)
            seen.latencies.clear()
            seen.refused.clear()
            sampled_at = now
        await asyncio.sleep(max(started + sent / rate - time.perf_counter(), 0.0) if free else 0.0005)
    for connection in all_connections:
        connection.close()
    return samples


def _sample(at: float, pid: int, seen: Seen, cpu: float) -> Sample:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    if seen.refused:
        print(seen.refused[0].decode("utf-8", "replace"), file=sys.stderr)
    return Sample(
        at=at,
        memory_mb=pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        open_files=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        cpu_share=cpu,
        answered=len(seen.latencies),
        refused=len(seen.refused),
        p50_ms=percentile(seen.latencies, 0.5) * 1e3 if seen.latencies else float("nan"),
        p99_ms=percentile(seen.latencies, 0.99) * 1e3 if seen.latencies else float("nan"),
    )


def _line(sample: Sample) -> str:
    return (
        f"{sample.at:5.0f} s: {sample.answered / SAMPLE_SECONDS:6,.0f}/s, p50 {sample.p50_ms:6.1f} ms, "
        f"p99 {sample.p99_ms:7.1f} ms, {sample.memory_mb:6.0f} MB, {sample.open_files} files, "
        f"{sample.cpu_share:.2f} cores, {sample.refused} refused"
    )


def slope(points: list[tuple[float, float]]) -> float:
    """Return the slope of the least-squares line through some points."""
    count = len(points)
    x, y = sum(at for at, _ in points) / count, sum(value for _, value in points) / count
    spread = sum((at - x) ** 2 for at, _ in points)
    return sum((at - x) * (value - y) for at, value in points) / spread if spread else 0.0


def verdict(samples: list[Sample]) -> list[str]:
    """Return what is to be said of memory, refusals, latency and files."""
    later = samples[len(samples) // 2 :]
    growth = slope([(sample.at, sample.memory_mb) for sample in later])
    over = growth * (later[-1].at - later[0].at)
    answered = sum(sample.answered for sample in later) / max(later[-1].at - later[0].at + SAMPLE_SECONDS, 1)
    third = max(len(samples) // 3, 1)
    first = percentile([sample.p99_ms for sample in samples[:third]], 0.5)
    last = percentile([sample.p99_ms for sample in samples[-third:]], 0.5)
    refused = sum(sample.refused for sample in samples)
    files = [sample.open_files for sample in samples]
    flat = "flat" if over < _FLAT * later[0].memory_mb else "NOT flat"
    steadiness = "steady" if last <= _STEADY * max(first, 1.0) else "NOT steady"
    an_order = growth * 1e6 / max(answered, 1)
    memory = f"{growth * 60:+.1f} MB a minute in the second half, {an_order:+,.0f} B an order: {flat}"
    everything = sum(sample.answered for sample in samples)
    return [
        f"memory: {later[-1].memory_mb:,.0f} MB, {memory}",
        f"refused or failed: {refused} of {everything:,}: {'NOT none' if refused else 'none'}",
        f"p99: {first:.0f} ms in the first third, {last:.0f} ms in the last: {steadiness}",
        f"open files: {files[0]} to {files[-1]}, {max(files)} at most",
    ]


def panels(samples: list[Sample]) -> list[Panel]:
    """Return what the plot shows."""

    def curve(label: str, values: Iterator[float]) -> Curve:
        return Curve(label, [(sample.at / 60, value) for sample, value in zip(samples, values, strict=True)])

    return [
        Panel("orders a second", [curve("answered", (s.answered / SAMPLE_SECONDS for s in samples))]),
        Panel("latency, ms", [curve("p50", (s.p50_ms for s in samples)), curve("p99", (s.p99_ms for s in samples))]),
        Panel("memory, MB", [curve("server", (s.memory_mb for s in samples))]),
    ]


def main() -> None:
    """Measure the peak, load, judge and draw."""
    options = argparse.ArgumentParser(description="Minutes under load.")
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--share", type=float, default=0.8, help="of the measured peak")
    options.add_argument("--peak-seconds", type=float, default=41, help="for how long the peak is measured")
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--svg", type=Path, help="where to draw")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        command = [sys.executable, "-m", "bench.serving", folder, str(MEMBERS), str(PERIOD)]
        server = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        url = server.stdout.readline().strip()
        orders = Orders(Founded.read(Path(folder) / "exchange.json"))
        print("peak: as many as it takes (latency counts from the start, and says nothing)")
        most = run(steady(url, orders, AS_MANY, asked.peak_seconds, server.pid, asked.connections))
        peak = percentile([sample.answered / SAMPLE_SECONDS for sample in most], 0.5)
        rate = asked.share * peak
        print(f"load: {rate:,.0f} of {peak:,.0f} orders/s for {asked.minutes:g} minutes; {load_line()}", flush=True)
        samples = run(steady(url, orders, rate, asked.minutes * 60, server.pid, asked.connections))
        server.stdin.close()
    title = f"{asked.minutes:g} minutes at {asked.share:.0%} of the peak: {rate:,.0f} of {peak:,.0f} orders a second"
    for line in verdict(samples):
        print(line)
    print(load_line())
    if asked.svg is not None:
        asked.svg.write_text(draw(title, "minutes", panels(samples)))


if __name__ == "__main__":
    main()
