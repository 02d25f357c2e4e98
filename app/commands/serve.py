"""`merit serve`: the exchange by the clock."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from app.bounds import Bounds, Rate
from app.clock import WallClock
from app.collector import spare_the_book
from app.community import read_community
from app.example_communities import street_file
from app.founding import ExchangeFileUnusable, Founded, Keys
from app.founding_here import found_here
from app.health import skew
from app.heartbeat_thread import HeartbeatThread
from app.logs import set_up
from app.output import Output
from app.play import StandingUtility, write_duty_keys, write_member_keys
from app.server import Serving, create_app
from app.storage import storage_of
from app.wiring import Places, build, chain_preset, keeper_of, open_chain
from contracts.devnet_server import DevnetServer
from contracts.local_evm import LocalEvm
from exchange.effects.memory import MOST_ORDERS
from identity.effects.keystore import read_key
from identity.effects.status_lists import StatusLists

SIGN_INS = Rate(10, 200)
"""How often an address may sign in: a challenge and an answer count one each."""


def run(
    data: Path,
    community: Path | None,
    *,
    host: str,
    port: int,
    rpc_port: int,
    key_file: Path | None,
    keeper_key_file: Path | None,
    confirmations: int | None,
    settings: Path | None,
    storage: str | None = None,
    rate_address: int,
    rate_account: int,
    public_url: str | None,
    settled_orders: int | None = None,
    json_lines: bool,
    log_requests: bool,
    status_lists: Sequence[str] = (),
) -> None:
    """Serve until interrupted. A folder without an exchange is founded on a chain in this process."""
    set_up(json_lines=json_lines, requests=log_requests)
    output, clock, places = Output(as_json=False), WallClock(), Places(data)
    description = read_community(community or street_file())
    with ExitStack() as stack:
        if places.exchange.exists():
            founded = Founded.read(places.exchange)
            evm = open_chain(places, founded, clock)
        else:
            founded, evm = found_here(places, description, clock, output)
        local = evm if isinstance(evm, LocalEvm) else None
        if local is not None:
            stack.callback(local.close)
            if local.warning is not None:
                output.say(local.warning)
        preset = chain_preset(places, founded.deployment.chain_id, settings)
        if confirmations is not None:
            preset = replace(preset, confirmations=confirmations)
        if not preset.play and key_file is None:
            raise ExchangeFileUnusable("this exchange is on a real chain: name the operator's key with --key-file")
        keys = Keys.devnet() if key_file is None else Keys.one(read_key(key_file))
        house = stack.enter_context(
            build(
                places,
                founded,
                keys,
                clock,
                evm,
                preset=preset,
                storage=storage_of(storage, data),
                most_settled_orders=MOST_ORDERS if settled_orders is None else settled_orders,
            )
        )
        if house.heartbeat.lead():
            house.heartbeat.beat(clock())
        else:
            output.say("another process decides: this one answers questions, and takes over when that one ends")
        doubt = skew(evm.head(), clock(), alone=local is not None)
        if doubt is not None:
            output.say(f"warning: {doubt}")
        chain_url = founded.rpc
        chores: list[Callable[[int], object]] = []
        if keeper_key_file is not None:
            chores.append(keeper_of(house, read_key(keeper_key_file)).keep)
        elif preset.play:
            chores.append(keeper_of(house, keys.certifier).keep)
        else:
            output.say("no keeper: have the contract ask the registries anew, see `merit asset refresh --help`")
        if preset.play:
            write_member_keys(data / "keys", founded)
            if key_file is None:
                write_duty_keys(data / "duties", keys)
            chores.append(StandingUtility(house.desk, founded, description.utility).trade)
        if local is not None:
            chain_url = stack.enter_context(DevnetServer(local, rpc_port)).url
        spare_the_book()
        bounds = Bounds(
            address=Rate.of(rate_address), account=Rate.of(rate_account), sign_in=SIGN_INS if rate_address else None
        )
        exchange = create_app(house, bounds, public_url, StatusLists(status_lists))
        server = stack.enter_context(Serving(exchange, host=host, port=port))
        if public_url is None and host in {"0.0.0.0", "::"}:  # noqa: S104  # what people gave, not what we bind
            output.say("warning: people sign in to what they reach this server by: name it with --public-url")

        def before(now: int) -> None:
            for chore in chores:
                chore(now)

        heart = HeartbeatThread(house.heartbeat, house.desk, before=before)
        heart.start()
        stack.callback(heart.stop)
        output.announce(server.url, chain_url or "")
        if preset.play:
            output.say(f"keys       {data / 'keys'}/*.key: try examples/place_order.py with one of them")
        server.wait()
