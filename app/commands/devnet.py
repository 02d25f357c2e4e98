"""`merit devnet`: a local chain as JSON-RPC."""

from pathlib import Path

from app.clock import WallClock
from app.output import Output
from app.wiring import Places
from contracts.devnet_keys import DEVNET_KEYS
from contracts.devnet_server import DevnetServer
from contracts.local_evm import LocalEvm
from contracts.transaction import sender_of
from identity.address import Address, to_text


def run(data: Path | None, *, port: int, fork: str) -> None:
    """Serve until interrupted."""
    output, clock = Output(as_json=False), WallClock()
    if data is None:
        evm = LocalEvm(clock, genesis_time=clock(), fork=fork)
    else:
        evm = LocalEvm.reopen(Places(data).chain, clock)
    server = DevnetServer(evm, port)
    output.say(f"chain {evm.chain_id} at {server.url}, block {evm.head().number}")
    if data is None:
        output.say("accounts with a million ether each; their keys are public, so never for money:")
        for key in DEVNET_KEYS[:5]:
            output.say(f"  {to_text(Address(sender_of(key)))}  0x{key.hex()}")
    output.say("Ctrl-C ends it")
    try:
        server.serve_forever()
    finally:
        evm.close()
