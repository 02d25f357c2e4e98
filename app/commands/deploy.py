"""`merit deploy`: found an exchange on somebody's chain."""

import json
from pathlib import Path

from app.community import read_community
from app.founding import ExchangeFileUnusable, Keys, found
from app.output import Output
from app.street import street_file
from app.wiring import Places
from contracts.local_evm import LOCAL_CHAIN_ID
from contracts.rpc_evm import RpcEvm
from identity.address import parse_address, to_text
from identity.effects.keystore import read_key

_PLAY_CHAINS = {LOCAL_CHAIN_ID, 31_337}
"""Chains where public keys do no harm: the local chain and anvil's default."""


def run(
    rpc: str,
    data: Path,
    community: Path | None,
    *,
    key_file: Path | None,
    token: str | None,
    chain_id: int | None,
    as_json: bool,
) -> None:
    """Deploy, found, and write `exchange.json`; refuses a folder that holds an exchange already."""
    output, places = Output(as_json=as_json), Places(data)
    if places.exchange.exists():
        raise ExchangeFileUnusable(f"{places.exchange} is there already")
    evm = RpcEvm(rpc, expected_chain_id=chain_id)
    if key_file is None and evm.chain_id not in _PLAY_CHAINS:
        raise ExchangeFileUnusable(f"chain {evm.chain_id} is for real: name your key with --key-file")
    keys = Keys.devnet() if key_file is None else Keys.one(read_key(key_file))
    output.say(f"deploying to chain {evm.chain_id} …")
    founded = found(
        evm,
        read_community(community or street_file()),
        keys,
        token=None if token is None else parse_address(token),
        rpc=rpc,
    )
    data.mkdir(parents=True, exist_ok=True)
    founded.write(places.exchange)
    deployment = founded.deployment
    output.result(json.loads(deployment.to_json()))
    output.text(f"settlement {to_text(founded.parameters.domain.contract)} since block {deployment.block}")
    output.text(f"token      0x{deployment.token.hex()}")
    output.text(f"written to {places.exchange}: try `merit serve --data {data}`")
