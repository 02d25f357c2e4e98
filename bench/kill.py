"""Kill the server at random instants under load, and see whether anything it acknowledged is lost.

    python -m bench.kill --times 50

`merit serve` is started on a street of short delivery periods, orders are sent to it from several threads, and it is
killed with SIGKILL: under load, while it replays, or while it settles. Then it is started again on the same folder. All
kills share one folder, journal and chain. After every start each order that was acknowledged since the last must be
answered with the receipt it had; at the end all must stand in the journal with it, every session must be settled on the
chain exactly once, and the audit must find nothing. `--seed` chooses the instants and the orders.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from app.auditing import audit_folder
from app.client.client import MeritClient
from app.clock import WallClock
from app.founding import Founded, Keys, member_key
from app.storage import storage_of
from app.wiring import Places, open_chain
from exchange.agents import Alternative, need
from exchange.documents import hexed, order_to_document
from exchange.events import OrderAccepted
from exchange.order import SignedOrder
from exchange.units import MicroPerKwh, Wh
from identity.address import Address
from identity.signature import sign
from settlement.effects.chain_view import read_chain
from settlement.effects.settlement_contract import SettlementContract

ROOT = Path(__file__).parents[1]
PERIOD_SECONDS = 5
HOMES = 8
THREADS = 4

STREET = f"""
[community]
name = "Street that is killed"
market_id = 1
node = "street"
currency = "EUR"
period_seconds = {PERIOD_SECONDS}
opening_seconds = 20
lead_seconds = 1
window_seconds = 86400
fee_micro_per_kwh = 5000

[utility]
sell_micro_per_kwh = 300000
buy_micro_per_kwh = 80000
capacity_wh = 5000000
deposit_cents = 100000000
""" + "".join(f'\n[[homes]]\nname = "home-{n}"\nload = "load"\ndeposit_cents = 100000000\n' for n in range(HOMES))


class Lost(Exception):
    """Something that was acknowledged is not there, or is there otherwise."""


@dataclass
class Told:
    """What the server acknowledged: order digest → receipt, as it was answered."""

    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)
    unchecked: list[str] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)
    refused: dict[str, int] = field(default_factory=dict)
    unanswered: list[dict[str, Any]] = field(default_factory=list)
    sent_again: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, answer: httpx2.Response) -> None:
        """Take an answer to an order in. Raises `Lost` where an order has two receipts."""
        document = answer.json()
        with self.lock:
            if answer.status_code not in {200, 201}:
                code = document.get("code", str(answer.status_code))
                self.refused[code] = self.refused.get(code, 0) + 1
                return
            known = self.receipts.setdefault(document["digest"], document["receipt"])
            if known != document["receipt"]:
                raise Lost(f"order {document['digest']} has two receipts")
            self.unchecked.append(document["digest"])
            self.sessions.add(document["session_name"])


class Server:
    """`merit serve` in a process of its own."""

    def __init__(self, folder: Path, data: Path, *options: str) -> None:
        self.log = folder / "server.log"
        self.begun = time.monotonic()
        with self.log.open("ab") as log:
            self._from = log.tell()
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "app", "serve", "--data", str(data)),
                    *("--community", str(folder / "street.toml"), "--port", "0", "--rpc-port", "0", *options),
                ],
                cwd=ROOT,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    def url(self, patience: float = 180) -> str:
        """Wait until it answers and return where. Raises `Lost` if it ended."""
        while time.monotonic() - self.begun < patience:
            for line in self.log.read_bytes()[self._from :].decode().splitlines():
                if line.startswith("exchange "):
                    return line.split()[1].removesuffix("/v1/meta")
            ended = self.process.poll()
            if ended is not None:
                raise Lost(f"the server ended with {ended}: {self.tail()}")
            time.sleep(0.02)
        raise Lost(f"the server does not come up: {self.tail()}")

    def kill(self) -> None:
        """SIGKILL: nothing is finished, nothing is flushed."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ask it to end."""
        self.process.terminate()
        self.process.wait()

    def tail(self) -> str:
        """Return the end of what it said."""
        return self.log.read_bytes()[self._from :].decode()[-2_000:]


class Load:
    """Members who send orders until the server is gone."""

    def __init__(self, founded: Founded, told: Told, seed: int, a_second: int) -> None:
        self._founded, self._told, self._pause = founded, told, THREADS / a_second
        self._stop = threading.Event()
        self.failures: list[Exception] = []
        self._threads = [threading.Thread(target=self._run, args=(seed * THREADS + n,)) for n in range(THREADS)]

    def start(self, url: str) -> None:
        """Begin to send."""
        self._url = url
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Wait until everybody has noticed that the server is gone. Raises what went wrong."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def any_order(self) -> dict[str, Any]:
        """Return an order that could be sent now."""
        return order_to_document(self._order(random.Random(0)))

    def _run(self, seed: int) -> None:
        draw = random.Random(seed)
        with httpx2.Client(base_url=self._url, timeout=30) as http:
            while not self._stop.wait(draw.uniform(0, 2 * self._pause)):
                order = order_to_document(self._order(draw))
                try:
                    answer = http.post("/v1/orders", json=order)
                except httpx2.HTTPError:
                    self._told.unanswered.append(order)
                    return
                try:
                    self._told.note(answer)
                except Exception as error:  # noqa: BLE001  # told to who waits for this thread
                    self.failures.append(error)
                    return

    def _order(self, draw: random.Random) -> SignedOrder:
        parameters = self._founded.parameters
        home = draw.choice([member for member in self._founded.members if member.name.startswith("home-")])
        start = draw.choice(list(parameters.spot.open_deliveries(WallClock()())))
        alternative = Alternative(sell=MicroPerKwh(300_000), buy=MicroPerKwh(80_000))
        energy, salt = Wh(draw.randint(1, 2_000)), draw.getrandbits(32)
        order = need(home.assets["load"].identity, energy, parameters.spot, start, alternative, salt)
        key = member_key(home.name)
        return SignedOrder(order, sign(order.digest(parameters.domain.separator()), key))


def check_answers(url: str, told: Told) -> int:
    """Ask for every order that was acknowledged since the last check, and send those again that got no answer.

    Raises `Lost`.
    """
    digests, told.unchecked = told.unchecked, []
    again, told.unanswered = told.unanswered, []
    told.sent_again += len(again)
    with httpx2.Client(base_url=url, timeout=30, headers=as_operator(url)) as http:
        for digest in digests:
            answer = http.get(f"/v1/orders/{digest}")
            if answer.status_code != 200 or answer.json()["receipt"] != told.receipts[digest]:
                raise Lost(f"order {digest} was acknowledged, and now: {answer.status_code} {answer.text}")
        for order in again:  # whether or not it was taken, it counts once
            told.note(http.post("/v1/orders", json=order))
    return len(digests)


def as_operator(url: str) -> dict[str, str]:
    """Sign in as the operator, who may read every order, and return the headers to read with."""
    with MeritClient(url, Keys.devnet().operator) as client:
        return {"Authorization": f"Bearer {client.sign_in()}"}


def wait_until_settled(url: str, told: Told, patience: float) -> None:
    """Wait until every session that holds an acknowledged order is settled. Raises `Lost`."""
    waiting, deadline = sorted(told.sessions), time.monotonic() + patience
    with httpx2.Client(base_url=url, timeout=30) as http:
        while waiting:
            if time.monotonic() > deadline:
                raise Lost(f"sessions are not settled: {waiting}; {http.get('/v1/health').text}")
            states = {name: http.get(f"/v1/sessions/{name}").json()["state"] for name in waiting}
            waiting = [name for name in waiting if states[name] != "settled"]
            time.sleep(0.5 if waiting else 0)


def check_folder(data: Path, told: Told) -> dict[str, int]:
    """Check journal, chain and audit of a folder whose server has ended. Raises `Lost`."""
    storage = storage_of(None, data)
    if damages := storage.check_journal():
        raise Lost(f"the journal is damaged: {damages}")
    with closing(storage.open_journal()) as journal:
        held = {
            hexed(event.digest): (event.receipt.sequence, hexed(event.receipt.signature))
            for _, event in journal.read()
            if isinstance(event, OrderAccepted)
        }
    for digest, receipt in told.receipts.items():
        if held.get(digest) != (receipt["sequence"], receipt["signature"]):
            raise Lost(f"order {digest} was acknowledged as {receipt}, and the journal has {held.get(digest)}")
    founded = Founded.read(Places(data).exchange)
    with closing(open_chain(Places(data), founded, WallClock())) as chain:
        contract = SettlementContract(chain, Address(founded.deployment.settlement))
        settled = read_chain(contract, start_block=founded.deployment.block).settled()
    for session, witnessed in settled.items():
        parts = sorted(seen.fact.part for seen in witnessed)
        if parts != list(range(witnessed[0].fact.parts)):
            raise Lost(f"session {session} was settled as the parts {parts} of {witnessed[0].fact.parts}")
    names = {int(name.rsplit("-", 1)[1]) for name in told.sessions}
    missing = names - {session & (1 << 40) - 1 for session in settled}
    if missing:
        raise Lost(f"sessions for {sorted(missing)} are not on the chain")
    verdict = audit_folder(data)
    if not verdict.sound:
        raise Lost(f"the audit found {[finding.to_document() for finding in verdict.findings]}")
    return {"journal_orders": len(held), "sessions_settled": len(settled), "blocks": verdict.blocks}


def run(folder: Path, times: int, seed: int, a_second: int, longest: float) -> dict[str, Any]:
    """Kill `times` times; return the figures. Raises `Lost`."""
    draw, told, data = random.Random(seed), Told(), folder / "data"
    (folder / "street.toml").write_text(STREET)
    begun, starts, kills = time.monotonic(), [], {"while it starts": 0, "under load": 0}
    server = Server(folder, data)
    try:
        url = server.url()
        founded = Founded.read(Places(data).exchange)
        for number in range(times):
            load = Load(founded, told, seed * 10_000 + number, a_second)
            check_answers(url, told)
            load.start(url)
            time.sleep(draw.uniform(0.05, longest))
            server.kill()
            load.stop()
            kills["under load"] += 1
            last = number == times - 1
            server = Server(folder, data)
            early = not last and draw.random() < 0.25
            if early:  # the next kill comes while it imports, replays, or settles what is overdue
                time.sleep(draw.uniform(0.2, 1.2) * (starts[-1] if starts else 3))
                server.kill()
                kills["while it starts"] += 1
                server = Server(folder, data)
            url = server.url()
            starts.append(time.monotonic() - server.begun)
            print(
                f"{number + 1}/{times}: {len(told.receipts)} orders, start {starts[-1]:.1f} s",
                file=sys.stderr,
                flush=True,
            )
        check_answers(url, told)
        wait_until_settled(url, told, patience=120 + len(told.receipts) / 10)
        server.stop()
    finally:
        server.kill()
    figures = check_folder(data, told)
    return {
        "kills": kills,
        "acknowledged": len(told.receipts),
        "sent_again": told.sent_again,
        "refused": told.refused,
        **figures,
        "slowest_start_seconds": round(max(starts), 1),
        "seconds": round(time.monotonic() - begun),
    }


def main() -> int:
    """Run, and say what was lost."""
    parser = argparse.ArgumentParser(description="Kill the server under load.")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--orders-a-second", type=int, default=60)
    parser.add_argument("--longest", type=float, default=2.5, help="the longest it runs, in seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="merit-kill-") as folder:
        try:
            figures = run(Path(folder), options.times, options.seed, options.orders_a_second, options.longest)
        except Lost as lost:
            print(f"LOST (seed {options.seed}): {lost}")
            return 1
    print(f"nothing lost (seed {options.seed}): {figures}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
