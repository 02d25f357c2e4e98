"""`merit serve` by the clock: killed in mid-flight under load, it keeps every order it acknowledged."""

import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from app.auditing import gather, judge
from app.clock import WallClock
from app.founding import Founded, Keys
from app.wiring import Places, build
from contracts.local_evm import LocalEvm
from exchange.documents import order_to_document
from tests.app.command_line import run_apart, service
from tests.e2e.day import operator_of, order_of, signed_by

HURRIED = Path(__file__).parent / "village" / "hurried.toml"
ENOUGH = 150
"""Orders that are acknowledged before the process is killed."""


class Load:
    """Traders who hand in one order after the other, each in a thread, and write down what was acknowledged."""

    def __init__(self, url: str, founded: Founded) -> None:
        self.acknowledged: list[str] = []
        self.unexpected: list[str] = []
        self._url = url
        self._founded = founded
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._trade, args=(name, kind, limit, base))
            for name, kind, limit, base in (
                ("consumer", "load", 250_000, 0),
                ("producer", "pv", 90_000, 1_000_000),
                ("consumer", "load", 200_000, 2_000_000),
            )
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _trade(self, name: str, kind: str, limit: int, base: int) -> None:
        with suppress(httpx2.TransportError), httpx2.Client(base_url=self._url, timeout=60) as client:
            for salt in range(base, base + 100_000):
                if self._over.is_set():
                    return
                start = int(time.time()) + 4 + salt % 6
                start += start % 2
                order = signed_by(
                    self._founded,
                    name,
                    order_of(self._founded, name, kind, 1 + salt % 5, limit, start=start, salt=salt),
                )
                answer = client.post("/v1/orders", json=order_to_document(order))
                if answer.status_code == 201:
                    self.acknowledged.append(answer.json()["digest"])
                else:
                    self.unexpected.append(answer.text)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """An exchange that was killed under load: its folder, and the digests it had acknowledged."""
    cwd = tmp_path_factory.mktemp("killed")
    options = ("--data", "data", "--community", HURRIED, "--port", 0, "--rpc-port", 0)
    with service("serve", *options, cwd=cwd) as running:
        load = Load(running.url, Founded.read(cwd / "data" / "exchange.json"))
        load.start()
        try:
            with httpx2.Client(base_url=running.url, timeout=60) as client:
                deadline = time.monotonic() + 90
                while len(load.acknowledged) < ENOUGH or not client.get("/v1/batches").json()["batches"]:
                    assert time.monotonic() < deadline, load.unexpected[:3]
                    time.sleep(0.05)
            running.process.kill()
            running.process.wait()
        finally:
            load.stop()
    assert not load.unexpected, load.unexpected[:3]
    return cwd / "data", load.acknowledged


def test_every_acknowledged_order_is_there_after_a_kill_and_the_audit_is_sound(killed):
    folder, acknowledged = killed
    places, clock = Places(folder), WallClock()
    founded, evm = Founded.read(places.exchange), LocalEvm.reopen(places.chain, clock)
    try:
        with build(places, founded, Keys.devnet(), clock, evm) as house:
            held = house.desk.look(
                lambda market, _: {digest for session in market.sessions.values() for digest in session.orders}
            )
            assert {bytes.fromhex(digest[2:]) for digest in acknowledged} <= held
            house.heartbeat.beat(clock() + 1)  # what was under way is brought to its end
            house.heartbeat.beat(clock() + 2)
            assert house.store.unfinished() == []
            verdict = judge(gather(folder), evm)
            assert verdict.findings == ()
            assert verdict.trades > 0
    finally:
        evm.close()


def test_the_exchange_goes_on_after_a_kill_and_stops_when_it_is_told(killed, merit):
    folder, acknowledged = killed
    options = ("--data", folder, "--community", HURRIED, "--port", 0, "--rpc-port", 0)
    with service("serve", *options, cwd=folder.parent) as running:
        with httpx2.Client(base_url=running.url, timeout=60) as client:
            assert client.get("/v1/health").json()["status"] == "ok"
            reader = operator_of(running.url)
            assert client.get(f"/v1/orders/{acknowledged[-1]}", headers=reader).status_code == 200
            before = len(client.get("/v1/batches").json()["batches"])
            deadline = time.monotonic() + 90
            while len(client.get("/v1/batches").json()["batches"]) == before:
                assert time.monotonic() < deadline, "nothing was settled any more"
                time.sleep(0.1)
        again = run_apart("serve", *options, cwd=folder.parent)
        assert (again.code, "in use" in again.err or "another" in again.err) == (3, True)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(90) == 130
    assert merit("audit", folder).code == 0
