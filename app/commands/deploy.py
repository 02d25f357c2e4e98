"""`merit deploy`: found an exchange on somebody's chain, and check what stands there."""

from pathlib import Path

from app.auditing import VerificationFailed
from app.clock import WallClock
from app.community import read_community
from app.example_communities import street_file
from app.founding import ExchangeFileUnusable, Founded, Keys, found
from app.founding_here import founding
from app.output import Output
from app.wiring import Places, chain_preset, open_chain
from contracts.artifacts import Artifact, build, load
from contracts.code_check import Difference, differences
from contracts.deployment_record import DeploymentRecord, record_path
from contracts.errors import CompilerMissing, MalformedDeployment
from contracts.evm import Evm
from contracts.local_evm import LocalEvm
from contracts.rpc_evm import RpcEvm
from contracts.transacting import wait_for
from contracts.transaction import sender_of
from identity.address import Address, parse_address, to_text
from identity.effects.keystore import read_key
from identity.typed_data import Domain

_PLAY_MONEY_WEI = 10**20


def run(
    rpc: str,
    data: Path,
    community: Path | None,
    *,
    key_file: Path | None,
    token: str | None,
    chain_id: int | None,
    settings: Path | None,
    as_json: bool,
) -> None:
    """Deploy, found, and write `exchange.json` and the deployment's record; refuses a folder that holds an exchange."""
    output, places = Output(as_json=as_json), Places(data)
    if places.exchange.exists():
        raise ExchangeFileUnusable(f"{places.exchange} is there already")
    evm = RpcEvm(rpc, expected_chain_id=chain_id)
    preset = chain_preset(places, evm.chain_id, settings)
    if key_file is None and not preset.play:
        raise ExchangeFileUnusable(f"chain {evm.chain_id} is for real: name your key with --key-file")
    description = read_community(community or street_file())
    keys = Keys.devnet() if key_file is None else Keys.one(read_key(key_file))
    if key_file is None:
        _fund(evm, keys, output)
    output.say(f"deploying to chain {evm.chain_id} ({preset.name}) …")
    with founding(places, output) as sent:
        pays_in = None if token is None else parse_address(token)
        founded = found(evm, description, keys, token=pays_in, rpc=rpc, preset=preset, sent=sent)
        founded.write(places.exchange)
    deployment, record = founded.deployment, DeploymentRecord.of(founded.deployment)
    links = {name: preset.link(creation.transaction) for name, creation in deployment.creations.items()}
    output.result({"record": str(record.path_in(data)), "links": links, **record.to_document()})
    output.text(f"settlement {to_text(founded.parameters.domain.contract)} since block {deployment.block}")
    output.text(f"token      {to_text(Address(deployment.token))}")
    for link in links.values():
        if link is not None:
            output.text(f"look       {link}")
    output.text(f"record     {record.path_in(data)}")
    output.text(f"written to {places.exchange}: try `merit serve --data {data}`")


def run_check(rpc: str | None, data: Path, record_file: Path | None, *, from_source: bool, as_json: bool) -> None:
    """Compare the code on chain, the record and the source; raises `VerificationFailed` where there is a difference.

    Raises `CompilerMissing` where the source is to be compiled and Vyper is not installed.
    """
    output = Output(as_json=as_json)
    founded = Founded.read(Places(data).exchange) if record_file is None or rpc is None else None
    record = _read_record(record_file or record_path(data, _chain_of(founded)))
    settlement = record.contract("Settlement")
    assert settlement is not None, "a record is of a settlement"
    evm = _chain(rpc, data, founded, record)
    try:
        domain = Domain(record.chain_id, Address(settlement.address))
        found = differences(evm, record, _compiled if from_source else load, domain.separator())
    finally:
        if isinstance(evm, LocalEvm):
            evm.close()
    if founded is not None:
        found += _of_exchange(founded, settlement.address)
    names = [contract.name for contract in record.contracts]
    against = "the source, compiled here" if from_source else "the committed artifacts"
    output.result(
        {
            "same": not found,
            "chain_id": record.chain_id,
            "contracts": {contract.name: to_text(Address(contract.address)) for contract in record.contracts},
            "against": "source" if from_source else "artifact",
            "differences": [difference.to_document() for difference in found],
        }
    )
    for difference in found:
        output.text(f"  ✗ {difference}")
    if found:
        raise VerificationFailed(f"{len(found)} differences between chain {record.chain_id} and {against}")
    output.text(f"the same, byte by byte: {' and '.join(names)} on chain {record.chain_id} and {against}")


def _fund(evm: RpcEvm, keys: Keys, output: Output) -> None:
    """Let a node for play give money to the public keys that have none; a node that cannot is found out later."""
    for key in dict.fromkeys(
        (keys.admin, keys.community, keys.certifier, keys.grid_operator, keys.operator, keys.guardian)
    ):
        if evm.balance(sender_of(key)):
            continue
        lent = evm.lend(sender_of(key), _PLAY_MONEY_WEI)
        if lent is None:
            output.say("this node has no accounts of its own to fund the public keys from")
            return
        wait_for(evm, lent)


def _compiled(name: str) -> Artifact:
    try:
        return build(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "vyper":
            raise
        raise CompilerMissing from error


def _read_record(path: Path) -> DeploymentRecord:
    try:
        return DeploymentRecord.from_json(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, MalformedDeployment) as error:
        raise ExchangeFileUnusable(f"{path}: {error}") from error


def _chain_of(founded: Founded | None) -> int:
    assert founded is not None, "without a record of its own, the exchange's file was read"
    return founded.deployment.chain_id


def _chain(rpc: str | None, data: Path, founded: Founded | None, record: DeploymentRecord) -> Evm:
    if rpc is not None:
        return RpcEvm(rpc, expected_chain_id=record.chain_id)
    assert founded is not None, "without a node, the exchange's file was read"
    return open_chain(Places(data), founded, WallClock())


def _of_exchange(founded: Founded, settlement: bytes) -> list[Difference]:
    """Return where the exchange trades under another contract than the record's."""
    stands = founded.deployment.settlement
    if stands == settlement:
        return []
    return [Difference("Settlement", "address", to_text(Address(settlement)), to_text(Address(stands)))]
