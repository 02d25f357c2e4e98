"""Putting the contracts on a chain, and the record of where they are."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from sha3 import keccak_256

from contracts.artifacts import Artifact, load
from contracts.errors import MalformedDeployment
from contracts.evm import Evm, Receipt
from contracts.json_rpc import MalformedValue, read_data, to_data
from contracts.transacting import transact
from contracts.transaction import sender_of

DEFAULT_WITHDRAWAL_DELAY_SECONDS = 3 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Where the contracts are, since which block, and what they were compiled from.

    `block` is the one that created Settlement: nothing of ours happened before. `code_digests` are Keccak-256 over the
    runtime code on chain, by contract name (the token is there only if it was deployed along).
    """

    chain_id: int
    settlement: bytes
    token: bytes
    admin: bytes
    withdrawal_delay_seconds: int
    block: int
    block_hash: bytes
    compiler: str
    source_digest: str
    code_digests: Mapping[str, bytes]

    def to_json(self) -> str:
        """Return the record as sorted, indented JSON; bytes are hex."""
        plain = {name: to_data(value) if isinstance(value, bytes) else value for name, value in asdict(self).items()}
        plain["code_digests"] = {name: to_data(digest) for name, digest in self.code_digests.items()}
        return json.dumps(plain, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote; `MalformedDeployment` says what is wrong with anything else."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise MalformedDeployment(f"not JSON: {error}") from error
        if not isinstance(found, dict) or found.keys() != {field.name for field in fields(cls)}:
            raise MalformedDeployment(f"the fields are not {', '.join(field.name for field in fields(cls))}")
        try:
            return cls(**_typed(found))
        except (MalformedValue, AttributeError) as error:
            raise MalformedDeployment(str(error)) from error


def deploy(
    evm: Evm,
    key: bytes,
    *,
    admin: bytes | None = None,
    token: bytes | None = None,
    withdrawal_delay_seconds: int = DEFAULT_WITHDRAWAL_DELAY_SECONDS,
    legacy: bool = False,
) -> Deployment:
    """Deploy Settlement over `token`, and before it a test euro if no token is given; `key` pays.

    The admin is whoever pays, unless another is named. Waits until everything is mined; raises `EvmError`.
    """
    settlement = load("Settlement")
    digests: dict[str, bytes] = {}
    if token is None:
        euro = _created(transact(evm, key, None, constructor(load("TestEuro")), legacy=legacy))
        token, digests["TestEuro"] = euro, code_digest(evm, euro)
    admin = sender_of(key) if admin is None else admin
    receipt = transact(evm, key, None, constructor(settlement, token, admin, withdrawal_delay_seconds), legacy=legacy)
    digests["Settlement"] = code_digest(evm, _created(receipt))
    return Deployment(
        chain_id=evm.chain_id,
        settlement=_created(receipt),
        token=token,
        admin=admin,
        withdrawal_delay_seconds=withdrawal_delay_seconds,
        block=receipt.block_number,
        block_hash=receipt.block_hash,
        compiler=settlement.compiler,
        source_digest=settlement.source_digest,
        code_digests=digests,
    )


def constructor(artifact: Artifact, *arguments: Any) -> bytes:
    """Return the input of the transaction that creates the contract: its bytecode and the encoded arguments."""
    from eth_abi.abi import encode

    inputs: list[dict[str, Any]] = next(
        (entry["inputs"] for entry in artifact.abi if entry["type"] == "constructor"), []
    )
    return artifact.bytecode + encode([each["type"] for each in inputs], arguments)


def code_digest(evm: Evm, address: bytes) -> bytes:
    """Return the Keccak-256 of the runtime code at `address`."""
    digest: bytes = keccak_256(evm.code(address)).digest()
    return digest


def stands(evm: Evm, deployment: Deployment) -> bool:
    """Say whether the chain is the one recorded, and holds at the recorded addresses the code recorded."""
    places = {"Settlement": deployment.settlement, "TestEuro": deployment.token}
    return evm.chain_id == deployment.chain_id and all(
        code_digest(evm, places[name]) == digest for name, digest in deployment.code_digests.items()
    )


def _created(receipt: Receipt) -> bytes:
    assert receipt.contract_address is not None, "the transaction had no recipient"
    return receipt.contract_address


_NUMBERS = ("chain_id", "withdrawal_delay_seconds", "block")
_TEXTS = ("compiler", "source_digest")
_LENGTHS = {"settlement": 20, "token": 20, "admin": 20, "block_hash": 32}


def _typed(found: dict[str, Any]) -> dict[str, Any]:
    for name in _NUMBERS:
        if type(found[name]) is not int or found[name] < 0:
            raise MalformedDeployment(f"{name} is not a whole number")
    for name in _TEXTS:
        if not isinstance(found[name], str):
            raise MalformedDeployment(f"{name} is not text")
    digests = found["code_digests"]
    if not isinstance(digests, dict) or not {"Settlement"} <= digests.keys() <= {"Settlement", "TestEuro"}:
        raise MalformedDeployment("code_digests are not by contract name")
    return found | {
        **{name: read_data(found[name], length) for name, length in _LENGTHS.items()},
        "code_digests": {name: read_data(digest, 32) for name, digest in digests.items()},
    }
