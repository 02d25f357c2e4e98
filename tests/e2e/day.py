"""A village of three homes trades eight quarter-hours: once a test run, then copied wherever something is done to it.

Beyond what the demo does, the consumer places an order that nobody matches and one that is taken back, so that every
kind of entry stands in the journal.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2

from app.clock import SetClock
from app.demo import Day, prepare
from app.founding import Founded, Keys, member_key
from app.server import Serving, create_app
from app.wiring import House, Places, build
from contracts.devnet_server import DevnetServer
from contracts.local_evm import LocalEvm
from exchange.effects.memory import MOST_ORDERS
from exchange.effects.taken import Taken
from exchange.order import Order, Side, SignedOrder, cancellation_digest
from exchange.units import MicroPerKwh, Wh
from identity.address import to_text
from identity.signature import address_of, sign
from identity.siwe import personal_digest
from tests.simulators.remembering_evm import RememberingEvm

VILLAGE = Path(__file__).parent / "village" / "village.toml"
FIRST = 1_782_021_600
"""When the first delivery starts."""
PERIODS = 8
PERIOD_SECONDS = 900
LEAD_SECONDS = 300
LAST = FIRST + (PERIODS - 1) * PERIOD_SECONDS
NEXT = LAST + 4 * PERIOD_SECONDS
"""A delivery start nobody has traded yet."""


def order_of(founded: Founded, name: str, kind: str, energy: int, limit: int, *, start: int, salt: int = 7) -> Order:
    """An order of a member's asset ("load", "pv", "sell" or "buy")."""
    market = founded.parameters.spot
    return Order(
        asset=founded.member(name).assets[kind].identity,
        market=market.number,
        product=market.product,
        side=Side.BID if kind in ("load", "buy") else Side.OFFER,
        delivery_start=start,
        energy=Wh(energy),
        limit=MicroPerKwh(limit),
        valid_until=start,
        salt=salt,
    )


def signed_by(founded: Founded, name: str, order: Order) -> SignedOrder:
    """The order with the member's signature."""
    return SignedOrder(order, sign(order.digest(founded.parameters.domain.separator()), member_key(name)))


def cancellation_of(founded: Founded, name: str, digest: bytes) -> bytes:
    """The member's signature that takes an order back."""
    return sign(cancellation_digest(digest, founded.parameters.domain.separator()), member_key(name))


@dataclass(frozen=True, slots=True)
class Played:
    """The village's day: where it is kept, how it ended, and the names of the two extra orders."""

    folder: Path
    day: Day
    founded: Founded
    unmatched: bytes
    cancelled: bytes

    def copy(self, to: Path) -> Path:
        """Copy the day to the new folder `to`, to do something to it."""
        return shutil.copytree(self.folder, to)


def play(folder: Path) -> Played:
    """Let the village trade its day in the new folder `folder`."""
    demo, _ = prepare(VILLAGE, folder)
    with demo:
        founded, desk = demo.founded, demo.house.desk
        demo.clock.set(FIRST - 3_600)
        low = signed_by(founded, "consumer", order_of(founded, "consumer", "load", 10, 1, start=FIRST))
        regretted = signed_by(founded, "consumer", order_of(founded, "consumer", "load", 20, 250_000, start=FIRST))
        results = desk.submit([low, regretted])
        assert all(isinstance(result, Taken) for result in results)
        unmatched, cancelled = (result.accepted.digest for result in results if isinstance(result, Taken))
        demo.clock.set(FIRST - 3_000)
        desk.cancel(cancelled, cancellation_of(founded, "consumer", cancelled))
        demo.trade(lambda _: None)
        return Played(folder, demo.conclude(), founded, unmatched, cancelled)


@dataclass(frozen=True, slots=True)
class Running:
    """An exchange in this process on a recorded chain; where it is served, over HTTP and over JSON-RPC."""

    folder: Path
    founded: Founded
    house: House
    evm: LocalEvm
    clock: SetClock
    url: str
    chain_url: str

    def beat(self, now: int) -> None:
        """Let time pass until `now`, and do what is due."""
        self.clock.set(now)
        self.house.heartbeat.beat(now)


@contextmanager
def rebuilt(
    folder: Path, now: int, evm: LocalEvm | None = None, *, most_settled_orders: int = MOST_ORDERS
) -> Iterator[Running]:
    """Build the exchange in `folder` again, as a restart does, without serving it; on its chain if that lives on."""
    places, founded, clock = Places(folder), Founded.read(folder / "exchange.json"), SetClock(now)
    with ExitStack() as stack:
        if evm is None:
            evm = RememberingEvm.reopen(places.chain, clock)
            stack.callback(evm.close)
        house = stack.enter_context(
            build(places, founded, Keys.devnet(), clock, evm, most_settled_orders=most_settled_orders)
        )
        yield Running(folder, founded, house, evm, clock, "", "")


@contextmanager
def running(folder: Path, now: int, *, most_settled_orders: int = MOST_ORDERS) -> Iterator[Running]:
    """Build the exchange in `folder` again, as a restart does, and serve it until the block ends."""
    with (
        rebuilt(folder, now, most_settled_orders=most_settled_orders) as exchange,
        DevnetServer(exchange.evm, 0) as chain,
        Serving(create_app(exchange.house)) as server,
    ):
        yield replace(exchange, url=server.url, chain_url=chain.url)


def token_of(url: str, key: bytes) -> str:
    """Sign in with a key, as a wallet does, and return the token."""
    with httpx2.Client(base_url=url, timeout=30) as client:
        asked = {"address": to_text(address_of(key))}
        text = client.post("/v1/sign-in/challenge", json=asked).raise_for_status().json()["message"]
        signature = "0x" + sign(personal_digest(text), key).hex()
        answer = client.post("/v1/sign-in", json={"message": text, "signature": signature}).raise_for_status()
        return str(answer.json()["token"])


def reader_of(url: str, key: bytes) -> dict[str, str]:
    """Sign in with a key, and return the headers to read with."""
    return {"Authorization": f"Bearer {token_of(url, key)}"}


def operator_of(url: str) -> dict[str, str]:
    """Sign in as the exchange's operator, who reads books, accounts and the trail by office."""
    return reader_of(url, Keys.devnet().operator)
