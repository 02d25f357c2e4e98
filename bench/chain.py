"""Trades settled by the contract: gates closed, cleared, sealed, sent, executed, mined and read back.

    python -m bench.chain [--sessions N] [--anvil PATH]

CPU seconds of this process, in which py-evm executes the contract. With anvil's binary the same sessions are settled
behind JSON-RPC; its own CPU stands beside ours. The base is the same work up to the door of the chain.
"""

import argparse
import json
import subprocess
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from urllib.request import Request, urlopen

from app.founding import Keys, found, member_key
from app.wiring import House, Places, build
from bench.measure import cpu_seconds_of, load_line
from bench.serving import community
from bench.town import Clock
from contracts.evm import Evm
from contracts.local_evm import LocalEvm
from contracts.rpc_evm import RpcEvm
from exchange.delivery import Product
from exchange.order import Order, Side, SignedOrder
from exchange.units import MicroPerKwh, Wh
from identity.address import to_text
from identity.signature import Signer, address_of
from settlement.batch import seal
from settlement.calldata import settle_calldata

MEMBERS = 50
NODE = "http://127.0.0.1:18545"


def hand_in(house: House, start: int) -> None:
    """Have every home bid and offer for one delivery period; about half of it trades."""
    founded = house.founded
    separator, orders = founded.parameters.domain.separator(), []
    for number, member in enumerate(founded.members):
        if "pv" not in member.assets:
            continue
        signer = Signer(member_key(member.name))
        for kind, side, limit in (("load", Side.BID, 330_000), ("pv", Side.OFFER, 60_000)):
            if (side is Side.OFFER) is (number % 2 == 0):
                continue  # a home that bids and offers uses its own energy, and trades nothing
            order = Order(
                asset=member.assets[kind].identity,
                market=1,
                product=Product.SPOT,
                side=side,
                delivery_start=start,
                energy=Wh(100 + 7 * number),
                limit=MicroPerKwh(limit + 100 * number),
                valid_until=start,
                salt=0,
            )
            orders.append(SignedOrder(order, signer.sign(order.digest(separator))))
    assert all(hasattr(result, "accepted") for result in house.desk.submit(orders))


def rpc(method: str, *values: object) -> None:
    """Tell the node something that no port of ours has a word for."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": values}).encode()
    with urlopen(Request(NODE, body, {"Content-Type": "application/json"})) as answer:
        assert "error" not in json.load(answer)


def settle(evm: Evm, clock: Clock, sessions: int, pid: int | None) -> None:
    """Settle sessions on a chain, and print what it cost."""
    with tempfile.TemporaryDirectory() as folder:
        places = Places(Path(folder))
        founded = found(evm, community(MEMBERS), Keys.devnet())
        with build(places, founded, Keys.devnet(), clock, evm) as house:
            starts = [(clock.now // 900 + 4 + number) * 900 for number in range(sessions)]
            for start in starts:
                hand_in(house, start)
            spent = base = wall = trades = 0.0
            chain = 0.0 if pid is None else -cpu_seconds_of(pid)
            for start in starts:
                clock.now = max(clock.now, founded.parameters.spot.gate_closure(start) + 1)
                if pid is not None:
                    rpc("evm_setNextBlockTimestamp", clock.now)
                    rpc("evm_mine")
                cpu, clocked = time.process_time(), time.perf_counter()
                for _ in range(4):
                    beat = house.heartbeat.beat(clock.now)
                    if beat.settled:
                        break
                    clock.now += 1
                spent += time.process_time() - cpu
                wall += time.perf_counter() - clocked
                book = house.desk.book(founded.parameters.spot.session(start))
                trades += len(book.cleared.clearing.trades)
                cpu = time.process_time()
                assert all(settle_calldata(batch) for batch in seal(book))
                base += time.process_time() - cpu
            state = house.desk.look(lambda market, _: [str(s.state.value) for s in market.sessions.values()])
            chain += 0.0 if pid is None else cpu_seconds_of(pid)
    assert set(state) == {"settled"}, state
    both = spent + (chain if pid is not None else 0.0)
    print(
        f"{sessions} sessions, {trades:.0f} trades on {'py-evm' if pid is None else 'anvil'}: {trades / both:,.0f} "
        f"trades a core-second ({spent:.2f} s ours{'' if pid is None else f', {chain:.2f} s of the node'}), "
        f"{sessions / wall:.1f} sessions a second wall; sealing alone is {base / both:.3f} of it; {load_line()}"
    )


def main() -> None:
    """Print one line a chain."""
    options = argparse.ArgumentParser(description="Trades settled on a chain.")
    options.add_argument("--sessions", type=int, default=10)
    options.add_argument("--anvil", type=Path, help="anvil's binary")
    asked = options.parse_args()
    clock = Clock()
    settle(LocalEvm(clock, genesis_time=clock()), clock, asked.sessions, None)
    if asked.anvil is not None:
        clock = Clock(int(time.time()))
        command = [str(asked.anvil), "--port", "18545", "--silent", "--hardfork", "london"]
        with subprocess.Popen(command) as node:
            time.sleep(2)
            try:
                for key in asdict(Keys.devnet()).values():
                    rpc("anvil_setBalance", to_text(address_of(key)), hex(10**24))
                settle(RpcEvm(NODE), clock, asked.sessions, node.pid)
            finally:
                node.terminate()


if __name__ == "__main__":
    main()
