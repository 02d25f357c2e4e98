"""A whole exchange in a process of its own, for load: founded on a chain in this process, served as `merit serve` does.

    python -m bench.serving FOLDER MEMBERS [PERIOD]

Prints its address when it is ready, and ends with its standard input. With a period, that is how many seconds a
delivery lasts, and its heart beats: sessions are cleared and settled. Without one no gate closes while it is measured.
"""

import sys
from pathlib import Path

from app.clock import WallClock
from app.collector import spare_the_book
from app.community import Community
from app.founding import Founded, Keys, found
from app.heartbeat_thread import HeartbeatThread
from app.server import Serving, create_app
from app.wiring import Places, build
from contracts.local_evm import LocalEvm

TERMS = {
    "name": "bench",
    "market_id": 1,
    "node": "town",
    "currency": "EUR",
    "period_seconds": 900,
    "opening_seconds": 366 * 86_400 - 1,
    "lead_seconds": 300,
    "window_seconds": 86_400,
    "fee_micro_per_kwh": 5_000,
}
UTILITY = {"sell_micro_per_kwh": 300_000, "buy_micro_per_kwh": 80_000, "capacity_wh": 1, "deposit_cents": 0}


_FOUNDING_SECONDS = 3_600
"""Each block is a second later than the one before: what is founded in many would exist only some minutes from now."""


def community(members: int, period: int = 900) -> Community:
    """Return so many homes, each with a load, a roof and ten million euro."""
    homes = [
        {"name": f"home-{number}", "load": f"load {number}", "pv": f"pv {number}", "deposit_cents": 1_000_000_000}
        for number in range(members)
    ]
    return Community.model_validate(
        {"community": TERMS | {"period_seconds": period}, "utility": UTILITY, "homes": homes}
    )


def main() -> None:
    """Found, serve, and wait for the end of standard input."""
    places, clock = Places(Path(sys.argv[1])), WallClock()
    before = [_FOUNDING_SECONDS]
    evm = LocalEvm(lambda: clock() - before[0], genesis_time=clock() - _FOUNDING_SECONDS)
    periods = [int(text) for text in sys.argv[3:]]
    founded: Founded = found(evm, community(int(sys.argv[2]), *periods), Keys.devnet())
    before[0] = 0
    founded.write(places.exchange)
    with build(places, founded, Keys.devnet(), clock, evm) as house, Serving(create_app(house)) as server:
        heart = HeartbeatThread(house.heartbeat, house.desk)
        if periods:
            heart.start()
        spare_the_book()
        print(server.url, flush=True)
        sys.stdin.read()
        if periods:
            heart.stop()


if __name__ == "__main__":
    main()
