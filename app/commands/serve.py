"""`merit serve`: the exchange by the clock."""

import logging
from contextlib import ExitStack
from pathlib import Path

from app.clock import WallClock
from app.community import read_community
from app.founding import ExchangeFileUnusable, Founded, Keys, found
from app.heartbeat import HeartbeatThread
from app.output import Output
from app.play import StandingUtility, write_member_keys
from app.server import Serving, create_app
from app.street import street_file
from app.wiring import Places, build, open_chain
from contracts.devnet_server import DevnetServer
from contracts.local_evm import LocalEvm
from identity.effects.keystore import read_key


def run(
    data: Path,
    community: Path | None,
    *,
    host: str,
    port: int,
    rpc_port: int,
    key_file: Path | None,
    confirmations: int,
) -> None:
    """Serve until interrupted. A folder without an exchange is founded on a chain in this process."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    output, clock, places = Output(as_json=False), WallClock(), Places(data)
    description = read_community(community or street_file())
    with ExitStack() as stack:
        if places.exchange.exists():
            founded = Founded.read(places.exchange)
            evm = open_chain(places, founded, clock)
        else:
            output.say(f"nothing in {data} yet: founding an exchange on a chain in this process …")
            if data.exists() and any(data.iterdir()):
                raise ExchangeFileUnusable(f"{data} holds no exchange.json, but something else")
            data.mkdir(parents=True, exist_ok=True)
            evm = LocalEvm(clock, genesis_time=clock(), record=places.chain)
            founded = found(evm, description, Keys.devnet())
            founded.write(places.exchange)
        local = evm if isinstance(evm, LocalEvm) else None
        if local is not None:
            stack.callback(local.close)
            if local.warning is not None:
                output.say(local.warning)
        if local is None and key_file is None:
            raise ExchangeFileUnusable("this exchange is on a real chain: name the operator's key with --key-file")
        keys = Keys.devnet() if key_file is None else Keys.one(read_key(key_file))
        house = stack.enter_context(build(places, founded, keys, clock, evm, confirmations=confirmations))
        house.heartbeat.beat(clock())
        before = None
        chain_url = founded.rpc
        if local is not None:
            write_member_keys(data / "keys", founded)
            before = StandingUtility(house.desk, founded, description.utility).trade
            chain_url = stack.enter_context(DevnetServer(local, rpc_port)).url
        server = stack.enter_context(Serving(create_app(house), host=host, port=port))
        heart = HeartbeatThread(house.heartbeat, house.desk, before=before)
        heart.start()
        stack.callback(heart.stop)
        output.announce(server.url, chain_url or "")
        if local is not None:
            output.say(f"keys       {data / 'keys'}/*.key: try examples/place_order.py with one of them")
        server.wait()
